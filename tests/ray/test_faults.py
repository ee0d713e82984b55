"""A worker, a node or the driver dies, a file kills its worker, a statement is cancelled: no row is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.ray.access import Harmful
from tests.ray.conftest import started
from thanosql.engine.executors import ray as ray_executor
from thanosql.engine.executors import ray_cluster
from thanosql.engine.executors.ray_worker import FileNeed
from thanosql.engine.executors.received_files import receive
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLDataError, ThanoSQLOptionError
from thanosql.models.audio.facts import AudioFacts
from thanosql.models.cancellation import Cancellation, Cancelled
from thanosql.models.model_cache import ModelCache
from thanosql.models.tasks import AudioRow, Failure, Outcome, Output, TranscribeTask

ROOT = Path(__file__).resolve().parents[2]
LONG = 120.0  # seconds for what takes one or two where nothing else runs


@pytest.fixture(scope="module")
def shared(ray: Any) -> Iterator[ray_executor.RayExecutor]:
    made = ray_executor.RayExecutor("ray?workers=2&cpus=1", ModelCache())
    yield made
    made.close()


@pytest.fixture
def executor(shared: ray_executor.RayExecutor) -> ray_executor.RayExecutor:
    """Two workers; those that an earlier test left alive are taken over, as a statement does."""
    return shared


@pytest.fixture
def empty(shared: ray_executor.RayExecutor, ray: Any) -> None:
    """No other worker has any of the cluster's CPUs."""
    shared.close()
    assert free_cpus(ray, 2, LONG)


def _files(folder: Path, *names: str) -> list[AudioRow]:
    """Wav files of those names, each of another length from 0.1 s."""
    rows = []
    for number, name in enumerate(names, start=1):
        soundfile.write(folder / f"{name}.wav", np.zeros(1600 + number, np.int16), 16000)
        rows.append(AudioRow(number, str(folder / f"{name}.wav"), 0.1))
    return rows


def _work(
    executor: ray_executor.RayExecutor, rows: Sequence[AudioRow], cancellation: Cancellation | None = None, **harm: Any
) -> Iterator[Outcome]:
    task = TranscribeTask(output=Output.AUDIO, audio=Harmful(roots=(), **harm))
    batches = [tuple(rows[first : first + 3]) for first in range(0, len(rows), 3)]
    for group in executor.transcribe(task, batches, cancellation or Cancellation()):
        yield from group


def _lengths(outcomes: Sequence[Outcome]) -> dict[int, Any]:
    """Row → samples or Failure; every row once."""
    assert len({outcome.row for outcome in outcomes}) == len(outcomes)
    return {o.row: o.value.samples if isinstance(o.value, AudioFacts) else o.value for o in outcomes}


@pytest.mark.parametrize("names", [["poison"], ["a", "b", "poison", "c", "d", "e", "f", "g"]], ids=["alone", "among"])
def test_a_file_that_kills_its_worker_twice_is_that_rows_failure(
    executor: ray_executor.RayExecutor, tmp_path: Path, names: list[str]
) -> None:
    found = _lengths(list(_work(executor, _files(tmp_path, *names))))
    deadly = names.index("poison") + 1
    assert isinstance(found.pop(deadly), Failure)
    assert found == {row: 1600 + row for row in range(1, len(names) + 1) if row != deadly}


def test_rows_of_a_worker_that_died_go_to_another(executor: ray_executor.RayExecutor, tmp_path: Path) -> None:
    found = _lengths(list(_work(executor, _files(tmp_path, *"abcd", "once", *"efghi"))))
    assert (tmp_path / "once.mark").exists()
    assert found == {row: 1600 + row for row in range(1, 11)}


@pytest.mark.usefixtures("empty")
def test_rows_of_a_node_that_died_go_to_another(cluster: Any, ray: Any, tmp_path: Path) -> None:
    node = started(lambda: cluster.add_node(num_cpus=2))
    executor = ray_executor.RayExecutor("ray?workers=2&cpus=2", ModelCache())  # one on each
    (file,) = _files(tmp_path, "a")
    sent: list[AudioRow] = []
    until = time.monotonic() + 300

    def batches() -> Iterator[
        tuple[AudioRow, ...]
    ]:  # until a worker of that node was at work, and for a while after it
        while len(sent) < 30 or (node is not None and time.monotonic() < until):
            sent.extend(batch := tuple(AudioRow(len(sent) + n, file.audio, 0.1) for n in (1, 2, 3)))
            yield batch

    try:
        outcomes: list[Outcome] = []
        task = TranscribeTask(output=Output.AUDIO, audio=Harmful(roots=(), seconds=0.2))
        for group in executor.transcribe(task, batches(), Cancellation()):
            outcomes.extend(group)
            (pool,) = executor._pools.values()
            at_work = {member.facts.node for member in pool.members if member.facts and member.batches}
            if node is not None and node.node_id in at_work:
                cluster.remove_node(node, allow_graceful=False)
                node = None
        assert node is None
        assert _lengths(outcomes) == {row.row: 1601 for row in sent}
    finally:
        executor.close()
        if node is not None:
            cluster.remove_node(node)


