"""Several trainings from one base, each with a seed of its own, in; the mean of their weights, where it hears the rows as
well, out.

Trainings that began with the same weights end near each other, and the mean of them hears what none was trained on better
than each (Wortsman et al. 2022, "Model soups"). It takes the time of all of them, and no more memory for a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from thanosql.models.results import Epoch, TrainingProgress
from thanosql.models.training.seeding import generator

if TYPE_CHECKING:
    import torch

    from thanosql.models.options import TrainOptions


def options_of(options: TrainOptions, number: int) -> TrainOptions:
    """Those of one training, counted from 0: the first has the seed that was asked for, so one alone is as ever."""
    if not number:
        return options
    return replace(options, seed=int(generator("training", options.seed, number).integers(2**31)))


def among(
    progress: Callable[[TrainingProgress], None], number: int, trainings: int
) -> Callable[[TrainingProgress], None]:
    """`progress` of one training, counted from 0, told as that of all of them."""

    def hear(one: TrainingProgress) -> None:
        progress(
            replace(
                one,
                step=one.step + number * one.steps,
                steps=one.steps * trainings,
                epoch=one.epoch + number * one.epochs,
                epochs=one.epochs * trainings,
            )
        )

    return hear if trainings > 1 else progress


@dataclass
class Finished:
    """The trainings that are over: how many steps and which epochs they had, and the weights that each ended with."""

    steps: int = 0
    history: list[Epoch] = field(default_factory=list)
    weights: list[dict[str, torch.Tensor]] = field(default_factory=list)

    def add(self, steps: int, history: Sequence[Epoch], weights: Mapping[str, torch.Tensor]) -> None:
        """One more: its epochs are counted on, and its weights, of which there may be none, are the caller's to copy."""
        self.steps += steps
        self.history += [replace(epoch, epoch=number) for number, epoch in enumerate(history, len(self.history) + 1)]
        if weights:
            self.weights.append(dict(weights))

    def numbers(self) -> dict[str, Any]:
        """What a checkpoint of the next training holds of these, beside `tensors`."""
        return {
            "finished": {
                "trainings": len(self.weights),
                "steps": self.steps,
                "history": [asdict(epoch) for epoch in self.history],
            }
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights of each, by the training's number and the weight's name."""
        return {
            f"finished.{number}.{name}": value
            for number, weights in enumerate(self.weights)
            for name, value in weights.items()
        }

    @classmethod
    def of(cls, numbers: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Finished:
        """Those that a checkpoint holds."""
        if "finished" not in numbers:
            return cls()
        kept = numbers["finished"]
        prefixes = [f"finished.{number}." for number in range(kept["trainings"])]
        weights = [
            {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            for prefix in prefixes
        ]
        return cls(kept["steps"], [Epoch(**epoch) for epoch in kept["history"]], weights)


def put(learned: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> None:
    """Set the weights of a model to others of the same names."""
    import torch

    with torch.no_grad():
        for name, value in learned.items():
            value.copy_(weights[name])


def take_mean(
    learned: Mapping[str, torch.Tensor],
    trained: Sequence[Mapping[str, torch.Tensor]],
    last_wer: float,
    hear: Callable[[], float],
    *,
    tolerance: float,
) -> tuple[int, float]:
    """Leave the mean of the `trained` weights in `learned`; of how many trainings it is, and the WER of the model with it.

    `hear` gives the WER of the model with the weights that it has; `last_wer` is that of the last training's. These stay, and
    the answer is 1, where the mean makes the WER worse by more than `tolerance`.
    """
    import torch

    if len(trained) < 2:  # none, where one training is all
        return 1, last_wer
    with torch.no_grad():
        for name, value in learned.items():
            value.copy_(torch.stack([weights[name] for weights in trained]).mean(dim=0))
    wer = hear()
    if wer <= last_wer + tolerance:
        return len(trained), wer
    put(learned, trained[-1])
    return 1, last_wer


def remarks(trainings: int, averaged: int) -> list[str]:
    """What a user should know of the mean.

    >>> remarks(2, 1)
    ['The saved model is the last of 2 trainings, not their mean: the rows are heard worse with it.']
    >>> remarks(2, 2)
    []
    """
    if averaged == trainings:
        return []
    return [f"The saved model is the last of {trainings} trainings, not their mean: the rows are heard worse with it."]
