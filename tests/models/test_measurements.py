"""Which way to compute is the fastest here: measured once, kept in the home, not believed where it is another machine's."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from thanosql.models import measurements, precision
from thanosql.models.ctc import products
from thanosql.models.ctc.products import Product
from thanosql.models.measurements import FILE, LOCK, Measured, kept, kept_in, measure


@pytest.fixture(autouse=True)
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known yet in this process."""
    monkeypatch.setattr(measurements, "_known", {})
    monkeypatch.setattr(measurements, "_kept", set())


def spin(rounds: int) -> Callable[[], object]:
    return lambda: sum(range(rounds))


def test_the_clearly_faster_way_is_taken_and_measured_only_once() -> None:
    asked: list[str] = []
    ways = {"slow": spin(200_000), "fast": spin(2_000)}

    def alike(way: str) -> bool:
        asked.append(way)
        return True

    first = measure("sum", "of numbers", ways, alike)
    assert first.choice == "fast"
    assert first.milliseconds["slow"] > 5 * first.milliseconds["fast"]
    assert measure("sum", "of numbers", ways, alike) == first
    assert asked == ["slow", "fast"]


def test_a_little_faster_is_not_enough() -> None:
    took = {"first": 1.0, "second": 0.95, "third": 0.94}
    assert measurements._choice(took, dict.fromkeys(took, True)) == "first"


def test_what_is_measured_is_kept_and_known_to_the_next_process(tmp_path: Path) -> None:
    with kept_in(tmp_path):
        found = measure("sum", "of numbers", {"slow": spin(200_000), "fast": spin(2_000)})
    assert kept(tmp_path) == {"sum of numbers": found}
    measurements._known.clear()
    measurements._kept.clear()
    with kept_in(tmp_path):
        assert measure("sum", "of numbers", {"slow": spin(2_000), "fast": spin(200_000)}) == found
    (content,) = json.loads((tmp_path / FILE).read_text())["machines"]
    assert content.items() >= measurements.processor().items()
    # The distribution's version, for which torch need not be imported: that of the usual index's CUDA build names no CUDA.
    assert content["torch"] in (torch.__version__, torch.__version__.partition("+")[0])
    assert FILE in {path.name for path in tmp_path.iterdir()} <= {FILE, LOCK, "processor.pid"}


def test_each_home_gets_the_answers_that_this_process_has(tmp_path: Path) -> None:
    homes = [tmp_path / "first", tmp_path / "second"]
    found = []
    for home in homes:
        with kept_in(home):
            found.append(measure("sum", "of numbers", {"slow": spin(200_000), "fast": spin(2_000)}))
    assert kept(homes[0]) == kept(homes[1]) == {"sum of numbers": found[0]}


def test_machines_that_share_a_home_keep_their_answers_beside_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = measurements.processor()
    for number, choice in enumerate(["x", "y"]):
        monkeypatch.setattr(measurements, "processor", lambda number=number: {**mine, "processor": f"number {number}"})
        monkeypatch.setattr(measurements, "_known", {"a": Measured(choice, True)})
        measurements.keep(tmp_path)
    for number, choice in enumerate(["x", "y"]):
        monkeypatch.setattr(measurements, "processor", lambda number=number: {**mine, "processor": f"number {number}"})
        assert kept(tmp_path)["a"].choice == choice
    for number in range(2 * measurements.MACHINES):
        monkeypatch.setattr(measurements, "processor", lambda number=number: {**mine, "torch": f"{number}"})
        measurements.keep(tmp_path)
    assert len(json.loads((tmp_path / FILE).read_text())["machines"]) == measurements.MACHINES


def test_what_another_process_kept_first_stays(tmp_path: Path) -> None:
    measurements._known.update({"a": Measured("x", True), "b": Measured("x", True)})
    measurements.keep(tmp_path)
    measurements._known.update({"a": Measured("y", True), "c": Measured("y", True)})
    measurements.keep(tmp_path)
    assert {key: one.choice for key, one in kept(tmp_path).items()} == {"a": "x", "b": "x", "c": "y"}


