"""A model in, a fingerprint of what its files hold out: it tells a model from another of the same name and version.

A copy of a model has the same one, on any machine; a model that was dropped and built again has another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files, hub
from thanosql.models.digest import digest, file_digest
from thanosql.models.model import Model
from thanosql.models.trained_rows import TRAINED_ROWS

BESIDE = frozenset((checkpoint_files.CARD_FILE, TRAINED_ROWS))  # said of the model, no part of it


def content_of(model: Model) -> str | None:
    """The fingerprint: a version's as its card has it, a folder's from its files, a hub id's is the commit in the cache.

    None for a hub id that is not on this machine yet. Raises ThanoSQLModelError when the files cannot be read.
    """
    if model.card and (said := model.card.get("content")):
        return str(said)
    folder = checkpoint_files.local(model.checkpoint)
    if folder is not None:
        return _as_it_was(folder, checkpoint_files.state(folder))
    cached = hub.cached_folder(model.checkpoint)
    return None if cached is None else cached.name


def digest_folder(folder: Path) -> str:
    """16 hexadecimal digits that change with the name or content of any file of a model's folder, its card apart.

    About a second a gigabyte. Raises OSError.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in BESIDE)
    return digest_files({path.relative_to(folder).as_posix(): file_digest(path) for path in files})


def digest_files(digests: Mapping[str, str]) -> str:
    """The same of files whose own digests (`digest.file_digest`) are known, by their paths in the folder, sorted as paths."""
    return digest([(file, found) for file, found in digests.items() if file.rpartition("/")[2] not in BESIDE])


@lru_cache(64)
def _as_it_was(folder: Path, state: str) -> str:
    try:
        return digest_folder(folder)
    except OSError as error:
        raise ThanoSQLModelError(f"{folder} cannot be read: {error}") from error
