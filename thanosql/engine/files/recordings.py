"""A folder of audio files → a row a file: its path, name, duration, rate, channels, format, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.files.tabular import Records
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("wav", "wave", "flac", "mp3", "ogg", "oga", "opus", "aiff", "aif", "aifc", "au", "snd", "caf", "w64", "rf64"),
        *("m4a", "m4b", "aac", "mp4", "webm", "wma", "mka", "amr", "3gp", "ac3", "voc", "mov", "mkv", "avi"),
    )
)
COLUMNS = (
    ("audio_path", "text"),
    ("file_name", "text"),
    ("seconds", "double precision"),
    ("sampling_rate", "integer"),
    ("channels", "integer"),
    ("format", "text"),
    ("problem", "text"),
)
PROBES_AT_ONCE = 4
CHUNK = 1000  # files whose headers are read ahead of the database


def open_folder(folder: Path, settings: Settings) -> Records:
    """The audio files in `folder` and the folders in it, in the order of their names.

    A path under the workspace is relative to it, so that it is found from any working folder; any other is absolute.
    A file that cannot be read has a row too, with the reason in `problem` and NULL for what is not known. Raises
    ThanoSQLDataError when there is no audio file at all.
    """
    counts = {"unreadable": 0}
    if next(_files(folder), None) is None:
        raise ThanoSQLDataError(
            f"The folder {folder} holds no audio file.", hint=f"Known are: {', '.join(sorted(SUFFIXES))}."
        )

    def rows() -> Iterator[tuple[Any, ...]]:
        counts["unreadable"] = 0
        files = _files(folder)
        with ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe") as pool:
            while chunk := list(islice(files, CHUNK)):
                for row in pool.map(partial(_row, settings=settings), chunk):
                    counts["unreadable"] += row[-1] is not None
                    yield row

    def said() -> str:
        count = counts["unreadable"]
        return f"{count:,} cannot be read: WHERE problem IS NOT NULL" if count else ""

    return Records(folder, COLUMNS, rows, said)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Path(parent) / name


def _row(file: Path, settings: Settings) -> tuple[Any, ...]:
    from thanosql.models.audio import AudioError, probe

    file = file.absolute()
    path = stored_path(file, settings)
    try:
        info = probe(str(file), settings.audio_roots, confined=settings.confined)
    except AudioError as error:
        return path, file.name, None, None, None, None, str(error)
    return path, file.name, info.seconds, info.sampling_rate, info.channels, info.format, None


def stored_path(file: Path, settings: Settings) -> str:
    """An absolute path as tables hold it: relative to the workspace where it lies in it, found from any folder so."""
    workspace = settings.workspace.absolute()
    return str(file.relative_to(workspace) if file.is_relative_to(workspace) else file)
