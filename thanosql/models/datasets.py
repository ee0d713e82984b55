"""The tutorial data sets that come with the package: a name in, its files in a workspace out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from thanosql import private
from thanosql.errors import ThanoSQLDataError, did_you_mean
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
    _refuse_existing(target, overwrite)
    private.folder(workspace)
    private.folder(target.parent)
    path = private.folder(workspace / ".locks") / f"{name}.lock"
    try:
        with locked(path, lock_timeout):
            _refuse_existing(target, overwrite)
            _put(DATASETS[name], target)
    except LockTimeout as busy:
        raise ThanoSQLDataError(
            f"The data set '{name}' is being copied into the workspace by another statement ({busy.holder}).",
            hint="Run the statement again later.",
        ) from busy
    return target


def _refuse_existing(target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise ThanoSQLDataError(
            f"The data set '{target.name}' is in the workspace already: {target}",
            hint="OPTIONS (overwrite=True) copies it again.",
        )


def _put(dataset: Dataset, target: Path) -> None:
    """Put a data set's files in place of what may be there, in one step where the system can."""
    for left in target.parent.glob(f".{dataset.name}-*"):  # what a kill left
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{dataset.name}-", dir=target.parent) as staging:
        new = Path(staging) / "new"
        shutil.copytree(dataset.folder, new)
        private.tree(new)
        if not target.exists():
            new.rename(target)
        elif not _swapped(new, target):
            target.rename(Path(staging) / "old")
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
