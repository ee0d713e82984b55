"""The errors that ThanoSQL raises. Catch ThanoSQLError for all of them.

    ThanoSQLError
    ├── ThanoSQLSyntaxError       text that does not parse
    ├── ThanoSQLOptionError       an option that is unknown, given twice, of a wrong type or out of range
    ├── ThanoSQLModelError        a model that is missing, damaged, in use, unsuitable, or exists already
    ├── ThanoSQLDataError         rows, columns, files, audio or texts that cannot be used; `rows` lists the bad rows
    ├── ThanoSQLDatabaseError     SQL that PostgreSQL refused, with PostgreSQL's message
    ├── ThanoSQLConnectionError   a database, cluster or hub that cannot be reached
    ├── ThanoSQLResourceError     a full disk, too little memory, too many open files, a missing permission
    ├── ThanoSQLCancelledError    a statement that Session.cancel stopped
    └── ThanoSQLInternalError     a defect of ThanoSQL: please report it

Errors of other libraries are translated where the library is called (parser, database, files of COPY, prediction cache, audio,
a checkpoint's files, the hub, object storage, Ray), always with `raise … from`; any other by `unexpected.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 200  # characters; a longer word is close to none


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text a user wrote: 1-based line and column, the line itself, and how many characters the caret marks."""

    line: int
    column: int
    text: str
    width: int = 1

    @classmethod
    def at(cls, source: str, offset: int, width: int = 1) -> Position:
        """The position of a 0-based character offset in `source`.

        >>> Position.at("SELECT 1\\nFRM t", 9, 3)
        Position(line=2, column=1, text='FRM t', width=3)
        """
        offset = max(0, min(offset, len(source)))
        begin = source.rfind("\n", 0, offset) + 1
        end = source.find("\n", offset)
        line = source[begin:] if end < 0 else source[begin:end]
        column = offset - begin + 1
        return cls(source.count("\n", 0, offset) + 1, column, line, max(1, min(width, len(line) - column + 1)))

    def offset(self, source: str) -> int:
        """The 0-based character offset in `source`.

        >>> Position.at("SELECT 1\\nFRM t", 9).offset("SELECT 1\\nFRM t")
        9
        """
        begin = 0
        for _ in range(self.line - 1):
            begin = source.find("\n", begin) + 1
        return begin + self.column - 1

    def __str__(self) -> str:
        # A statement may be one line of a megabyte: what is shown is what stands around the caret.
        first = max(0, self.column - 101)
        shown = self.text[first : self.column + 99].expandtabs(1)
        number = f"line {self.line}: "
        before, marked = shown[: self.column - 1 - first], shown[self.column - 1 - first :][: min(self.width, 100)]
        return f"{number}{shown}\n{' ' * (len(number) + _cells(before))}{'^' * max(1, _cells(marked))}"


def _cells(text: str) -> int:
    """How wide a terminal shows a text: Hangul and other wide characters take two cells, combining ones none."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth, wcwidth

    width = wcswidth(text)
    return width if width >= 0 else sum(max(0, wcwidth(character)) for character in text)


LONGEST_VALUE = 200  # characters of one value that a message repeats
LONGEST_REFERENCE = 80  # characters of a path or URL in a message
LONGEST_MESSAGE = 5000
# Between quotes that stand where quotes open and close, or without a blank.
_VALUE = re.compile(r"""(?<!\w)'[^'\n]*+'(?!\w)|(?<!\w)"[^"\n]*+"(?!\w)|\S++""")


def shortened(text: str) -> str:
    """A message with the middle of every value left out that is longer than 200 characters.

    >>> shortened(f"There is no model '{'x' * 1000}'.").replace("x", "")
    "There is no model '… (1,002 characters) …'."
    """
    if len(text) <= LONGEST_VALUE:
        return text
    text = _VALUE.sub(lambda found: _shortened(found[0], LONGEST_VALUE), text)
    return _shortened(text, LONGEST_MESSAGE)


def _shortened(value: str, longest: int) -> str:
    if len(value) <= longest:
        return value
    return f"{value[: longest * 3 // 4]}… ({len(value):,} characters) …{value[-longest // 8 :]}"


class ThanoSQLError(Exception):
    """The base of all errors here. `str(error)` is the whole message: what is wrong, where (with a caret), and what to do.

    `message` and `hint` hold the first and the last part; `position` is the place in the text, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None, position: Position | None = None) -> None:
        message = shortened(message)
        super().__init__(message)
        self.message = message
        self.hint = None if hint is None else shortened(hint)
        self.position = position

    def __str__(self) -> str:
        parts = [self.message]
        if self.position is not None:
            parts.append(str(self.position))
        if self.hint:
            parts.append(self.hint)
        return "\n".join(parts)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a cell: the message alone. The traceback stays in `__traceback__`."""
        return [f"{type(self).__name__}: {self}"]


class ThanoSQLSyntaxError(ThanoSQLError):
    """Text that does not parse."""


