"""Log-probabilities and a text that may not fit in, its words with their seconds and what is wrong with each out."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from thanosql.models.ctc.alignment import AlignmentError
from thanosql.models.ctc.decoder import TimedTranscript
from thanosql.models.ctc.gapped_alignment import Costs, Place, align_gapped
from thanosql.models.ctc.timestamps import FRAME_SECONDS, PAUSE_SECONDS, Timed, timed

if TYPE_CHECKING:
    import numpy as np

    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.ctc.word_bounds import WordBounds
    from thanosql.models.options import AlignmentOptions

UNKNOWN = "not in the vocabulary"
NO_AUDIO = "no audio for it"
NO_TEXT = "no text for it"
TOO_LONG = "too long"
LOW_SCORE = "low score"

# Measured by benchmarks/align.py, see docs/performance.md: what hardly any word that is in its place reaches.
LETTER_SECONDS = 0.3  # between the first and the last letter of a word, for each of its letters
MISHEARD_SECONDS = 0.15  # for each letter of a word, where all that is heard in its place is another
LETTER_EXCESS = 4.0  # by how much likelier the likeliest tokens are, in nats for each letter


def check_alignment(
    log_probabilities: np.ndarray,
    text: str,
    vocabulary: Vocabulary,
    options: AlignmentOptions,
    *,
    level: str = "word",
    frame_seconds: float = FRAME_SECONDS,
    bounds: WordBounds | None = None,
) -> TimedTranscript:
    """Where the words of a normalized text stand in the audio, each with what is wrong with it.

    Audio without text is an item without letters. The confidence is that of the letters that have a place, times their
    share of all letters. Raises AlignmentError for a text that the vocabulary cannot spell (`unknown='error'`), and for one
    that does not fit the audio without gaps.
    """
    words = _words(text, vocabulary)
    spelled = [None if vocabulary.missing(word) else vocabulary.encode(word) for word in words]
    if (missing := vocabulary.missing(text)) and (options.unknown == "error" or " " in missing):
        raise AlignmentError(f"the model has no {', '.join(map(repr, missing))}")
    delimiter = vocabulary.ids.get(vocabulary.delimiter or "") if len(words) > 1 and not vocabulary.pieces else None
    costs = Costs() if options.gaps else None
    places = align_gapped(log_probabilities, spelled, vocabulary.blank, delimiter, costs)
    places = tuple(_misheard(places, spelled, MISHEARD_SECONDS / frame_seconds))
    seconds = _seconds(places, frame_seconds, bounds)
    items = [
        _item(place, words, spelled, vocabulary, known, frame_seconds)
        for place, known in zip(places, seconds, strict=True)
    ]
    found: list[Timed] = []
    if level == "segment":
        found = list(_segments(items))
    elif level == "char":
        for place, item in zip(places, items, strict=True):
            found += _characters(place, item, vocabulary, frame_seconds) if place.labels else [item]
    elif level == "word":
        found = items
    return TimedTranscript(text, _confidence(places, spelled), tuple(found), _problem(items))


def _words(text: str, vocabulary: Vocabulary) -> list[str]:
    """Words as far as the vocabulary tells them apart: with phones, or without a break between words, the whole text."""
    apart = vocabulary.pieces or (vocabulary.delimiter in vocabulary.ids and not vocabulary.phones)
    return text.split(" ") if apart and text else [text] if text else []


def _misheard(
    places: Sequence[Place], spelled: Sequence[Sequence[int] | None], letter_frames: float
) -> Iterator[Place]:
    """The places, but one word without audio and, beside it, audio without text of about its length as one: that word.

    It has no labels there, since the model hears others.
    """
    left_out: list[Place] = []
    for place in places:
        if place.word is not None and place.start == place.end:
            left_out.append(place)
            continue
        if place.word is None and len(left_out) == 1:
            number = left_out[0].word
            assert number is not None
            letters = len(spelled[number] or ())
            if place.end - place.start <= letter_frames * (letters + 1):
                left_out, place = [], Place(number, place.start, place.end)
        yield from left_out
        left_out = []
        yield place
    yield from left_out


def _seconds(places: Sequence[Place], frame_seconds: float, bounds: WordBounds | None) -> list[tuple[float, float]]:
    """When each begins and ends; what has no audio stands where the one before it ends."""
    found = [(place.start * frame_seconds, place.end * frame_seconds) for place in places]
    sounding = [number for number, place in enumerate(places) if place.end > place.start]
    if bounds is not None:
        for number, known in zip(sounding, bounds.of([found[number] for number in sounding]), strict=True):
            found[number] = known
    at = 0.0
    for number, place in enumerate(places):
        if place.end == place.start:
            found[number] = at, at
        at = found[number][1]
    return found


def _item(
    place: Place,
    words: Sequence[str],
    spelled: Sequence[Sequence[int] | None],
    vocabulary: Vocabulary,
    seconds: tuple[float, float],
    frame_seconds: float,
) -> Timed:
    start, end = (round(time, 3) for time in seconds)
    if place.word is None:
        return Timed("", start, end, 0.0, NO_TEXT)
    labels = spelled[place.word]
    if labels is None:
        return Timed(words[place.word], start, end, 0.0, UNKNOWN)
    text = vocabulary.spell(labels)
    if not place.labels:
        return Timed(text, start, end, 0.0, LOW_SCORE if place.end > place.start else NO_AUDIO)
    sure = min(1.0, math.exp(sum(span.peak for span in place.labels) / len(place.labels)))
    problem = None
    # A letter may stand in the silence before its word, however long that is.
    if min((place.end - place.start) * frame_seconds, end - start) > LETTER_SECONDS * (len(labels) + 1):
        problem = TOO_LONG
    elif place.excess > LETTER_EXCESS * len(labels):
        problem = LOW_SCORE
    return Timed(text, start, end, sure, problem)


def _characters(place: Place, item: Timed, vocabulary: Vocabulary, frame_seconds: float) -> Iterator[Timed]:
    at = item.start
    for number, span in enumerate(place.labels):
        (one,) = timed([span], vocabulary, "char", frame_seconds) or (dataclasses.replace(item, text=""),)
        start = at if number == 0 else min(max(one.start, at), item.end)
        at = item.end if number == len(place.labels) - 1 else min(max(one.end, start), item.end)
        yield dataclasses.replace(one, start=start, end=at, problem=item.problem)


def _segments(items: Sequence[Timed]) -> Iterator[Timed]:
    """What stands between pauses; audio without text stands by itself."""
    segment: list[Timed] = []
    for item in items:
        if segment and (not item.text or not segment[-1].text or item.start - segment[-1].end >= PAUSE_SECONDS - 1e-9):
            yield _joined(segment)
            segment = []
        segment.append(item)
    if segment:
        yield _joined(segment)


def _joined(items: Sequence[Timed]) -> Timed:
    """Words as one; its confidence is the geometric mean of their letters', its problem the first of theirs."""
    letters = [(len(item.text), math.log(item.confidence)) for item in items if item.confidence > 0]
    count = sum(number for number, _ in letters)
    sure = math.exp(sum(number * log for number, log in letters) / count) if count else 0.0
    problem = next((item.problem for item in items if item.problem is not None), None)
    return Timed(" ".join(item.text for item in items), items[0].start, items[-1].end, min(1.0, sure), problem)


