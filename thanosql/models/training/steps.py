"""Examples and options in; the optimizer steps of a run, one after the other, out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from thanosql.models.options import TrainOptions
from thanosql.models.training import batches
from thanosql.models.training.examples import Example
from thanosql.models.training.seeding import generator
from thanosql.models.training.shares import Shares


@dataclass(frozen=True)
class Step:
    """One optimizer step: its number in the whole run from 0, its epoch from 1, how many utterances and seconds of audio it
    learns from; of these, `examples` are this rank's. `last` of its epoch."""

    number: int
    epoch: int
    utterances: int
    audio_seconds: float
    examples: list[int]
    last: bool


def step_size(options: TrainOptions) -> int:
    """Utterances in one optimizer step, of all ranks together."""
    return options.batch_size * options.gradient_accumulation


def count_steps(examples: Sequence[Example], options: TrainOptions) -> int:
    """Steps of a whole run."""
    return options.max_epochs * math.ceil(len(examples) / step_size(options))


def steps(examples: Sequence[Example], options: TrainOptions, shares: Shares, done: int = 0) -> Iterator[Step]:
    """The steps of a run but for the first `done`. Which utterances a step has does not depend on the ranks."""
    seconds = [example.seconds for example in examples]
    number = 0
    for epoch in range(1, options.max_epochs + 1):
        order = batches.steps(seconds, step_size(options), generator("order", options.seed, epoch))
        for index, chosen in enumerate(order):
            if number >= done:
                audio = sum(seconds[one] for one in chosen)
                yield Step(number, epoch, len(chosen), audio, shares.of(chosen), index == len(order) - 1)
            number += 1