def _changed(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps({"machines": [{**json.loads(text)["machines"][0], **changes}]})


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-9],
        lambda text: "\0" * len(text),
        lambda text: "[1, 2]",
        lambda text: "[" * 100_000,
        lambda text: json.dumps(json.loads(text)["machines"][0]),  # as versions before this one wrote it
        lambda text: json.dumps({"machines": {"measured": {}}}),
        lambda text: json.dumps({"machines": [1, None, []]}),
        lambda text: json.dumps({"machines": [{"measured": json.loads(text)["machines"][0]["measured"]}]}),
        _changed(processor="another"),
        _changed(instructions="avx2"),
        _changed(torch="1.0"),
        _changed(measured=None),
        _changed(measured={"sum of numbers": None}),
        _changed(measured={"sum of numbers": {"choice": 1, "alike": True, "milliseconds": {}}}),
        _changed(measured={"sum of numbers": {"choice": "fast", "alike": "yes", "milliseconds": {}}}),
        _changed(measured={"sum of numbers": {"choice": "fast", "alike": True, "milliseconds": {"fast": "soon"}}}),
    ],
)
def test_a_file_that_is_damaged_or_another_machine_s_is_not_used_and_written_anew(
    damage: Callable[[str], str], tmp_path: Path
) -> None:
    found = measure("sum", "of numbers", {"slow": spin(200_000), "fast": spin(2_000)})
    measurements.keep(tmp_path)
    (tmp_path / FILE).write_text(damage((tmp_path / FILE).read_text()))
    assert kept(tmp_path) == {}
    measurements.keep(tmp_path)
    assert kept(tmp_path) == {"sum of numbers": found}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    assert kept(tmp_path) == {}


def test_a_home_that_cannot_be_written_to_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with kept_in(tmp_path / "file" / "home"):
        assert measure("sum", "of numbers", {"slow": spin(200_000), "fast": spin(2_000)}).choice == "fast"


def _write(home: Path, number: int) -> None:
    for count in range(20):
        measurements._known[f"{number} {count}"] = Measured("x", True, {"x": 1.0, "y": 2.0})
        measurements.keep(home)
        assert kept(home), "a reader found half a file"


def test_processes_that_write_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def _measured(home: Path, slow: str, begin: Any, answers: Any) -> None:
    def take(way: str) -> None:
        time.sleep(0.005)  # the other process asks meanwhile
        sum(range(100_000 if way == slow else 1_000))

    begin.wait()
    with kept_in(home):
        answers.put(measure("sum", "of numbers", {way: partial(take, way) for way in ("one", "another")}).choice)


def test_processes_that_measure_at_once_have_one_answer(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    begin, answers = context.Barrier(2), context.Queue()
    asking = [context.Process(target=_measured, args=(tmp_path, slow, begin, answers)) for slow in ("one", "another")]
    for process in asking:
        process.start()
    found = [answers.get(timeout=60) for _ in asking]
    for process in asking:
        process.join()
    assert found[0] == found[1] == kept(tmp_path)["sum of numbers"].choice


WAYS = [(way, gelu) for way in (products.FUSED, products.PACKED, products.TORCH) for gelu in (True, False)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("way", "gelu"), [one for one in WAYS if one != (products.FUSED, False)])
def test_whichever_product_is_chosen_it_is_the_same_product(
    way: str, gelu: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way != products.TORCH and not products.onednn_works(dtype):
        pytest.skip("oneDNN's products do not work here")
    monkeypatch.setitem(measurements.forced, "product", way)
    generator = torch.Generator().manual_seed(1)
    x, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((50, 64), (96, 64), (96,)))
    for used_once in (False, True):
        product = Product(weight.to(dtype), bias, functional.gelu if gelu else None, used_once=used_once)
        expected = functional.linear(x.to(dtype).double(), weight.to(dtype).double(), bias.to(dtype).double())
        expected = functional.gelu(expected) if gelu else expected
        found = product(x.to(dtype))
        assert found.dtype == dtype
        assert float((found.double() - expected).abs().max()) < (1e-4 if dtype == torch.float32 else 0.2)


@pytest.mark.parametrize(("float32", "bfloat16"), [(1.0, 5.0), (3.0, 2.0)])
def test_how_fast_bfloat16_is_is_what_was_measured(float32: float, bfloat16: float) -> None:
    took = {"float32": float32, "bfloat16": bfloat16}
    found = {"precision 512→512, 1 threads": Measured("float32", True, took)}
    assert precision.speed("bfloat16", "cpu", found) == float32 / bfloat16
    assert precision.speed("float32", "cpu", found) == 1.0
    assert precision.speed("bfloat16", "cuda", found) > 1
