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
from thanosql.models.filelock import lock

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


def get(name: str, workspace: Path, *, overwrite: bool = False) -> Path:
    """Put a data set in `workspace/thanosql-dataset/NAME`, whole or not at all; the folder it is in.

    Raises ThanoSQLDataError for a name that is not there, and for a folder that is there already unless `overwrite`.
    """
    if name not in DATASETS:
        raise ThanoSQLDataError(f"There is no data set '{name}'.", hint=did_you_mean(name, DATASETS))
    target = workspace / WORKSPACE_FOLDER / name
    if target.exists() and not overwrite:
        raise ThanoSQLDataError(
            f"The data set '{name}' is in the workspace already: {target}", hint="OPTIONS (overwrite=True) renews it."
        )
    private.folder(workspace)
    private.folder(target.parent)
    held = lock(private.folder(workspace / ".locks") / f"{name}.lock")
    if held is None:
        raise ThanoSQLDataError(f"The data set '{name}' is just being put into the workspace by another process.")
    with held:
        for left in target.parent.glob(f".{name}-*"):  # what a kill left
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as staging:
            new = Path(staging) / "new"
            shutil.copytree(DATASETS[name].folder, new)
            private.tree(new)
            if not target.exists():
                new.rename(target)
            elif not _swapped(new, target):
                target.rename(Path(staging) / "old")
                new.rename(target)
    return target


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
