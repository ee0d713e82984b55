"""Rows of audio and text in; the examples a model can learn from, their waveforms read ahead, and what was left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from thanosql.errors import ThanoSQLDataError
from thanosql.models.audio import Audio, AudioError, described
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.loss import frames_needed
from thanosql.models.training.augmentation import Augmentation, augment
from thanosql.models.training.memory import KEPT_BYTES
from thanosql.models.training.seeding import generator

if TYPE_CHECKING:
    import numpy as np

    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.options import TrainOptions
    from thanosql.models.results import TrainingUtterance
    from thanosql.models.text import Normalizer
    from thanosql.models.training.trainable import FrameCount

_VARIED_AT_FIRST = 0.8  # share of the examples, in the first epoch

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Example:
    """A row that can be trained on; `labels` are token ids, `seconds` what the file's header says."""

    row: int
    audio: Audio
    text: str
    labels: tuple[int, ...]
    seconds: float
    group: str = ""


def select(
    utterances: Sequence[TrainingUtterance],
    vocabulary: Vocabulary,
    normalizer: Normalizer,
    model: FrameCount,
    options: TrainOptions,
) -> tuple[list[Example], list[dict[str, Any]]]:
    """The examples, and the rows left out with the reason: no text, too short for its text, longer than `max_seconds`.

    Raises ThanoSQLDataError when no row is left, and for rows that `options.on_error` does not leave out: a text with
    characters outside the vocabulary unless it is 'skip', any of these when it is 'raise'.
    """
    examples: list[Example] = []
    skipped: list[dict[str, Any]] = []
    foreign: list[dict[str, Any]] = []
    for utterance in utterances:
        text = normalizer.normalize(utterance.text)
        if missing := vocabulary.missing(text):
            if options.on_error == "skip":
                reason = f"the vocabulary lacks: {missing}"
                skipped.append({"row": utterance.row, "text": utterance.text, "reason": reason})
            else:
                foreign.append({"row": utterance.row, "text": utterance.text, "characters": missing})
            continue
        labels = tuple(vocabulary.encode(text))
        if unfit := _unfit(labels, utterance.seconds, model, options.max_seconds):
            skipped.append({"row": utterance.row, "text": utterance.text, "reason": unfit})
        else:
            examples.append(Example(utterance.row, utterance.audio, text, labels, utterance.seconds, utterance.group))
    if foreign:
        raise ThanoSQLDataError("Texts contain characters that the model's vocabulary lacks.", rows=foreign)
    if skipped and options.on_error == "raise":
        raise ThanoSQLDataError(f"{len(skipped):,} of {len(utterances):,} rows cannot be trained on.", rows=skipped)
    if not examples:
        raise ThanoSQLDataError(f"None of the {len(utterances):,} rows can be trained on.", rows=skipped)
    return examples, skipped


def _unfit(labels: Sequence[int], seconds: float, model: FrameCount, max_seconds: float) -> str | None:
    if not labels:
        return "no text is left after normalization"
    # Durations come as float32: a row of 1.2 s is a little longer than 1.2.
    if seconds * SAMPLING_RATE > max_seconds * SAMPLING_RATE + 0.5:
        return f"{seconds:.1f} s long, over max_seconds = {max_seconds:g}"
    # A header's duration may be rounded: one frame of grace.
    room = model.frames(int(seconds * SAMPLING_RATE)) + 1
    needed = frames_needed(labels)
    if needed > room:
        return f"{seconds:.2f} s of audio make {room} frames, its text needs {needed}"
    return None


class DecodedOnce:
    """Reads audio, and remembers what it read as long as that takes at most `most` bytes: training, validation and calibration
    hear the same recordings, in every epoch."""

    def __init__(self, read: Callable[[Audio], np.ndarray], most: int = KEPT_BYTES) -> None:
        self._read = read
        self._left = most
        self._decoded: dict[Audio, np.ndarray] = {}

    def __call__(self, audio: Audio) -> np.ndarray:
        """float32 `(samples,)`, not to be changed. Raises AudioError."""
        waveform = self._decoded.get(audio)
        if waveform is None:
            waveform = self._read(audio)
            if waveform.nbytes <= self._left:
                self._decoded[audio] = waveform
                self._left -= waveform.nbytes
        return waveform


class Waveforms:
    """The examples' waveforms as the model takes them, varied differently in each epoch as `varied` says; float32 `(samples,)`.

    Four of five are varied in the first epoch, fewer from one to the next, none in the last of `epochs`: the model
    meets other voices and rooms while it learns most, and ends on the speech that it will transcribe. What an example sounds
    like in an epoch depends on the seed, the epoch and its own number alone.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        read: Callable[[Audio], np.ndarray],
        model: FrameCount,
        *,
        seed: int,
        epochs: int,
        varied: Augmentation | None,
        normalized: bool,
    ) -> None:
        self._examples = examples
        self._read = read
        self._model = model
        self._seed = seed
        self._epochs = epochs
        self._varied = varied
        self._normalized = normalized

    def get(self, index: int, epoch: int) -> np.ndarray:
        """One example's waveform in an epoch (the first is 1; 0 is as it was recorded)."""
        import numpy as np

        waveform = self._recorded(index)
        shortest = self._model.samples_needed(frames_needed(self._examples[index].labels))
        if self._varied is not None and epoch:
            draw = generator("sound", self._seed, epoch, index)
            if draw.random() < varied_share(epoch, self._epochs):
                waveform = augment(waveform, draw, self._varied, shortest=shortest)
        if self._normalized:
            waveform = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
        # Rounded durations let through what is a few samples short of one frame.
        waveform = np.pad(waveform, (0, max(0, self._model.samples_needed(1) - len(waveform))))
        return waveform.astype(np.float32, copy=False)

    def _recorded(self, index: int) -> np.ndarray:
        example = self._examples[index]
        try:
            return self._read(example.audio)
        except AudioError as error:
            raise ThanoSQLDataError(
                "Audio cannot be read.",
                rows=[{"row": example.row, "audio": described(example.audio), "reason": str(error)}],
            ) from error


def varied_share(epoch: int, epochs: int) -> float:
    """The share of the examples that are varied in an epoch, counted from 1; half of the first one's in an only epoch.

    >>> [round(varied_share(epoch, 5), 2) for epoch in (1, 2, 3, 4, 5)], varied_share(1, 1)
    ([0.8, 0.6, 0.4, 0.2, 0.0], 0.4)
    """
    return _VARIED_AT_FIRST * ((epochs - epoch) / (epochs - 1) if epochs > 1 else 0.5)


def read_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], depth: int = 3
) -> Generator[tuple[Item, Result], None, None]:
    """Each item with `work(item)`, in order, worked on in one other thread at most `depth` items ahead.

    An error of `work` is raised where its item would have come. Close the iterator to stop early.
    """
    pending: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="thanosql-read-ahead")
    try:
        for item in items:
            pending.append((item, pool.submit(work, item)))
            if len(pending) > depth:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
