"""Folders and lists as corpora have them (Kaldi, LibriSpeech, LJSpeech, NeMo) → segments with their audio and text."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.files.paths import refuse_outside
from thanosql.engine.files.recordings import stored_path
from thanosql.engine.files.segment_rows import COLUMNS, Audio, Segment, read_text, segment_records
from thanosql.engine.files.tabular import Records, checked_names
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

ID = ("id", "text")
_HARMLESS = re.compile(r"-[cds]+|--(stdout|decode|silent)")  # options of flac
MANIFEST = frozenset(("audio_filepath", "duration"))  # what every line of a NeMo manifest has


def open_corpus(folder: Path, settings: Settings) -> Records | None:
    """A Kaldi data folder or a folder of LibriSpeech; None for any other."""
    if (folder / "wav.scp").is_file():
        return _kaldi(folder, settings)
    if next(_transcripts(folder), None) is not None:
        return _librispeech(folder, settings)
    return None


def _kaldi(folder: Path, settings: Settings) -> Records:
    """A row an utterance of a Kaldi data folder: wav.scp, and segments, text and utt2spk where they are there.

    https://kaldi-asr.org/doc/data_prep.html. Commands in wav.scp are never run; of one that only decodes a FLAC file, that
    file is read.
    """
    recordings = {name: _decoded(place) for name, place in _pairs(folder / "wav.scp", settings)}
    for name, place in recordings.items():
        if place.endswith("|"):
            raise ThanoSQLDataError(
                f"wav.scp: the recording {name} is a command ({place[:60]}), which is not run.",
                hint="Run it once, and name the audio files that it makes.",
            )
    texts = dict(_pairs(folder / "text", settings))
    speakers = dict(_pairs(folder / "utt2spk", settings))
    audio = Audio(folder, settings)
    known = {name: _kaldi_path(place, folder, settings) for name, place in recordings.items()}

    def segments() -> Iterator[Segment]:
        if not (folder / "segments").is_file():
            for row, name in enumerate(recordings, start=1):
                yield Segment(row, known[name], speaker=speakers.get(name), text=texts.get(name), more=(name,))
            return
        for row, (name, said) in enumerate(_pairs(folder / "segments", settings), start=1):
            parts = said.split()
            if len(parts) < 3 or parts[0] not in known:
                raise ThanoSQLDataError(f"segments, line {row}: {name} is of no recording of wav.scp, or has no times.")
            start, end = _seconds(parts[1], row), _seconds(parts[2], row)
            # Kaldi writes -1 for the end of the recording.
            last = None if end is not None and end < 0 else end
            yield Segment(row, known[parts[0]], start, last, None, speakers.get(name), texts.get(name), (name,))

    def said() -> str:
        names = {one.more[0] for one in segments()}
        parts = []
        for file, given in (("text", texts), ("utt2spk", speakers)):
            without, unused = len(names - given.keys()), len(given.keys() - names)
            if given and without:
                parts.append(f"{without:,} utterances are not in {file}")
            if unused:
                parts.append(f"{unused:,} lines of {file} are of no utterance")
        return ", ".join(parts)

    return segment_records(folder, segments, audio, "a Kaldi data folder", (ID,), said)


def _decoded(place: str) -> str:
    """The file of `flac -c -d -s FILE |`, as corpora in FLAC have it; what else stands in wav.scp as it is.

    >>> _decoded("flac -c -d -s '/calls/a b.flac' |"), _decoded("sox a.wav -t wav - |"), _decoded("a.wav")
    ('/calls/a b.flac', 'sox a.wav -t wav - |', 'a.wav')
    """
    if not place.startswith("flac ") or not place.endswith("|"):
        return place
    try:
        *options, file = shlex.split(place[len("flac ") : -1])
    except ValueError:
        return place
    return file if all(_HARMLESS.fullmatch(option) for option in options) else place


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


def _pairs(file: Path, settings: Settings) -> Iterator[tuple[str, str]]:
    """The lines of a Kaldi file: what stands before the first blank, and the rest; none where there is no such file."""
    if not file.is_file():
        return
    refuse_outside(file, settings)  # the folder lies inside, and may hold links
    seen: set[str] = set()
    for number, line in enumerate(read_text(file, None).split("\n"), start=1):
        name, _, rest = line.strip().partition(" ") if "\t" not in line else line.strip().partition("\t")
        if not name:
            continue
        if name in seen:
            raise ThanoSQLDataError(f"{file.name}, line {number}: {name} is listed twice.")
        seen.add(name)
        yield name, rest.strip()


def _transcripts(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(".trans.txt"):
                yield Path(parent) / name


def _librispeech(folder: Path, settings: Settings) -> Records:
    """A row a line of the *.trans.txt files: the flac of that name beside it, its text, and the speaker of its name."""
    audio = Audio(folder, settings)

    def segments() -> Iterator[Segment]:
        row = 0
        for file in _transcripts(folder):
            beside = Audio(file.parent, settings)
            beside.missing = audio.missing
            for name, text in _pairs(file, settings):
                row += 1
                yield Segment(row, beside.path(name), speaker=name.partition("-")[0], text=text, more=(name,))

    return segment_records(folder, segments, audio, "the transcripts of LibriSpeech", (ID,))


def is_ljspeech(
    path: Path, names: Sequence[str], header: bool, delimiter: bytes, rows: Sequence[Sequence[Any]]
) -> bool:
    """Whether a delimited file is LJSpeech's metadata.csv: bars, no header, and a name of a file in wavs/ in front."""
    return (
        path.name == "metadata.csv"
        and delimiter == b"|"
        and not header
        and len(names) in (2, 3)
        and bool(rows)
        and (path.parent / "wavs" / f"{rows[0][0]}.wav").is_file()
    )


