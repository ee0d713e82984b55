"""The tutorial data sets that come with the package: a name in, its files in a workspace out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from thanosql import private
from thanosql.errors import ThanoSQLDataError, did_you_mean
from thanosql.models.digest import digest
from thanosql.models.locks import LOCK_TIMEOUT, LockTimeout, locked

ASSETS = Path(__file__).parent / "assets"
WORKSPACE_FOLDER = "thanosql-dataset"


@dataclass(frozen=True)
class Dataset:
    name: str
    description: str

    @property
    def folder(self) -> Path:
        """Where the package holds it."""
        return ASSETS / self.name


DATASETS: Mapping[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset("spoken_numbers", "English numbers over a telephone line, synthesized; train and test, with texts"),
        Dataset("spoken_numbers_ko", "Korean numbers over a telephone line, synthesized; train and test, with texts"),
    )
}


def get(name: str, workspace: Path, *, overwrite: bool = False, lock_timeout: float = LOCK_TIMEOUT) -> Path:
    """Put a data set in `workspace/thanosql-dataset/NAME`, whole or not at all; the folder it is in. Another who does so
    is waited for, `lock_timeout` seconds.

    Raises ThanoSQLDataError for a name that is not there, and for a folder that is there already unless `overwrite`.
    """
    if name not in DATASETS:
        raise ThanoSQLDataError(f"There is no data set '{name}'.", hint=did_you_mean(name, DATASETS))
    target = workspace / WORKSPACE_FOLDER / name
    with placed(target, workspace, overwrite=overwrite, lock_timeout=lock_timeout) as new:
        shutil.copytree(DATASETS[name].folder, new, dirs_exist_ok=True)
    return target


@contextlib.contextmanager
def placed(
    target: Path, workspace: Path, *, overwrite: bool = False, lock_timeout: float = LOCK_TIMEOUT
) -> Iterator[Path]:
    """A new folder beside `target`, which is put in its place in one step, where the system can, when all went well. A
    kill leaves what was there; what it leaves of the new folder goes with the next one who writes.

    Raises ThanoSQLDataError for a folder that is there already, unless `overwrite`.
    """
    refuse_existing(target, overwrite)
    private.folder(workspace)
    inside = target.is_relative_to(workspace)
    if inside:
        private.folder(target.parent)
    name = target.name if inside else f"{target.name}-{digest([str(target)])}"
    path = private.folder(workspace / ".locks") / f"{name}.lock"
    try:
        with locked(path, lock_timeout):
            refuse_existing(target, overwrite)
            for left in target.parent.glob(f".{target.name}-*"):  # by a kill
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as staging:
                new = Path(staging) / "new"
                new.mkdir()
                yield new
                if inside:
                    private.tree(new)
                _put(new, target, Path(staging) / "old")
    except LockTimeout as busy:
        raise ThanoSQLDataError(
            f"The data set '{target.name}' is being put into {target.parent} by another statement ({busy.holder}).",
            hint="Run the statement again later.",
        ) from busy


def refuse_existing(target: Path, overwrite: bool) -> None:
    """Raise ThanoSQLDataError for a data set's folder that is there already, unless it is to be replaced."""
    if target.exists() and not overwrite:
        raise ThanoSQLDataError(
            f"The data set '{target.name}' is there already: {target}", hint="OPTIONS (overwrite=True) replaces it."
        )


def _put(new: Path, target: Path, old: Path) -> None:
    if not target.exists():
        new.rename(target)
    elif not _swapped(new, target):
        target.rename(old)
        new.rename(target)


def _swapped(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, so that a kill finds either in its place; whether this system can."""
    names = os.fsencode(one), os.fsencode(other)
    library = ctypes.CDLL(None, use_errno=True)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE and RENAME_SWAP
    with contextlib.suppress(AttributeError):  # an old C library, or another system
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, exchange) == 0)
        return bool(library.renameat2(here, names[0], here, names[1], exchange) == 0)
    return False
