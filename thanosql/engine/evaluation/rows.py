"""The rows of an evaluation: what is read of each before it is recognized, and which are shown afterwards.

Audio that stands in the rows is streamed twice: with the headers what tells whether the model was trained on a row, and to
be recognized. References to audio are streamed once, and kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from thanosql.engine.evaluation.corrections import Correction
from thanosql.engine.evaluation.figures import Evaluation, EvaluationRows
from thanosql.engine.rows.audio_probe import ProbedRows, probe_rows
from thanosql.models.audio.parts import Audio, AudioPart
from thanosql.models.trained_rows import TrainedRows, row_fingerprints

if TYPE_CHECKING:
    from thanosql.engine.planner import Environment
    from thanosql.engine.postgres.audio_columns import AudioColumns
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.audio.access import AudioAccess

WORST_ROWS = 50  # that a notebook can show

AudioStream = Callable[[], Iterator[tuple[int, Audio | None]]]


@dataclass(frozen=True)
class AudioToEvaluate:
    """The audio of the rows: `all` gives (row, audio) of each as often as it is asked, `of` those of a few rows. `known` has
    each row's fingerprint, and what `TrainedRows.find` says of it."""

    all: AudioStream
    of: Callable[[Sequence[int]], Iterator[tuple[int, Audio | None]]]
    probed: ProbedRows
    known: list[tuple[str, str]]


def probe_audio(
    snapshot: Snapshot,
    audio: AudioColumns,
    texts: Sequence[str],
    trained: TrainedRows,
    environment: Environment,
) -> AudioToEvaluate:
    """Raises ThanoSQLDataError for rows whose audio cannot be used; `texts` are the rows' own."""
    listed: list[tuple[int, Audio | None]] = []
    known: list[tuple[str, str]] = []

    def look_up(row: int, sound: Audio | None) -> None:
        text = texts[row - 1]
        known.append((row_fingerprints([(sound, text)])[0], trained.find(sound, text)))

    each = look_up if audio.raw else lambda row, sound: listed.append((row, sound))
    probed = probe_rows(snapshot, audio, environment, trained.access, each=each)
    probed.refuse(audio.name)
    if audio.raw:
        return AudioToEvaluate(lambda: audio.stream(snapshot), partial(_one_by_one, snapshot, audio), probed, known)
    for row, sound in listed:  # files are read for it: only once all can be
        look_up(row, sound)
    return AudioToEvaluate(lambda: iter(listed), lambda rows: (listed[row - 1] for row in rows), probed, known)


def _one_by_one(snapshot: Snapshot, audio: AudioColumns, rows: Sequence[int]) -> Iterator[tuple[int, Audio | None]]:
    return chain.from_iterable(audio.stream(snapshot, numbers=range(row, row + 1)) for row in rows)


@dataclass(frozen=True)
class RowsToEvaluate:
    """The rows of the query, read. `snapshot` is None once it is closed, `keys` where no column tells the rows apart. `labels`
    are the `references` as the table has them, tags included."""

    snapshot: Snapshot | None
    audio: AudioToEvaluate
    access: AudioAccess
    references: list[str]
    labels: list[str]
    figures: EvaluationRows
    keys: list[Any] | None = None

    @property
    def count(self) -> int:
        return len(self.references)

    @property
    def fingerprints(self) -> list[str]:
        return [fingerprint for fingerprint, _ in self.audio.known]


def worst_rows(evaluation: Evaluation, rows: RowsToEvaluate, labels: Correction | None) -> list[dict[str, Any]]:
    """The utterances with the most errors, for a notebook to show; ones without errors where there are no others.

    Each has its number from 1, its key and its file where there are any, and an UPDATE that holds its label as it is, to be
    edited: run unchanged, it changes nothing. There is none where two rows have one key: it would give both the same label.
    """
    errors = {evaluation.counted[place] + 1: score.errors for place, score in enumerate(evaluation.scores)}
    chosen = sorted(sorted(errors, key=lambda row: (-errors[row], row))[:WORST_ROWS])
    audio = dict(rows.audio.of(chosen))
    named = (
        rows.keys if rows.keys is not None else [value for _, value in rows.audio.all()] if labels is not None else []
    )
    times = Counter(map(str, named))
    found = []
    for row in chosen:
        key = rows.keys[row - 1] if rows.keys is not None else None
        recognized = evaluation.recognized[row - 1]
        name = named[row - 1] if named else None
        single = labels is not None and name is not None and times[str(name)] == 1
        found.append(
            {
                "row": row,
                "key": key,
                "file": _file(audio[row]),
                "audio": audio[row],
                "reference": recognized.reference,
                "hypothesis": recognized.hypothesis,
                "errors": errors[row],
                "update": labels.update(name, rows.labels[row - 1]) if labels is not None and single else "",
            }
        )
    return found


def _file(audio: Audio | None) -> str:
    """The name of a recording's file, and which part of it; nothing for bytes."""
    if audio is None:
        return ""
    part = AudioPart.of(audio)
    if not isinstance(part.audio, str) or part.audio.startswith("data:"):
        return ""
    name = part.audio.rsplit("/", 1)[-1]
    if not part.is_whole:
        name += f", {part.start:g} to {'its end' if part.end is None else f'{part.end:g} s'}"
    return name if part.channel is None else f"{name}, channel {part.channel}"
