"""Labels with the frames they stand in → words, characters or segments with their seconds and confidence.

A frame of wav2vec 2.0 stands for 20 ms, the step of its convolutions (320 samples at 16,000 Hz): frame f for the time
from 0.02·f to 0.02·(f + 1) seconds, as in Hugging Face's pipeline. It hears 25 ms, 400 samples from 320·f on. CTC puts
a label where it is sure of it, not where its sound begins and ends: where a word does, the sound tells (`word_bounds`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.alignment import Span
from thanosql.models.ctc.tokenizer_files import WORD
from thanosql.models.ctc.vocabulary import Vocabulary

if TYPE_CHECKING:
    import numpy as np

    from thanosql.models.ctc.word_bounds import WordBounds

STEP_SAMPLES = 320  # of wav2vec 2.0's convolutions, from one frame to the next
FRAME_SECONDS = STEP_SAMPLES / SAMPLING_RATE
PAUSE_SECONDS = 0.5  # between two words that belong to different segments

LEVELS = ("word", "char", "segment")


@dataclass(frozen=True, slots=True)
class Timed:
    """A word, character or segment from `start` to `end`, in seconds from the beginning of the audio.

    `confidence` is from 0 to 1: of a character, the highest probability that the model gives it in one of its frames;
    of a word or segment, the geometric mean of its characters'. `benchmarks/confidence.py` compares it with others.
    `problem` is what is wrong where a known text was aligned.
    """

    text: str
    start: float
    end: float
    confidence: float
    problem: str | None = None

    def later(self, seconds: float) -> Timed:
        """The same in a recording that the audio is a part of, from so many seconds on."""
        return dataclasses.replace(self, start=round(self.start + seconds, 3), end=round(self.end + seconds, 3))


def timed(
    spans: Sequence[Span],
    vocabulary: Vocabulary,
    level: str,
    frame_seconds: float = FRAME_SECONDS,
    bounds: WordBounds | None = None,
    *,
    longest_gap: float = math.inf,
) -> tuple[Timed, ...]:
    """The words, characters or segments (`level`) of labels in their order; word breaks are nobody's.

    With `bounds`, those of the sound, a word begins and ends with its sound; without, with its labels. Labels that are
    more than `longest_gap` seconds apart belong to two words, whether a word break stands between them or not; but not
    where the first ones stand in silence: some models put the first letter of a word there, however long it is.

    >>> found = [Span(1, 0, 2, -0.1, -0.2), Span(2, 3, 4, 0.0, 0.0), Span(3, 5, 6, 0.0, 0.0), Span(1, 8, 9, -0.7, -0.7)]
    >>> for word in timed(found, Vocabulary(("<pad>", "A", "B", "|")), "word"):
    ...     print(word.text, word.start, word.end, round(word.confidence, 2))
    AB 0.0 0.08 0.95
    A 0.16 0.18 0.5
    """
    if level not in LEVELS:
        raise ValueError(f"there are no timestamps of a {level}")

    def apart(word: Sequence[Span], span: Span) -> bool:
        if (span.start - word[-1].end) * frame_seconds <= longest_gap:
            return False
        left, right = (word[0].start, word[-1].end), (span.start, span.end)
        return bounds is None or not bounds.silent(_seconds(left, frame_seconds), _seconds(right, frame_seconds))

    words = list(_words(spans, vocabulary, apart))
    seconds = [_seconds((word[0].start, word[-1].end), frame_seconds) for word in words]
    if bounds is not None:
        seconds = bounds.of(seconds)
    if level == "char":
        pairs = zip(words, seconds, strict=True)
        return tuple(one for word, known in pairs for one in _characters(word, vocabulary, known, frame_seconds))
    timed_words = [_timed(word, vocabulary, known) for word, known in zip(words, seconds, strict=True)]
    if level == "word":
        return tuple(timed_words)
    found = []
    for segment in _segments(timed_words):
        labels = [span for number in segment for span in words[number]]
        whole = _timed(labels, vocabulary, (timed_words[segment[0]].start, timed_words[segment[-1]].end))
        found.append(dataclasses.replace(whole, text=" ".join(timed_words[number].text for number in segment)))
    return tuple(found)


def confidence(spans: Sequence[Span], log_probabilities: np.ndarray, blank: int) -> float:
    """Of a whole transcript, from 0 to 1: that of `ctc.greedy`, for labels that were found in any way.

    The geometric mean, over the labels (word breaks included), of the probability that each has in its most certain
    frame; without any, over the frames, of the probability of the blank; 0 where there are no frames.
    """
    logs = [span.peak for span in spans] or log_probabilities[:, blank].tolist()
    return min(1.0, math.exp(sum(logs) / len(logs))) if logs else 0.0


def _seconds(frames: tuple[int, int], frame_seconds: float) -> tuple[float, float]:
    return frames[0] * frame_seconds, frames[1] * frame_seconds


def _words(
    spans: Iterable[Span], vocabulary: Vocabulary, apart: Callable[[Sequence[Span], Span], bool]
) -> Iterator[list[Span]]:
    """The labels of each word; `apart` says whether a label is too far from those before it to be of their word."""
    delimiter = None if vocabulary.delimiter is None else vocabulary.ids.get(vocabulary.delimiter)
    word: list[Span] = []
    for span in spans:
        begins = vocabulary.pieces and vocabulary.tokens[span.label].startswith(WORD)
        if word and (begins or apart(word, span)):
            yield word
            word = []
        if span.label != delimiter:
            word.append(span)
        elif word:
            yield word
            word = []
    if word:
        yield word


def _timed(spans: Sequence[Span], vocabulary: Vocabulary, seconds: tuple[float, float]) -> Timed:
    return Timed(
        text=vocabulary.spell(span.label for span in spans),
        start=round(seconds[0], 3),
        end=round(seconds[1], 3),
        confidence=min(1.0, math.exp(sum(span.peak for span in spans) / len(spans))),
    )


def _characters(
    word: Sequence[Span], vocabulary: Vocabulary, seconds: tuple[float, float], frame_seconds: float
) -> Iterator[Timed]:
    """The characters of a word from its beginning to its end; the inner ones stand where their labels do."""
    least, most = seconds
    for number, span in enumerate(word):
        start = min(max(span.start * frame_seconds, least), most) if number else least
        end = min(max(span.end * frame_seconds, start), most) if number < len(word) - 1 else most
        yield _timed([span], vocabulary, (start, end))


def _segments(words: Sequence[Timed]) -> Iterator[list[int]]:
    """Numbers of the words of each segment."""
    segment: list[int] = []
    for number, word in enumerate(words):
        if segment and word.start - words[number - 1].end >= PAUSE_SECONDS - 1e-9:
            yield segment
            segment = []
        segment.append(number)
    if segment:
        yield segment
