"""A path that names no file, as another machine or a spreadsheet wrote it → the files that it may mean.

Letters of another case or composed otherwise (a Mac's NFD), backslashes, blanks and line ends around it, `file:`, `~`, and
a missing suffix are no other file; nothing else is guessed.
"""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

MOST_NAMES = 100_000  # in a folder that is searched
MOST_COMPARED = 200  # names that a closest one is chosen from
MOST_FOUND = 20


def spelled_plainly(path: str) -> Path:
    r"""The path without what machines and tables add to it.

    >>> spelled_plainly(r" 'data\clips\a.wav' ").as_posix()
    'data/clips/a.wav'
    """
    text = path.strip().strip("\"'").strip()
    if text[:5].lower() == "file:":
        text = text[5:]
    text = text.replace("\\", "/")
    return Path(os.path.expanduser(text)) if text.startswith("~") else Path(text)


def matches(root: Path, path: Path) -> list[Path]:
    """The files under `root` that a path means when case, composition and a missing suffix do not count."""
    found = [root]
    for position, part in enumerate(path.parts):
        last = position == len(path.parts) - 1
        following: list[Path] = []
        for folder in found:
            if os.path.exists(folder / part) or part in ("..", os.sep):
                following.append(folder / part)
                continue
            names = _names(folder)
            same = names.get(_folded(part), ())
            if last and not same:
                same = names.get(_folded(part) + ".", ())
            following += [folder / name for name in same]
        found = following[:MOST_FOUND]
    return [file for file in found if os.path.isfile(file)]


def closest(root: Path, path: Path) -> list[str]:
    """Names in the folder of a path that are nearly the file's."""
    names = {name for same in _names((root / path).parent).values() for name in same}
    word = path.name
    near = [
        name for name in names if abs(len(name) - len(word)) <= 3 and (name[:2] == word[:2] or name[-6:] == word[-6:])
    ]
    return difflib.get_close_matches(word, sorted(near)[:MOST_COMPARED], n=2, cutoff=0.75)


def _names(folder: Path) -> Mapping[str, tuple[str, ...]]:
    try:
        return _listed(str(folder), folder.stat().st_mtime_ns)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=64)
def _listed(folder: str, changed: int) -> Mapping[str, tuple[str, ...]]:
    """Names by their folded form, and by that of their stem and a dot."""
    found: dict[str, list[str]] = {}
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number == MOST_NAMES:
                return {}
            stem, dot, _ = _folded(entry.name).rpartition(".")
            found.setdefault(_folded(entry.name), []).append(entry.name)
            if dot and stem:
                found.setdefault(stem + ".", []).append(entry.name)
    return {name: tuple(same) for name, same in found.items()}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
