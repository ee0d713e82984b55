"""The rows of an evaluation: what is read of each before it is recognized, and which are shown afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.evaluation.corrections import Correction
from thanosql.engine.evaluation.figures import Evaluation, EvaluationRows
from thanosql.engine.rows.audio_probe import ProbedRows
from thanosql.models.audio.parts import Audio, AudioPart

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.audio.access import AudioAccess

WORST_ROWS = 50  # that a notebook can show

AudioStream = Callable[[], Iterator[tuple[int, Audio | None]]]


@dataclass(frozen=True)
class RowsToEvaluate:
    """The rows of the query, read: `audio` gives them as often as it is asked. `snapshot` is None once it is closed,
    `keys` where no column tells the rows apart. `labels` are the `references` as the table has them, tags included."""

    snapshot: Snapshot | None
    audio: AudioStream
    access: AudioAccess
    probed: ProbedRows
    references: list[str]
    labels: list[str]
    fingerprints: list[str]
    figures: EvaluationRows
    keys: list[Any] | None = None

    @property
    def count(self) -> int:
        return len(self.references)


def worst_rows(evaluation: Evaluation, rows: RowsToEvaluate, labels: Correction | None) -> list[dict[str, Any]]:
    """The utterances with the most errors, for a notebook to show; ones without errors where there are no others.

    Each has its number from 1, its key and its file where there are any, and an UPDATE that holds its label as it is, to be
    edited: run unchanged, it changes nothing. There is none where two rows have one key: it would give both the same label.
    """
    errors = {evaluation.counted[place] + 1: score.errors for place, score in enumerate(evaluation.scores)}
    chosen = set(sorted(errors, key=lambda row: (-errors[row], row))[:WORST_ROWS])
    audio = {row: value for row, value in rows.audio() if row in chosen}
    named = rows.keys if rows.keys is not None else [value for _, value in rows.audio()] if labels is not None else []
    times = Counter(map(str, named))
    found = []
    for row in sorted(chosen):
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
