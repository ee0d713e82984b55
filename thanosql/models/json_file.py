"""A path in, the JSON object that its file holds out: what is read of a checkpoint, a card or a pointer, without trust."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from thanosql import confinement
from thanosql.errors import ThanoSQLModelError
from thanosql.unexpected import raise_if_used_up

LARGEST = 256 << 20  # bytes: a vocabulary of a million tokens is a tenth of it

_parsed: ContextVar[dict[Hashable, dict[str, Any]] | None] = ContextVar("parsed", default=None)


@contextmanager
def each_once() -> Iterator[None]:
    """Within, a file that stays as it is is parsed once: a vocabulary of a million tokens takes a second each time."""
    token = _parsed.set({})
    try:
        yield
    finally:
        _parsed.reset(token)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file. Raises ThanoSQLModelError when it is missing, no regular file, too large, or damaged.

    Within `each_once` the object is the caller's own, and what is in it is shared.
    """
    parsed = _parsed.get()
    if parsed is None:
        return _object_in(path)
    try:
        about = path.stat()
    except OSError:
        return _object_in(path)  # which says why
    state = about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns
    if state not in parsed:
        parsed[state] = _object_in(path)
    return dict(parsed[state])


def _object_in(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except FileNotFoundError as error:
        raise ThanoSQLModelError(
            f"{path.parent} has no {path.name}: it is not a folder of a Hugging Face model."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ThanoSQLModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ThanoSQLModelError(f"{path} is damaged: it must hold one JSON object.")
    return content


def read_text(path: Path, *, own: bool = False) -> str:
    """A small file's text. Raises OSError, also for what is not a regular file: a FIFO would be waited for without end.

    Raises ThanoSQLResourceError where this machine has no handle left to read it with. A file of our `own`, which no statement
    names, may lie outside of what statements may read.
    """
    # Opened without waiting, then asked what it is: between a question and an opening it might become another.
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise_if_used_up(error)
        raise
    with open(number, "rb") as file:
        about = os.fstat(number)
        if not own:
            confinement.check(number, path, model=True)
        if not stat.S_ISREG(about.st_mode):
            raise OSError("it is not a regular file")
        if about.st_size > LARGEST:
            raise OSError(f"it is {about.st_size:,} bytes long, over {LARGEST:,}")
        return file.read(about.st_size).decode("utf-8")  # no more than was asked about, should it grow meanwhile
