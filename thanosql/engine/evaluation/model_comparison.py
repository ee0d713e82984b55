"""Two versions of a model and validation rows in; whether the new one is really better, out.

Better is a lower WER with p < 0.05 in a paired bootstrap over the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.engine.prediction.batching import recognize
from thanosql.engine.prediction.transcription import unreadable
from thanosql.models.intervals import Difference, paired_difference
from thanosql.models.metrics import UtteranceScore, score_each, total
from thanosql.models.options import TranscribeOptions
from thanosql.models.results import TrainingUtterance
from thanosql.models.tasks import AudioRow, Failure, Output, TranscribeTask

if TYPE_CHECKING:
    from thanosql.engine.executors.base import Executor
    from thanosql.engine.planner import Environment
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.model import Model

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class ModelComparison:
    """The WER of the new version and of the current one on the same rows, and their paired difference."""

    wer: float
    current_wer: float
    difference: Difference

    @property
    def better(self) -> bool:
        return self.difference.difference < 0 and self.difference.p_value < SIGNIFICANT

    def __str__(self) -> str:
        return f"WER {self.wer:.2%} against {self.current_wer:.2%} of the current version (p = {self.difference.p_value:.3f})"


def compare_models(
    new: Path,
    current: Model,
    rows: Sequence[TrainingUtterance],
    access: AudioAccess,
    executor: Executor,
    environment: Environment,
) -> ModelComparison:
    """Both versions' errors on the rows, compared. Raises ThanoSQLDataError for audio that cannot be read any more."""
    # A version of its own key: the cache of loaded models must not take one for the other.
    challenger = replace(current, checkpoint=str(new), version=None, key=str(new))
    mine, theirs = (_scores(model, rows, access, executor, environment) for model in (challenger, current))
    difference = paired_difference(
        [score.errors for score in mine], [score.errors for score in theirs], [score.words for score in mine]
    )
    return ModelComparison(total(mine).wer, total(theirs).wer, difference)


def _scores(
    model: Model,
    rows: Sequence[TrainingUtterance],
    access: AudioAccess,
    executor: Executor,
    environment: Environment,
) -> list[UtteranceScore]:
    from thanosql.models import registry

    normalizer = registry.normalizer(model)
    task = TranscribeTask(
        output=Output.TRANSCRIPT, audio=access, model=model, options=TranscribeOptions(), home=environment.settings.home
    )
    numbered = (AudioRow(place, row.audio, row.seconds) for place, row in enumerate(rows))
    hypotheses = [""] * len(rows)
    seconds = sum(row.seconds for row in rows)
    for outcome in recognize(task, numbered, executor, environment.cancellation, total_seconds=seconds):
        if isinstance(outcome.value, Failure):
            raise unreadable(rows[outcome.row].row, "audio of valid_query", outcome.value)
        hypotheses[outcome.row] = outcome.value.text
    pairs = [normalizer.compared(row.text, text) for row, text in zip(rows, hypotheses, strict=True)]
    return score_each([reference for reference, _ in pairs], [hypothesis for _, hypothesis in pairs])
