"""Rows of audio and text in, what is wrong with each out: the audio decoded, the text held against the vocabulary."""

from __future__ import annotations

import math
from collections.abc import Iterator, MutableSequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from thanosql.engine.planner import Environment, Progress
from thanosql.engine.postgres.audio_columns import CHUNK_ROWS, AudioColumns
from thanosql.engine.rows.headers import MISSING
from thanosql.engine.rows.overlaps import Overlaps
from thanosql.engine.rows.unspoken import KNOWN, UNKNOWN, UnspokenTotal, is_unspoken, unspoken
from thanosql.models.audio.facts import AudioFacts
from thanosql.models.audio.parts import Audio
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.tasks import AudioRow, Failure, Outcome, Output, TranscribeTask
from thanosql.models.trained_rows import IN_PART, OTHER_TEXT, TRAINED_ON, TrainedRows
from thanosql.models.transcript_tags import tags, without_tags

if TYPE_CHECKING:
    from thanosql.engine.executors.base import Executor
    from thanosql.engine.postgres.database import Column, Snapshot
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.base import Facts
    from thanosql.models.text import Normalizer

BATCH_ROWS = 32  # decoded together
LONG_SECONDS = 30.0  # what a recognizer hears in one piece, and what training bears
SHORT_SECONDS = 0.1  # shorter than any word
LEARNS = ("BUILD", "FIT")
SILENT_DB = -60.0  # full scale; a peak under it is no speech
SHOWN = 20  # characters named in a reason
TAGGED = {"drop": "left out", "keep": "counted as spoken words", "error": "refused"}
LEAKS = {
    TRAINED_ON: "the model was trained on this row: figures measured on it are too good",
    OTHER_TEXT: "the model was trained on this audio: figures measured on it are too good",
    IN_PART: "the model was trained on audio that this row overlaps: figures measured on it are too good",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row, in two or three words, and the particulars."""

    name: str
    reason: str


@dataclass(frozen=True)
class InspectedRows:
    """Which rows are looked at: those of a snapshot, for a statement of this `kind`; `text` is None where it needs none."""

    kind: str
    snapshot: Snapshot
    audio: AudioColumns
    text: Column | None
    access: AudioAccess
    executor: Executor
    tags: str = "keep"  # what becomes of tags in the texts
    normalizer: Normalizer | None = None  # what texts are normalized by, where it is not the known model's
    total: UnspokenTotal = field(default_factory=UnspokenTotal)  # grows as rows are looked at


def findings(
    rows: InspectedRows,
    known: Facts | None,
    trained: TrainedRows | None,
    environment: Environment,
    durations: MutableSequence[float] | None = None,
) -> Iterator[tuple[int, Audio | None, list[Problem]]]:
    """`(row, audio, problems)` of every row with problems, in the rows' order.

    `known` is the model that texts are held against, `trained` the rows that it was trained on. `durations[row - 1]` becomes
    the seconds that were decoded: a header may be wrong, or far away. Memory holds a digest a row, never the audio.
    """
    finder = _Finder(rows, known, trained)
    stream = rows.audio.stream(rows.snapshot, *([] if rows.text is None else [rows.text]))
    done = 0
    while part := list(islice(stream, CHUNK_ROWS)):
        facts = _decoded(rows, [(row[0], row[1]) for row in part], environment)
        for row in part:
            number, audio, text = (*row, None)[:3]
            found = facts[number]
            if durations is not None and isinstance(found, AudioFacts):
                durations[number - 1] = found.seconds
            if problems := list(finder.problems(number, audio, text, found)):
                yield number, audio, problems
            done += 1
            if done % 20 == 0 or done == rows.snapshot.rows:
                environment.progress(Progress(what="checking", done=done, total=rows.snapshot.rows, unit="rows"))


def _decoded(
    rows: InspectedRows, part: list[tuple[int, Audio | None]], environment: Environment
) -> dict[int, AudioFacts | Failure]:
    """What decoding tells of each row's audio."""
    task = TranscribeTask(output=Output.AUDIO, audio=rows.access)
    there = [AudioRow(row, audio, 0.0) for row, audio in part if audio is not None]
    batches = (tuple(there[first : first + BATCH_ROWS]) for first in range(0, len(there), BATCH_ROWS))
    found: dict[int, Any] = {row: Failure(MISSING) for row, audio in part if audio is None}
    outcome: Outcome
    for outcomes in rows.executor.transcribe(task, batches, environment.cancellation):
        for outcome in outcomes:
            found[outcome.row] = outcome.value
    return found


class _Finder:
    """Looks at one row after the other, and remembers the first of each audio."""

    def __init__(self, rows: InspectedRows, known: Facts | None, trained: TrainedRows | None) -> None:
        self._kind = rows.kind
        self._training = rows.kind in ("BUILD", "FIT")
        self._normalizer = rows.normalizer
        self._total = rows.total
        self._column = rows.text
        self._tags = rows.tags
        self._known = known
        self._trained = trained
        self._first: dict[bytes, tuple[int, str | None]] = {}
        self._overlaps = Overlaps() if rows.audio.parted else None

    def problems(self, row: int, audio: Audio | None, text: Any, found: AudioFacts | Failure) -> Iterator[Problem]:
        if isinstance(found, Failure):
            yield Problem("no audio" if audio is None else "unreadable audio", found.reason)
        else:
            yield from _sound(found, training=self._training)
            yield from (Problem(note.name, note.text) for note in found.notes)
        if isinstance(text, str) and (tagged := " ".join(tags(text))):
            done = TAGGED[self._tags]
            yield Problem("tags", f"{tagged[:80]}: {done}, as option tags says")
            text = without_tags(text) if self._tags == "drop" else text
        if self._column is not None:
            yield from self._written(self._column.name, text, found)
        if isinstance(found, AudioFacts):
            yield from self._seen_before(row, audio, text, found)
        if self._trained and isinstance(text, str) and (leak := self._trained.find(audio, text)):
            yield Problem(leak, LEAKS[leak])

    def _written(self, column: str, text: Any, found: AudioFacts | Failure) -> Iterator[Problem]:
        if text is None:
            yield Problem("no text", f"'{column}' is NULL")
            return
        text = text if isinstance(text, str) else str(text)
        known = self._known
        normalizer = self._normalizer or (known.normalizer if known is not None else None)
        if known is None or known.vocabulary is None or normalizer is None:
            if not text.strip():
                yield Problem("empty text", f"'{column}' holds only white space")
            return
        normal = normalizer.normalize(text)
        if not normal:
            yield Problem("empty text", f"nothing is left of {text[:SHOWN]!r} once it is normalized")
            return
        missing = known.vocabulary.missing(normal)
        figures = unspoken(text, normalizer, missing)
        self._total.add(figures, len(normal.split()))
        if self._kind in LEARNS:
            self._total.add_choice(text, normalizer)
        if figures is not None and (figures.missing or any(letter.isdigit() for letter in normal)):
            yield Problem(UNKNOWN if figures.missing else KNOWN, figures.reason(self._kind, known.vocabulary))
        if letters := [letter for letter in missing if not is_unspoken(letter)]:
            yield Problem("unknown characters", f"the vocabulary lacks: {' '.join(letters[:SHOWN])}")
        if missing:
            return
        if new := "" if known.base_vocabulary is None else known.base_vocabulary.missing(normal):
            yield Problem(
                "new characters",
                f"vocabulary='keep' would refuse the row: the base's vocabulary lacks {' '.join(new[:SHOWN])}",
            )
        if isinstance(found, AudioFacts):
            ids = known.vocabulary.encode(normal)
            # CTC puts a blank between two equal labels that follow each other.
            needed = len(ids) + sum(left == right for left, right in pairwise(ids))
            frames = known.frames(found.samples)
            if needed > frames:
                yield Problem(
                    "text too long",
                    f"{len(ids)} letters need {needed} frames, and {found.samples / SAMPLING_RATE:.2f} s of audio have "
                    f"{frames}",
                )

    def _seen_before(self, row: int, audio: Audio | None, text: Any, found: AudioFacts) -> Iterator[Problem]:
        overlap = self._overlaps.find(row, audio, found.seconds) if self._overlaps and audio is not None else None
        first = self._first.setdefault(found.digest, (row, text)) if self._column is not None else (row, text)
        if first[0] != row:
            also = "the same text" if first[1] == text else f"another text ({str(first[1])[:SHOWN]!r})"
            yield Problem("duplicate", f"the same audio as row {first[0]}, with {also}")
        elif overlap is not None:
            yield Problem("overlap", f"{overlap[1]:.2f} s of it are in row {overlap[0]} as well")


def _sound(found: AudioFacts, *, training: bool) -> Iterator[Problem]:
    seconds = found.seconds
    if found.peak == 0.0:
        yield Problem("silent audio", f"every sample of its {seconds:.2f} s is zero")
    elif 20 * math.log10(found.peak) < SILENT_DB:
        yield Problem("silent audio", f"its loudest sample is at {20 * math.log10(found.peak):.0f} dB of full scale")
    if seconds > LONG_SECONDS:
        hurt = "memory grows with its square, and a long text is hard to align"
        if not training:
            hurt = "it is transcribed in windows, and words may be lost where they meet"
        yield Problem("long audio", f"{seconds:.1f} s; over {LONG_SECONDS:.0f} s {hurt}")
    elif seconds < SHORT_SECONDS:
        yield Problem("short audio", f"{seconds:.3f} s is shorter than a word")
