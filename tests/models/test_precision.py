from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from thanosql.models import precision
from thanosql.models.precision import PrecisionComparison, as_record, choose, compared


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with AMX, whatever this one is."""
    monkeypatch.setattr(precision, "_cpu_flags", lambda: frozenset({"amx_bf16", "amx_tile"}))


def card(*checks: PrecisionComparison) -> dict[str, Any]:
    return {"evaluations": [{"wer": 0.1}, *map(as_record, checks), {"wer": 0.2}]}


@pytest.mark.usefixtures("units")
@pytest.mark.parametrize(
    ("words", "differing", "chosen"),
    [(2_000, 2, "bfloat16"), (2_000, 3, "float32"), (1_999, 0, "float32"), (10_000, 10, "bfloat16"), (0, 0, "float32")],
)
def test_auto_is_bfloat16_where_enough_words_were_checked_and_hardly_any_differ(
    words: int, differing: int, chosen: str
) -> None:
    found, reason = choose(card(PrecisionComparison(words, differing, "cpu")), "cpu")
    assert found == chosen
    assert f"{words:,}" in reason


@pytest.mark.usefixtures("units")
def test_the_last_check_on_the_same_kind_of_device_counts() -> None:
    bad, good = PrecisionComparison(2_000, 50, "cpu"), PrecisionComparison(2_000, 0, "cpu")
    assert choose(card(bad, good), "cpu")[0] == "bfloat16"
    assert choose(card(good, bad), "cpu")[0] == "float32"
    assert choose(card(good, PrecisionComparison(2_000, 50, "cuda")), "cpu")[0] == "bfloat16"
    assert "no check" in choose(card(PrecisionComparison(2_000, 0, "cuda")), "cpu")[1]


@pytest.mark.usefixtures("units")
def test_without_a_card_or_a_check_auto_is_float32_and_says_why() -> None:
    assert choose(None, "cpu") == (
        "float32",
        "it is not a model in the store, and has no card to write a check on",
    )
    assert choose({}, "cpu") == ("float32", "its card holds no check: EVALUATE with precision='auto' makes one")


def test_without_matrix_units_auto_is_float32_whatever_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_flags", lambda: frozenset({"avx512_bf16"}))
    good = card(PrecisionComparison(5_000, 0, "cpu"))
    assert choose(good, "cpu") == ("float32", "this machine has no matrix units for bfloat16")


@pytest.mark.parametrize(
    ("flags", "slower"),
    [({"amx_bf16", "avx512_bf16"}, False), ({"avx512_bf16"}, False), ({"avx2"}, True), (set(), False)],
)
def test_bfloat16_is_slower_where_a_processor_has_no_products_of_its_own_for_it(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], slower: bool
) -> None:
    monkeypatch.setattr(precision, "_cpu_flags", lambda: frozenset(flags))
    assert (precision.speed("bfloat16", "cpu") < 1) is slower
    assert precision.speed("float32", "cpu") == 1.0
    assert precision.speed("bfloat16", "cuda:0") > 1


def test_the_processor_s_flags_are_those_that_linux_lists() -> None:
    listed = Path("/proc/cpuinfo")
    if not listed.is_file():
        pytest.skip("this system has no /proc/cpuinfo")
    has = re.search(r"^flags.*\bamx_bf16\b", listed.read_text(), re.MULTILINE) is not None
    assert precision.has_matrix_units("cpu") == has


def test_words_that_are_added_or_left_out_differ_too() -> None:
    assert compared(["one two three", ""], ["one three", "four"], "cpu") == PrecisionComparison(3, 2, "cpu")
