"""A training on Ray is that of this process, with any number of workers, and though one of them dies."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

import thanosql
from tests.models import checkpoints
from tests.models.in_memory import Made
from tests.models.training.ranks_at_work import OPTIONS, task, train, whistle
from tests.models.training.test_ranks import NO_DROPOUT
from tests.object_storage import serving
from tests.ray.held import HeldUntilStopped, HeldUntilThere
from tests.ray.test_faults import LONG, free_cpus
from thanosql.engine.executors import ray_training
from thanosql.engine.executors.ray import RayExecutor
from thanosql.engine.executors.ray_training import RankTask, train_rank
from thanosql.engine.executors.training_folders import Seen
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError
from thanosql.models.cancellation import Cancellation, Cancelled
from thanosql.models.model_cache import ModelCache
from thanosql.models.results import TrainingProgress
from thanosql.models.tasks import TrainTask

VALIDATED = replace(OPTIONS, valid_split=0.2, max_epochs=3)
STEPS, AN_EPOCH = 9, 3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("base"), **checkpoints.LARGE, **NO_DROPOUT, mask_time_prob=0.05)


@pytest.fixture(scope="module")
def here(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[float], Path]:
    """What one process makes of it: the loss of each step, and its folder."""
    folder = tmp_path_factory.mktemp("here") / "model"
    return train(task(base, folder, VALIDATED, rows=12)).losses, folder


@pytest.fixture
def executor(ray: Any) -> Iterator[RayExecutor]:
    made = RayExecutor("ray?workers=2&cpus=1", ModelCache())
    yield made
    made.close()


def prepared(base: Path, folder: Path, audio: Made | None = None) -> TrainTask:
    """A training whose folder is there, as the store makes it."""
    (folder / "model").mkdir(parents=True)
    made = task(base, folder / "model", VALIDATED, rows=12, state=folder / "state")
    return made if audio is None else replace(made, audio=audio)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def workers() -> list[int]:
    """Process ids of the ranks."""
    from ray._private.state import actors

    alive = [about for about in actors().values() if about["State"] == "ALIVE"]
    return [about["Pid"] for about in alive if about["ActorClassName"] == "RayTrainWorker"]


def test_two_workers_take_the_steps_of_one_process_though_one_of_them_is_killed(
    executor: RayExecutor, base: Path, here: tuple[list[float], Path], tmp_path: Path
) -> None:
    heard: list[TrainingProgress] = []
    killed = []
    # The first epoch's checkpoint is kept by then, and the workers stand in the next step until one of them is killed.
    held = HeldUntilThere(roots=(), make=whistle, at=AN_EPOCH + 2, path=tmp_path / "killed")

    def hear(step: TrainingProgress) -> None:
        heard.append(step)
        if not killed and step.step == AN_EPOCH + 1:
            killed.extend(workers())
            os.kill(killed[-1], signal.SIGKILL)
            held.path.touch()

    report = executor.train(prepared(base, tmp_path, held), hear, Cancellation())
    assert len(killed) == 2
    assert [step.step for step in heard] == list(range(1, STEPS + 1))
    assert [loss for _, loss, _ in report.curve] == pytest.approx(here[0], abs=1e-4)
    torch.testing.assert_close(weights(tmp_path / "model"), weights(here[1]), rtol=1e-3, atol=1e-4)


def test_an_interrupt_ends_all_workers_and_one_process_resumes(
    executor: RayExecutor,
    ray: Any,
    base: Path,
    here: tuple[list[float], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_training, "STOP_SECONDS", LONG)  # in which a crowded machine, too, writes the checkpoint
    cancellation = Cancellation()
    held = prepared(base, tmp_path, HeldUntilStopped(roots=(), make=whistle, at=2))

    def hear(step: TrainingProgress) -> None:
        if step.step == 1:
            cancellation.cancel("stopped")

    with pytest.raises(Cancelled, match="stopped"):
        executor.train(held, hear, cancellation)
    assert free_cpus(ray, 2, LONG)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "model", tmp_path / "state"]
    resumed = train(replace(held, options=replace(held.options, resume=True)))
    assert len(resumed.losses) == STEPS - 2
    assert resumed.losses == pytest.approx(here[0][-len(resumed.losses) :], abs=1e-4)


def test_an_error_of_one_worker_ends_all_and_is_the_statements(
    executor: RayExecutor, base: Path, tmp_path: Path
) -> None:
    whole = prepared(base, tmp_path)
    broken = replace(whole.utterances[5], audio="X-6.wav")  # no such whistle
    rows = (*whole.utterances[:5], broken, *whole.utterances[6:])
    with pytest.raises(ThanoSQLDataError, match="cannot be read"):
        executor.train(replace(whole, utterances=rows), lambda step: None, Cancellation())


def test_a_machine_that_does_not_see_the_folders_refuses(ray: Any, base: Path, tmp_path: Path) -> None:
    whole = prepared(base, tmp_path)
    elsewhere = RankTask(ray.put(replace(whole, folder=tmp_path / "not there")), Seen.of(whole), None)
    with pytest.raises(ThanoSQLOptionError, match=r"cannot read the folders .*store of models[\s\S]*executor='local'"):
        train_rank({"rank_task": elsewhere})


DIVIDED_BY_ZERO = (
    "BUILD MODEL m USING Wav2Vec2Tiny AS "
    "SELECT (1 / count(*))::text AS audio_path, '' AS text FROM librispeech_train WHERE false"
)
OWN = "/proc/self/cwd"  # another folder in each process: what only the driver's machine has


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"folder": Path(OWN, "store")}, f"the store of models, {OWN}/store."),
        ({"model": "base"}, f"the base model, {OWN}/base."),
        ({"audio": "a.wav"}, f"audio, {OWN}/a.wav."),
    ],
    ids=["store", "base", "audio"],
)
def test_a_training_that_the_machines_cannot_read_is_refused_before_any_work(
    executor: RayExecutor, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: Any, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(base, tmp_path / "base")
    soundfile.write(tmp_path / "a.wav", np.zeros(1600, np.int16), 16000)
    whole = replace(task(base, tmp_path / "shared", VALIDATED, rows=12), state=None)
    executor.refuse(whole)
    assert list((tmp_path / "shared").iterdir()) == []
    if "model" in changed:
        changed = {"model": replace(whole.model, checkpoint=f"{OWN}/base")}
    if "audio" in changed:
        changed = {"utterances": (replace(whole.utterances[0], audio=f"{OWN}/a.wav"),)}
    with pytest.raises(ThanoSQLOptionError, match=f"{re.escape(named)}[\\s\\S]*executor='local'"):
        executor.refuse(replace(whole, **changed))
    assert not any((tmp_path / "store").glob("*"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_build_in_a_home_of_this_machine_says_so_before_it_reads_a_row(
    ray: Any, numbers: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        thanosql.connect(numbers.settings.database_url, home=f"{OWN}/home", executor="ray?workers=2") as session,
        pytest.raises(ThanoSQLOptionError, match="cannot read the folders of this training: the store of models"),
    ):
        session.execute(DIVIDED_BY_ZERO)
    with (
        serving("shop-refused"),
        thanosql.connect(
            numbers.settings.database_url,
            home=f"{OWN}/home",
            store="s3://shop-refused/models",
            executor="ray?workers=2",
        ) as session,
        pytest.raises(ThanoSQLOptionError, match=r"store of models[\s\S]*of a store in object storage, the home"),
    ):
        session.execute(DIVIDED_BY_ZERO)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_explain_says_which_workers_there_are(ray: Any, numbers: Session) -> None:
    rows = "SELECT * FROM librispeech_train LIMIT 8"

    def explained(statement: str, executor: str) -> dict[str, str]:
        table = numbers.execute(f"EXPLAIN {statement} USING Wav2Vec2Tiny OPTIONS (executor='{executor}') AS {rows}")
        return dict(zip(table["item"], table["value"]))

    assert not {"workers", "cost"} & explained("BUILD MODEL m", "local").keys()
    for statement, executor, workers in (
        ("BUILD MODEL m", "ray", "1 worker with 2 CPUs of the Ray cluster (1 machine)"),
        ("FIT MODEL m", "ray?workers=2", "2 workers with 1 CPU each of the Ray cluster (1 machine)"),
        ("PREDICT", "ray?cpus=0.5", "up to 4 workers with 0.5 CPU each of the Ray cluster (1 machine)"),
        ("EVALUATE", "ray", "up to 2 workers with 1 CPU each of the Ray cluster (1 machine)"),
    ):
        found = explained(statement, executor)
        assert found["workers"] == workers
        assert re.search(r"once \d workers? runs?, if as fast as this machine: ", found["time"])
        assert re.fullmatch(r"about [\d.e-]+ CPU-hours", found["cost"])


def test_workers_of_a_cluster_that_does_not_run_are_told_without_starting_it() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: make ray")
    program = (
        "import ray\n"
        "from thanosql.engine.executors.ray import RayExecutor, TrainOptions\n"
        "from thanosql.models.model_cache import ModelCache\n"
        "print(RayExecutor('ray?workers=2&cpus=1', ModelCache()).workers(TrainOptions()).said, ray.is_initialized())"
    )
    environment = {**os.environ, "RAY_ADDRESS": "local", "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300)
    expected = f"{min(2, os.cpu_count() or 1)} worker"
    assert told.stdout.startswith(expected), told.stderr
    assert told.stdout.endswith(" of a Ray cluster that is started on this machine False\n")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_build_with_one_worker_makes_the_model_of_this_process_to_the_last_bit(ray: Any, numbers: Session) -> None:
    """The worker's session has its store in object storage: what it trains is saved there."""
    rows = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8"
    build = f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=2, batch_size=4, augment=False) AS {rows}"
    numbers.execute(build)
    url, home = numbers.settings.database_url, numbers.settings.home
    with (
        serving("shop-trained") as s3,
        thanosql.connect(url, home=home, store="s3://shop-trained/models", executor="ray?workers=1&cpus=1") as theirs,
    ):
        theirs.execute(build)
        (weights,) = s3.glob("shop-trained/models/versions/m/*/model.safetensors")
        assert s3.cat_file(weights) == (numbers.store.get("m").folder / "model.safetensors").read_bytes()
        predict = f"PREDICT USING m AS {rows}"
        assert theirs.execute(predict).equals(numbers.execute(predict))
