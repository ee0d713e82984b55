"""A json file → the items of its list, or its values one after another, read piece by piece in flat memory.

ijson reads as flat and a quarter faster, but writes "?" where a text holds half a surrogate pair, stops at NaN, which Python
and pandas write, and either stops at whole numbers over 64 bits or makes a Decimal of every number.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from thanosql import confinement
from thanosql.engine.postgres.json_values import exact_number
from thanosql.errors import ThanoSQLDataError

BLOCK = 1 << 20  # characters read at a time
LONGEST_VALUE = 1 << 28  # characters of one value


def items(path: Path) -> Iterator[Any]:
    """The items of a file's one list, or its values. Raises ThanoSQLDataError for what is not json, or not UTF-8."""
    try:
        with io.TextIOWrapper(confinement.open_file(path), encoding="utf-8-sig") as file:
            pieces = _Pieces(file)
            if pieces.peek() == "[":
                yield from pieces.listed()
            while pieces.peek():
                yield pieces.value()
    except UnicodeDecodeError as error:
        raise ThanoSQLDataError(f"{path}: {error}", hint="It must be UTF-8.") from error
    except json.JSONDecodeError as error:
        shown = error.doc[max(0, error.pos - 40) : error.pos + 40]
        raise ThanoSQLDataError(f"{path} cannot be read as json: {error.msg}, near: {shown!r}") from error
    except _Doubled as doubled:
        raise ThanoSQLDataError(
            f"{path}, value {pieces.begun}: the name {doubled.name!r} occurs twice in one object.",
            hint="One of its values would be lost; readers that do not say so keep the last one.",
        ) from doubled
    except RecursionError as error:
        raise ThanoSQLDataError(f"{path} cannot be read as json: it is nested too deeply.") from error


class _Doubled(Exception):
    """A name that an object has twice."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Doubled(next(name for name in names if names.count(name) > 1))
    return found


class _Pieces:
    """JSON read a piece at a time; no more is held than the value that is being read."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decoder = json.JSONDecoder(parse_float=exact_number, object_pairs_hook=_object)
        self.begun = 0  # values, that which is being read too
        self._text, self._at, self._ended = "", 0, False

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n":
                    return self._text[self._at]
                self._at += 1
            if self._ended:
                return ""
            self._more()

    def value(self) -> Any:
        """The next value."""
        self.peek()
        self.begun += 1
        while True:
            try:
                item, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if self._ended or len(self._text) - self._at > LONGEST_VALUE:
                    raise
            else:
                # A number at the end of what was read may go on after it.
                if end < len(self._text) or self._ended:
                    self._at = end
                    return item
            self._more()

    def listed(self) -> Iterator[Any]:
        """The items of the list that begins here, which must be all there is."""
        self._at += 1
        mark = "," if self.peek() != "]" else "]"
        while mark == ",":
            yield self.value()
            mark = self.peek()
            if mark not in (",", "]"):
                raise json.JSONDecodeError("a comma or ] is missing", self._text, self._at)
            self._at += mark == ","
        self._at += 1
        if self.peek():
            raise json.JSONDecodeError("more follows after the list", self._text, self._at)

    def _more(self) -> None:
        # Twice as much each time, so that a long value is not begun again too often.
        block = self._file.read(max(BLOCK, len(self._text) - self._at))
        self._text, self._at, self._ended = self._text[self._at :] + block, 0, not block
