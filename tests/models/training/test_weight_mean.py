"""The mean of several trainings' weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.models import checkpoints
from tests.models.training import test_resume
from tests.models.training.test_base_share import mean, near
from tests.models.training.test_trainer import OPTIONS, run, same, utterances, weights
from thanosql.models.results import TrainingProgress
from thanosql.models.training import loop, resume
from thanosql.models.training.weight_mean import options_of, take_mean

TWICE = replace(OPTIONS, max_epochs=1, learning_rate=1e-4, trainings=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("base"), **checkpoints.LARGE, mask_time_prob=0.05, layerdrop=0.1)


@pytest.mark.parametrize(("share", "validated"), [(0.0, 0.0), (0.4, 0.3)])
def test_the_saved_model_is_the_mean_of_trainings_with_seeds_of_their_own(
    base: Path, tmp_path: Path, share: float, validated: float
) -> None:
    # So few steps that none hears anything: no mean costs anything.
    options = replace(TWICE, base_share=share, valid_split=validated)
    heard: list[TrainingProgress] = []
    report = run(base, tmp_path / "both", options, progress=heard.append)
    rows = sorted(set(range(1, 11)) - set(report.learned))
    seconds = [row for row in utterances() if row.row not in rows]
    alone = []
    for number in range(2):
        own = replace(options_of(options, number), trainings=1, base_share=0.0, valid_split=0.0)
        run(base, tmp_path / str(number), own, seconds)
        alone.append(weights(tmp_path / str(number)))
    assert not near(*alone)
    both = mean(*alone, 0.5)
    assert near(weights(tmp_path / "both"), mean(both, weights(base), share))
    assert (report.averaged, report.base_share, report.epochs) == (2, share, 2)
    assert [epoch.epoch for epoch in report.history] == [1, 2]
    assert report.best_epoch is None
    assert [step.step for step in heard] == list(range(1, report.steps + 1))
    assert {(step.steps, step.epochs) for step in heard} == {(report.steps, 2)}
    assert [step.epoch for step in heard] == sorted(step.epoch for step in heard)


@pytest.mark.parametrize("stops", [(2,), (4, 5)])
def test_a_run_that_is_interrupted_in_either_training_ends_as_if_it_had_not_been(
    base: Path, tmp_path: Path, stops: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 1e9)
    options = replace(TWICE, learning_rate=1e-3, resume=True)
    whole = test_resume.run(base, tmp_path / "whole", options)
    assert whole.steps == 6
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            test_resume.run(base, tmp_path / "parts", options, stop=stop)
        left = resume.interrupted(tmp_path / "parts.state")
        assert left is not None
        assert (left.step, left.steps) == (stop, 6)
    seen: list[int] = []
    report = test_resume.run(base, tmp_path / "parts", options, seen=seen)
    assert seen == list(range(stops[-1] + 1, 7))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert [epoch.loss for epoch in report.history] == [epoch.loss for epoch in whole.history]


@pytest.mark.parametrize(
    ("heard", "taken", "value"), [(0.12, (2, 0.12), 2.0), (0.09, (2, 0.09), 2.0), (0.13, (1, 0.10), 3.0)]
)
def test_where_the_mean_hears_the_rows_worse_the_last_training_stays(
    heard: float, taken: tuple[int, float], value: float
) -> None:
    trained = [{"weight": torch.full((2,), number)} for number in (1.0, 3.0)]
    learned = {"weight": trained[-1]["weight"].clone()}
    assert take_mean(learned, trained, 0.10, lambda: heard, tolerance=0.02) == taken
    assert torch.equal(learned["weight"], torch.full((2,), value))


def test_one_training_keeps_no_weights_and_hears_nothing() -> None:
    assert take_mean({}, [], 0.3, lambda: pytest.fail("heard"), tolerance=0.02) == (1, 0.3)