def ljspeech(path: Path, rows: Callable[[], Iterable[Sequence[Any]]], settings: Settings) -> Records:
    """A row a line: the file in wavs/, the text with numbers and abbreviations spelled, and the text as it was printed."""
    audio = Audio(path.parent, settings)

    def segments() -> Iterator[Segment]:
        for row, (name, written, *spelled) in enumerate(rows(), start=1):
            text = spelled[0] if spelled and spelled[0] is not None else written
            yield Segment(row, audio.path(name or ""), text=text, more=(name, written))

    return segment_records(
        path, segments, audio, "LJSpeech's metadata, text is its last column", (ID, ("written", "text"))
    )


def manifest(path: Path, names: Sequence[str], source: Records, settings: Settings) -> Records:
    """A NeMo manifest as a table: audio_filepath becomes audio_path, offset and duration start and end; the rest stays.

    `source` gives the manifest's own columns. Raises ThanoSQLDataError for a time that is no number.
    """
    at = {name: place for place, name in enumerate(names)}
    usual = ("audio_filepath", "offset", "duration", "channel", "speaker", "text")
    rest = [name for name in names if name not in ("audio_filepath", "offset", "channel", "speaker", "text")]
    types = dict(source.columns)
    more = tuple((name, types[name]) for name in checked_names(rest, path.name) if name not in dict(COLUMNS))
    audio = Audio(path.parent, settings)

    def segments() -> Iterator[Segment]:
        for number, row in enumerate(source.rows(), start=1):
            place, offset, length, channel, speaker, text = (row[at[name]] if name in at else None for name in usual)
            for value in (offset, length):
                if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                    raise ThanoSQLDataError(f"{path.name}, row {number}: {value!r} is no time in seconds.")
            end = None if offset is None or length is None else round(offset + length, 6)
            yield Segment(
                number,
                None if place is None else str(place),
                offset,
                end,
                channel if isinstance(channel, int) and not isinstance(channel, bool) else None,
                None if speaker is None else str(speaker),
                None if text is None else str(text),
                tuple(row[at[name]] for name, _ in more),
            )

    what = "a NeMo manifest: audio_filepath is audio_path, and a part begins at offset and lasts duration"
    return segment_records(path, segments, audio, what, more, source.said)
