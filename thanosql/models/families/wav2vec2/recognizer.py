"""A checkpoint in, a recognizer out: waveforms in, transcripts out."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from thanosql.errors import ThanoSQLModelError, ThanoSQLOptionError
from thanosql.models import checkpoint_files
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.greedy import best_tokens, greedy, greedy_path
from thanosql.models.ctc.vocabulary import Vocabulary, read_vocabulary
from thanosql.models.ctc.windows import Window, cut
from thanosql.models.devices import choose_device
from thanosql.models.families.wav2vec2 import checkpoint as checkpoints
from thanosql.models.families.wav2vec2.checkpoint import Features
from thanosql.models.families.wav2vec2.convolutions import geometry
from thanosql.models.families.wav2vec2.cpu_model import CPUModel
from thanosql.models.families.wav2vec2.forward import Forward, forward
from thanosql.models.families.wav2vec2.preparation import prepare_any_length
from thanosql.models.options import TranscribeOptions
from thanosql.models.results import Assessment, Transcript

if TYPE_CHECKING:
    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.decoder import Decoder

log = logging.getLogger(__name__)

T = TypeVar("T")

PADDED_SECONDS = 480.0  # audio in one batch on a GPU, padding counted


class Wav2Vec2Recognizer:
    """A loaded model: a CTCRecognizer."""

    def __init__(self, forward: Forward | CPUModel, vocabulary: Vocabulary, features: Features) -> None:
        self.forward = forward
        self.vocabulary = vocabulary
        self.features = features
        self._geometry = geometry(forward.config.conv_kernel, forward.config.conv_stride)

    @property
    def nbytes(self) -> int:
        """Memory that the weights take, in bytes."""
        return self.forward.nbytes

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next: 20 ms, more where an adapter shortens time behind the transformer."""
        config = self.forward.config
        shortened = config.adapter_stride**config.num_adapter_layers if config.add_adapter else 1
        return self._geometry[1] * shortened / SAMPLING_RATE

    def transcribe(
        self, waveforms: Sequence[Waveform], options: TranscribeOptions, cancellation: Cancellation | None = None
    ) -> list[Transcript]:
        """Transcripts of float32 waveforms `(samples,)` at 16,000 Hz, in their order.

        In float32 the answer to one does not depend on its neighbours. Audio too short for one frame (25 ms) gives an
        empty transcript. The confidence is that of `ctc.greedy`. Raises what `log_probabilities` raises.
        """
        # Of each frame the best token and its probability: what more there is would fill the memory for hours of audio.
        found = self._frames(waveforms, options.batch_size, options.window_seconds, best_tokens, cancellation)
        joined = [[np.concatenate(one) for one in zip(*parts, strict=True)] for parts in found]
        return [greedy_path(best, certainty, self.vocabulary) for best, certainty in joined]

    def log_probabilities(
        self,
        waveforms: Sequence[Waveform],
        *,
        batch_size: int = 16,
        window_seconds: float = 30.0,
        cancellation: Cancellation | None = None,
    ) -> list[torch.Tensor]:
        """Natural log-probabilities, float32 `(frames, vocab)` on the CPU, of each waveform, in their order.

        A frame stands for `frame_seconds`, the first for the samples from 0 on. Audio longer than a window goes in
        overlapping windows, joined in the middle of each overlap. Raises ThanoSQLModelError when memory does not
        suffice for one window alone, and when the model gives no numbers.
        """
        found = self._frames(waveforms, batch_size, window_seconds, lambda logs: logs, cancellation)
        return [one[0] if len(one) == 1 else torch.cat(one) for one in found]

    def _frames(
        self,
        waveforms: Sequence[Waveform],
        batch_size: int,
        window_seconds: float,
        keep: Callable[[torch.Tensor], T],
        cancellation: Cancellation | None,
    ) -> list[list[T]]:
        """What `keep` makes of each window's log-probabilities, of each waveform in its order."""
        # The loudness of a waveform is that of the whole, also where it goes in windows.
        heard = [prepare_any_length(waveform, self.features) for waveform in waveforms]
        pieces = [
            (index, window) for index, one in enumerate(heard) for window in self._windows(len(one), window_seconds)
        ]
        found: dict[int, T] = {}
        for batch in _batches([window.end - window.begin for _, window in pieces], batch_size):
            if cancellation is not None:
                cancellation.check()
            chosen = [pieces[number] for number in batch]
            logs = self._forward([heard[index][window.begin : window.end] for index, window in chosen])
            for number, (_, window), one in zip(batch, chosen, logs, strict=True):
                found[number] = keep(one[window.keep_from : window.keep_to])
        parts: list[list[T]] = [[] for _ in heard]
        for number, (index, _) in enumerate(pieces):
            parts[index].append(found[number])
        return parts

    def assess(
        self,
        waveforms: Sequence[Waveform],
        references: Sequence[str],
        options: TranscribeOptions,
        decoder: Decoder | None = None,
        cancellation: Cancellation | None = None,
    ) -> list[Assessment]:
        """Transcripts, by `decoder` where it is not the best token of each frame, and how well each normalized reference
        fits its waveform; see `Assessment` for the losses."""
        found = self.log_probabilities(
            waveforms,
            batch_size=options.batch_size,
            window_seconds=options.window_seconds,
            cancellation=cancellation,
        )
        return [self._assess(logs, reference, decoder) for logs, reference in zip(found, references, strict=True)]

    def _assess(self, logs: torch.Tensor, reference: str, decoder: Decoder | None) -> Assessment:
        if decoder is None:
            transcript = greedy(logs.numpy(), self.vocabulary)
            best = (number for number, _ in groupby(logs.argmax(-1).tolist()))
            words = self.vocabulary.words(number for number in best if number != self.vocabulary.blank)
            loss = _ctc_loss(logs, words, self.vocabulary.blank)
        else:
            heard = decoder(logs.numpy())
            transcript = Transcript(heard.text, heard.confidence)
            loss = self._loss(logs, heard.text)
        return Assessment(transcript, reference_loss=self._loss(logs, reference), hypothesis_loss=loss)

    def _loss(self, logs: torch.Tensor, text: str) -> float:
        if self.vocabulary.missing(text):
            return math.nan
        return _ctc_loss(logs, self.vocabulary.encode(text), self.vocabulary.blank)

    def _windows(self, samples: int, seconds: float) -> list[Window]:
        count = self.forward.frames(samples)
        reach, step = self._geometry
        if self.forward.config.add_adapter:  # its frames are not those of the feature encoder
            return [Window(0, samples, 0, count)]
        return cut(samples, count, reach, step, max(2, int(seconds * SAMPLING_RATE) // step))

    def _forward(self, waveforms: list[np.ndarray]) -> list[torch.Tensor]:
        """The forward pass of a batch, or of its halves where memory is too small for it."""
        try:
            found = self.forward(waveforms)
        except (MemoryError, RuntimeError) as error:
            seconds = sum(map(len, waveforms)) / SAMPLING_RATE
            if not _is_out_of_memory(error):
                raise ThanoSQLModelError(f"The model failed on {seconds:.1f} s of audio: {error}") from error
            if len(waveforms) == 1:
                raise ThanoSQLModelError(
                    f"Memory does not suffice for {seconds:.1f} s of audio at once.",
                    hint="Set window_seconds lower, or choose a smaller model.",
                ) from error
        else:
            if any(bool(logs.isnan().any()) for logs in found):
                raise ThanoSQLModelError(
                    "The model gives no numbers (NaN): its weights are damaged, or its precision does not hold them."
                )
            return found
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        middle = len(waveforms) // 2
        log.warning("Out of memory with %d utterances at once; going on with %d.", len(waveforms), middle)
        return self._forward(waveforms[:middle]) + self._forward(waveforms[middle:])


def _ctc_loss(logs: torch.Tensor, ids: Sequence[int], blank: int) -> float:
    """Minus the natural log-probability of a text, over all its alignments; infinite where it has more than fit."""
    if len(logs) == 0:
        return math.inf if ids else 0.0
    lengths = torch.tensor([len(logs)]), torch.tensor([len(ids)])
    targets = torch.tensor([list(ids)], dtype=torch.long)
    loss = torch.nn.functional.ctc_loss(logs.double()[:, None], targets, *lengths, blank=blank, reduction="sum")
    return float(loss)


def _is_out_of_memory(error: BaseException) -> bool:
    # On a CPU torch says it in words only.
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)


def load(checkpoint: str, options: TranscribeOptions) -> Wav2Vec2Recognizer:
    """The recognizer of a checkpoint (a folder, or a hub id), on the device and in the arithmetic of the options.

    Raises ThanoSQLModelError for a checkpoint that is missing, damaged or has no CTC head, ThanoSQLConnectionError when
    the hub is needed and cannot be reached, ThanoSQLOptionError for a device or precision that this machine lacks.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.precision, device)
    found = checkpoint_files.open(checkpoint)
    vocabulary = read_vocabulary(found.folder)
    features = checkpoints.read_features(found.folder)
    model = checkpoints.load_model(found.folder)
    if len(vocabulary.tokens) != model.lm_head.out_features:
        raise ThanoSQLModelError(f"{found.folder}: the vocabulary and the model's head differ in size.")
    try:
        calls = forward(model, device, dtype)
    except RuntimeError as error:  # torch.OutOfMemoryError, and what a broken driver raises
        raise ThanoSQLModelError(f"{checkpoint} cannot be put on {device}: {error}") from error
    return Wav2Vec2Recognizer(calls, vocabulary, features)


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
