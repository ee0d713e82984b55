"""The terminals of SQL as PostgreSQL reads them: a text and an offset in, the next lexeme out.

Source: PostgreSQL's src/backend/parser/scan.l, with standard_conforming_strings on. These are the only regular
expressions that meet SQL; each matches one lexeme and none backtracks.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from thanosql.errors import Position, ThanoSQLSyntaxError

SPACE = " \t\n\r\f\v"
MAX_DIGITS = 300
# What a name may begin with and go on with: letters, _ and all beyond ASCII; then digits and $ too. Written as what is
# left out: re compiles a class that reaches beyond ASCII 20 times as slowly, and that is a share of every start.
_START = r"[^\x00-@\[-\^`{-\x7f]"
_PART = r"[^\x00-\#%-/:-@\[-\^`{-\x7f]"
_TAG_PART = r"[^\x00-/:-@\[-\^`{-\x7f]"  # no $
_NUMBER_PART = r"[^\x00-\-/:-@\[-\^`{-\x7f]"  # a dot, and no $
_GAP = r"[ \t\f\v]*+(?:--[^\n\r]*+)?+[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*+"  # what may divide one string
_PLAIN = r"'(?:[^']++|'')*+'"
_ESCAPED = r"'(?:[^'\\]++|\\.|'')*+'"

PLAIN_STRING = re.compile(rf"{_PLAIN}(?:{_GAP}{_PLAIN})*+")
ESCAPE_STRING = re.compile(rf"[eE]{_ESCAPED}(?:{_GAP}{_ESCAPED})*+", re.DOTALL)
DOLLAR_TAG = re.compile(rf"\$(?:{_START}{_TAG_PART}*+)?\$")
PARAMETER = re.compile(r":([^\W\d]\w*+)")
LINE_COMMENT = re.compile(r"--[^\n\r]*+")
_BLANK = re.compile(r"(?:[ \t\n\r\f\v]++|--[^\n\r]*+)*+")
_COMMENT_EDGE = re.compile(r"/\*|\*/")

# SQL that needs no second look: all but quotes, dollars, comments, brackets, colons, semicolons and these few words.
DULL = re.compile(
    rf"""(?:
        [\x00-!\#%&*-,.<-@\\^`{{-\x7f]++
      | (?!(?:[eE]'|(?i:with|begin|case|end|options)(?!{_PART}))){_START}{_PART}*+
      | [0-9]{_NUMBER_PART}*+
      | -(?!-) | /(?!\*) | \$[0-9]++
    )++""",
    re.VERBOSE,
)
_LEXEME = re.compile(
    rf"""[ \t\n\r\f\v]*+(?:
      (?P<STRING>(?:[uU]&|[nN])?{_PLAIN}(?:{_GAP}{_PLAIN})*+ | [eE]{_ESCAPED}(?:{_GAP}{_ESCAPED})*+)
    | (?P<QUOTED>(?:[uU]&)?"(?:[^"]++|"")*+")
    | (?P<WORD>{_START}{_PART}*+)
    | (?P<NUMBER>[+\-]?(?:[0-9][0-9_]*+(?:\.[0-9_]*+)?+|\.[0-9][0-9_]*+)(?:[eE][+\-]?[0-9]++)?+)
    | (?P<PARAMETER>:[^\W\d]\w*+)
    | (?P<OPERATOR>==|:=|=>|::)
    | (?P<sign>[()\[\],=.;])
    )""",
    re.VERBOSE | re.DOTALL,
)


def words(listed: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(listed.split())


class Refusal(Exception):
    """What is wrong with a text and where; the parser's door makes a ThanoSQLSyntaxError of it."""

    def __init__(self, message: str, start: int, width: int = 1, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.start, self.width, self.hint = message, start, width, hint

    def as_error(self, source: str) -> ThanoSQLSyntaxError:
        return ThanoSQLSyntaxError(self.message, hint=self.hint, position=Position.at(source, self.start, self.width))


class Lexeme(NamedTuple):
    """What stands between white space and comments. `kind` is a terminal, a sign itself, or "" at the end."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """The word in upper case; "" for what is no word, so that comparing needs no second question."""
        return self.text.upper() if self.kind == "WORD" else ""


def comment_end(text: str, start: int) -> int:
    """The offset after the block comment that opens at `start`; comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    raise Refusal("The comment that opens here is never closed.", start, 2, "Close it with */; comments nest.")


def skip_blank(text: str, at: int) -> int:
    """The offset of the next character that is neither white space nor comment."""
    while True:
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty string too
        if not text.startswith("/*", at):
            return at
        at = comment_end(text, at)


def dollar_end(text: str, start: int) -> int | None:
    """The offset after the dollar-quoted string that opens at `start`, or None where none does."""
    tag = DOLLAR_TAG.match(text, start)
    if tag is None:
        return None
    end = text.find(tag[0], tag.end())
    if end < 0:
        raise Refusal(
            f"The string that {tag[0]} opens here is never closed.", start, len(tag[0]), f"Close it with {tag[0]}."
        )
    return end + len(tag[0])


def unclosed_quote(text: str, start: int) -> Refusal:
    """The error for a quote at `start` that has no second one."""
    if text[start] == '"':
        return Refusal("The double quote that opens here is never closed.", start, 1, 'Close the name with ".')
    return Refusal(
        "The quote that opens here is never closed.",
        start,
        1,
        "Close the string with '; a quote inside it is doubled: ''.",
    )


def quoted_end(text: str, start: int) -> int:
    """The offset after the string or quoted name that opens at `start`; a lone dollar is passed over."""
    if text[start] == "$":
        return dollar_end(text, start) or start + 1
    if text[start] == '"':
        end = text.find('"', start + 1) + 1
        if not end:
            raise unclosed_quote(text, start)
        return end
    escapes = text[start] in "eE"
    found = (ESCAPE_STRING if escapes else PLAIN_STRING).match(text, start)
    if found is None:
        raise unclosed_quote(text, start + escapes)
    return found.end()


def unclosed(text: str, opener: int) -> Refusal:
    """The error for a parenthesis or bracket at `opener` that has no second one."""
    sign = "parenthesis" if text[opener] == "(" else "bracket"
    return Refusal(f"The {sign} that opens here is never closed.", opener)


def lexeme(text: str, at: int) -> Lexeme:
    """The next lexeme at or after `at`. What cannot be read is an OPERATOR of one character, or an open quote "'"."""
    found = _LEXEME.match(text, at)
    if found is None:
        at = skip_blank(text, at)  # comments are rare
        if at >= len(text):
            return Lexeme("", "", at, at)
        if text[at] == "$" and (end := dollar_end(text, at)) is not None:
            return Lexeme("STRING", text[at:end], at, end)
        found = _LEXEME.match(text, at)
        if found is None:
            sign = text[at]
            return Lexeme(sign if sign in "'\"" else "OPERATOR", sign, at, at + 1)
    kind = found.lastgroup or ""
    piece = found[kind]
    return Lexeme(piece if kind == "sign" else kind, piece, *found.span(kind))


_PLAIN_PIECE = re.compile(_PLAIN)
_ESCAPED_PIECE = re.compile(_ESCAPED, re.DOTALL)
_ESCAPE = re.compile(
    r"''|\\(?:u(?P<u4>[0-9a-fA-F]{4})|U(?P<u8>[0-9a-fA-F]{8})|x(?P<hex>[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})|(?P<one>.))",
    re.DOTALL,
)
_UNICODE = re.compile(r"\\(?:\+(?P<u6>[0-9a-fA-F]{6})|(?P<u4>[0-9a-fA-F]{4})|(?P<one>\\))")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def closing_parenthesis(text: str, parenthesis: int) -> int:
    """The offset after the parenthesis that closes the one at `parenthesis`; -1 where none does.

    >>> closing_parenthesis("(a, ')', (b)) c", 0)
    13
    """
    at, depth = parenthesis, 0
    while at < len(text):
        sign = text[at]
        if sign in "()":
            depth += 1 if sign == "(" else -1
            at += 1
            if depth == 0:
                return at
        elif sign in "'\"$" or text.startswith(("e'", "E'"), at):
            at = quoted_end(text, at)
        elif (dull := DULL.match(text, at)) is not None:
            at = dull.end()
        else:
            at = max(at + 1, skip_blank(text, at) if sign in "-/" else lexeme(text, at).end)
    return -1


def string_value(token: Lexeme) -> str:
    """What a string literal says: quotes taken off, pieces joined, escapes resolved.

    >>> string_value(lexeme("'it''s'", 0)), string_value(lexeme(r"E'a\\tb'", 0)), string_value(lexeme("$$x$$", 0))
    ("it's", 'a\\tb', 'x')
    """
    text = token.text
    if text.startswith("'") and "'" not in text[1:-1]:
        return text[1:-1]
    if text.startswith("$"):
        tag = text.index("$", 1) + 1
        return text[tag:-tag]
    prefix = text[: text.index("'")].upper()
    pieces = _pieces(text, len(prefix), _ESCAPED_PIECE if prefix == "E" else _PLAIN_PIECE)
    value = "".join(piece[1:-1] for piece in pieces)
    if prefix == "E":
        return _replace(_ESCAPE, value, token)
    value = value.replace("''", "'")
    return _replace(_UNICODE, value, token) if prefix == "U&" else value


def number_value(text: str, start: int) -> int | float:
    """What a number that stands at `start` says. Raises Refusal for one that is too long, or none.

    >>> number_value("1_000", 0), number_value("1e-4", 0)
    (1000, 0.0001)
    """
    if len(text) > MAX_DIGITS:
        raise Refusal(f"A number of more than {MAX_DIGITS} characters.", start, len(text))
    try:
        return int(text) if text.lstrip("+-").replace("_", "").isdigit() else float(text)
    except ValueError:
        raise Refusal(f"{text} is no number.", start, len(text)) from None


def _pieces(text: str, at: int, pattern: re.Pattern[str]) -> list[str]:
    """The pieces of a string literal, more than one where it goes on on the next line."""
    pieces: list[str] = []
    while (piece := pattern.match(text, skip_blank(text, at))) is not None:
        pieces.append(piece[0])
        at = piece.end()
    return pieces


def _replace(pattern: re.Pattern[str], value: str, token: Lexeme) -> str:
    def character(found: re.Match[str]) -> str:
        groups = found.groupdict()
        if found[0] == "''":
            return "'"
        if (one := groups.get("one")) is not None:
            if one in "uUx" and pattern is not _UNICODE:
                raise Refusal(f"'\\{one}' in this string lacks its digits.", token.start, len(token.text))
            return _LETTERS.get(one, one)
        digits = next(groups[name] for name in ("u4", "u8", "u6", "hex", "octal") if groups.get(name))
        code = int(digits, 8 if groups.get("octal") else 16)
        if not 0 < code <= 0x10FFFF or 0xD800 <= code < 0xE000:
            raise Refusal(f"'{found[0]}' in this string is no character.", token.start, len(token.text))
        return chr(code)

    return pattern.sub(character, value)


def quoted_value(text: str) -> str:
    """The name between double quotes.

    >>> quoted_value('"My ""own"" table"')
    'My "own" table'
    """
    return text[text.index('"') + 1 : -1].replace('""', '"')