@pytest.mark.usefixtures("empty")
def test_no_row_is_blamed_though_a_machine_dies_with_idle_workers(cluster: Any, ray: Any, tmp_path: Path) -> None:
    node = started(lambda: cluster.add_node(num_cpus=6))
    # Three of four workers are on that machine: when two are at work, one of those is on it, and an idle one, too.
    executor = ray_executor.RayExecutor("ray?workers=4&cpus=2", ModelCache())
    (file,) = _files(tmp_path, "a")
    numbers = count(1)
    task = TranscribeTask(output=Output.AUDIO, audio=Harmful(roots=(), seconds=0.2))
    until = time.monotonic() + 300

    def rows() -> tuple[AudioRow, ...]:
        return tuple(AudioRow(next(numbers), file.audio, 0.1) for _ in range(3))

    def ready() -> bool:
        (pool,) = executor._pools.values() or (None,)
        return pool is not None and sum(bool(member.facts) for member in pool.members) == 4

    def until_all_are_ready() -> Iterator[tuple[AudioRow, ...]]:
        while not ready() and time.monotonic() < until:
            yield rows()
        assert ready()

    def a_batch_for_half_of_them() -> Iterator[tuple[AudioRow, ...]]:
        for _ in range(2):
            yield rows()
        cluster.remove_node(node, allow_graceful=False)

    try:
        for batches in (until_all_are_ready(), a_batch_for_half_of_them()):
            outcomes = [outcome for group in executor.transcribe(task, batches, Cancellation()) for outcome in group]
        assert len(outcomes) == 6
        assert set(_lengths(outcomes).values()) == {1601}
    finally:
        executor.close()
        if node in cluster.worker_nodes:
            cluster.remove_node(node)


def free_cpus(ray: Any, cpus: float, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if ray.available_resources().get("CPU", 0) == cpus:
            return True
        time.sleep(0.1)
    return False


def test_cancelling_ends_what_runs_and_frees_it(executor: ray_executor.RayExecutor, ray: Any, tmp_path: Path) -> None:
    cancellation = Cancellation()
    rows = _files(tmp_path, *"abcdefgh")
    list(_work(executor, rows[:2]))  # the workers run
    threading.Timer(1.0, cancellation.cancel, ("stopped",)).start()
    with pytest.raises(Cancelled, match="stopped"):
        list(_work(executor, rows, cancellation, seconds=600.0))
    assert free_cpus(ray, 2, LONG)  # and not after 600 s


@pytest.mark.usefixtures("empty")
def test_a_killed_driver_leaves_nothing_running(cluster: Any, ray: Any, tmp_path: Path) -> None:
    _files(tmp_path, "a")
    script = (
        "from thanosql.engine.executors.ray import RayExecutor; from thanosql.models.model_cache import ModelCache\n"
        "from tests.ray.test_faults import _work, AudioRow\n"
        f"rows = [AudioRow(n, {str(tmp_path / 'a.wav')!r}, 0.1) for n in range(1, 1000)]\n"
        "for outcome in _work(RayExecutor('ray?workers=1', ModelCache()), rows, seconds=0.2): print('at work', flush=True)"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "RAY_ADDRESS": cluster.address, "PYTHONPATH": str(ROOT)},
    )
    with driver:
        assert driver.stdout is not None
        assert any(b"at work" in line for line in driver.stdout)  # Ray may say something before
        assert not free_cpus(ray, 2, 0.5)
        driver.kill()
    assert free_cpus(ray, 2, LONG)


