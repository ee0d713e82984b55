"""The sizes of a model and the lengths of utterances in; the bytes that training on them holds out. No torch.

What a forward pass keeps for its backward pass was counted with torch.autograd.graph.saved_tensors_hooks, a type of model
at a time, at several widths, depths and lengths: numbers of four bytes a frame, as multiples of the layers' widths. The
peaks of whole runs are held to it by tests/models/training/test_memory.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLResourceError
from thanosql.models import KERNELS
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.free_memory import free_memory
from thanosql.models.training import batches

if TYPE_CHECKING:
    from thanosql.models.options import TrainOptions

PASS_BYTES = 3 << 30  # of one forward and backward pass; more utterances at once gain nothing on a CPU
PROCESS_BYTES = 400e6  # Python, torch for processors alone, transformers
CUDA_BYTES = 500e6  # more in a process whose torch is built for CUDA, on a machine without a GPU too
KEPT_BYTES = 1 << 29  # decoded audio that stays from one epoch to the next
STATE_BYTES = 12  # gradient and AdamW's two moments of a trained weight
ONCE = 6  # of a frame's hidden state, before and behind the layers
FOLDED = 512e3  # a second of audio through a folded encoder: the first layer's windows, twice
UNFOLDED = 3.3  # copies of the encoder's numbers where it is trained
KERNEL_BYTES = 1e6  # of one that oneDNN has compiled for a convolution of one length
KERNELS_OF_A_LENGTH = 20  # seven convolutions, forward and for both gradients
_NUMBER = 4  # bytes


@dataclass(frozen=True)
class TrainingSizes:
    """`…_copies` are numbers kept of a layer for each of a frame's `hidden` and `intermediate` ones, for each weight of its
    attention (0 where attention keeps none), and for each pair of frames (`position_copies`). `encoder_numbers` are those
    that the convolutions make of a second.
    """

    parameters: int
    trained: int
    layers: int
    heads: int
    hidden: int
    intermediate: int
    tokens: int
    frame_samples: int
    encoder_numbers: float
    encoder_trained: bool
    hidden_copies: float = 11.5
    intermediate_copies: float = 3.0
    attention_copies: float = 0.0
    position_copies: float = 0.0
    weights_kept: int = 0  # copies of what is trained: as it was before, and as each of several trainings left it

    @property
    def state_bytes(self) -> float:
        """Weights, gradients and the optimizer's moments, and the copies that a mean of them is made from."""
        return _NUMBER * self.parameters + (STATE_BYTES + _NUMBER * self.weights_kept) * self.trained

    def pass_bytes(self, seconds: Sequence[float], *, recomputed: bool) -> float:
        """What one forward and backward pass holds at its peak. `recomputed`: each layer anew for its gradient."""
        count, longest = len(seconds), max(seconds, default=0.0)
        across = longest * SAMPLING_RATE / self.frame_samples
        frames = count * across
        pairs = _NUMBER * count * across**2
        square = pairs * (self.heads * self.attention_copies + self.position_copies)
        layer = _NUMBER * frames * (self.hidden_copies * self.hidden + self.intermediate_copies * self.intermediate)
        layer += square
        backward = _NUMBER * frames * (2 * self.intermediate + 4 * self.hidden) + square
        once = _NUMBER * frames * (ONCE * self.hidden + 3 * self.tokens)
        once += pairs * self.heads if self.attention_copies else 0.0
        encoder = self.encoder_numbers * _NUMBER * UNFOLDED * count * longest if self.encoder_trained else 0.0
        encoder += FOLDED * longest
        kept = layer + self.layers * _NUMBER * frames * self.hidden if recomputed else self.layers * layer
        return kept + backward + once + encoder

    def recomputes(self, seconds: Sequence[float]) -> bool:
        """Whether a pass would hold too much, unless its layers are computed anew for their gradients."""
        return self.pass_bytes(seconds, recomputed=False) > PASS_BYTES

    def fits(self, seconds: Sequence[float]) -> bool:
        """Whether utterances may go through together: one always may."""
        return len(seconds) == 1 or not self.recomputes(seconds)

    def largest_pass(self, seconds: Sequence[float], max_seconds: float, batch_size: int) -> float:
        """Bytes of the largest pass of a training on utterances of such lengths, which stand in steps by length."""
        longest = sorted(seconds, reverse=True)[:batch_size]
        passes = (
            [longest[index] for index in one] for one in batches.split(longest, max_seconds, batch_size, self.fits)
        )
        return max((self.pass_bytes(one, recomputed=self.recomputes(one)) for one in passes), default=0.0)

    def kernel_bytes(self, seconds: Sequence[float]) -> float:
        """What oneDNN keeps compiled for a trained encoder on utterances of such lengths."""
        if not self.encoder_trained:
            return 0.0
        return KERNEL_BYTES * min(KERNELS, KERNELS_OF_A_LENGTH * len(set(seconds)))


def weights_kept(options: TrainOptions) -> int:
    """Copies of the trained weights that a run keeps beside those that it changes."""
    several = options.trainings if options.trainings > 1 else 0
    return several + (several > 0 or options.base_share > 0)


def process_bytes() -> float:
    """Of a process that trains, before its model: what the installed torch and transformers take. torch is not imported."""
    torch = find_spec("torch")
    folder = Path(torch.origin).parent / "lib" if torch is not None and torch.origin is not None else None
    built_for_cuda = folder is not None and any(folder.glob("*torch_cuda*"))
    return PROCESS_BYTES + (CUDA_BYTES if built_for_cuda else 0.0)


def check(
    sizes: TrainingSizes, seconds: Sequence[float], max_seconds: float, batch_size: int, processes: int = 1
) -> None:
    """Raises ThanoSQLResourceError, before anything is loaded, where a training takes more memory than is free.

    So many `processes` train on this machine at once.
    """
    all_free = free_memory()
    free = None if all_free is None else all_free / processes
    needed = sizes.state_bytes + sizes.kernel_bytes(seconds) + sizes.largest_pass(seconds, max_seconds, batch_size)
    if free is None or needed <= free:
        return
    longest = max(seconds)
    message = (
        f"The training takes about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: {sizes.state_bytes / 1e9:.1f} GB "
        f"for weights, gradients and optimizer, {(needed - sizes.state_bytes) / 1e9:.1f} GB for a pass, the longest "
        f"row being {longest:.0f} s."
    )
    raise ThanoSQLResourceError(message, hint=_advice(sizes, seconds, partial(_takes, sizes, free)))


def _takes(sizes: TrainingSizes, free: float, seconds: float) -> bool:
    """Whether rows of such a length fit into what is free."""
    one = [seconds]
    return sizes.state_bytes + sizes.pass_bytes(one, recomputed=sizes.recomputes(one)) <= free


def _advice(sizes: TrainingSizes, seconds: Sequence[float], takes: partial[bool]) -> str:
    if not takes(0.0):
        return "Name a smaller base: the weights alone and what AdamW keeps of them do not fit."
    fitting = max((length for length in seconds if takes(length)), default=0.0)
    advice = []
    if fitting >= 1:
        advice.append(f"leave out rows of more than {int(fitting)} s with max_seconds={int(fitting)}")
    advice += ["divide long recordings into parts"]
    if sizes.encoder_trained:
        advice.append("say freeze_feature_encoder=True")
    advice.append("name a smaller base")
    text = ", or ".join(advice)
    return text[0].upper() + text[1:] + "."
