"""Logits of frames and labels in; the CTC loss of each utterance, as if it stood alone, out.

Equal to transformers' own with `ctc_loss_reduction='mean'` and `zero_infinity`: each utterance's loss is divided by its
number of labels (Graves et al. 2006 for the loss itself).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def frames_needed(labels: Sequence[int]) -> int:
    """The fewest frames a text can be spelt in: one a label, and a blank between two equal ones."""
    return len(labels) + sum(first == second for first, second in pairwise(labels))


def ctc_losses(
    logits: torch.Tensor, lengths: torch.Tensor, labels: Sequence[Sequence[int]], blank: int
) -> torch.Tensor:
    """The loss of each utterance over its number of labels, `(batch,)`; `labels` are token ids, none of them `blank`.

    An utterance whose labels cannot fit its frames has no loss and no gradient, instead of an infinite one.
    """
    import torch

    device = logits.device
    sizes = torch.tensor([len(label) for label in labels], device=device)
    targets = torch.tensor([token for label in labels for token in label], dtype=torch.long, device=device)
    # cuDNN's CTC gives other gradients from run to run; transformers turns it off as well.
    with torch.backends.cudnn.flags(enabled=False):
        each = torch.nn.functional.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1),
            targets,
            lengths,
            sizes,
            blank=blank,
            reduction="none",
            zero_infinity=True,
        )
    return each / sizes.clamp(min=1)


def spoken_frames(logits: torch.Tensor, lengths: torch.Tensor, blank: int) -> int:
    """How many frames have another most probable token than the blank."""
    import torch

    present = torch.arange(logits.shape[1], device=logits.device) < lengths[:, None]
    return int(((logits.argmax(-1) != blank) & present).sum())
