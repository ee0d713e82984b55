"""A text for a server whose standard_conforming_strings is off in, the same for one where it is on out.

There a backslash in a plain string escapes what follows, as in E'…': so that is how such a string is written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from thanosql.engine.language.terminals import (
    ESCAPE_STRING,
    LINE_COMMENT,
    Refusal,
    comment_end,
    dollar_end,
    unclosed_quote,
)

_EDGE = re.compile(r"""--|/\*|["']|(?<![\w$])\$""")
_PLAIN = re.compile(r"'(?:[^'\\]++|\\.|'')*+'", re.DOTALL)
_STANDARD = re.compile(r"'(?:[^']++|'')*+'")
_BEHIND_UNICODE = re.compile(r"(?<![\w$])[uU]&\Z")
_BEHIND_NATIONAL = re.compile(r"(?<![\w$])[nN]\Z")


def with_escapes_marked(text: str) -> str:
    r"""Every plain string that holds a backslash as E'…'. Raises ThanoSQLSyntaxError for what is never closed.

    >>> print(with_escapes_marked(r"SELECT 'it\'s; fine', 'a', $$'\$$, E'\n' -- it's"))
    SELECT E'it\'s; fine', 'a', $$'\$$, E'\n' -- it's
    """
    try:
        return "".join(_pieces(text))
    except Refusal as refusal:
        raise refusal.as_error(text) from None


def _pieces(text: str) -> Iterator[str]:
    copied, at = 0, 0
    while (edge := _EDGE.search(text, at)) is not None:
        start = edge.start()
        if edge[0] == "--":
            at = LINE_COMMENT.match(text, start).end()  # type: ignore[union-attr]  # it begins here
        elif edge[0] == "/*":
            at = comment_end(text, start)
        elif edge[0] == "$":
            at = dollar_end(text, start) or start + 1
        elif edge[0] == '"':
            at = text.find('"', start + 1) + 1 or len(text)
        elif start and (found := ESCAPE_STRING.match(text, start - 1)) and not text[start - 2 : start - 1].isalnum():
            at = found.end()
        elif _BEHIND_UNICODE.search(text, max(0, start - 3), start) and (found := _STANDARD.match(text, start)):
            at = found.end()  # U&'…': the server refuses it, and a backslash escapes no quote in it
        elif found := _PLAIN.match(text, start):
            at = found.end()
            if "\\" in found[0]:
                national = _BEHIND_NATIONAL.search(text, max(0, start - 2), start)
                yield text[copied : start - 1 if national else start]
                yield "NCHAR E" if national else " E" if text[start - 1 : start].isalnum() else "E"
                copied = start
        else:
            raise unclosed_quote(text, start)
    yield text[copied:]
