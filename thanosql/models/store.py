"""A model's name in, its folder and card out; and a new version put in its place in one step.

    NAME/VERSION/        a folder that Wav2Vec2ForCTC.from_pretrained reads as it is, and its card, thanosql.json
    NAME/CURRENT         the version that the name stands for (after a rollback, the newest one after it); replaced
                         atomically, after everything is on the disk
    NAME/.draft-…        what is being written or dropped; left by a kill, it is swept by the next one who writes
    .format              the number of this layout (`store_format`)
    .training/NAME/      the checkpoint of a BUILD of that name that is unfinished; of a FIT: NAME.fit
    .locks/name.lock     held by the operating system while a name is written, so no kill leaves it locked

A reader needs no lock: the version it found stays for as long as it is among the newest that are kept. What it finds
missing because the model was replaced at that moment, it looks for again.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thanosql import private
from thanosql.errors import (
    ThanoSQLError,
    ThanoSQLInternalError,
    ThanoSQLModelError,
    ThanoSQLResourceError,
    did_you_mean,
)
from thanosql.models import store_format
from thanosql.models.locks import LOCK_TIMEOUT, LockTimeout, locked
from thanosql.models.model_folder import DRAFT, ModelFolder
from thanosql.models.model_home import ModelHome
from thanosql.models.store_errors import cannot_write, damaged, exists_already

TRAINING = ".training"
TRAININGS = {"BUILD": "", "FIT": ".fit"}  # what trains, and how the names of its checkpoints end
LOOKS = 20  # at a model that is replaced again and again while it is looked at
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
    replaces: bool
    committed: bool = field(default=False, init=False)

    def commit(self, card: Mapping[str, Any], *, current: bool = True) -> StoredModel:
        """Make the draft what the name stands for, its card beside it. On any failure the old version stays.

        With `current=False` it is kept as a version, and the name stands for what it stood for.
        """
        if not (self.folder / "config.json").is_file():
            raise ThanoSQLInternalError(f"The draft of the model {self.name} is empty.")
        home = self.store.home(self.name)
        try:
            put = home.put_in_place(self.folder, self.name, card, current=current, replaces=self.replaces)
        except FileExistsError as error:  # another writer, on a machine that knows nothing of this one's locks
            raise exists_already(self.name) from error
        except (OSError, ValueError) as error:
            raise cannot_write(self.name, error) from error
        self.committed = True
        with suppress(
            OSError, ThanoSQLError
        ):  # the model is there; what is left over is swept by the next one who writes
            home.sweep(self.store.keep_versions)
        return StoredModel(self.name, *put)


class Store:
    """Saved models under one folder; made when the first one is written. Any number of processes may share it.

    Who writes a name waits `lock_timeout` seconds for another who does; `check` is called meanwhile, and may raise.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep_versions: int = 3,
        lock_timeout: float = LOCK_TIMEOUT,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = Path(folder)
        self.keep_versions = keep_versions
        self.lock_timeout = lock_timeout
        self.check = check

    def home(self, name: str) -> ModelHome:
        """Where a name's versions are, whether there are any or not."""
        return ModelFolder(self.folder / name)

    def names(self) -> list[str]:
        """Names of the models, sorted."""
        return sorted(name for name in self._entries() if self.home(name).exists())

    def seen_names(self) -> list[str]:
        """The names that can be told without waiting."""
        return self.names()

    def exists(self, name: str) -> bool:
        # Not asked of the path: a disk that ignores case would have `Mine` for `mine`.
        return name in self._entries() and self.home(name).exists()

    def get(self, name: str, version: int | None = None) -> StoredModel:
        """The version that the name stands for, or another. Raises ThanoSQLModelError when it is missing or damaged."""
        for _ in range(LOOKS):
            if not self.exists(name):
                if name in (names := self.names()):
                    continue  # it has come between the two looks
                raise ThanoSQLModelError(f"There is no model {name}.", hint=did_you_mean(name, names))
            home = self.home(name)
            state = home.state()
            try:
                number = home.current() if version is None else version
                return StoredModel(name, number, home.folder(number), home.card(number))
            except (OSError, ValueError) as error:
                fault = error
            if self.home(name).state() == state and self.exists(name):
                break  # nobody has replaced or dropped it meanwhile
        if version is not None and isinstance(fault, OSError) and not self.home(name).kept(version):
            raise ThanoSQLModelError(f"The model {name} has no version {version}.") from fault
        raise damaged(name, home, fault) from fault

    def fetch(self, model: StoredModel) -> None:
        """Have the files of a version on this machine, where the store itself is not."""

    def versions(self, name: str) -> list[int]:
        """The saved versions, oldest first; after a rollback, later ones than the current too."""
        try:
            return self.home(name).versions() if self.exists(name) else []
        except FileNotFoundError:  # dropped meanwhile
            return []

    def roll_back(self, name: str, version: int) -> StoredModel:
        """Make a saved version what the name stands for, in one step. Raises ThanoSQLModelError when it is not kept."""
        with self._writing(name):
            found = self.get(name, version)
            try:
                self.home(name).roll_back(version)
            except OSError as error:
                raise cannot_write(name, error) from error
        return found

    @contextmanager
    def writing(self, name: str, *, overwrite: bool = False) -> Iterator[Draft]:
        """A draft of a model, its name locked against other writers. Refuses, before anything is done, a name that is
        not one, that exists (unless `overwrite`), that differs from another only in case, or that others are writing.
        Left without `commit`, by an error or a kill, nothing has changed.
        """
        self.check_new_name(name, overwrite=overwrite)
        with self._writing(name):
            self.check_new_name(name, overwrite=overwrite)
            home = self.home(name)
            try:
                private.folder(private.folder(self.folder) / name)
                home.sweep(self.keep_versions)
                draft = Draft(self, name, Path(tempfile.mkdtemp(prefix=DRAFT, dir=home.path)), overwrite)
            except OSError as error:
                raise cannot_write(name, error) from error
            try:
                yield draft
            finally:
                if not draft.committed:
                    shutil.rmtree(draft.folder, ignore_errors=True)
                    with suppress(OSError):  # not empty: the model has versions
                        home.path.rmdir()

    def sweep(self) -> None:
        """Remove the drafts that killed statements left, of every name that nobody is writing; raises nothing."""
        with suppress(OSError, ThanoSQLError):
            left = {draft.parent.name for draft in self.folder.glob(f"*/{DRAFT}*")}
            for name in left.intersection(self._entries()):
                with suppress(OSError, ThanoSQLError), self._writing(name, lock_timeout=0):
                    self.home(name).sweep_drafts()

    def training_state(self, name: str, kind: str = "BUILD") -> Path:
        """The folder with the checkpoint of an unfinished BUILD or FIT of that name. Each has its own, so that a script that
        does both goes on where it was interrupted."""
        return self.folder / TRAINING / f"{name}{TRAININGS[kind]}"

    def unfinished(self) -> list[str]:
        """The names, sorted, of which a training run has left a checkpoint."""
        return sorted({name for suffix in TRAININGS.values() for name in _entries(self.folder / TRAINING, suffix)})

    def drop(self, name: str, *, if_exists: bool = False) -> bool:
        """Remove a model with all its versions, and the checkpoint of an unfinished training run of that name; whether
        there was a model.

        Raises ThanoSQLModelError where there is neither, unless `if_exists`, ThanoSQLResourceError where something cannot
        be removed.
        """
        if not self.exists(name) and name not in self.unfinished():
            if if_exists:
                return False
            raise ThanoSQLModelError(f"There is no model {name}.", hint=did_you_mean(name, self.names()))
        with self._writing(name):
            there = self.exists(name)
            try:
                if there:
                    self.home(name).remove()
                for kind in TRAININGS:
                    if (state := self.training_state(name, kind)).exists():
                        shutil.rmtree(state)
            except OSError as error:
                raise ThanoSQLResourceError(f"The model {name} cannot be removed: {error}") from error
        return there

    def record_evaluation(self, name: str, version: int, record: Mapping[str, Any]) -> None:
        """Add an evaluation to the card of a version; nothing happens when the version is gone by now.

        Raises ThanoSQLModelError when the card is damaged, ThanoSQLResourceError when it cannot be written.
        """
        home = self.home(name)
        with self._writing(name, lock=f"{name}.card"):
            try:
                home.add_evaluation(version, record)
            except FileNotFoundError:
                return
            except (OSError, ValueError) as error:
                raise cannot_write(name, error) from error

    def check_new_name(self, name: str, *, overwrite: bool = False) -> None:
        """Refuse a name that a model cannot be saved under; the ThanoSQLModelError says why."""
        if not is_name(name):
            raise ThanoSQLModelError(
                f"{name!r} is not a valid name for a model.",
                hint="A name is a letter or _, then letters, digits or _, at most 63 characters in all.",
            )
        if self.exists(name) and not overwrite:
            raise exists_already(name)
        for other in self.names():
            if other != name and other.lower() == name.lower():
                raise ThanoSQLModelError(f"There is a model {other}: names that differ only in case are refused.")

    def _entries(self) -> list[str]:
        store_format.check(self.folder)
        return _entries(self.folder)

    @contextmanager
    def _writing(self, name: str, *, lock: str | None = None, lock_timeout: float | None = None) -> Iterator[None]:
        """Hold the lock of a name (`lock`, if it is another's); other writers are waited for."""
        seconds = self.lock_timeout if lock_timeout is None else lock_timeout
        locks = self.folder / ".locks"
        with ExitStack() as waiting:
            store_format.check(self.folder)
            try:
                private.folder(private.folder(self.folder) / locks.name)
                store_format.mark(self.folder)
                waiting.enter_context(locked(locks / f"{(lock or name).lower()}.lock", seconds, self.check))
            except OSError as error:
                raise cannot_write(name, error) from error
            except LockTimeout as busy:
                raise ThanoSQLModelError(
                    f"Another statement ({busy.holder}) is writing the model {name}, and was still writing it after "
                    f"{seconds:g} seconds.",
                    hint="Run the statement again later, or wait longer: the setting lock_timeout (THANOSQL_LOCK_TIMEOUT).",
                ) from busy
            yield


def is_name(text: str) -> bool:
    """Whether a model can be called so."""
    return _NAME.fullmatch(text) is not None


def _entries(folder: Path, suffix: str = "") -> list[str]:
    """The names that there are in a folder, of entries that end so."""
    try:
        found = [entry.removesuffix(suffix) for entry in os.listdir(folder) if entry.endswith(suffix)]
        return [name for name in found if is_name(name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ThanoSQLModelError(f"The model store {folder} cannot be read: {error}") from error
