"""A path of the home in, a folder or file out that this user alone can read."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from pathlib import Path

FOLDER, FILE = 0o700, 0o600
LEFT_SECONDS = 3600.0  # after which a draft is nobody's
PASSABLE = 0o711  # root's home: the embedded server's own user must pass through it, and cannot look into it


def home(path: Path) -> Path:
    """A home, made with the folders above it where they are not there; one that is there stays as it is."""
    for missing in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        try:
            missing.mkdir()
        except FileExistsError:
            continue  # another process was faster
        missing.chmod(PASSABLE if hasattr(os, "geteuid") and os.geteuid() == 0 else FOLDER)
    if not path.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(path))
    return path


def folder(path: Path) -> Path:
    """A folder within a home. One of ours that everybody may enter (an older version made such) is closed to others."""
    home(path.parent)
    path.mkdir(mode=FOLDER, exist_ok=True)
    if path.stat().st_mode & 0o007:
        _close(path)
    return path


def file(path: Path) -> Path:
    """A file within a home, made empty where it is not there."""
    path.touch(mode=FILE)
    _close(path)
    return path


def replace(path: Path, text: str, *, durable: bool = False) -> None:
    """Make this the text of a file within a home, in one step: whoever reads it finds the old one or the new one; where it
    is `durable`, after a power cut too.

    Raises OSError. What a process that was killed meanwhile left, the next one removes that writes the file an hour later.
    """
    home(path.parent)
    prefix = f".{path.name}."
    for left in path.parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.lstat().st_mtime > LEFT_SECONDS:
                left.unlink()
    number, draft = tempfile.mkstemp(prefix=prefix, dir=path.parent)  # with the rights of FILE
    try:
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(number)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def tree(path: Path) -> None:
    """Close a folder of ours, and all that is in it, to others."""
    for inside in (path, *path.rglob("*")):
        _close(inside)


def _close(path: Path) -> None:
    about = path.lstat()
    if stat.S_ISLNK(about.st_mode) or not about.st_mode & 0o077:
        return
    with contextlib.suppress(PermissionError):  # another user's, or a disk without rights
        path.chmod(stat.S_IMODE(about.st_mode) & 0o700)
