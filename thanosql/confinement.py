"""A path in; the file that it leads to out, open, and within the folders that a statement may read.

A path is looked at before it is opened, and a link may stand in its place by then: what counts is where the open file lies.
Without `audio_roots` nothing is confined, and files are opened as they are.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError


@dataclass(frozen=True)
class Confinement:
    """The folders that a statement may read in. `own` gives those of models besides: the store, bases, the hub's cache."""

    roots: Sequence[Path]
    own: Callable[[], Sequence[Path]]


_confinement: ContextVar[Confinement | None] = ContextVar("confinement", default=None)


@contextmanager
def confined(to: Confinement | None) -> Iterator[None]:
    """Within, files are opened under these folders alone; None for everywhere."""
    token = _confinement.set(to)
    try:
        yield
    finally:
        _confinement.reset(token)


def open_file(path: Path) -> BinaryIO:
    """A file that a statement names, to be read. Raises OSError, and ThanoSQLDataError for one outside of the folders."""
    file = path.open("rb")
    try:
        check(file.fileno(), path)
    except BaseException:
        file.close()
        raise
    return file


def check(descriptor: int, path: Path, *, model: bool = False) -> None:
    """Refuse an open file that lies outside; `path` is what it was opened by.

    Raises ThanoSQLDataError; ThanoSQLModelError for a file of a `model`, which may lie in the store and among the bases too.
    """
    to = _confinement.get()
    if to is None:
        return
    place = place_of(descriptor, path)
    if _inside(place, to.roots) or (model and _inside(place, to.own())):
        return
    raise (ThanoSQLModelError if model else ThanoSQLDataError)(
        f"{path} lies outside of the folders that may be read: {', '.join(map(str, to.roots))}.",
        hint="The setting audio_roots names them.",
    )


@contextmanager
def pinned(path: Path, *, model: bool = False) -> Iterator[Path]:
    """A path for a library that opens files itself: it leads to the file that was checked, whatever is put in its place.

    Without confinement, and where the system has no such paths (macOS, Windows), it is the path itself. Raises OSError, and
    as `check`.
    """
    if _confinement.get() is None:
        yield path
        return
    # A pipe would be waited for without end.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        check(descriptor, path, model=model)
        yield Path(f"/proc/self/fd/{descriptor}") if sys.platform == "linux" else path
    finally:
        os.close(descriptor)


@contextmanager
def pinned_folder(folder: Path) -> Iterator[Path]:
    """The same of a model's folder, for a library that is given no more than that: links to the files in it."""
    if _confinement.get() is None:
        yield folder
        return
    with ExitStack() as opened:
        links = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="thanosql-")))
        for path in folder.iterdir():
            if path.is_file():
                (links / path.name).symlink_to(opened.enter_context(pinned(path, model=True)))
        yield links


def place_of(descriptor: int, path: Path) -> Path:
    """Where an open file lies, whatever its path leads to by now; the path where the system does not tell."""
    try:
        if sys.platform == "darwin":
            import fcntl

            told = fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024))
            return Path(os.fsdecode(told.split(b"\0", 1)[0]))
        return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError:
        return path


def _inside(place: Path, folders: Sequence[Path]) -> bool:
    resolved = Path(os.path.realpath(place))
    return any(resolved.is_relative_to(os.path.realpath(folder)) for folder in folders)
