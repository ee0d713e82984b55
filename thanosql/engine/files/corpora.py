"""Folders and lists as corpora have them (Kaldi, LibriSpeech, LJSpeech, NeMo) → segments with their audio and text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.files.kaldi import checked_pairs, kaldi
from thanosql.engine.files.segment_rows import COLUMNS, ID, Audio, Segment, segment_records
from thanosql.engine.files.tabular import Records, checked_names
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

MANIFEST = frozenset(("audio_filepath", "duration"))  # what every line of a NeMo manifest has


def open_corpus(folder: Path, settings: Settings) -> Records | None:
    """A Kaldi data folder or a folder of LibriSpeech; None for any other."""
    if (folder / "wav.scp").is_file():
        return kaldi(folder, settings)
    if next(_transcripts(folder), None) is not None:
        return _librispeech(folder, settings)
    return None


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
            for name, text in checked_pairs(file, settings):
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