class ThanoSQLOptionError(ThanoSQLError):
    """An option that is unknown, given twice, of a wrong type or out of range."""


class ThanoSQLModelError(ThanoSQLError):
    """A model or base that is missing, damaged, in use, unsuitable for the statement, or exists already."""


class ThanoSQLDataError(ThanoSQLError):
    """Rows, columns, files, audio or texts that cannot be used.

    `rows` lists the bad rows, as mappings with the same keys. `option` is the name and the value of the option that asks for
    something missing, or None.
    """

    SHOWN = 10

    def __init__(
        self,
        message: str,
        *,
        rows: Sequence[Mapping[str, Any]] = (),
        option: tuple[str, str] | None = None,
        hint: str | None = None,
        position: Position | None = None,
    ) -> None:
        super().__init__(message, hint=hint, position=position)
        self.rows = list(rows)
        self.option = option

    def __str__(self) -> str:
        parts = [self.message]
        if self.position is not None:
            parts.append(str(self.position))
        for row in self.rows[: self.SHOWN]:
            parts.append("  " + ", ".join(f"{name} {_shown_cell(name, value)}" for name, value in row.items()))
        if len(self.rows) > self.SHOWN:
            parts.append(f"  … and {len(self.rows) - self.SHOWN:,} more (error.rows has them all)")
        if self.hint:
            parts.append(self.hint)
        return "\n".join(parts)


class ThanoSQLDatabaseError(ThanoSQLError):
    """SQL that PostgreSQL refused, with PostgreSQL's message; `sqlstate` is its code of five characters, or None."""

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        hint: str | None = None,
        position: Position | None = None,
    ) -> None:
        super().__init__(message, hint=hint, position=position)
        self.sqlstate = sqlstate


class ThanoSQLConnectionError(ThanoSQLError):
    """A database, cluster or hub that cannot be reached. `lost` is True if an open connection to the database broke."""

    lost = False


class ThanoSQLResourceError(ThanoSQLError):
    """A full disk, too little memory, too many open files, or a missing permission; `__cause__` is the system's own error."""


class ThanoSQLCancelledError(ThanoSQLError):
    """A statement that `Session.cancel` stopped from another thread. It changed nothing that it had not saved before."""


class ThanoSQLInternalError(ThanoSQLError):
    """A defect of ThanoSQL: please report it, with the statement that caused it."""


def shown_reference(reference: str, most: int = LONGEST_REFERENCE) -> str:
    """A path or URL as a message shows it: what cannot be seen is escaped, and what is long is cut in its middle.

    >>> print(shown_reference("a.wav\\r"), shown_reference("a.wav "), shown_reference("x" * 100 + ".wav", 20))
    'a.wav\\r' 'a.wav ' xxxxxxxxxx…xxxxx.wav
    """
    if not reference.isprintable() or reference != reference.strip():
        reference = repr(reference)
    return reference if len(reference) <= most else f"{reference[: most // 2]}…{reference[-(most // 2 - 1) :]}"


def _shown_cell(name: str, value: object) -> str:
    """A value of an offending row: of audio (`path`, `audio`) no more than names it; nothing that moves a terminal's cursor."""
    text = str(value)
    if name in ("path", "audio"):
        return shown_reference(text)
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return _shortened(text, LONGEST_VALUE)


def did_you_mean(word: str, valid: Iterable[str]) -> str | None:
    """The cure for a misspelt word: the closest valid one, or the list of all when none is close.

    >>> did_you_mean("Wav2Vec2Eng", ["Wav2Vec2En", "Wav2Vec2Ko"])
    'Did you mean Wav2Vec2En?'
    >>> did_you_mean("zebra", ["b", "a"])
    'Choose one of: a, b.'
    """
    names = sorted(set(valid))
    if (meant := near(word, names)) is not None:
        return f"Did you mean {meant}?"
    if not names:
        return None
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"Choose one of: {listed}."


def near(word: str, valid: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The valid word that is closest, in whatever case, if one is close: `cutoff` is difflib's ratio, from 0 to 1.

    >>> near("BULID", ["BUILD", "FIT"]), near("wav2vec2en", ["Wav2Vec2En"]), near("SELECT", ["BUILD", "FIT"])
    ('BUILD', 'Wav2Vec2En', None)
    """
    if len(word) > LONGEST_NAME:
        return None
    folded = {other.lower(): other for other in sorted(valid, reverse=True)}
    word = word.lower()
    letters = set(word)

    def may_match(other: str) -> bool:
        """Whether enough letters are the same: asked first, since the ratio itself takes ten times as long."""
        same = min(len(word), len(other) - len(set(other) - letters))
        return 2 * same >= cutoff * (len(word) + len(other))

    likely = [other for other in folded if may_match(other)]
    close = difflib.get_close_matches(word, likely, n=1, cutoff=cutoff) if likely else []
    return folded[close[0]] if close else None
