"""The rows of an evaluation: what is read of each before it is recognized, and which are shown afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.evaluation.figures import Evaluation, EvaluationRows
from thanosql.engine.rows.audio_probe import ProbedRows
from thanosql.models.audio.parts import Audio

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.audio.access import AudioAccess

WORST_ROWS = 50  # that a notebook can show

AudioStream = Callable[[], Iterator[tuple[int, Audio | None]]]


@dataclass(frozen=True)
class RowsToEvaluate:
    """The rows of the query, read: `audio` gives them as often as it is asked. `snapshot` is None once it is closed."""

    snapshot: Snapshot | None
    audio: AudioStream
    access: AudioAccess
    probed: ProbedRows
    references: list[str]
    fingerprints: list[str]
    figures: EvaluationRows

    @property
    def count(self) -> int:
        return len(self.references)


def worst_rows(evaluation: Evaluation, rows: Iterable[tuple[int, Audio | None]]) -> list[dict[str, Any]]:
    """The utterances with the most errors, for a notebook to show; ones without errors where there are no others.

    `rows` are the query's: the number from 1, the audio.
    """
    errors = {evaluation.counted[place] + 1: score.errors for place, score in enumerate(evaluation.scores)}
    chosen = set(sorted(errors, key=lambda row: (-errors[row], row))[:WORST_ROWS])
    audio = {row: value for row, value in rows if row in chosen}
    return [
        {
            "row": row,
            "audio": audio[row],
            "reference": evaluation.recognized[row - 1].reference,
            "hypothesis": evaluation.recognized[row - 1].hypothesis,
            "errors": errors[row],
        }
        for row in sorted(chosen)
    ]
