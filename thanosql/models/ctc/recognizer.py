"""A forward pass and a vocabulary in, a recognizer out: waveforms in, transcripts out.

What is true of any model that gives log-probabilities of frames, whatever it hears them from.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch

from thanosql.errors import ThanoSQLModelError, ThanoSQLResourceError
from thanosql.models.audio.silences import long_silences
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.greedy import best_tokens, greedy, greedy_path
from thanosql.models.ctc.stretches import Silence, Stretch, joined, stretches, windows
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.ctc.windows import Window
from thanosql.models.options import TranscribeOptions
from thanosql.models.results import Assessment, Transcript

if TYPE_CHECKING:
    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.decoder import Decoder

log = logging.getLogger(__name__)

T = TypeVar("T")

PADDED_SECONDS = 480.0  # audio in one batch on a GPU, padding counted


class FrameForward(Protocol):
    """A model's forward pass."""

    @property
    def nbytes(self) -> int:
        """Memory that the weights take, in bytes."""

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next."""

    @property
    def geometry(self) -> tuple[int, int]:
        """Samples that one frame sees, and samples from one frame to the next."""

    @property
    def windowed(self) -> bool:
        """Whether long audio may go in windows: where `frames` and `geometry` say what frames there are."""

    @property
    def squeeze(self) -> int:
        """How many frames the model merges into one: windows begin at multiples of them."""

    def frames(self, samples: int) -> int:
        """How many frames so many samples give; 0 when they are too few for one."""

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[torch.Tensor]:
        """Natural log-probabilities, float32 `(frames, vocab)` on the CPU, of prepared waveforms `(samples,)`.

        The answer to one does not depend on its neighbours.
        """


class FrameRecognizer:
    """A loaded model: a CTCRecognizer. `prepare` makes of a waveform what the model hears, `silences` finds the parts,
    (from, to) in samples, that it need not hear."""

    def __init__(
        self,
        forward: FrameForward,
        vocabulary: Vocabulary,
        prepare: Callable[[Waveform], Waveform] = lambda one: one,
        silences: Callable[[Waveform], Sequence[tuple[int, int]]] = long_silences,
    ) -> None:
        self.forward = forward
        self.vocabulary = vocabulary
        self.prepare = prepare
        self.silences = silences

    @property
    def nbytes(self) -> int:
        """Memory that the weights take, in bytes."""
        return self.forward.nbytes

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next."""
        return self.forward.frame_seconds

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
        overlapping windows, joined in the middle of each overlap; long silences do not go at all, and are blanks.
        Raises ThanoSQLResourceError when memory does not suffice for one window alone, and ThanoSQLModelError when the
        model gives no numbers.
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
        """What `keep` makes of the log-probabilities of each window and each silence, of each waveform in its order."""
        silence = Silence(self.vocabulary)
        spoken = [self._stretches(waveform) for waveform in waveforms]
        # The loudness of a waveform is that of all that is heard of it, also where it goes in windows.
        prepared = [self.prepare(joined(waveform, parts)) for waveform, parts in zip(waveforms, spoken, strict=True)]
        pieces = [(index, *one) for index, parts in enumerate(spoken) for one in self._windows(parts, window_seconds)]
        found: dict[int, tuple[T, int | None]] = {}
        size = 0
        for batch in _batches([window.end - window.begin for _, _, window in pieces], batch_size):
            if cancellation is not None:
                cancellation.check()
            chosen = [pieces[number] for number in batch]
            logs = self._forward([prepared[index][window.begin : window.end] for index, _, window in chosen])
            for number, (index, left_out, window), one in zip(batch, chosen, logs, strict=True):
                kept, size = one[window.keep_from : window.keep_to], one.shape[1]
                kept = silence.opened(kept) if left_out else kept
                found[number] = keep(kept), silence.last_said(kept) if len(spoken[index]) > 1 else None
        parts: list[list[T]] = [[] for _ in prepared]
        said = [silence.delimiter] * len(prepared)  # the last token of each so far
        for number, (index, left_out, _) in enumerate(pieces):
            if left_out:
                ends_a_word = said[index] != silence.delimiter
                parts[index].append(keep(silence.frames(left_out, size, ends_a_word=ends_a_word)))
                said[index] = silence.delimiter
            kept_of, last = found[number]
            parts[index].append(kept_of)
            said[index] = said[index] if last is None else last
        for index, waveform in enumerate(waveforms):
            if left_out := self.forward.frames(len(waveform)) - spoken[index][-1].last:
                parts[index].append(keep(silence.frames(left_out, size, ends_a_word=False)))
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
            best = (number for number, _ in groupby(map(self.vocabulary.first_number, logs.argmax(-1).tolist())))
            words = self.vocabulary.words(number for number in best if number != self.vocabulary.blank)
            loss = _ctc_loss(logs, words, self.vocabulary.blank)
        else:
            decoded = decoder(logs.numpy())
            transcript = Transcript(decoded.text, decoded.confidence)
            loss = self._loss(logs, decoded.text)
        return Assessment(transcript, reference_loss=self._loss(logs, reference), hypothesis_loss=loss)

    def _loss(self, logs: torch.Tensor, text: str) -> float:
        if self.vocabulary.missing(text):
            return math.nan
        return _ctc_loss(logs, self.vocabulary.encode(text), self.vocabulary.blank)

    def _stretches(self, waveform: Waveform) -> list[Stretch]:
        """What of a waveform the model hears."""
        samples, forward = len(waveform), self.forward
        count = forward.frames(samples)
        # A model whose frames cannot be told beforehand hears all.
        left_out = self.silences(waveform) if forward.windowed else ()
        if not left_out:
            return [Stretch(0, samples, 0, count)]
        return stretches(samples, count, left_out, forward.geometry, forward.squeeze)

    def _windows(self, parts: Sequence[Stretch], seconds: float) -> Iterator[tuple[int, Window]]:
        """The windows of stretches, each with how many frames are left out before it."""
        if not self.forward.windowed:
            return iter([(0, Window(0, part.end, 0, part.last)) for part in parts])
        reach, step = self.forward.geometry
        return windows(parts, (reach, step), max(2, int(seconds * SAMPLING_RATE) // step), self.forward.squeeze)

    def _forward(self, waveforms: list[np.ndarray]) -> list[torch.Tensor]:
        """The forward pass of a batch, or of its halves where memory is too small for it."""
        try:
            found = self.forward(waveforms)
        except (MemoryError, RuntimeError) as error:
            seconds = sum(map(len, waveforms)) / SAMPLING_RATE
            if not _is_out_of_memory(error):
                raise ThanoSQLModelError(f"The model failed on {seconds:.1f} s of audio: {error}") from error
            if len(waveforms) == 1:
                raise ThanoSQLResourceError(
                    f"There is not enough memory for {seconds:.1f} s of audio at once.",
                    hint="Lower window_seconds, or choose a smaller model.",
                ) from error
        else:
            if any(bool(logs.isnan().any()) for logs in found):
                raise ThanoSQLModelError(
                    "The model's output is not a number (NaN): its weights are damaged, or its precision is too low for them."
                )
            return found
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        middle = len(waveforms) // 2
        log.warning("Out of memory with %d utterances at once; continuing with %d.", len(waveforms), middle)
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
