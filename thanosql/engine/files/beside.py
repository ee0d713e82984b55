"""Values of a file's columns in, the folder that their relative audio paths are meant in out.

Corpora name their audio relative to the file that lists it (or to a folder beside it), and statements look for relative
paths in the audio roots. So a path that is found beside its list, and not in the roots, goes into the table with the folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.files.recordings import SUFFIXES, stored_path

if TYPE_CHECKING:
    from thanosql.config import Settings

FOLDERS = (
    "",
    "clips",
    "wavs",
    "wav",
    "audio",
    "recordings",
    "data",
)  # Common Voice's, LJSpeech's, and what people take
SAMPLE = 20  # paths that are looked for
_ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*://")


def relative_audio(value: Any) -> bool:
    """Whether a value is a relative path of an audio file.

    >>> relative_audio("clips/1.mp3"), relative_audio("/a/1.mp3"), relative_audio("a word")
    (True, False, False)
    """
    return (
        isinstance(value, str)
        and value.lower().endswith(tuple(SUFFIXES))
        and "\n" not in value
        and "\0" not in value
        and _ABSOLUTE.match(value) is None
    )


def folders_of(rows: Sequence[Sequence[Any]], listed: Path, settings: Settings) -> dict[int, str]:
    """Column → the folder in front of its paths, as the table holds it; of columns of audio paths that lie beside
    `listed` and not in the roots. `rows` are some of the file's."""
    found: dict[int, str] = {}
    for place in range(len(rows[0]) if rows else 0):
        values = [row[place] for row in rows if place < len(row) and row[place]]
        paths = list(islice(filter(relative_audio, values), SAMPLE))
        if len(paths) < min(len(values), SAMPLE):
            continue
        if any((root / path).exists() for path in paths for root in settings.audio_roots):
            continue
        folder = _folder(paths, listed.parent.absolute())
        if folder is not None:
            found[place] = stored_path(folder, settings)
    return found


def _folder(paths: Sequence[str], beside: Path) -> Path | None:
    counted = {name: sum((beside / name / path).is_file() for path in paths) for name in FOLDERS}
    best = max(counted, key=lambda name: counted[name])
    return beside / best if paths and counted[best] * 2 >= len(paths) else None


def moved(row: Sequence[Any], folders: Mapping[int, str]) -> list[Any]:
    """The row with those folders in front of its relative paths."""
    given = list(row)
    for place, folder in folders.items():
        value = given[place]
        if isinstance(value, str) and value and _ABSOLUTE.match(value) is None:
            given[place] = f"{folder}/{value}"
    return given


def said(names: Sequence[str], folders: Mapping[int, str]) -> str:
    """For the note; "" where nothing was moved."""
    return ", ".join(f"relative paths of {names[place]} are taken in {folder}" for place, folder in folders.items())
