"""Trainings that several processes do together, each run of this module being one of them: importable in a spawned process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.optim import optimizer

from tests.models import in_memory
from thanosql.models.audio import AudioError
from thanosql.models.cancellation import Cancellation, Cancelled
from thanosql.models.digest import digest
from thanosql.models.families import waveform_ctc
from thanosql.models.options import TrainOptions
from thanosql.models.results import TrainingReport, TrainingUtterance
from thanosql.models.tasks import TrainTask
from thanosql.models.training.process_group import ProcessGroup, RankLost
from thanosql.models.training.ranks import ALONE, Ranks
from thanosql.models.training.seeding import generator

PITCHES = {"E": 300.0, "T": 700.0, "A": 1_500.0, "O": 3_000.0}  # Hz: a language of whistles
OPTIONS = TrainOptions(batch_size=4, max_epochs=2, learning_rate=1e-3, max_seconds=30, augment=False)


@dataclass(frozen=True)
class Scenario:
    """A training; the rank `stops` asks for an end, and the rank `dies` is killed, after so many steps."""

    task: TrainTask
    stops: tuple[int, int] | None = None
    dies: tuple[int, int] | None = None


@dataclass
class Seen:
    """What one rank saw: each step's loss, the digest of its weights after it and its seed of dropout; which audio it
    decoded; and how it ended."""

    losses: list[float] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    decoded: list[str] = field(default_factory=list)
    report: TrainingReport | None = None
    ended: str = ""


_decoded: list[str] = []


def whistle(audio: str | bytes) -> np.ndarray:
    assert isinstance(audio, str)
    _decoded.append(audio)
    time = np.arange(int(0.2 * 16_000)) / 16_000
    letters = audio.partition("-")[0]
    if not {*letters} <= PITCHES.keys():
        raise AudioError(f"nobody whistles {letters}")
    return np.concatenate([0.5 * np.sin(2 * np.pi * PITCHES[letter] * time) for letter in letters]).astype(np.float32)


def task(base: Path, folder: Path, options: TrainOptions = OPTIONS, rows: int = 10, **more: Any) -> TrainTask:
    """Whistles of 0.2 to 1 s to learn from."""
    draw = generator("whistles", 0)
    texts = ["".join(draw.choice(list(PITCHES), int(draw.integers(1, 6)))) for _ in range(rows)]
    utterances = [
        TrainingUtterance(row, f"{text}-{row}.wav", text, 0.2 * len(text)) for row, text in enumerate(texts, 1)
    ]
    return replace(in_memory.task(base, utterances, options, folder, whistle), **more)


def train(scenario: Scenario | TrainTask, ranks: Ranks = ALONE) -> Seen:
    """Do the training as one of the ranks."""
    if isinstance(scenario, TrainTask):
        scenario = Scenario(scenario)
    seen = Seen()
    cancellation = Cancellation()
    _decoded.clear()

    def after_step(adamw: torch.optim.Optimizer, *_: Any) -> None:
        values = [value.detach().numpy().tobytes() for group in adamw.param_groups for value in group["params"]]
        seen.weights.append(digest(values))
        seen.seeds.append(torch.initial_seed())
        here = (ranks.rank, len(seen.weights))
        if here == scenario.dies:
            os._exit(1)
        if here == scenario.stops:
            cancellation.cancel("one rank was asked to stop")

    hook = optimizer.register_optimizer_step_post_hook(after_step)
    try:
        seen.report = waveform_ctc.train(scenario.task, lambda step: seen.losses.append(step.loss), cancellation, ranks)
    except (Cancelled, RankLost) as error:
        seen.ended = type(error).__name__
    finally:
        hook.remove()
    seen.decoded = list(_decoded)
    return seen


def work(rank: int, count: int, folder: Path, scenarios: Sequence[Scenario]) -> None:
    """One process of `count`; what it saw of each scenario goes to `folder`."""
    torch.set_num_threads(1)
    store = distributed.FileStore(str(folder / "store"), count)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=timedelta(seconds=60))
    for number, scenario in enumerate(scenarios):
        torch.save(train(scenario, ProcessGroup(local=count)), folder / f"{number}-{rank}.pt")
