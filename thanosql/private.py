"""A path of the home in, a folder or file out that this user alone can read."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

FOLDER, FILE = 0o700, 0o600
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