def _confidence(places: Sequence[Place], spelled: Sequence[Sequence[int] | None]) -> float:
    peaks = [span.peak for place in places for span in place.labels]
    letters = sum(len(labels) if labels is not None else 0 for labels in spelled)
    if not peaks:
        return 0.0 if letters or (places and not spelled) else 1.0  # speech where the text is empty fits as badly
    return min(1.0, math.exp(sum(peaks) / len(peaks))) * len(peaks) / letters


def _problem(items: Sequence[Timed]) -> str | None:
    """What is wrong with the whole, in words; None where nothing is.

    >>> one, two = Timed("ONE", 0.0, 0.5, 0.9), Timed("TWO", 0.5, 0.5, 0.0, NO_AUDIO)
    >>> _problem([one]), _problem([one, one, two]), _problem([one, two, two])
    (None, '1 of 3 words: no audio for it', 'nearly nothing fits: the text may be that of another recording')
    """
    words = [item for item in items if item.text]
    unfit = sum(item.problem in (NO_AUDIO, LOW_SCORE, TOO_LONG) for item in words)
    if words and unfit > len(words) / 2:
        return "nearly nothing fits: the text may be that of another recording"
    counts = Counter(item.problem for item in words if item.problem is not None)
    said = [f"{count:,} of {len(words):,} words: {problem}" for problem, count in counts.most_common()]
    gaps = [item.end - item.start for item in items if item.problem == NO_TEXT]
    if gaps:
        said.append(f"{sum(gaps):.1f} s of speech: {NO_TEXT}")
    return "; ".join(said) or None
