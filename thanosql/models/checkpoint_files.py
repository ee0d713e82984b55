"""A folder or hub id in; the folder where its files lie, and the `model_type` that its config.json names, out.

What is true of any checkpoint in Hugging Face's layout; neither torch nor transformers is imported for it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql import confinement
from thanosql.errors import ThanoSQLModelError
from thanosql.models import hub
from thanosql.models.adapter_base import read_base
from thanosql.models.digest import digest
from thanosql.models.json_file import read_json

if TYPE_CHECKING:
    from thanosql.config import Settings

CONFIG_FILE = "config.json"
CARD_FILE = "thanosql.json"  # beside the files of a model of the store; no part of the model
INDEX_FILE = "model.safetensors.index.json"
SAFETENSORS = ("model.safetensors", INDEX_FILE)
LONGEST = 4096  # characters of a folder's name or a hub id that are looked at


@dataclass(frozen=True)
class Checkpoint:
    """A model's files on this machine. `revision` is the hub's commit; None where the files are a folder's own."""

    folder: Path
    revision: str | None = None


def open(checkpoint: str) -> Checkpoint:
    """The files of a checkpoint: a folder as it is, a hub id (`owner/name` or `owner/name@revision`) from the hub's
    cache, or else downloaded into it.

    Raises ThanoSQLModelError when there is no such folder or repository, ThanoSQLConnectionError when the hub is needed
    and cannot be reached.
    """
    folder = local(checkpoint)
    if folder is not None:
        return Checkpoint(folder)
    if not hub.is_id(checkpoint):
        raise ThanoSQLModelError(
            f"There is no folder {checkpoint}.",
            hint="In quotes, write a model's folder, or its id on the hub: owner/name.",
        )
    found = hub.fetch(checkpoint)
    return Checkpoint(found, found.name)


def local(checkpoint: str) -> Path | None:
    """The folder that a checkpoint names; None for anything else. Raises ThanoSQLModelError for a name too long."""
    if len(checkpoint) > LONGEST:
        raise ThanoSQLModelError(
            f"The name of a folder has {len(checkpoint):,} characters: {checkpoint[:40]}…",
            hint=f"At most {LONGEST:,} characters are allowed.",
        )
    try:
        folder = Path(checkpoint).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, ValueError, RuntimeError) as error:  # too long for the system, a NUL, ~ of nobody
        raise ThanoSQLModelError(f"There is no folder {checkpoint[:200]!r}: {error.__class__.__name__}.") from error


def local_or_cached(checkpoint: str) -> Path | None:
    """The folder of a checkpoint that is on this machine: itself, or in the hub's cache; None where it is not."""
    return local(checkpoint) or hub.cached_folder(checkpoint)


def refuse_outside(folder: Path, settings: Settings) -> None:
    """Refuse a folder outside of those that statements may read, and one with a link that leads out of them.

    What is in it is not said, nor whether it is there. Raises ThanoSQLModelError.
    """
    if not settings.confined:
        return
    inside = settings.may_read(folder)
    read = [folder, *(folder.iterdir() if inside and folder.is_dir() else ())]
    if (
        inside
        and (base := read_base(folder)) is not None
        and (Path(base.checkpoint).exists() or not hub.is_id(base.checkpoint))
    ):
        read.append(Path(base.checkpoint))  # adapters alone: the base's weights are read where they are
    for path in read:
        if not settings.may_read(path):
            raise ThanoSQLModelError(
                f"{path} lies outside of the folders that may be read: {', '.join(map(str, settings.audio_roots))}.",
                hint="The setting audio_roots names them.",
            )


def check_config(folder: Path) -> None:
    """Refuse a folder without config.json: it holds no model by itself. Raises ThanoSQLModelError."""
    if (folder / CONFIG_FILE).is_file():
        return
    if (folder / "adapter_config.json").is_file():
        raise ThanoSQLModelError(
            f"{folder} holds an adapter (LoRA) without its base model.",
            hint="Merge it into its base with peft (merge_and_unload), save the result, and use that folder.",
        )
    raise ThanoSQLModelError(f"{folder} has no config.json: it is not a folder of a Hugging Face model.")


def model_type(folder: Path) -> str:
    """What config.json says that the model is: 'wav2vec2', say. Raises ThanoSQLModelError when it does not say."""
    check_config(folder)
    kind = read_json(folder / CONFIG_FILE).get("model_type")
    if not isinstance(kind, str) or not kind:
        raise ThanoSQLModelError(f"{folder / CONFIG_FILE} has no model_type, so the kind of model is unknown.")
    return kind


def copy(source: Path, folder: Path, *beside: Path) -> None:
    """Copy the files that a model in safetensors is made of into `folder`, those that `source` lacks from `beside` it.

    Raises ThanoSQLModelError when they cannot be read or written.
    """
    names = list(hub.SMALL)
    if (source / SAFETENSORS[0]).is_file():
        names.append(SAFETENSORS[0])
    else:
        shards = read_json(source / INDEX_FILE)["weight_map"]
        names += [INDEX_FILE, *sorted({Path(shard).name for shard in shards.values()})]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            found = next((place / name for place in (source, *beside) if (place / name).is_file()), None)
            if found is not None:
                copy_file(found, folder / name)
    except OSError as error:
        raise ThanoSQLModelError(f"The model cannot be copied from {source}: {error}") from error


def copy_file(source: Path, target: Path) -> None:
    """One file of a checkpoint, copied. Raises OSError, and ThanoSQLModelError as `confinement.check`."""
    with confinement.pinned(source, model=True) as place:
        shutil.copyfile(place, target)


def state(folder: Path) -> str:
    """A fingerprint of a folder's files by name, size and time of change, which changes when the model does.

    Raises ThanoSQLModelError when the folder cannot be read.
    """
    try:
        stamps = sorted(
            (path.name, about.st_mtime_ns, about.st_size)
            for path in folder.iterdir()
            if path.name != CARD_FILE  # it grows with every evaluation
            for about in (path.stat(),)
        )
    except OSError as error:
        raise ThanoSQLModelError(f"{folder} cannot be read: {error}") from error
    return f"{folder.resolve()}@{digest(stamps)}"
