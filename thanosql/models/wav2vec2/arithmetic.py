"""A precision as an option names it and a device in, the arithmetic of training out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def of_training(precision: str, device: torch.device) -> str:
    """'float32' or 'bfloat16'; 'auto' is bfloat16 where the device multiplies it faster than float32.

    A GPU does from Ampere on; a CPU with AMX tiles, while AVX-512's bfloat16 products alone were measured to save
    nothing over a whole step (docs/performance.md).
    """
    import torch

    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float32"
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # private: it may go
    return "bfloat16" if device.type == "cpu" and tiles() else "float32"
