from __future__ import annotations

import sys

import pytest

from thanosql.models.training import allocation
from thanosql.models.training.allocation import GROWTH, FreeBlocks, resident_bytes

BLOCK = 64 << 10  # bytes: below what glibc asks the system for by itself


def leave_holes(total: int) -> list[bytearray]:
    """So many bytes taken and freed again, but for every tenth block, which keeps the rest from going back."""
    return [bytearray(BLOCK) for _ in range(total // BLOCK)][::10]


@pytest.mark.skipif(not sys.platform.startswith("linux") or allocation._glibc() is None, reason="glibc's heap alone")
def test_free_parts_of_the_heap_go_back_to_the_system_once_the_process_grew() -> None:
    blocks = FreeBlocks()
    blocks.give_back()
    at_first = resident_bytes()
    few = leave_holes(GROWTH // 4)
    grown = resident_bytes()
    blocks.give_back()
    assert resident_bytes() > at_first + 0.6 * (grown - at_first), "little was not worth it"
    many = leave_holes(GROWTH * 3 // 2)
    assert resident_bytes() > at_first + GROWTH
    blocks.give_back()
    assert resident_bytes() < at_first + GROWTH // 2
    again = leave_holes(GROWTH // 4)
    grown = resident_bytes()
    blocks.give_back(0)
    assert resident_bytes() < grown - 0.6 * (GROWTH // 4), "asked for, little is given back too"
    del again
    del few, many  # until here they kept the rest from going back


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocation, "_glibc", lambda: None)
    blocks = FreeBlocks()
    blocks.give_back()
    with allocation.freed_at_once():
        blocks.give_back()
