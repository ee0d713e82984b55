"""A store in object storage in; what was fetched of it, on this machine, out: nothing that is here is asked for again.

NAME/VERSION-TOKEN/   a version, complete and verified
NAME/.fetch-…         one that is being fetched; left by a kill, it is removed by the next one who fetches
.objects/ID/…         entries of the log, cards and evaluations, by their keys; ID is the store's own
.training, .locks, NAME/.draft-…   as in a store of files (`store`): only this machine has them
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from thanosql import private
from thanosql.errors import ThanoSQLModelError, ThanoSQLResourceError
from thanosql.models.digest import DIGITS, file_digest
from thanosql.models.locks import locked
from thanosql.models.object_store.log import FileFacts, SavedVersion
from thanosql.models.object_store.storage import ObjectStorage
from thanosql.models.store_format import FORMAT

FORMAT_KEY = ".format"
FETCH = ".fetch-"
PART = 1 << 25  # bytes of a large file that are fetched at a time
OBJECTS = ".objects"


def objects_of(name: str, saved: SavedVersion) -> str:
    """The prefix of a version's objects."""
    return f"versions/{name.lower()}/{saved.token}/"


@dataclass
class Mirror:
    """The storage of a store and its copy in `folder`."""

    storage: ObjectStorage
    folder: Path
    check: Callable[[], None]
    _id: str | None = field(default=None, init=False)

    def opened(self) -> bool:
        """Whether anything was ever saved in this store. Raises ThanoSQLModelError for one of a newer ThanoSQL."""
        if self._id is None:
            with suppress(FileNotFoundError):
                self._id = self._identity(self.storage.read(FORMAT_KEY))
        return self._id is not None

    def open_for_writing(self) -> None:
        """Give a new store its number and its id. Raises ThanoSQLResourceError where the storage cannot put an object only
        if it is not there, without which two writers could each believe to have been first."""
        said = (json.dumps({"format": FORMAT, "id": uuid4().hex}) + "\n").encode()
        if self.storage.put_new(FORMAT_KEY, said) and self.storage.put_new(FORMAT_KEY, said):
            raise ThanoSQLResourceError(
                f"The storage of {self.storage.url} puts an object though it is there (it ignores If-None-Match), and a "
                "store of models needs that.",
                hint="AWS S3, and newer versions of MinIO and other S3 servers, have conditional puts; or set the setting "
                "store to a folder.",
            )
        self._id = self._identity(self.storage.read(FORMAT_KEY))

    def _identity(self, content: bytes) -> str:
        try:
            said = json.loads(content)
            number, identity = int(said["format"]), str(said["id"])
            if not identity.isalnum():
                raise ValueError(identity)
        except (ValueError, KeyError, TypeError) as error:
            raise ThanoSQLModelError(
                f"The format of the store {self.storage.url} cannot be told: {FORMAT_KEY} is damaged."
            ) from error
        if number > FORMAT:
            raise ThanoSQLModelError(
                f"The store {self.storage.url} was written by a newer ThanoSQL: its format is {number}, and this one knows "
                f"those up to {FORMAT}. Nothing in it was touched.",
                hint="Use that version, or another store (THANOSQL_STORE).",
            )
        return identity

    def place(self, key: str) -> Path:
        """Where an object that never changes is kept here."""
        return self.folder / OBJECTS / str(self._id) / key

    def object(self, key: str, expected: FileFacts | None = None) -> bytes:
        """A small object that never changes, from here or else fetched. Raises FileNotFoundError, and ValueError where it
        is not what is `expected`."""
        place = self.place(key)
        with suppress(OSError):
            content = place.read_bytes()
            if _is(content, expected):
                return content
        content = self.storage.read(key)
        if not _is(content, expected):
            raise ValueError(f"{key} in {self.storage.url} is not what was saved")
        self.remember(key, content)
        return content

    def remember(self, key: str, content: bytes) -> None:
        """Keep an object that never changes here; a disk too full for it only costs asking again."""
        with suppress(OSError, UnicodeDecodeError):
            private.replace(self.place(key), content.decode("utf-8"))

    def path(self, name: str, version: int, saved: SavedVersion) -> Path:
        """Where the files of a version are, once they are fetched."""
        return self.folder / name / f"{version}-{saved.token}"

    def fetch(self, name: str, version: int, saved: SavedVersion) -> None:
        """Have the files of a version here, each as it was saved; one process fetches, and others wait for it.

        Raises FileNotFoundError where one is gone, ValueError where one is not what was saved, OSError where this machine
        cannot hold them.
        """
        folder = self.path(name, version, saved)
        if folder.is_dir():
            return
        home = private.folder(private.folder(self.folder) / name)
        locks = private.folder(self.folder / ".locks")
        with locked(locks / f"{name.lower()}.fetch.lock", math.inf, self.check):
            if folder.is_dir():
                return
            for left in home.glob(f"{FETCH}*"):
                shutil.rmtree(left, ignore_errors=True)
            draft = Path(tempfile.mkdtemp(prefix=FETCH, dir=home))
            try:
                for file, about in saved.files.items():
                    self._fetch_file(objects_of(name, saved) + file, draft / file, about)
                private.tree(draft)
                draft.rename(folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def _fetch_file(self, key: str, path: Path, about: FileFacts) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = hashlib.sha256()
        with open(path, "wb") as file:
            for start in range(0, about.size, PART):
                # One byte more than there is to be: an object that has grown is not what was saved either.
                part = self.storage.read(key, start, start + PART if start + PART < about.size else about.size + 1)
                found.update(part)
                file.write(part)
        if file_size(path) != about.size or found.hexdigest()[:DIGITS] != about.digest:
            raise ValueError(f"{key} in {self.storage.url} is not what was saved")

    def keep_only(self, name: str, newest: int, versions: Mapping[int, SavedVersion]) -> None:
        """Remove the copies of versions up to the `newest` that the store has no more (all, where it has none): who reads
        one finds it whole or not at all. One that is newer was made since, here."""
        kept = {self.path(name, version, saved).name for version, saved in versions.items()}
        home = self.folder / name
        with suppress(OSError):
            for folder in home.iterdir():
                number = folder.name.partition("-")[0]
                if number.isdecimal() and folder.name not in kept and (not versions or int(number) <= newest):
                    gone = Path(tempfile.mkdtemp(prefix=f"{FETCH}gone-", dir=home))
                    folder.rename(gone / folder.name)
                    shutil.rmtree(gone, ignore_errors=True)
            if not versions:
                shutil.rmtree(self.place(f"versions/{name.lower()}"), ignore_errors=True)
                home.rmdir()


def facts_of(path: Path) -> FileFacts:
    """Raises OSError."""
    return FileFacts(file_size(path), file_digest(path))


def file_size(path: Path) -> int:
    return os.stat(path).st_size


def _is(content: bytes, expected: FileFacts | None) -> bool:
    if expected is None:
        return True
    return FileFacts(len(content), hashlib.sha256(content).hexdigest()[:DIGITS]) == expected
