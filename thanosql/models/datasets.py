"""The tutorial data sets that come with the package: a name in, its files in a workspace out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from thanosql.errors import ThanoSQLDataError, did_you_mean

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
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as staging:
        shutil.copytree(DATASETS[name].folder, Path(staging) / "new")
        if target.exists():
            target.rename(Path(staging) / "old")
        (Path(staging) / "new").rename(target)
    return target
