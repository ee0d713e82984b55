"""The log of a name: entries in JSON, each what the name stands for from then on; the one with the highest number is true.

An entry is put only where there is none of its number, so that of two writers one comes first and the other sees it: the
way of Delta Lake's transaction log (https://github.com/delta-io/delta/blob/master/PROTOCOL.md), which asks of the storage
nothing but that put and a listing that shows what was put. No entry is ever removed: the number that a slow writer takes
for the next can then not be free a second time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from thanosql.models.digest import DIGITS

_TOKEN = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(rf"[0-9a-f]{{{DIGITS}}}")
_ENTRY = re.compile(r"([0-9]{8})\.json")


@dataclass(frozen=True)
class FileFacts:
    """A file of a version: its size in bytes and the digest of its content (`digest.file_digest`)."""

    size: int
    digest: str


@dataclass(frozen=True)
class SavedVersion:
    """Where the files of a version are: a folder that is written once. `token` tells it from any other, of any name."""

    token: str
    files: Mapping[str, FileFacts]


@dataclass(frozen=True)
class Entry:
    """What a name stands for: nothing without versions. `newest` is the highest version that was made."""

    name: str
    current: int = 0
    newest: int = 0
    versions: Mapping[int, SavedVersion] = field(default_factory=dict)
    token: str = field(default_factory=lambda: uuid4().hex[:16])

    def with_version(self, name: str, saved: SavedVersion, *, current: bool, keep: int) -> Entry:
        """With one more version, which is the name's unless `current` is False; all but the `keep` newest others go."""
        newest = self.newest + 1
        now = newest if current or not self.versions else self.current
        versions = {**self.versions, newest: saved}
        kept = {*sorted(versions)[-keep:], now}
        return self._next(
            name=name, current=now, newest=newest, versions={one: versions[one] for one in versions if one in kept}
        )

    def rolled_back(self, version: int) -> Entry:
        return self._next(current=version)

    def dropped(self) -> Entry:
        return self._next(current=0, newest=0, versions={})

    def _next(self, **changed: Any) -> Entry:
        return replace(self, token=uuid4().hex[:16], **changed)

    def to_json(self) -> bytes:
        versions = {
            str(version): {
                "folder": saved.token,
                "files": {name: [about.size, about.digest] for name, about in saved.files.items()},
            }
            for version, saved in self.versions.items()
        }
        said = {"name": self.name, "token": self.token, "current": self.current, "newest": self.newest}
        return (json.dumps({**said, "versions": versions}, ensure_ascii=False, indent=1) + "\n").encode()


def from_json(content: bytes) -> Entry:
    """An entry as it was written. Raises ValueError for anything else: what it names is opened on this machine."""
    try:
        said = json.loads(content)
        versions = {int(number): _version(one) for number, one in said["versions"].items()}
        entry = Entry(str(said["name"]), int(said["current"]), int(said["newest"]), versions, str(said["token"]))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"an entry of the log holds something else ({type(error).__name__})") from error
    if versions and entry.current not in versions:
        raise ValueError(f"an entry of the log names version {entry.current}, which it does not hold")
    return entry


def _version(said: Mapping[str, Any]) -> SavedVersion:
    token = str(said["folder"])
    files = {str(name): FileFacts(int(size), str(digest)) for name, (size, digest) in said["files"].items()}
    for name, about in files.items():
        path = PurePosixPath(name)
        inside = path.parts and not path.is_absolute() and ".." not in path.parts and not set(name) & set("\\:\0")
        if not inside or about.size < 0 or not _DIGEST.fullmatch(about.digest):
            raise ValueError(f"an entry of the log names the file {name[:80]!r}")
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"an entry of the log names the folder {token[:80]!r}")
    return SavedVersion(token, files)


def key_of(name: str, number: int) -> str:
    """The key of an entry. Names that differ only in case share a log, so that only one of them is ever made.

    >>> key_of("Mine", 7)
    'log/mine/00000007.json'
    """
    return f"log/{name.lower()}/{number:08d}.json"


def number_of(file: str) -> int:
    """The number of an entry by its file's name; 0 for another file."""
    found = _ENTRY.fullmatch(file)
    return int(found[1]) if found else 0
