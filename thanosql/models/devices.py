"""The options `device` and `precision` in; torch's device and dtype out, or what the device will be before torch is there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.errors import ThanoSQLOptionError

if TYPE_CHECKING:
    import torch

_GPU = re.compile(r"cuda(:[0-9]{1,4})?")


def check_device(name: str) -> None:
    """Raise ThanoSQLOptionError for what names no device on any machine; torch is not asked."""
    if name not in ("auto", "cpu") and not _GPU.fullmatch(name):
        shown = name if len(name) <= 40 else name[:40] + "…"
        raise ThanoSQLOptionError(
            f"There is no device {shown!r} (device).", hint="Devices are 'auto', 'cpu', 'cuda' or 'cuda:N'."
        )


def choose_device(name: str) -> torch.device:
    """The device of the option: 'auto' is the first GPU where there is one, the CPU elsewhere.

    Raises ThanoSQLOptionError for a device that this machine has not.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    check_device(name)
    number = int(name.partition(":")[2] or 0)
    if number < torch.cuda.device_count():
        return torch.device("cuda", number)
    raise ThanoSQLOptionError(
        f"There is no device {name}: torch sees {torch.cuda.device_count()} GPUs.", hint="Say device='auto'."
    )


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The arithmetic of the option on a device; 'auto' is float32 until a model's card says bfloat16 was checked.

    Raises ThanoSQLOptionError for an arithmetic that the device has not.
    """
    import torch

    if precision == "float16" and device.type == "cpu":
        raise ThanoSQLOptionError(
            "precision='float16' needs a GPU.", hint="On a CPU there are 'float32', 'bfloat16' and 'auto'."
        )
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision, torch.float32)


def expected_device(name: str) -> str:
    """'cpu' or 'cuda', as 'auto' will be understood; until torch is imported, guessed from its files and the driver."""
    if name != "auto":
        return name
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "cuda"):
        return "cuda" if torch.cuda.is_available() else "cpu"
    found = find_spec("torch")
    version = Path(found.origin).with_name("version.py") if found and found.origin else None
    built = version is not None and version.is_file() and "cuda: Optional[str] = None" not in version.read_text()
    return "cuda" if built and (Path("/proc/driver/nvidia/version").exists() or Path("/dev/dxg").exists()) else "cpu"


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """On a GPU, no TF32 for matrix products and convolutions of float32: it has ten bits of mantissa instead of 23.

    What the program had set is put back at the end.
    """
    import torch

    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
