"""A model's name in, its folder and card out; and a new version put in its place in one step.

    NAME/VERSION/        a folder that Wav2Vec2ForCTC.from_pretrained reads as it is, and its card, thanosql.json
    NAME/CURRENT         the version that the name stands for (after a rollback, the newest one behind it); replaced
                         atomically, after everything is on the disk
    NAME/.draft-…        what is being written; left by a kill, it is swept by the next one who writes
    .locks/name.lock     held by the operating system while a name is written, so no kill leaves it locked

A reader needs no lock: the version it found stays for as long as it is among the newest that are kept.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thanosql import private
from thanosql.errors import ThanoSQLInternalError, ThanoSQLModelError, did_you_mean
from thanosql.models.filelock import lock

CARD_FILE = "thanosql.json"
CURRENT = "CURRENT"
DRAFT = ".draft-"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True)
class StoredModel:
    """One version of a saved model; `folder` is Hugging Face's layout."""

    name: str
    version: int
    folder: Path
    card: Mapping[str, Any]


@dataclass
class Draft:
    """A version being written into `folder`; nothing of it counts until `commit`."""

    store: Store
    name: str
    folder: Path
    committed: bool = field(default=False, init=False)

    def commit(self, card: Mapping[str, Any], *, current: bool = True) -> StoredModel:
        """Make the draft what the name stands for, its card beside it. On any failure the old version stays.

        With `current=False` it is kept as a version, and the name stands for what it stood for.
        """
        if not (self.folder / "config.json").is_file():
            raise ThanoSQLInternalError(f"The draft of the model {self.name} holds no model.")
        stored = self.store._put_in_place(self, card, current)
        self.committed = True
        return stored


