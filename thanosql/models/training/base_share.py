"""A trained model and the weights that it began with in; the mean of both, where it hears the rows as well, out.

What is learned from a few speakers draws the weights away from what the base knew of many. The mean of both hears speakers
who are not in the rows better, and those in the rows hardly worse (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
models"). Where the rows are far from what the base knew (other words, other letters) the mean is no use: so it is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

JUDGED_ROWS = 200  # rows, at most, that a share is judged by
# How much a share may cost in WER: on rows that are held out, and on those learned from, which the trained weights may
# know by heart. There the loss of a few says little; with other words or letters than the base's, the loss is of far more.
HELD_OUT, LEARNED = 0.01, 0.05
PARTS = (1.0, 0.5)  # of the share that was asked for, one after the other


@dataclass(frozen=True)
class Mixture:
    """The share of the base's weights that was taken, and the WER of the model with it."""

    share: float
    wer: float


def copies(parameters: Iterable[tuple[str, torch.nn.Parameter]]) -> dict[str, torch.Tensor]:
    """What is to be learned, as it is before the first step: the base's files may be gone after the last."""
    return {name: value.detach().to("cpu", copy=True) for name, value in parameters if value.requires_grad}


def mix(
    learned: Mapping[str, torch.Tensor],
    base: Mapping[str, torch.Tensor],
    asked: float,
    trained_wer: float,
    hear: Callable[[], float],
    *,
    tolerance: float,
) -> Mixture:
    """Leave the mean of the base's weights and what was learned in `learned`, `asked` of it the base's, or half of that.

    `hear` gives the WER of the model with the weights that it has; `trained_wer` is that of the trained weights alone. They
    stay as they are where either share makes the WER worse by more than `tolerance`. Both mappings have the same names.
    """
    import torch

    trained = {name: value.detach().clone() for name, value in learned.items()} if asked else {}
    for share in (asked * part for part in PARTS if asked):
        with torch.no_grad():
            for name, value in learned.items():
                value.copy_(trained[name].lerp(base[name].to(value.device), share))
        wer = hear()
        if wer <= trained_wer + tolerance:
            return Mixture(share, wer)
    with torch.no_grad():
        for name, value in trained.items():
            learned[name].copy_(value)
    return Mixture(0.0, trained_wer)


def remarks(asked: float, taken: float) -> list[str]:
    """What a user should know of the share that was taken.

    >>> remarks(0.4, 0.2)
    ['The saved model is 0.2 base and 0.8 trained, not 0.4 base as base_share asks: the rows are heard worse with more of it.']
    >>> remarks(0.4, 0.4)
    []
    """
    if taken == asked:
        return []
    if not taken:
        return [
            f"The saved model keeps nothing of the base's weights (base_share is {asked:g}): "
            "the rows are heard worse with them."
        ]
    return [
        f"The saved model is {taken:g} base and {1 - taken:g} trained, not {asked:g} base as base_share asks: "
        "the rows are heard worse with more of it."
    ]
