"""A pickle of weights in; an error, before it is read, where reading it would take more memory than it is large, out.

torch's weights-only reader runs no foreign code, and yet makes what a few bytes ask for: an array of any length, a record
that is compressed a thousandfold, a tensor of 10^12 numbers that are all the same one.
"""

from __future__ import annotations

import pickletools
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from thanosql.errors import ThanoSQLModelError

if TYPE_CHECKING:
    import torch

PICKLES = 5  # of a file of before torch 1.6: two numbers, the machine, the tensors, the names of their storages
MAKES_ANY_LENGTH = ("bytearray", "bytes", "range")


def check_pickle(place: Path, path: Path) -> bool:
    """Whether a file is a zip archive, as torch writes it since 1.6; else it is a sequence of pickles.

    It lies at `place`, and messages call it `path`. Raises ThanoSQLModelError for one that asks for more memory than it is
    large; what else is wrong is torch's to say.
    """
    if not zipfile.is_zipfile(place):
        with place.open("rb") as file, suppress(ValueError):
            for _ in range(PICKLES):
                _check_calls(file, path)
        return False
    with suppress(zipfile.BadZipFile, NotImplementedError, ValueError), zipfile.ZipFile(place) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise _too_much(path, "its records are compressed, which torch does not do")
        for name in archive.namelist():
            if name.endswith("/data.pkl"):
                with archive.open(name) as file:
                    _check_calls(file, path)
    return True


def check_storage(name: str, tensor: torch.Tensor, path: Path) -> None:
    """Raise ThanoSQLModelError for a tensor with more numbers than are there for it."""
    import torch

    plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ThanoSQLModelError(f"{path} is damaged: of {name[:100]} it does not hold each number.")


def _check_calls(file: IO[bytes], path: Path) -> None:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STACK_GLOBAL" or (opcode.name == "GLOBAL" and str(argument).split()[-1] in MAKES_ANY_LENGTH):
            raise _too_much(path, "it makes other things than tensors")


def _too_much(path: Path, why: str) -> ThanoSQLModelError:
    return ThanoSQLModelError(
        f"{path} is not read: {why}, and could fill the memory.", hint="Ask its publisher for model.safetensors."
    )
