"""A Kaldi data folder (https://kaldi-asr.org/doc/data_prep.html) → segments with their audio, speaker and text.

Its lists are sorted, as Kaldi's tools insist: then they are read beside each other, a line at a time, and may be of any length.
Lists in another order are held in memory.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.counting import counted
from thanosql.engine.files.paths import refuse_outside
from thanosql.engine.files.recordings import stored_path
from thanosql.engine.files.segment_rows import ID, Audio, Segment, segment_records, text_lines
from thanosql.engine.files.tabular import Records
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

LISTS = ("wav.scp", "segments", "text", "utt2spk")
_HARMLESS = re.compile(r"-[cds]+|--(stdout|decode|silent)")  # options of flac


def kaldi(folder: Path, settings: Settings) -> Records:
    """A row an utterance: wav.scp, and segments, text and utt2spk where they are there.

    Commands in wav.scp are never run; of one that only decodes a FLAC file, that file is read. Raises ThanoSQLDataError
    naming the list, and the line.
    """
    in_order = False not in [_is_sorted(folder / name, settings) for name in LISTS]  # each is checked
    audio = Audio(folder, settings)
    beside: dict[str, _Beside] = {}

    def recordings() -> Iterator[tuple[str, str]]:
        for name, place in pairs(folder / "wav.scp", settings):
            yield name, _kaldi_path(_decoded(name, place), folder, settings)

    def parts() -> Iterator[Segment]:
        if not (folder / "segments").is_file():
            for row, (name, place) in enumerate(recordings(), start=1):
                yield Segment(row, place, more=(name,))
            return
        known = dict(recordings())
        for row, (name, said) in enumerate(pairs(folder / "segments", settings), start=1):
            values = said.split()
            if len(values) < 3 or values[0] not in known:
                raise ThanoSQLDataError(f"segments, line {row}: {name} is of no recording of wav.scp, or has no times.")
            start, end = _seconds(values[1], row), _seconds(values[2], row)
            # Kaldi writes -1 for the end of the recording.
            yield Segment(row, known[values[0]], start, None if end < 0 else end, more=(name,))

    def segments() -> Iterator[Segment]:
        for name in ("text", "utt2spk"):
            given = pairs(folder / name, settings)
            beside[name] = _Beside(name, given if in_order else dict(given))
        for one in parts():
            (name,) = one.more
            speaker, text = beside["utt2spk"].get(name), beside["text"].get(name)
            yield Segment(one.row, one.audio_path, one.start, one.end, None, speaker, text, (name,))

    def said() -> str:
        return ", ".join(filter(None, (one.said() for one in beside.values())))

    return segment_records(folder, segments, audio, "a Kaldi data folder", (ID,), said, unit="line")


class _Beside:
    """A list that is asked for each utterance once: in the lists' common order where it is read as it is asked for."""

    def __init__(self, name: str, given: Iterator[tuple[str, str]] | Mapping[str, str]) -> None:
        self._name, self._given = name, given
        self._next: tuple[str, str] | None = None
        self._found = self._missing = self._unused = 0

    def get(self, name: str) -> str | None:
        value = self._given.get(name) if isinstance(self._given, Mapping) else self._read(name, self._given)
        if value is None:
            self._missing += 1
        else:
            self._found += 1
        return value

    def _read(self, name: str, given: Iterator[tuple[str, str]]) -> str | None:
        while (pair := self._next or next(given, None)) is not None:
            self._next = None
            if pair[0] == name:
                return pair[1]
            if pair[0] > name:
                self._next = pair
                return None
            self._unused += 1
        return None

    def said(self) -> str:
        """How many utterances it does not have, and how many of its lines are of none; once all were asked for."""
        if isinstance(self._given, Mapping):
            unused = len(self._given) - self._found
        else:
            self._unused += sum(1 for _ in self._given)
            unused = self._unused + (self._next is not None)
        parts = []
        if self._missing and self._found + unused:
            parts.append(f"{counted(self._missing, 'utterance', ('is', 'are'))} not in {self._name}")
        if unused:
            parts.append(f"{counted(unused, 'line')} of {self._name} {'is' if unused == 1 else 'are'} of no utterance")
        return ", ".join(parts)


def pairs(file: Path, settings: Settings) -> Iterator[tuple[str, str]]:
    """The lines of a Kaldi file: what stands before the first blank, and the rest; none where there is no such file."""
    for _, name, rest in _numbered_pairs(file, settings):
        yield name, rest


def checked_pairs(file: Path, settings: Settings) -> Iterator[tuple[str, str]]:
    """The same of a file in any order. Raises ThanoSQLDataError for a name that is listed twice."""
    seen: set[str] = set()
    for number, name, rest in _numbered_pairs(file, settings):
        if name in seen:
            raise ThanoSQLDataError(f"{file.name}, line {number}: {name} is listed twice.")
        seen.add(name)
        yield name, rest


def _numbered_pairs(file: Path, settings: Settings) -> Iterator[tuple[int, str, str]]:
    if not file.is_file():
        return
    refuse_outside(file, settings)  # the folder lies inside, and may hold links
    for number, line in text_lines(file):
        name, *rest = line.split(None, 1)[:2] or ("",)
        if name:
            yield number, name, rest[0].strip() if rest else ""


def _is_sorted(file: Path, settings: Settings) -> bool:
    """Whether each name of a list comes before the next one. Raises ThanoSQLDataError where one is listed twice."""
    last = ""
    for number, name, _ in _numbered_pairs(file, settings):
        if name == last:
            raise ThanoSQLDataError(f"{file.name}, line {number}: {name} is listed twice.")
        if name < last:
            for _ in checked_pairs(file, settings):
                pass
            return False
        last = name
    return True


def _decoded(name: str, place: str) -> str:
    """The file of a line of wav.scp, that of `flac -c -d -s FILE |` too. Raises ThanoSQLDataError for other commands.

    >>> _decoded("u1", "flac -c -d -s '/calls/a b.flac' |"), _decoded("u2", "a.wav")
    ('/calls/a b.flac', 'a.wav')
    """
    if not place.endswith("|"):
        return place
    if place.startswith("flac "):
        try:
            *options, file = shlex.split(place[len("flac ") : -1])
        except ValueError:
            options, file = ["?"], ""
        if all(_HARMLESS.fullmatch(option) for option in options):
            return file
    raise ThanoSQLDataError(
        f"wav.scp: the recording {name} is a command ({place[:60]}), which is not run.",
        hint="Run it once, and name the audio files that it makes.",
    )


def _seconds(said: str, row: int) -> float:
    try:
        return float(said)
    except ValueError as error:
        raise ThanoSQLDataError(f"segments, line {row}: '{said[:40]}' is no time in seconds.") from error


def _kaldi_path(place: str, folder: Path, settings: Settings) -> str:
    """A path of wav.scp: as it is where the roots have it, and else beside the list, where it is there."""
    if Path(place).is_absolute() or any((root / place).exists() for root in settings.audio_roots):
        return place
    beside = folder.absolute() / place
    return stored_path(beside, settings) if beside.exists() else place
