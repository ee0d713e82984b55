"""Several processes train one model together as one process does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from tests.models import checkpoints
from tests.models.training.ranks_at_work import OPTIONS, Scenario, Seen, task, train, work
from thanosql.models.training.batches import steps
from thanosql.models.training.ranks import Alone
from thanosql.models.training.seeding import generator
from thanosql.models.training.shares import Shares

NO_DROPOUT = dict.fromkeys(
    ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout", "layerdrop"),
    0.0,
)


def together(count: int, folder: Path, scenarios: Sequence[Scenario]) -> list[list[Seen]]:
    """What each rank saw of each scenario."""
    folder.mkdir()
    processes = [
        get_context("spawn").Process(target=work, args=(rank, count, folder, scenarios)) for rank in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
        assert process.exitcode is not None
    files = [[folder / f"{number}-{rank}.pt" for rank in range(count)] for number in range(len(scenarios))]
    killed = Seen(ended="killed")
    return [[torch.load(file, weights_only=False) if file.exists() else killed for file in row] for row in files]


def close(first: Path, second: Path) -> None:
    one, other = (load_file(folder / "model.safetensors") for folder in (first, second))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base without dropout; what is masked depends on the utterance alone."""
    return checkpoints.make(tmp_path_factory.mktemp("exact"), **checkpoints.LARGE, **NO_DROPOUT, mask_time_prob=0.05)


@pytest.fixture(scope="module")
def dropping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with dropout, in which a step leaves out layers."""
    return checkpoints.make(tmp_path_factory.mktemp("dropping"), **checkpoints.LARGE, layerdrop=0.5)


@pytest.fixture(scope="module")
def here(exact: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One process alone."""
    folder = tmp_path_factory.mktemp("alone")
    seen = train(task(exact, folder / "model", replace(OPTIONS, valid_split=0.2), rows=12))
    seen.ended = str(folder)
    return seen


@pytest.fixture(scope="module")
def two(
    exact: Path, dropping: Path, here: Seen, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[list[Seen]]]:
    folder = tmp_path_factory.mktemp("two")
    options = replace(OPTIONS, valid_split=0.2)
    stopped = task(exact, folder / "stopped", options, rows=12, state=folder / "state")
    unfrozen = replace(OPTIONS, freeze_feature_encoder=False, augment=True)
    return folder, together(
        2,
        folder / "ranks",
        [
            Scenario(task(exact, folder / "model", options, rows=12)),
            Scenario(task(dropping, folder / "dropping", unfrozen)),
            Scenario(stopped, stops=(1, 2)),
        ],
    )


@pytest.fixture(scope="module")
def three(exact: Path, two: object, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[Seen]]]:
    folder = tmp_path_factory.mktemp("three")
    options = replace(OPTIONS, valid_split=0.2)
    interrupted = task(exact, folder / "resumed", options, rows=12, state=folder / "state")
    assert train(Scenario(interrupted, stops=(0, 2))).ended == "Cancelled"
    resumed = replace(interrupted, options=replace(options, resume=True))
    return folder, together(
        3,
        folder / "ranks",
        [Scenario(resumed), Scenario(task(exact, folder / "killed"), dies=(2, 2))],
    )


def test_two_ranks_take_the_steps_of_one_process(here: Seen, two: tuple[Path, list[list[Seen]]]) -> None:
    folder, scenarios = two
    first, second = scenarios[0]
    assert here.report is not None
    assert first.report is not None
    assert first.losses == second.losses
    assert len(first.losses) == here.report.steps == 6
    assert first.losses == pytest.approx(here.losses, abs=1e-4)
    assert [epoch.valid_wer for epoch in first.report.history] == [epoch.valid_wer for epoch in here.report.history]
    assert [epoch.valid_loss for epoch in first.report.history] == pytest.approx(
        [epoch.valid_loss for epoch in here.report.history], abs=1e-4
    )
    assert (first.report.best_epoch, first.report.learned) == (here.report.best_epoch, here.report.learned)
    close(folder / "model", Path(here.ended) / "model")


@pytest.mark.parametrize("scenario", [0, 1], ids=["exact", "with dropout and layers left out"])
def test_the_weights_of_all_ranks_are_equal_after_each_step(two: tuple[Path, list[list[Seen]]], scenario: int) -> None:
    first, second = two[1][scenario]
    assert len(set(first.weights)) == 6
    assert first.weights == second.weights


def test_each_rank_draws_its_own_dropout_and_the_first_one_that_of_a_single_process(
    here: Seen, two: tuple[Path, list[list[Seen]]]
) -> None:
    first, second = two[1][0]
    assert first.seeds == here.seeds
    assert not {*first.seeds} & {*second.seeds}


def test_a_rank_decodes_what_it_learns_from_and_no_more(here: Seen, two: tuple[Path, list[list[Seen]]]) -> None:
    first, second = two[1][0]
    whole = {*here.decoded}
    assert {*first.decoded} | {*second.decoded} == whole
    assert max(len({*first.decoded}), len({*second.decoded})) <= 0.8 * len(whole)


def test_a_stop_that_one_rank_hears_of_stops_all_and_another_number_resumes(
    exact: Path, here: Seen, two: tuple[Path, list[list[Seen]]]
) -> None:
    folder, scenarios = two
    assert [(seen.ended, len(seen.losses)) for seen in scenarios[2]] == [("Cancelled", 2)] * 2
    options = replace(OPTIONS, valid_split=0.2, resume=True)
    resumed = train(task(exact, folder / "resumed", options, rows=12, state=folder / "state"))
    assert resumed.losses == pytest.approx(here.losses[2:], abs=1e-4)
    close(folder / "resumed", Path(here.ended) / "model")


def test_three_ranks_resume_what_one_process_began(here: Seen, three: tuple[Path, list[list[Seen]]]) -> None:
    folder, scenarios = three
    for seen in scenarios[0]:
        assert seen.losses == pytest.approx(here.losses[2:], abs=1e-4)  # the last step of an epoch has two utterances
    close(folder / "resumed", Path(here.ended) / "model")


def test_a_rank_that_is_killed_ends_the_others(three: tuple[Path, list[list[Seen]]]) -> None:
    assert [seen.ended for seen in three[1][1]] == ["RankLost", "RankLost", "killed"]


class _Rank(Alone):
    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count  # type: ignore[misc]


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 20), st.randoms())
def test_the_utterances_of_a_step_are_divided_by_duration(
    seconds: list[float], count: int, size: int, draw: object
) -> None:
    shares = [Shares(seconds, _Rank(rank, count)) for rank in range(count)]
    assert [sum(index in share for share in shares) for index in range(len(seconds))] == [1] * len(seconds)
    order = list(range(len(seconds)))
    draw.shuffle(order)  # type: ignore[attr-defined]
    step = order[:size]
    parts = [share.of(step) for share in shares]
    assert sorted(index for part in parts for index in part) == sorted(step)
    most = sum(seconds[index] for index in step) / count + max(seconds[index] for index in step)
    assert all(sum(seconds[index] for index in part) <= most * (1 + 1e-9) for part in parts)


def test_most_utterances_stay_at_home() -> None:
    draw = generator("lengths", 0)
    seconds = draw.lognormal(2.0, 0.6, 8_000).tolist()
    shares = [Shares(seconds, _Rank(rank, 4)) for rank in range(4)]
    at_home = sum(index in share for step in steps(seconds, 32, draw) for share in shares for index in share.of(step))
    assert at_home >= 0.85 * len(seconds)
