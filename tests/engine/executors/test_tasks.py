"""Work is data: the tasks of every statement that works on audio are values, and give the same in a spawned process."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from enum import Enum
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

import thanosql
from tests.engine.executors.processes import learn, work
from thanosql import ThanoSQLOptionError
from thanosql.engine.executors.base import EXECUTORS
from thanosql.engine.executors.local import LocalExecutor
from thanosql.engine.session import Session
from thanosql.engine.statements import statement_classes
from thanosql.models.cancellation import Cancellation
from thanosql.models.ctc.ngram import NGram
from thanosql.models.results import TrainingProgress, TrainingReport
from thanosql.models.tasks import AudioRow, Outcome, Output, TrainTask, TranscribeTask

ROWS = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 4"
NEXT = "SELECT * FROM librispeech_train ORDER BY audio_path OFFSET 4 LIMIT 2"
BEAM = "decoder='beam', timestamps='word', lm_query='SELECT text FROM librispeech_train'"
TRAIN = f"max_epochs=1, batch_size=3, augment=False, valid_query='{NEXT}', overwrite=True"
TASKS = {
    "PREDICT": (f"PREDICT USING Wav2Vec2Tiny AS {ROWS}", {Output.TRANSCRIPT}),
    "PREDICT by beam": (f"PREDICT USING Wav2Vec2Tiny OPTIONS ({BEAM}) AS {ROWS}", {Output.TIMED_TRANSCRIPT}),
    "EVALUATE": (f"EVALUATE USING Wav2Vec2Tiny AS {ROWS}", {Output.ASSESSMENT}),
    "ALIGN": (f"ALIGN USING Wav2Vec2Tiny AS {ROWS}", {Output.ALIGNMENT}),
    "BUILD MODEL": (f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS ({TRAIN}) AS {ROWS}", {Output.AUDIO, "training"}),
    "FIT MODEL": (
        f"FIT MODEL m USING m OPTIONS ({TRAIN}, overwrite_if_better=True) AS {ROWS}",
        {Output.AUDIO, Output.TRANSCRIPT, "training"},  # the transcripts compare it with the version before
    ),
    "CHECK": (f"CHECK BUILD MODEL n USING Wav2Vec2Tiny AS {ROWS}", {Output.AUDIO}),
}


class Both(LocalExecutor):
    """The local executor; what it is given is pickled and done in a spawned process as well."""

    pool: ProcessPoolExecutor
    transcribed: list[tuple[TranscribeTask, list[Outcome], list[Outcome]]]
    trained: list[tuple[TrainTask, bytes, bytes]]

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        given = list(batches)
        here = list(super().transcribe(task, given, cancellation))
        there = [self.pool.submit(work, id(task), task, batch).result() for batch in given]
        self.transcribed.append((task, [*chain(*here)], [*chain(*there)]))
        yield from here

    def train(
        self, task: TrainTask, progress: Callable[[TrainingProgress], None], cancellation: Cancellation
    ) -> TrainingReport:
        report = super().train(task, progress, cancellation)
        with TemporaryDirectory() as folder:
            again = replace(task, folder=Path(folder), state=None)
            self.pool.submit(learn, again, Unseen()).result()
            self.trained.append((task, _weights(task), _weights(again)))
        return report


class Unseen:
    """Steps that nobody looks at."""

    def put(self, step: object) -> None:
        pass


def _weights(task: TrainTask) -> bytes:
    return (task.folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def spawned() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def both(numbers: Session, spawned: ProcessPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setitem(EXECUTORS, "both", f"{__name__}:Both")
    for name, value in {"pool": spawned, "transcribed": [], "trained": []}.items():
        monkeypatch.setattr(Both, name, value, raising=False)
    url, home = numbers.settings.database_url, numbers.settings.home
    with thanosql.connect(url, home=home, executor="both") as opened:
        yield opened


def test_every_statement_that_works_on_audio_is_tried_here() -> None:
    works = {
        kind.syntax.title
        for kind in statement_classes().values()
        if kind.syntax is not None and any("executor" in _names(options) for options in kind.syntax.options())
    }
    assert works == {title.removesuffix(" by beam") for title in TASKS} - {"CHECK"}  # which takes those of another


def test_an_executor_that_is_not_there_is_refused_by_all_and_taken_by_no_other_statement(numbers: Session) -> None:
    for sql, _ in TASKS.values():
        begin, _, query = sql.replace("USING m ", "USING Wav2Vec2Tiny ").rpartition(" AS ")
        head = begin.removesuffix(")") + ", " if "OPTIONS (" in begin else f"{begin} OPTIONS ("
        with pytest.raises(ThanoSQLOptionError, match=r"no executor 'nonsense'[\s\S]*local"):
            numbers.execute(f"{head}executor='nonsense') AS {query}")
        with pytest.raises(ThanoSQLOptionError, match="no device 'gpu'"):  # before the rows and their audio are read
            numbers.execute(f"{head}device='gpu') AS SELECT '/nowhere.wav' AS audio_path, 'one' AS text")
    with pytest.raises(ThanoSQLOptionError, match=r"takes no option|no option"):
        numbers.execute(f"EXPORT DATASET d OPTIONS (executor='local') FROM {ROWS}")


def _names(options: type) -> set[str]:
    return {field.name for field in dataclasses.fields(options)}


@pytest.mark.parametrize("title", TASKS)
def test_a_task_is_a_value_and_gives_the_same_in_a_spawned_process(title: str, both: Session) -> None:
    sql, outputs = TASKS[title]
    if title == "FIT MODEL":
        both.execute(f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS ({TRAIN}, executor='local') AS {ROWS}")
    both.execute(sql)
    seen = {task.output for task, _, _ in Both.transcribed} | {"training" for _ in Both.trained}
    assert seen == outputs
    for task, here, there in Both.transcribed:
        assert _no_values(task) == []
        assert there == here != []
    for training, weights, again in Both.trained:
        assert _no_values(training) == []
        assert again == weights


def _no_values(part: Any, where: str = "task") -> list[str]:
    """What in a task is no value: a handle, a closure, a DataFrame, anything that can be changed by another."""
    if part is None or isinstance(part, str | int | float | bool | bytes | Path | Enum):
        return []
    if isinstance(part, NGram):  # numbers of words and their probabilities
        return [
            f"{where}: {type(table)}"
            for table in part.tables
            for array in vars_of(table)
            if not isinstance(array, np.ndarray)
        ]
    if isinstance(part, tuple | list | frozenset):
        return [found for number, one in enumerate(part) for found in _no_values(one, f"{where}[{number}]")]
    if isinstance(part, Mapping):
        return [found for name, one in part.items() for found in _no_values(one, f"{where}[{name!r}]")]
    if dataclasses.is_dataclass(part) and type(part).__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return [
            found
            for field in dataclasses.fields(part)
            for found in _no_values(getattr(part, field.name), f"{where}.{field.name}")
        ]
    return [f"{where}: {type(part).__name__}"]


def vars_of(table: object) -> list[object]:
    return [getattr(table, field.name) for field in dataclasses.fields(table)]  # type: ignore[arg-type]


def test_a_handle_in_a_task_would_be_seen() -> None:
    from thanosql.models.audio.access import AudioAccess

    access = AudioAccess(roots=(Path("/"),))
    task = TranscribeTask(output=Output.AUDIO, audio=access, language_model=lambda: None)  # type: ignore[arg-type]
    assert _no_values(task) == ["task.language_model: function"]
    assert _no_values(replace(task, language_model=None)) == []
