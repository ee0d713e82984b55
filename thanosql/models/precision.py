"""A model's card and a device in; what precision='auto' is there, and why, out. Torch is not imported for a CPU.

bfloat16 halves the time only where a processor has units for its matrix products, and it may change words: so it is
chosen where both were found, the units in the hardware and the words in a check that EVALUATE keeps on the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from thanosql.models import measurements
from thanosql.models.measurements import Measured

ENOUGH_WORDS = 2_000
MOST_DIFFERING = 0.001  # of the words
CPU_FLAG = "amx_bf16"
SPEEDS = {CPU_FLAG: 2.5, "avx512_bf16": 1.3}  # of bfloat16 against float32, by what a processor can do, the best first
NOTHING: Mapping[str, Measured] = MappingProxyType({})
SPEED_WITHOUT = 0.2  # where it has no products of bfloat16: each is made of float32's
GPU_GENERATION = 8  # Ampere, the first of Nvidia's with units for bfloat16


@dataclass(frozen=True)
class PrecisionComparison:
    """Of the words that a model hears in float32, how many differ in bfloat16; `device` is 'cpu' or 'cuda'."""

    words: int
    differing: int
    device: str

    @property
    def passes(self) -> bool:
        return self.words >= ENOUGH_WORDS and self.differing <= MOST_DIFFERING * self.words

    def __str__(self) -> str:
        """
        >>> str(PrecisionComparison(words=4000, differing=3, device="cpu"))
        '3 of 4,000 words differ in bfloat16 (0.07%)'
        """
        return (
            f"{self.differing:,} of {self.words:,} words differ in bfloat16 ({self.differing / max(1, self.words):.2%})"
        )


def compared(exact: Sequence[str], rounded: Sequence[str], device: str) -> PrecisionComparison:
    """What a check finds in the transcripts of the same audio in float32 and in bfloat16.

    >>> compared(["one two", "three"], ["one too", "three four"], "cpu")
    PrecisionComparison(words=3, differing=2, device='cpu')
    """
    from thanosql.models.metrics import score_each

    differing = sum(score.errors for score in score_each(exact, rounded))
    return PrecisionComparison(sum(len(text.split()) for text in exact), differing, device)


def as_record(check: PrecisionComparison) -> dict[str, Any]:
    """What an evaluation's record on the card says of a check."""
    return {"bfloat16": asdict(check)}


def choose(card: Mapping[str, Any] | None, device: str) -> tuple[str, str]:
    """'bfloat16' or 'float32' for a model with a card on 'cpu', 'cuda' or 'cuda:N', and the reason in words."""
    if not has_matrix_units(device):
        return "float32", "this machine has no matrix units for bfloat16"
    if card is None:
        return "float32", "it is not a model in the store, and has no card to write a check on"
    check = _last_check(card, device.partition(":")[0])
    if check is None:
        return "float32", "its card holds no check: EVALUATE with precision='auto' makes one"
    if check.words < ENOUGH_WORDS:
        return "float32", f"its check is of {check.words:,} words, and {ENOUGH_WORDS:,} are needed"
    if not check.passes:
        return "float32", f"{check}, more than {MOST_DIFFERING:.1%}"
    return "bfloat16", str(check)


def has_matrix_units(device: str) -> bool:
    """Whether the hardware multiplies matrices of bfloat16 by itself: AMX on a CPU, tensor cores on a GPU."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_capability(device)[0] >= GPU_GENERATION
    return CPU_FLAG in _cpu_flags()


def speed(precision: str, device: str, found: Mapping[str, Measured] = NOTHING) -> float:
    """How many times float32's speed a precision has: as `found` says that it was measured on this processor, or else as on
    hardware of its kind (docs/performance.md)."""
    if precision not in ("bfloat16", "float16"):
        return 1.0
    if device.startswith("cuda"):
        return 2.5
    if precision == "bfloat16" and (times := measurements.bfloat16_speed(found)) is not None:
        return times
    flags = _cpu_flags()
    if not flags:  # nobody says
        return 1.0
    return next((times for flag, times in SPEEDS.items() if flag in flags), SPEED_WITHOUT)


def _cpu_flags() -> frozenset[str]:
    """What Linux says that the processor can do; nothing on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    lines = (line.partition(":") for line in text.splitlines())
    return frozenset(word for name, _, value in lines if name.strip() == "flags" for word in value.split())


def _last_check(card: Mapping[str, Any], device: str) -> PrecisionComparison | None:
    for record in reversed(card.get("evaluations") or ()):
        found = record.get("bfloat16")
        if isinstance(found, dict) and found.get("device") == device:
            words, differing = found.get("words"), found.get("differing")
            if isinstance(words, int) and isinstance(differing, int):
                return PrecisionComparison(words, differing, device)
    return None
