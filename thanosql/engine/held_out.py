"""The rows of a valid_query, which training does not learn from; and two models on them → whether one is really better.

Better is a lower WER with p < 0.05 in a paired bootstrap over the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.engine import transcription
from thanosql.engine.language.syntax import SQL, Text
from thanosql.engine.planner import Environment
from thanosql.engine.preflight import AudioRows, chunk_size, inspect
from thanosql.engine.texts import references
from thanosql.models.intervals import Difference, paired_difference
from thanosql.models.metrics import UtteranceScore, score_each, total
from thanosql.models.options import TranscribeOptions
from thanosql.models.results import TrainingUtterance

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.registry import Model

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to be measured on: audio that can be read, and the text of each but those `left_out`.

    `groups` are the rows' values of valid_group.
    """

    snapshot: Snapshot
    audio: Column
    seconds: AudioRows
    references: list[str]
    left_out: frozenset[int] = frozenset()
    groups: list[str] | None = None

    def stream(self) -> Iterator[tuple[int, str | bytes]]:
        """`(row, audio)` in the query's order."""
        return self.snapshot.stream(self.audio, chunk=chunk_size(self.audio))

    def utterances(self) -> list[TrainingUtterance]:
        """The rows as a trainer takes them."""
        return [
            TrainingUtterance(
                row,
                audio,
                self.references[row - 1],
                self.seconds.seconds[row - 1],
                self.groups[row - 1] if self.groups is not None else "",
            )
            for row, audio in self.stream()
            if row not in self.left_out
        ]


@dataclass(frozen=True)
class Verdict:
    """The WER of the new version and of the current one on the same rows, and their paired difference."""

    wer: float
    current_wer: float
    difference: Difference

    @property
    def better(self) -> bool:
        return self.difference.difference < 0 and self.difference.p_value < SIGNIFICANT

    def __str__(self) -> str:
        return f"WER {self.wer:.2%} against {self.current_wer:.2%} of the current version (p = {self.difference.p_value:.3f})"


def open_held_out(
    query: str, audio_col: str, text_col: str, environment: Environment, access: AudioAccess | None = None
) -> Rows:
    """Run a valid_query and check its rows as those of any query are checked; open until the statement is over."""
    sql = SQL((Text(query),))
    snapshot = environment.resources.enter_context(environment.database.snapshot(sql))
    audio = snapshot.column(audio_col, option="audio_col of valid_query")
    text = snapshot.column(text_col, option="text_col of valid_query")
    seconds = inspect(snapshot, audio, environment, access)
    seconds.refuse(audio.name)
    return Rows(snapshot, audio, seconds, references(snapshot, text))


def judge(new: Path, current: Model, rows: Rows, options: TranscribeOptions, environment: Environment) -> Verdict:
    """Both versions' errors on the rows, compared."""
    from dataclasses import replace

    # A version of its own key: the cache of loaded models must not take one for the other.
    challenger = replace(current, checkpoint=str(new), version=None, key=str(new))
    mine, theirs = (_scores(model, rows, options, environment) for model in (challenger, current))
    difference = paired_difference(
        [score.errors for score in mine], [score.errors for score in theirs], [score.words for score in mine]
    )
    return Verdict(total(mine).wer, total(theirs).wer, difference)


def _scores(model: Model, rows: Rows, options: TranscribeOptions, environment: Environment) -> list[UtteranceScore]:
    from thanosql.models import registry

    normalize = registry.normalizer(model, environment.settings).normalize
    heard = [""] * len(rows.references)
    for row, outcome in transcription.transcribe(rows.snapshot, rows.audio, rows.seconds, model, options, environment):
        if isinstance(outcome, Exception):
            raise transcription.unreadable(row, rows.audio.name, outcome) from outcome
        heard[row - 1] = outcome.text
    return score_each([normalize(text) for text in rows.references], [normalize(text) for text in heard])
