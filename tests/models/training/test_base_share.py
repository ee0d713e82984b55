"""How much of the base's weights a trained model keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.models import checkpoints, log_mel
from tests.models.training.test_trainer import OPTIONS, base, run, utterances, weights  # noqa: F401
from thanosql.models import checkpoint_files, registry
from thanosql.models.training.base_share import Mixture, mix


def mean(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    return {name: one[name].lerp(other[name], share) for name in one}


def near(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)


@pytest.mark.parametrize("validated", [0.0, 0.3])
def test_the_saved_model_is_the_mean_of_the_base_and_of_what_was_learned(
    base: Path,  # noqa: F811
    tmp_path: Path,
    validated: float,
) -> None:
    # So few steps that neither hears anything: no share costs anything.
    options = replace(OPTIONS, max_epochs=1, learning_rate=1e-4, valid_split=validated)
    alone, mixed = tmp_path / "alone", tmp_path / "mixed"
    assert run(base, alone, options).base_share == 0
    report = run(base, mixed, replace(options, base_share=0.4))
    assert report.base_share == 0.4
    assert not near(weights(alone), weights(base))
    assert near(weights(mixed), mean(weights(alone), weights(base), 0.4))


def test_rows_that_the_base_does_not_know_are_learned_without_it(base: Path, tmp_path: Path) -> None:  # noqa: F811
    options = replace(OPTIONS, max_epochs=20, learning_rate=1e-2, batch_size=8, augment=False, seed=1)
    rows = utterances(64)
    report = run(base, tmp_path / "mixed", replace(options, base_share=0.8), rows)
    assert report.base_share == 0
    assert any("keeps nothing of the base's weights (base_share is 0.8)" in said for said in report.warnings)
    run(base, tmp_path / "alone", options, rows)
    alone, mixed = weights(tmp_path / "alone"), weights(tmp_path / "mixed")
    assert all(torch.equal(alone[name], mixed[name]) for name in alone)


@pytest.mark.parametrize(
    ("heard", "taken"),
    [
        ([0.05], Mixture(0.4, 0.05)),
        ([0.12], Mixture(0.4, 0.12)),
        ([0.13, 0.10], Mixture(0.2, 0.10)),
        ([0.13, 0.13], Mixture(0.0, 0.10)),
    ],
)
def test_a_share_may_cost_so_much_wer_then_half_of_it_is_tried_then_none(heard: list[float], taken: Mixture) -> None:
    learned, start = {"weight": torch.full((2,), 10.0)}, {"weight": torch.zeros(2)}
    answers = iter(heard)
    assert mix(learned, start, 0.4, 0.10, lambda: next(answers), tolerance=0.02) == taken
    assert next(answers, None) is None
    assert torch.allclose(learned["weight"], torch.full((2,), 10 * (1 - taken.share)))


def test_nothing_is_heard_where_no_share_is_asked_for() -> None:
    learned = {"weight": torch.ones(2)}
    assert mix(learned, learned, 0.0, 0.3, lambda: pytest.fail("heard"), tolerance=0.02) == Mixture(0.0, 0.3)


@pytest.mark.parametrize("kind", [checkpoints.make, log_mel.parakeet])
@pytest.mark.parametrize(("asked", "copies"), [({"base_share": 0.4}, 1), ({"trainings": 2}, 3)])
def test_copies_of_the_weights_count_in_the_memory_that_is_expected(
    kind: Callable[[Path], Path], asked: dict[str, float], copies: int, tmp_path: Path
) -> None:
    facts = registry.family(checkpoint_files.model_type(folder := kind(tmp_path / "base"))).facts(str(folder))
    without, kept = facts.training_sizes(OPTIONS), facts.training_sizes(replace(OPTIONS, **asked))
    assert kept.state_bytes == without.state_bytes + 4 * copies * without.trained
