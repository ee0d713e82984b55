"""A model's folder in that holds the adapters of one language alone; the folder of the base that they belong to, out.

Such a model is a few megabytes: `base.json` names its base, whose weights are read where they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from thanosql.errors import ThanoSQLConnectionError, ThanoSQLModelError
from thanosql.models import hub
from thanosql.models.digest import file_digest
from thanosql.models.json_file import read_json

FILE = "base.json"


@dataclass(frozen=True)
class WeightFile:
    """One of the base's files, as it was: only where its time of change differs is its content looked at."""

    size: int
    changed: int  # nanoseconds, as the system counts them
    digest: str


@dataclass(frozen=True)
class AdapterBase:
    """`name` is what USING called it, `checkpoint` its folder, or its hub id at a commit; `weights` are by file name."""

    name: str
    checkpoint: str
    weights: Mapping[str, WeightFile] = field(repr=False)

    @classmethod
    def of(cls, name: str, checkpoint: str, weights: Iterable[Path]) -> AdapterBase:
        """What is to be remembered of a base. Raises OSError."""
        return cls(name, checkpoint, {path.name: WeightFile(*_stamp(path), file_digest(path)) for path in weights})

    def write(self, folder: Path) -> None:
        """Leave base.json in a model's folder. Raises OSError."""
        (folder / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    def open(self, model: Path) -> Path:
        """The base's folder, its weights those that the model was trained on.

        Raises ThanoSQLModelError when the base is gone or has changed, ThanoSQLConnectionError when it has to come from the
        hub, which cannot be reached.
        """
        folder = Path(self.checkpoint)
        if not folder.is_dir() and hub.is_id(self.checkpoint):
            try:
                folder = hub.fetch(self.checkpoint)
            except (ThanoSQLModelError, ThanoSQLConnectionError) as error:
                error.message = f"{self._incomplete(model)} That base cannot be had: {error.message}"
                raise
        for name, known in self.weights.items():
            path = folder / name
            if not path.is_file():
                raise ThanoSQLModelError(
                    f"{self._incomplete(model)} That base is gone: there is no {path}.",
                    hint="Put it back there, or train again with train='all' for a model that needs no base.",
                )
            stamp = _stamp(path)
            if stamp != (known.size, known.changed) and _digest(path, *stamp) != known.digest:
                raise ThanoSQLModelError(
                    f"{self._incomplete(model)} That base has changed since: {path} holds other weights.",
                    hint="Put the old ones back, or train the adapters again.",
                )
        return folder

    def _incomplete(self, model: Path) -> str:
        return f"{model} holds adapters alone, for the base {self.name} ({self.checkpoint})."


def read_base(folder: Path) -> AdapterBase | None:
    """What a folder says of its base; None for a model that needs no base. Raises ThanoSQLModelError for a damaged file."""
    if not (folder / FILE).is_file():
        return None
    content = read_json(folder / FILE)
    try:
        weights = {
            str(name): WeightFile(int(one["size"]), int(one["changed"]), str(one["digest"]))
            for name, one in content["weights"].items()
        }
        found = AdapterBase(str(content["name"]), str(content["checkpoint"]), weights)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ThanoSQLModelError(f"{folder / FILE} is damaged: it must name the base and its weights.") from error
    if not weights or any(Path(name).name != name for name in weights):
        raise ThanoSQLModelError(f"{folder / FILE} is damaged: it must name the base and its weights.")
    return found


def _stamp(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


@lru_cache(64)
def _digest(path: Path, size: int, changed: int) -> str:
    return file_digest(path)
