"""Names in, SQL out: identifiers as PostgreSQL quotes and measures them."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

LONGEST = 63  # bytes of a name in PostgreSQL
_FOLDED = re.compile(
    r"[a-z_\x80-\U0010ffff][a-z0-9_$\x80-\U0010ffff]*"
)  # what PostgreSQL reads as written without quotes


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a query: `name` as it is, `type` as PostgreSQL's format_type writes it ('numeric(30,10)')."""

    name: str
    type: str


def quoted(*names: str) -> str:
    """A name with its schema before it, each in quotes.

    >>> quoted("public", 'my "table"')
    '"public"."my ""table\"""'
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def needs_quotes(name: str) -> bool:
    """Whether SQL must put double quotes around a name: it has capitals, spaces or signs.

    >>> needs_quotes("Called on"), needs_quotes("File"), needs_quotes("file_2"), needs_quotes("파일")
    (True, True, False, False)
    """
    return _FOLDED.fullmatch(name) is None


def written(*names: str) -> str:
    """A name with its schema or table before it, in quotes only where SQL must have them.

    >>> written("public", "calls"), written("Call No.")
    ('public.calls', '"Call No."')
    """
    return ".".join(quoted(name) if needs_quotes(name) else name for name in names)


def type_of(oid: str, modifier: str) -> str:
    """SQL for a type's name as format_type writes it, whatever quote_all_identifiers says: `oid` and `modifier` are SQL.

    PostgreSQL's own types (their numbers are below 16384) have names without quotes, but for "char" and its array.
    """
    name = f"format_type({oid}, {modifier})"
    return f"CASE WHEN {oid} < 16384 AND {oid} NOT IN (18, 1002) THEN replace({name}, '\"', '') ELSE {name} END"


def literal(text: str) -> str:
    """A string in SQL whatever standard_conforming_strings says.

    >>> literal("it's")
    "'it''s'"
    """
    doubled = text.replace("'", "''")
    return f" E'{doubled.replace(chr(92), chr(92) * 2)}'" if "\\" in doubled else f"'{doubled}'"


def fresh(purpose: str) -> str:
    """A name that no user's can meet: 'thanosql_staging_' and 12 random hexadecimal digits."""
    return f"thanosql_{purpose}_{secrets.token_hex(6)}"


def fault_of(name: str) -> str | None:
    """Why PostgreSQL has no such name, as the rest of a sentence about it; None for one that it has.

    >>> fault_of("text"), fault_of("가" * 22), fault_of("a\\0b")
    (None, "is longer than PostgreSQL's 63 bytes", 'holds the character NUL')
    """
    if not name:
        return "is empty"
    if "\0" in name:
        return "holds the character NUL"
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "holds half a surrogate pair"
    return f"is longer than PostgreSQL's {LONGEST} bytes" if size > LONGEST else None
