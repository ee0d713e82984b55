"""A checkpoint in, a recognizer out: waveforms in, transcripts out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from thanosql.errors import ThanoSQLModelError, ThanoSQLOptionError
from thanosql.models.base import SAMPLING_RATE, TranscribeOptions, Transcript
from thanosql.models.ctc import Vocabulary, greedy
from thanosql.models.wav2vec2 import checkpoint as checkpoints
from thanosql.models.wav2vec2.folded import Folded
from thanosql.models.wav2vec2.inference import Forward, forward

if TYPE_CHECKING:
    from thanosql.config import Settings

PADDED_SECONDS = 480.0  # audio in one batch on a GPU, padding counted


class Wav2Vec2Recognizer:
    """A loaded model that transcribes. `revision` is the hub's commit, None for a folder's files."""

    def __init__(self, forward: Forward | Folded, vocabulary: Vocabulary, revision: str | None = None) -> None:
        self.forward = forward
        self.vocabulary = vocabulary
        self.revision = revision

    @property
    def nbytes(self) -> int:
        """Memory that the weights take, in bytes."""
        return self.forward.nbytes

    def transcribe(self, waveforms: Sequence[np.ndarray], options: TranscribeOptions) -> list[Transcript]:
        """Transcripts of float32 waveforms `(samples,)` at 16,000 Hz, in their order.

        In float32 the answer to one does not depend on its neighbours. Audio too short for one frame (25 ms) gives an
        empty transcript. The confidence is that of `ctc.greedy`.
        """
        found = self.log_probabilities(waveforms, batch_size=options.batch_size)
        return [greedy(logs.numpy(), self.vocabulary) for logs in found]

    def log_probabilities(self, waveforms: Sequence[np.ndarray], *, batch_size: int = 16) -> list[torch.Tensor]:
        """Natural log-probabilities, float32 `(frames, vocab)` on the CPU, of each waveform, in their order.

        A frame stands for 20 ms. Raises ThanoSQLModelError when memory does not suffice for one utterance alone.
        """
        found: dict[int, torch.Tensor] = {}
        for batch in _batches([len(waveform) for waveform in waveforms], batch_size):
            found.update(zip(batch, self.forward([waveforms[index] for index in batch]), strict=True))
        return [found[index] for index in range(len(waveforms))]


def load(checkpoint: str, settings: Settings, options: TranscribeOptions) -> Wav2Vec2Recognizer:
    """The recognizer of a checkpoint (a folder, or a hub id), on the device and in the arithmetic of the options.

    Raises ThanoSQLModelError for a checkpoint that is missing, damaged or has no CTC head, ThanoSQLConnectionError when
    the hub is needed and cannot be reached, ThanoSQLOptionError for a device or precision that this machine lacks.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.precision, device)
    found = checkpoints.open(checkpoint, settings)
    vocabulary = checkpoints.read_vocabulary(found.folder)
    features = checkpoints.read_features(found.folder)
    model = checkpoints.load_model(found.folder)
    if len(vocabulary.tokens) != model.lm_head.out_features:
        raise ThanoSQLModelError(f"{found.folder}: the vocabulary and the model's head differ in size.")
    try:
        calls = forward(model, features, device, dtype)
    except RuntimeError as error:  # torch.OutOfMemoryError, and what a broken driver raises
        raise ThanoSQLModelError(f"{checkpoint} cannot be put on {device}: {error}") from error
    return Wav2Vec2Recognizer(calls, vocabulary, found.revision)


def choose_device(name: str) -> torch.device:
    """The device of the option: 'auto' is the first GPU where there is one. Raises ThanoSQLOptionError otherwise."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if re.fullmatch(r"cuda(:\d+)?", name):
        number = int(name.partition(":")[2] or 0)
        if number < torch.cuda.device_count():
            return torch.device("cuda", number)
        raise ThanoSQLOptionError(
            f"There is no device {name}: torch sees {torch.cuda.device_count()} GPUs.", hint="Say device='auto'."
        )
    raise ThanoSQLOptionError(f"There is no device {name!r}.", hint="A device is 'auto', 'cpu', 'cuda' or 'cuda:N'.")


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The arithmetic of the option on a device; 'auto' is float32 until a model's card says bfloat16 was checked."""
    if precision == "float16" and device.type == "cpu":
        raise ThanoSQLOptionError(
            "precision='float16' needs a GPU.", hint="On a CPU there are 'float32', 'bfloat16' and 'auto'."
        )
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision, torch.float32)


def _batches(samples: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices in batches of like length, longest first, so that what does not fit into memory shows at once."""
    order = sorted(range(len(samples)), key=lambda index: (-samples[index], index))
    batches: list[list[int]] = []
    for index in order:
        last = batches[-1] if batches else []
        room = (
            len(last) < batch_size and samples[last[0]] * (len(last) + 1) <= PADDED_SECONDS * SAMPLING_RATE
            if last
            else False
        )
        if room:
            last.append(index)
        else:
            batches.append([index])
    return batches
