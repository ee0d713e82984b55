"""A query's parts and what its parameters are, in; SQL with a value, an array or a table in each parameter's place, out.

`FROM :calls` takes a DataFrame: a table stands in its place, named `calls` unless the query names it. `IN :ids` takes a list:
`= ANY` of an array, which may be empty. Anything else is a value on its way to the driver.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from thanosql.engine.language.syntax import Bound, Nested, Parameter, Text
from thanosql.engine.language.terminals import lexeme
from thanosql.engine.parameters.lists import array_of, as_list
from thanosql.engine.parameters.tables import Table
from thanosql.engine.postgres.naming import quoted
from thanosql.errors import Position, ThanoSQLOptionError

_IN = re.compile(r"(?<![\w$\"])(NOT\s+)?IN\s*(\(\s*)?$", re.IGNORECASE)
_ANY = re.compile(r"(?<![\w$\"])(ANY|ALL|SOME)\s*\(\s*$", re.IGNORECASE)
_CLOSES = re.compile(r"\s*\)")
_BEFORE_A_TABLE = re.compile(r"(?:(?<![\w$\"])(?:FROM|JOIN|USING|ONLY)|[,(])\s*$", re.IGNORECASE)
# What may follow a table that is given no other name; any other word is its name.
_NO_NAME = frozenset(
    "CROSS EXCEPT FETCH FOR FULL GROUP HAVING INNER INTERSECT JOIN LEFT LIMIT NATURAL OFFSET ON ORDER RETURNING RIGHT SET "
    "TABLESAMPLE UNION USING WHEN WHERE WINDOW".split()
)


class Given(Protocol):
    """What parameters are given; each method raises a ThanoSQLError with the parameter's place."""

    def parameter(self, parameter: Parameter) -> Any:
        """Its value."""

    def table(self, parameter: Parameter) -> Table | None:
        """The table that its value is, or None."""

    def place(self, parameter: Parameter) -> Position:
        """Where it stands."""


def substituted(
    parts: Iterable[Text | Parameter | Nested], given: Given, table_of: Callable[[Parameter, Table], str]
) -> Iterator[Text | Bound | Nested]:
    """The parts with each parameter replaced. `table_of` gives the SQL that stands for a table, without its name.

    Raises ThanoSQLOptionError for a table where none can stand.
    """
    sequence = [*parts]
    for number, part in enumerate(sequence):
        before = sequence[number - 1] if number else None
        behind = sequence[number + 1] if number + 1 < len(sequence) else None
        if isinstance(part, Parameter):
            said = before if isinstance(before, Text) else None
            following = behind.sql if isinstance(behind, Text) else ""
            table = given.table(part)
            if table is None:
                yield from _value(part, given.parameter(part), said, following)
            elif said is None or not _BEFORE_A_TABLE.search(said.sql):
                raise ThanoSQLOptionError(
                    f"The value of :{part.name} is a table, which cannot be used here.",
                    hint=f"Put it after FROM or JOIN: FROM :{part.name}.",
                    position=given.place(part),
                )
            else:
                yield said
                name = "" if _is_named(following) else f" AS {quoted(part.name)}"
                yield Text(table_of(part, table) + name, part.start)
        elif not (isinstance(part, Text) and isinstance(behind, Parameter)):
            yield part  # a text before a parameter comes with that


def _value(parameter: Parameter, value: Any, before: Text | None, behind: str) -> Iterator[Text | Bound]:
    items = as_list(value)
    listed = _IN.search(before.sql) if before is not None and items is not None else None
    if before is not None and items is not None and listed and (not listed[2] or _CLOSES.match(behind)):
        yield from _listed(parameter, items, before, listed)
        return
    if before is not None:
        yield before
    if items is not None and (not isinstance(value, tuple) or (before is not None and _ANY.search(before.sql))):
        value = items  # the driver knows no set, and a tuple as a row
    yield Bound(value, parameter.start)


def _listed(parameter: Parameter, items: list[Any], before: Text, listed: re.Match[str]) -> Iterator[Text | Bound]:
    """`[NOT] IN` and the list after it: a comparison with an array, or with rows where the items are such."""
    array = array_of(items)
    if array is None:
        yield before
        yield Bound(tuple(tuple(as_list(item) or ()) for item in items), parameter.start)
        return
    yield Text(before.sql[: listed.start()], before.start)
    at = None if before.start is None else before.start + listed.start()
    yield Text("<> ALL (" if listed[1] else "= ANY (", at)
    yield Bound(array, parameter.start)
    if not listed[2]:
        yield Text(")", parameter.start)


def _is_named(behind: str) -> bool:
    """Whether what follows a table gives it a name."""
    word = lexeme(behind, 0)
    if word.kind == "WORD":
        return word.upper not in _NO_NAME
    return word.text.startswith('"')
