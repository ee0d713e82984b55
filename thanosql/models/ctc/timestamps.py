"""Labels with the frames they stand in → words, characters or segments with their seconds and confidence.

A frame of wav2vec 2.0 stands for 20 ms, the step of its convolutions (320 samples at 16,000 Hz): frame f for the time
from 0.02·f to 0.02·(f + 1) seconds, as in Hugging Face's pipeline. It hears 25 ms, 400 samples from 320·f on. CTC puts
a label where it is sure of it, not where its sound begins and ends: a word is timed from its first label's first frame
to its last label's last frame, which is good to a few frames.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.alignment import Span
from thanosql.models.ctc.vocabulary import WORD, Vocabulary

if TYPE_CHECKING:
    import numpy as np

STEP_SAMPLES = 320  # of wav2vec 2.0's convolutions, from one frame to the next
FRAME_SECONDS = STEP_SAMPLES / SAMPLING_RATE
PAUSE_SECONDS = 0.5  # between two words that belong to different segments

LEVELS = ("word", "char", "segment")


@dataclass(frozen=True, slots=True)
class Timed:
    """A word, character or segment from `start` to `end`, in seconds from the beginning of the audio.

    `confidence` is from 0 to 1: of a character, the highest probability that the model gives it in one of its frames;
    of a word or segment, the geometric mean of its characters'. `benchmarks/confidence.py` compares it with others.
    """

    text: str
    start: float
    end: float
    confidence: float

    def later(self, seconds: float) -> Timed:
        """The same in a recording that the audio is a part of, from so many seconds on."""
        return dataclasses.replace(self, start=round(self.start + seconds, 3), end=round(self.end + seconds, 3))


def timed(
    spans: Sequence[Span], vocabulary: Vocabulary, level: str, frame_seconds: float = FRAME_SECONDS
) -> tuple[Timed, ...]:
    """The words, characters or segments (`level`) of labels in their order; word breaks are nobody's.

    >>> found = [Span(1, 0, 2, -0.1, -0.2), Span(2, 3, 4, 0.0, 0.0), Span(3, 5, 6, 0.0, 0.0), Span(1, 8, 9, -0.7, -0.7)]
    >>> for word in timed(found, Vocabulary(("<pad>", "A", "B", "|")), "word"):
    ...     print(word.text, word.start, word.end, round(word.confidence, 2))
    AB 0.0 0.08 0.95
    A 0.16 0.18 0.5
    """
    if level not in LEVELS:
        raise ValueError(f"there are no timestamps of a {level}")
    words = list(_words(spans, vocabulary))
    if level == "char":
        return tuple(_timed([span], vocabulary, frame_seconds) for word in words for span in word)
    if level == "word":
        return tuple(_timed(word, vocabulary, frame_seconds) for word in words)
    found = []
    for segment in _segments(words, frame_seconds):
        text = " ".join(_timed(word, vocabulary, frame_seconds).text for word in segment)
        spans = [span for word in segment for span in word]
        found.append(dataclasses.replace(_timed(spans, vocabulary, frame_seconds), text=text))
    return tuple(found)


def confidence(spans: Sequence[Span], log_probabilities: np.ndarray, blank: int) -> float:
    """Of a whole transcript, from 0 to 1: that of `ctc.greedy`, for labels that were found in any way.

    The geometric mean, over the labels (word breaks included), of the probability that each has in its most certain
    frame; without any, over the frames, of the probability of the blank; 0 where there are no frames.
    """
    logs = [span.peak for span in spans] or log_probabilities[:, blank].tolist()
    return min(1.0, math.exp(sum(logs) / len(logs))) if logs else 0.0


def _words(spans: Iterable[Span], vocabulary: Vocabulary) -> Iterator[list[Span]]:
    delimiter = None if vocabulary.delimiter is None else vocabulary.ids.get(vocabulary.delimiter)
    word: list[Span] = []
    for span in spans:
        if vocabulary.pieces and word and vocabulary.tokens[span.label].startswith(WORD):
            yield word
            word = []
        if span.label != delimiter:
            word.append(span)
        elif word:
            yield word
            word = []
    if word:
        yield word


def _timed(spans: Sequence[Span], vocabulary: Vocabulary, frame_seconds: float) -> Timed:
    return Timed(
        text=vocabulary.spell(span.label for span in spans),
        start=round(spans[0].start * frame_seconds, 3),
        end=round(spans[-1].end * frame_seconds, 3),
        confidence=min(1.0, math.exp(sum(span.peak for span in spans) / len(spans))),
    )


def _segments(words: Sequence[list[Span]], frame_seconds: float) -> Iterator[list[list[Span]]]:
    segment: list[list[Span]] = []
    for word in words:
        if segment and (word[0].start - segment[-1][-1].end) * frame_seconds >= PAUSE_SECONDS - 1e-9:
            yield segment
            segment = []
        segment.append(word)
    if segment:
        yield segment
