"""What captions and corpora have in common: the columns of a table of segments, the audio a name means, odd times.

A row is a part of a recording: which file, from when to when in seconds, which channel, who, and what is said.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql import confinement
from thanosql.counting import counted
from thanosql.engine.files.beside import FOLDERS
from thanosql.engine.files.encodings import OTHER_ENCODING, find_encoding
from thanosql.engine.files.recordings import SUFFIXES, stored_path
from thanosql.engine.files.tabular import Records
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

COLUMNS = (
    ("audio_path", "text"),
    ("start", "double precision"),
    ("end", "double precision"),
    ("channel", "integer"),
    ("speaker", "text"),
    ("text", "text"),
)
ID = ("id", "text")  # the column of a corpus that names its utterances
LONGEST = 256 << 20  # bytes of a file that is read whole


@dataclass(frozen=True)
class Segment:
    """A part of a recording; times are seconds, channels count from 1, None is not known. `row` is where it stands."""

    row: int
    audio_path: str | None
    start: float | None = None
    end: float | None = None
    channel: int | None = None
    speaker: str | None = None
    text: str | None = None
    more: tuple[Any, ...] = ()

    @property
    def values(self) -> tuple[Any, ...]:
        return (self.audio_path, self.start, self.end, self.channel, self.speaker, self.text, *self.more)


# What may be odd about the times of segments, and what to do about it. Different speakers at the same time are not odd, nor is
# a corpus in another order than time's; one speaker's captions that overlap are common (rolling ones repeat their words) and
# no error, but sound that stands in two rows with the text of one is worth a sentence before a model learns from it.
_ODD = {
    "no part": ("end is not after the start", 'correct the file, or leave them out with WHERE start < "end"'),
    "back": ("start is before that of the one in front", "look whether a time is wrong, or the order"),
    "twice": (
        "start is before the end of the one in front",
        "what is said in that time is in both rows, as CHECK lists them",
    ),
}


@dataclass
class Times:
    """What is odd about the times of segments, counted as they pass. A `unit` is what the file calls one of them.

    Only in a list that is `in_order` of time the one in front of a segment tells anything.
    """

    unit: str
    in_order: bool
    odd: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    last: dict[tuple[Any, ...], tuple[float, float]] = field(default_factory=dict)

    def watch(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        for one in segments:
            if one.start is not None and one.end is not None:
                self._add(one, one.start, one.end)
            yield one

    def _add(self, one: Segment, start: float, end: float) -> None:
        if end <= start:
            self._count("no part", one.row)
        if not self.in_order:
            return
        key = (one.audio_path, one.channel, one.speaker)
        before = self.last.get(key)
        if before is not None and start < before[0]:
            self._count("back", one.row)
        elif before is not None and start < before[1] - 1e-6:
            self._count("twice", one.row)
        self.last[key] = (start, max(end, before[1] if before else end))

    def _count(self, kind: str, row: int) -> None:
        self.odd[kind] += 1
        self.first.setdefault(kind, row)

    def said(self) -> str:
        return "; ".join(
            f"{counted(count, self.unit)} whose {_ODD[kind][0]} ({'first: ' if count > 1 else ''}{self.unit} "
            f"{self.first[kind]:,}): {_ODD[kind][1]}"
            for kind, count in self.odd.items()
        )


class Audio:
    """Audio files by the names that a list in `folder` gives them, with a suffix or without."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder.absolute()
        self._settings = settings
        self._found: dict[str, str] = {}
        self.missing: set[str] = set()

    def path(self, name: str, *others: str) -> str:
        """The file's path as tables hold it, beside the list or in a usual folder beside it, if need be by one of its other
        names; the name where none is."""
        if name not in self._found:
            found = next(filter(None, map(self._look, (name, *others))), None)
            if found is None:
                self.missing.add(name)
            self._found[name] = name if found is None else stored_path(found, self._settings)
        return self._found[name]

    def _look(self, name: str) -> Path | None:
        if "\0" in name or not name.strip():
            return None
        for folder in FOLDERS:
            beside = self._folder / folder
            if (beside / name).is_file() and Path(name).suffix.lower() in SUFFIXES:
                return beside / name
            for suffix in sorted(SUFFIXES):
                if (beside / f"{name}{suffix}").is_file():
                    return beside / f"{name}{suffix}"
        return None

    def said(self) -> str:
        if not self.missing:
            return ""
        some = ", ".join(sorted(self.missing)[:3])
        return f"no audio file lies beside the list for {counted(len(self.missing), 'name')} ({some})"


def segment_records(
    path: Path,
    segments: Callable[[], Iterable[Segment]],
    audio: Audio,
    what: str,
    more: Sequence[tuple[str, str]] = (),
    said: Callable[[], str] = lambda: "",
    *,
    unit: str = "row",
    in_order: bool = False,
) -> Records:
    """Segments as rows of a table, with columns of their own after the usual ones; `Times` says what the last two are."""
    watched = [Times(unit, in_order)]

    def rows() -> Iterator[Sequence[Any]]:
        watched[0] = Times(unit, in_order)
        for one in watched[0].watch(segments()):
            yield one.values

    return Records(
        path,
        (*COLUMNS, *more),
        rows,
        lambda: "; ".join(filter(None, [what, watched[0].said(), audio.said(), said()])),
    )


def read_text(path: Path, encoding: str | None) -> str:
    """A file's whole text, by its byte order mark, the named encoding, or UTF-8. Raises ThanoSQLDataError."""
    if path.stat().st_size > LONGEST:
        raise ThanoSQLDataError(f"{path.name} is larger than {LONGEST >> 20} MB, which a list of segments is not.")
    found = find_encoding(path, encoding)
    with confinement.open_file(path) as file:
        content = file.read()[found.mark :]
    try:
        text = content.decode(found.codec)
    except UnicodeDecodeError as error:
        raise ThanoSQLDataError(
            f"{path.name}, line {content.count(10, 0, error.start) + 1}: a byte that is not {found.codec.upper()}.",
            hint=OTHER_ENCODING,
        ) from error
    if "\0" in text:
        raise ThanoSQLDataError(f"{path.name} holds a NUL character, which a text of PostgreSQL cannot.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """A file's lines without their ends, with their numbers from 1, one at a time. Raises ThanoSQLDataError."""
    found = find_encoding(path, None)
    number = 0
    with confinement.open_file(path) as raw:
        raw.seek(found.mark)
        with io.TextIOWrapper(raw, found.codec, newline=None) as lines:
            try:
                for number, line in enumerate(lines, start=1):
                    if "\0" in line:
                        raise ThanoSQLDataError(
                            f"{path.name}, line {number}: a NUL character, which a text of PostgreSQL cannot hold."
                        )
                    yield number, line.rstrip("\n")
            except UnicodeDecodeError as error:
                # Decoded some lines ahead: where it is, nearly.
                raise ThanoSQLDataError(
                    f"{path.name}, behind line {number}: a byte that is not {found.codec.upper()}.", hint=OTHER_ENCODING
                ) from error
