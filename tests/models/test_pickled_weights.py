"""A pickle of weights that asks for more memory than it is large is refused before it gets any."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
import torch

from thanosql.errors import ThanoSQLModelError
from thanosql.models.weights import read_file

HUGE = 2_000_000_000  # bytes


def array(module: str = "builtins") -> bytes:
    return b"\x80\x02c" + module.encode() + b"\nbytearray\n(J" + struct.pack("<i", HUGE) + b"tR."


def archive(path: Path, content: bytes, how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        for name, part in (
            ("data.pkl", content),
            ("version", b"3\n"),
            ("byteorder", b"little"),
            ("data/0", bytes(400_000)),
        ):
            file.writestr(f"archive/{name}", part)
    return path


@pytest.mark.parametrize("module", ["builtins", "__builtin__"])
def test_an_array_of_any_length_is_refused_before_it_is_made(tmp_path: Path, module: str) -> None:
    with pytest.raises(ThanoSQLModelError, match=r"is not read: it makes other things than tensors(.|\n)*safetensors"):
        read_file(archive(tmp_path / "pytorch_model.bin", array(module)))


def test_so_is_one_in_a_file_of_before_torch_had_archives(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert read_file(path)["a"].tolist() == [0, 0, 0]
    third = content.index(b"little_endian")
    begin = content.index(b".\x80\x02", third) + 1
    path.write_bytes(content[:begin] + array())
    with pytest.raises(ThanoSQLModelError, match="it makes other things than tensors"):
        read_file(path)


def test_records_that_are_compressed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(100_000)}, path)
    with zipfile.ZipFile(path) as file:
        content = file.read(next(name for name in file.namelist() if name.endswith("data.pkl")))
    assert read_file(path)["a"].numel() == 100_000
    with pytest.raises(ThanoSQLModelError, match="its records are compressed, which torch does not do"):
        read_file(archive(path, content, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).as_strided((10**12,), (0,)),
        torch.zeros(1).as_strided((1 << 20, 1 << 20), (0, 0)),
        torch.empty(10**12, device="meta"),
        torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.long), torch.ones(1), (10**12,), check_invariants=False),
    ],
    ids=["one number 10^12 times", "a matrix of it", "no number", "sparse"],
)
def test_weights_that_are_fewer_than_they_say_are_damage(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"lm_head.weight": tensor}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ThanoSQLModelError, match=r"pytorch_model\.bin is damaged: of lm_head\.weight it does not hold"):
        read_file(tmp_path / "pytorch_model.bin")
