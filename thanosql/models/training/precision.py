"""A precision as an option names it and a device in, the arithmetic of training out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def of_training(precision: str, device: torch.device) -> str:
    """'float32' or 'bfloat16'; 'auto' is bfloat16 where the hardware multiplies it: a GPU from Ampere on, a CPU with AMX or
    AVX-512's bfloat16 products. A step was measured to take two thirds of float32's time there, for the same loss
    (docs/performance.md).
    """
    import torch

    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float32"
    return "bfloat16" if device.type == "cpu" and _multiplies_bfloat16() else "float32"


def _multiplies_bfloat16() -> bool:
    """Whether this processor has such products itself; torch says it in private functions, which may go."""
    import torch

    asked = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return any(ask() for ask in asked if ask is not None)