@pytest.mark.usefixtures("empty")
def test_a_driver_outside_the_cluster_comes_through_the_heads_client_port(
    ray: Any, client_port: int, tmp_path: Path
) -> None:
    _files(tmp_path, "a", "b", "c")
    address = f"ray://127.0.0.1:{client_port}?workers=1"
    script = (
        "from tests.ray.test_faults import AudioRow, ModelCache, _lengths, _work, ray_executor\n"
        f"executor = ray_executor.RayExecutor({address!r}, ModelCache())\n"
        f"rows = [AudioRow(n, {str(tmp_path)!r} + '/' + name + '.wav', 0.1) for n, name in enumerate('abc', 1)]\n"
        "print(sorted(_lengths(list(_work(executor, rows))).items()))\n"
        "executor.close()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert found.stdout.splitlines()[-1:] == ["[(1, 1601), (2, 1602), (3, 1603)]"], found.stderr
    assert free_cpus(ray, 2, LONG)


def test_audio_that_only_the_driver_sees_is_sent(
    executor: ray_executor.RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = _files(tmp_path, *"abcde")
    assert _lengths(list(_work(executor, rows, only=os.getpid()))) == {row.row: 1600 + row.row for row in rows}
    monkeypatch.setattr(ray_executor, "SENT_BYTES", 1000)
    with pytest.raises(ThanoSQLDataError, match=r"Only this machine has .*a\.wav[\s\S]*shared folder"):
        list(_work(executor, rows, only=os.getpid()))


def test_files_that_a_worker_does_not_see_come_through_the_store(
    executor: ray_executor.RayExecutor, ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = tmp_path / "model"
    (model / "part").mkdir(parents=True)
    (model / "weights").write_bytes(bytes(range(256)) * 1000)
    (model / "part" / "words").write_text("a b")
    need = FileNeed.of(model)
    content = {name: ray.get(ref) for name, ref in ray_executor.Driver(ray).stored(need).items()}
    folder = receive(need.path, need.state, content)
    assert (folder / "weights").read_bytes() == (model / "weights").read_bytes()
    assert (folder / "part" / "words").read_text() == "a b"
    assert receive(need.path, need.state, content) == folder
    (model / "weights").write_bytes(b"another version")
    assert FileNeed.of(model) != need


@pytest.mark.parametrize("name", ["ray?workers=0", "ray?workers=3-2", "ray?worker=2", "ray?cpus=-1", "ray?gpus=x"])
def test_a_name_that_is_not_understood_is_refused(name: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match=r"executor='ray\?"):
        ray_executor.RayExecutor(name, ModelCache())


def test_without_ray_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        ThanoSQLOptionError, match=r"needs Ray, which is not installed[\s\S]*pip install 'thanosql-speech\[ray\]'"
    ):
        ray_executor.RayExecutor("ray", ModelCache())


def test_a_ray_that_is_too_old_is_named_with_the_one_that_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: make ray")
    monkeypatch.setattr(ray, "__version__", "2.9.3")
    with pytest.raises(
        ThanoSQLOptionError, match=r"needs Ray 2\.60 or newer, and 2\.9\.3 is installed\.\s+.*pip install"
    ):
        ray_executor.RayExecutor("ray", ModelCache())


@pytest.mark.parametrize("address", [None, "ray://head:10001"])
def test_a_cluster_that_does_not_start_is_a_connection_error(
    ray: Any, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(*_: Any, **__: Any) -> None:
        raise Exception("The current node timed out during startup.")  # as Ray does after 30 s, on a busy machine

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ThanoSQLConnectionError, match=r"(started|ray://head:10001)[\s\S]*timed out during startup"):
        ray_cluster._open(ray, address)


@pytest.mark.parametrize(
    ("said", "failures", "tries"),
    [
        ("The current node timed out during startup.", 2, 3),
        ("The current node timed out during startup.", 9, 3),
        ("No space left on device", 9, 1),
    ],
)
def test_a_crowded_machine_is_asked_again_to_start_ray(
    ray: Any, monkeypatch: pytest.MonkeyPatch, said: str, failures: int, tries: int
) -> None:
    asked = 0

    def init(**_: Any) -> None:
        nonlocal asked
        asked += 1
        if asked <= failures:
            raise Exception(said)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ThanoSQLConnectionError, match=said) if failures >= tries else nullcontext():
        ray_cluster._open(ray, None)
    assert asked == tries


@pytest.mark.parametrize(
    "said",
    ["Starting Ray client server failed.", "psutil.ZombieProcess: PID still exists but it's a zombie (pid=7229)"],
)
@pytest.mark.parametrize(("crashes", "tries"), [(2, 3), (9, 3)])
def test_a_heads_server_that_crashes_as_it_starts_is_asked_again(
    ray: Any, monkeypatch: pytest.MonkeyPatch, crashes: int, tries: int, said: str
) -> None:
    asked = []

    def init(address: str, **_: Any) -> None:
        asked.append(address)
        if len(asked) <= crashes:
            raise ConnectionAbortedError(f"Initialization failure from server: {said}")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ThanoSQLConnectionError) if crashes >= tries else nullcontext():
        ray_cluster._open(ray, "ray://head:10001")
    assert asked == ["ray://head:10001"] * tries
