"""The line of a magic and the cell under it in, what they ask for out: options, connection, variable, SQL."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from thanosql.engine.executors.base import check_name
from thanosql.errors import Position, ThanoSQLConnectionError, ThanoSQLOptionError, did_you_mean

if TYPE_CHECKING:
    from thanosql.config import Settings

SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg2://")
FLAGS = ("--executor", "--limit", "--no-fetch", "--quiet", "--with")

_FLAG = re.compile(r"(--[A-Za-z][\w-]*|-q\b)")
_NUMBER = re.compile(r"[ =]\s*(\d+)(?=\s|$)")
_NAME = re.compile(r"[ =]\s*([^\s-]\S*)")
_PAIR = re.compile(r"""[ =]\s*([A-Za-z_]\w*)=('(?:[^']|'')*'|"[^"]*"|\S*)""")
_VARIABLE = re.compile(r"([A-Za-z_]\w*)\s*<<(?=\s|$)")
_WORD = re.compile(r"\S+")
_TOKEN = re.compile(r"\s*API_TOKEN\s*=", re.IGNORECASE)
_ASKED = re.compile(r"\s*(?:\?\s*)?([A-Za-z_]\w*(?:\s+\w+){0,2})\s*\?{0,2}\s*;?\s*", re.ASCII)
_HELP = re.compile(r"(?:help|man|[\\.](?:help|h|\?)|\?)(?:\s+(\w+(?:\s+\w+){0,2}))?\s*\??", re.IGNORECASE | re.ASCII)
_BRACES = re.compile(r"'[^'\n]*?(\{+\s*([A-Za-z_]\w*)\s*\}+)[^'\n]*'(?!\s*::)")
_ALONE_TEXT = """
begin commit rollback end abort analyze vacuum checkpoint show
"""
_ALONE = frozenset(_ALONE_TEXT.split())  # SQL of one word


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What a magic was asked for. `limit` is None where the setting counts; `values` are those of --with; `executor`
    stays with the session, as a connection does."""

    sql: str = ""
    connection: str | None = None
    variable: str | None = None
    executor: str | None = None
    limit: int | None = None
    fetch: bool = True
    quiet: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


def read(line: str, cell: str | None, settings: Settings) -> Arguments:
    """Take a magic's line apart from the left; what is left over is SQL, and the cell goes on with it.

    Raises ThanoSQLOptionError for an option that is not there, ThanoSQLConnectionError for such a connection.
    """
    given, rest = Arguments(), line.strip()
    while flag := _FLAG.match(rest):
        given, rest = _option(given, flag[1], rest, line)
    if variable := _VARIABLE.match(rest):
        given, rest = replace(given, variable=_named(variable[1], line)), rest[variable.end() :].lstrip()
    connections: Mapping[str, str] = getattr(settings, "connections", {})
    word = _WORD.match(rest)
    if word and (word[0].startswith(SCHEMES) or word[0] in connections):
        given = replace(given, connection=connections.get(word[0], word[0]))
        rest = rest[word.end() :].lstrip()
        if variable := _VARIABLE.match(rest):
            given, rest = replace(given, variable=_named(variable[1], line)), rest[variable.end() :].lstrip()
    elif (
        word
        and rest.isidentifier()
        and asked_for(rest) is None
        and rest.lower() not in _ALONE
        and not (cell or "").strip()
    ):
        raise ThanoSQLConnectionError(
            f"'{rest}' is no statement, and the configuration's [connections] has no such name.",
            hint=did_you_mean(rest, connections) or "A connection is postgresql://user@host/database, or a name there.",
        )
    return replace(given, sql=rest if cell is None else f"{rest}\n{cell}" if rest else cell)


def gives_token(line: str) -> bool:
    """Whether a line is the origin's `API_TOKEN=…`."""
    return _TOKEN.match(line) is not None


def asked_for(sql: str) -> str | None:
    """What `PREDICT?`, `? BUILD MODEL` or `help max_epochs` ask about, "" for all there is; None where SQL is meant.

    >>> asked_for("BUILD MODEL?"), asked_for("help PREDICT"), asked_for("?"), asked_for("SELECT 1")
    ('BUILD MODEL', 'PREDICT', '', None)
    """
    stripped = sql.strip().rstrip(";").rstrip()
    if (help_ := _HELP.fullmatch(stripped)) is not None:
        return help_[1] or ""
    if not (stripped.startswith("?") or stripped.endswith("?")):
        return None
    asked = _ASKED.fullmatch(stripped)
    return asked[1] if asked else None


def unfilled(sql: str, names: Container[object]) -> str:
    """What to say of a text that holds one of `names` in braces: nothing fills it in, and nothing refuses it.

    >>> unfilled("SELECT * FROM calls WHERE who = '{who}'", {"who"})
    "'{who}' is plain text here: write a parameter as :who, without quotes."
    >>> unfilled("SELECT '{a}'::text[]", {"a"})
    ''
    """
    for found in _BRACES.finditer(sql):
        if found[2] in names:
            return f"'{found[1]}' is plain text here: write a parameter as :{found[2]}, without quotes."
    return ""


def value_of(text: str) -> Any:
    """A value as written after `NAME=`: a number, True, False, NULL, something in quotes; else a string.

    >>> value_of("5"), value_of("1e-4"), value_of("'5'"), value_of("2026-11-22"), value_of("007"), value_of("true")
    (5, 0.0001, '5', '2026-11-22', '007', True)
    """
    if text.lower() in ("true", "false", "null", "none"):
        return {"true": True, "false": False}.get(text.lower())
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, str | int | float) else text


def _option(given: Arguments, flag: str, rest: str, line: str) -> tuple[Arguments, str]:
    after = rest[len(flag) :]
    if flag in ("--quiet", "-q"):
        return replace(given, quiet=True), after.lstrip()
    if flag == "--no-fetch":
        return replace(given, fetch=False), after.lstrip()
    place = Position.at(line, line.find(rest), len(flag))
    if flag == "--limit":
        if (number := _NUMBER.match(after)) is None:
            raise ThanoSQLOptionError("--limit needs a number of rows.", position=place, hint="As in: --limit 20")
        return replace(given, limit=int(number[1])), after[number.end() :].lstrip()
    if flag == "--executor":
        if (name := _NAME.match(after)) is None:
            raise ThanoSQLOptionError("--executor needs a name.", position=place, hint="As in: --executor ray")
        return replace(given, executor=check_name(name[1], "--executor")), after[name.end() :].lstrip()
    if flag == "--with":
        if (pair := _PAIR.match(after)) is None:
            raise ThanoSQLOptionError("--with needs NAME=VALUE.", position=place, hint="As in: --with day=2026-11-22")
        values = {**given.values, pair[1]: value_of(pair[2])}
        return replace(given, values=values), after[pair.end() :].lstrip()
    raise ThanoSQLOptionError(f"There is no option '{flag}'.", position=place, hint=did_you_mean(flag, FLAGS))


def _named(variable: str, line: str) -> str:
    if keyword.iskeyword(variable):
        raise ThanoSQLOptionError(
            f"'{variable}' is a Python keyword and cannot be a variable.",
            position=Position.at(line, line.find(variable), len(variable)),
        )
    return variable
