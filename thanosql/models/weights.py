"""A checkpoint's folder in, its tensors by name out: safetensors, or a `pytorch_model.bin`, in one file or several.

What lies in the folder is read without trust: a pickle goes through torch's weights-only reader, and no code is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql import confinement
from thanosql.errors import ThanoSQLModelError
from thanosql.models import hub
from thanosql.models.adapter_base import read_base
from thanosql.models.json_file import read_json
from thanosql.models.pickled_weights import check_pickle, check_storage
from thanosql.unexpected import raise_if_used_up

if TYPE_CHECKING:
    import torch

LARGEST_HEADER = 100 << 20  # bytes, as safetensors has it


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder, on the CPU, under the names that its files have for them.

    Raises ThanoSQLModelError for what is missing, damaged, or no weights.
    """
    found: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        found.update(_tensors(path))
    return found


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a folder, from the headers of its safetensors: no weight is read, torch is not needed.

    Empty where the weights are a pickle, which says nothing before it is read. Raises ThanoSQLModelError as `read_weights`.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in weight_files(folder):
        if path.suffix == ".safetensors":
            found.update(file_shapes(path))
    return found


def file_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The same of one file in safetensors."""
    # The safetensors format: 8 bytes of length, then JSON.
    if path.exists() and not path.is_file():
        raise ThanoSQLModelError(f"{path} cannot be read: it is not a regular file.")
    try:
        with path.open("rb") as file:
            confinement.check(file.fileno(), path, model=True)
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), LARGEST_HEADER)))
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
        if any(type(size) is not int or size < 0 for shape in shapes.values() for size in shape):
            raise ValueError("a weight has a size that is no number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise_if_used_up(error)
        raise ThanoSQLModelError(f"{path} is damaged: {str(error)[:200]}") from error
    return shapes


def read_file(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of one file. Raises ThanoSQLModelError as `read_weights`."""
    return _tensors(path)


def weight_files(folder: Path) -> Iterator[Path]:
    """The files that hold the weights which are loaded; there may be more in the folder, in other formats. Of a model that
    holds adapters alone they are its base's."""
    for name in hub.WEIGHTS:
        path = folder / name
        if not path.is_file():
            continue
        if path.suffix != ".json":
            yield path
            return
        shards = read_json(path).get("weight_map")
        if not isinstance(shards, Mapping) or not all(Path(str(shard)).name == shard for shard in shards.values()):
            raise ThanoSQLModelError(f"{path} is damaged: it must say which file holds each weight.")
        files = [folder / shard for shard in sorted(set(shards.values()))]
        _refuse_missing(files, path)
        yield from files
        return
    base = read_base(folder)
    if base is None:
        raise ThanoSQLModelError(f"{folder} has no weights: model.safetensors is missing.")
    yield from (base.open(folder) / name for name in base.weights)


def _refuse_missing(files: Sequence[Path], index: Path) -> None:
    missing = [path.name for path in files if not path.exists()]
    if missing:
        named = ", ".join(missing[:3]) + (f" and {len(missing) - 3:,} more" if len(missing) > 3 else "")
        raise ThanoSQLModelError(
            f"{index.parent} is not complete: of the {len(files):,} files that {index.name} names, "
            f"{len(missing):,} {'are' if len(missing) > 1 else 'is'} missing: {named}.",
            hint="Download or copy the model again, with all of its files.",
        )


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.exists() and not path.is_file():
        raise ThanoSQLModelError(f"{path} cannot be read: it is not a regular file.")
    try:
        with confinement.pinned(path, model=True) as place:
            if path.suffix == ".safetensors":
                loaded: dict[str, torch.Tensor] = load_file(place)
                return loaded
            content = torch.load(place, map_location="cpu", weights_only=True, mmap=check_pickle(place, path))
    except ThanoSQLModelError:
        raise
    except (OSError, SafetensorError, ValueError, RuntimeError, EOFError, KeyError) as error:
        raise_if_used_up(error)
        raise ThanoSQLModelError(f"{path} cannot be read, it is damaged: {error}") from error
    except Exception as error:  # pickle.UnpicklingError: something other than weights lies in there
        raise ThanoSQLModelError(
            f"{path} holds more than weights and is not read: a pickle can run any code.",
            hint="Ask its publisher for model.safetensors.",
        ) from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ThanoSQLModelError(f"{path} is damaged: it must hold named weights.")
    for name, tensor in content.items():
        check_storage(str(name), tensor, path)
    return content