class Store:
    """Saved models under one folder; made when the first one is written. Any number of processes may share it."""

    def __init__(self, folder: Path, *, keep_versions: int = 3) -> None:
        self.folder = Path(folder)
        self.keep_versions = keep_versions

    def names(self) -> list[str]:
        """Names of the models, sorted."""
        return sorted(name for name in self._entries() if (self.folder / name / CURRENT).is_file())

    def exists(self, name: str) -> bool:
        # Not asked of the path: on a disk that ignores case, `Mine` would be there for `mine`.
        return name in self._entries() and (self.folder / name / CURRENT).is_file()

    def get(self, name: str, version: int | None = None) -> StoredModel:
        """The version that the name stands for, or another. Raises ThanoSQLModelError when it is missing or damaged."""
        if not self.exists(name):
            raise ThanoSQLModelError(f"There is no model {name}.", hint=did_you_mean(name, self.names()))
        home = self.folder / name
        try:
            version = self._current(name) if version is None else version
            card = json.loads((home / str(version) / CARD_FILE).read_text(encoding="utf-8"))
            if not isinstance(card, dict):
                raise ValueError(f"{CARD_FILE} holds no object")
        except (OSError, ValueError) as error:
            raise ThanoSQLModelError(
                f"The model {name} is damaged: {error}", hint=f"DROP MODEL {name} removes it."
            ) from error
        return StoredModel(name, version, home / str(version), card)

    def versions(self, name: str) -> list[int]:
        """The versions that are kept, oldest first; after a rollback, later ones than the current too."""
        if not self.exists(name):
            return []
        try:
            newest = self._pointer(name)[1]
        except (OSError, ValueError):
            return self._numbers(name)
        return [version for version in self._numbers(name) if version <= newest]

    def roll_back(self, name: str, version: int) -> StoredModel:
        """Make a kept version what the name stands for, in one step. Raises ThanoSQLModelError when it is not kept."""
        with self._held(name):
            found = self.get(name, version)
            try:
                self._point_to(name, version, newest=self._pointer(name)[1])
            except OSError as error:
                raise _cannot_write(name, error) from error
        return found

    @contextmanager
    def writing(self, name: str, *, overwrite: bool = False) -> Iterator[Draft]:
        """A draft of a model, its name held against other writers. Refuses, before anything is done, a name that is
        not one, that exists (unless `overwrite`), that differs from another only in case, or that is being written.

        Left without `commit`, by an error or a kill, nothing has changed.
        """
        self.check_new_name(name, overwrite=overwrite)
        with self._held(name):
            self.check_new_name(name, overwrite=overwrite)
            try:
                private.folder(private.folder(self.folder) / name)
                self._sweep(name)
                draft = Draft(self, name, Path(tempfile.mkdtemp(prefix=DRAFT, dir=self.folder / name)))
            except OSError as error:
                raise _cannot_write(name, error) from error
            try:
                yield draft
            finally:
                if not draft.committed:
                    shutil.rmtree(draft.folder, ignore_errors=True)
                    with suppress(OSError):  # not empty: the model has versions
                        (self.folder / name).rmdir()

    def sweep(self) -> None:
        """Remove the drafts that killed statements left, of every name that nobody is writing; raises nothing."""
        with suppress(OSError, ThanoSQLModelError):
            left = {draft.parent.name for draft in self.folder.glob(f"*/{DRAFT}*")}
            for name in left.intersection(self._entries()):
                with suppress(OSError, ThanoSQLModelError), self._held(name):
                    for draft in (self.folder / name).glob(f"{DRAFT}*"):
                        shutil.rmtree(draft, ignore_errors=True)
                    if not self.exists(name) and not self._numbers(name):
                        (self.folder / name).rmdir()

    def training_state(self, name: str) -> Path:
        """The folder where a training of that name leaves what it can be gone on with from."""
        return self.folder / ".training" / name

    def drop(self, name: str, *, if_exists: bool = False) -> bool:
        """Remove a model with all its versions, and what an interrupted training of it left; says whether there was one."""
        if if_exists and not self.exists(name):
            if self.training_state(name).exists():
                with self._held(name):
                    shutil.rmtree(self.training_state(name), ignore_errors=True)
            return False
        if not self.exists(name):
            raise ThanoSQLModelError(f"There is no model {name}.", hint=did_you_mean(name, self.names()))
        with self._held(name):
            try:
                # First the name, in one step; what is left behind by a kill from here on is swept.
                (self.folder / name / CURRENT).unlink()
                _sync(self.folder / name)
                shutil.rmtree(self.folder / name)
                shutil.rmtree(self.training_state(name), ignore_errors=True)
            except OSError as error:
                raise ThanoSQLModelError(f"The model {name} cannot be removed: {error}") from error
        return True

    def record_evaluation(self, name: str, version: int, record: Mapping[str, Any]) -> None:
        """Add an evaluation to the card of a version; nothing happens when the version is gone by now."""
        path = self.folder / name / str(version) / CARD_FILE
        with self._held(f"{name}.card"):
            try:
                card = json.loads(path.read_text(encoding="utf-8"))
                card["evaluations"] = [*card.get("evaluations", []), dict(record)]
                new = private.file(path.with_suffix(".new"))
                new.write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
                _sync(new)
                os.replace(new, path)
            except FileNotFoundError:
                return
            except OSError as error:
                raise _cannot_write(name, error) from error

    def check_new_name(self, name: str, *, overwrite: bool = False) -> None:
        """Refuse a name that a model cannot be saved under; the ThanoSQLModelError says why."""
        _check_name(name)
        if self.exists(name) and not overwrite:
            raise ThanoSQLModelError(
                f"The model {name} exists already.", hint="Choose another name, or say overwrite=True."
            )
        for other in self.names():
            if other != name and other.lower() == name.lower():
                raise ThanoSQLModelError(f"There is a model {other}: names that differ only in case are refused.")

    def _put_in_place(self, draft: Draft, card: Mapping[str, Any], current: bool) -> StoredModel:
        home = self.folder / draft.name
        version = max(self._numbers(draft.name), default=0) + 1
        card = {**card, "name": draft.name, "version": version}
        card.setdefault("created", datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            text = json.dumps(card, ensure_ascii=False, indent=2)
            (draft.folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")
            private.tree(draft.folder)
            for path in (*draft.folder.rglob("*"), draft.folder):
                _sync(path)
            folder = draft.folder.rename(home / str(version))
            self._point_to(draft.name, version if current else self._current(draft.name), newest=version)
        except OSError as error:
            raise _cannot_write(draft.name, error) from error
        self._sweep(draft.name)
        return StoredModel(draft.name, version, folder, card)

    def _point_to(self, name: str, version: int, *, newest: int) -> None:
        home = self.folder / name
        pointer = private.file(home / (CURRENT + ".new"))
        pointer.write_text(str(version) if version == newest else f"{version} {newest}", encoding="ascii")
        _sync(pointer)
        _sync(home)
        os.replace(pointer, home / CURRENT)
        for path in (home, self.folder):
            _sync(path)

    def _sweep(self, name: str) -> None:
        """Remove what no name stands for: drafts that a kill left, versions never pointed to, versions too old."""
        home = self.folder / name
        newest = [*self.versions(name)[-self.keep_versions :], self._current_or_none(name)]
        gone = [home / str(version) for version in self._numbers(name) if version not in newest]
        gone += [path for path in home.iterdir() if path.name.startswith(DRAFT)]
        for path in gone:
            shutil.rmtree(path, ignore_errors=True)

    def _current(self, name: str) -> int:
        return self._pointer(name)[0]

    def _current_or_none(self, name: str) -> int | None:
        try:
            return self._current(name)
        except (OSError, ValueError):
            return None

    def _pointer(self, name: str) -> tuple[int, int]:
        """The version that the name stands for, and the newest that was ever made so; they differ after a rollback."""
        text = (self.folder / name / CURRENT).read_text(encoding="ascii")
        current, *newest = [int(word) for word in text.split()] or [int(text)]
        return current, newest[0] if newest else current

    def _numbers(self, name: str) -> list[int]:
        home = self.folder / name
        return sorted(int(path.name) for path in home.iterdir() if path.name.isascii() and path.name.isdigit())

    def _entries(self) -> list[str]:
        try:
            return [name for name in os.listdir(self.folder) if _NAME.fullmatch(name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ThanoSQLModelError(f"The store of models {self.folder} cannot be read: {error}") from error

    @contextmanager
    def _held(self, name: str) -> Iterator[None]:
        locks = self.folder / ".locks"
        try:
            private.folder(private.folder(self.folder) / locks.name)
            held = lock(locks / f"{name.lower()}.lock")
        except OSError as error:
            raise _cannot_write(name, error) from error
        if held is None:
            raise ThanoSQLModelError(f"The model {name} is in use: another statement is writing it.")
        with held:
            yield


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ThanoSQLModelError(
            f"{name!r} is no name for a model.",
            hint="A name starts with a letter or _, goes on with letters, digits or _, and has at most 63 characters.",
        )


def _cannot_write(name: str, error: OSError) -> ThanoSQLModelError:
    return ThanoSQLModelError(f"The model {name} cannot be written: {error}")


def _sync(path: Path) -> None:
    """Have the disk hold a file or folder; a system that cannot sync folders (Windows) keeps their order itself."""
    if path.is_dir() and os.name == "nt":
        return
    number = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)
