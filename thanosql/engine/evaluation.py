"""What a model heard beside its references → the figures, the tables and the warnings that EVALUATE gives."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.syntax import SQL, Text
from thanosql.engine.postgres.naming import Column
from thanosql.engine.preflight import RemoteOptions
from thanosql.errors import ThanoSQLDataError
from thanosql.models.intervals import error_rate, paired_difference
from thanosql.models.metrics import UtteranceScore, character_confusions, confusions, score_each, total
from thanosql.models.options import DecodeOptions, option
from thanosql.models.results import Assessment
from thanosql.models.text import Normalizer

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.planner import Environment
    from thanosql.engine.statements.evaluate import EvaluatePlan

SMALL_WORDS = 100  # a group with fewer reference words is marked: its rate says little

COLUMNS = (
    Column("reference", "text"),
    Column("hypothesis", "text"),
    Column("wer", "double precision"),
    Column("cer", "double precision"),
    Column("words", "integer"),
    Column("substitutions", "integer"),
    Column("deletions", "integer"),
    Column("insertions", "integer"),
    Column("hits", "integer"),
    Column("confidence", "double precision"),
    Column("reference_loss", "double precision"),
    Column("suspicion", "double precision"),
    Column("alignment", "jsonb"),
)
COMPARED_COLUMNS = (
    *COLUMNS,
    Column("hypothesis_against", "text"),
    Column("wer_against", "double precision"),
    Column("worse", "boolean"),
)


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(RemoteOptions, DecodeOptions):
    audio_col: str = option("audio_path", "the column with the audio: a path, or the file's bytes", kind="column")
    text_col: str = option("text", "the column with the reference transcript", kind="column")
    group_by: list[str] = option([], "columns; a row for each group of their values, and a total", kind="column")
    cluster_by: str | None = option(
        None, "the column whose values err together (the speaker): the interval draws whole clusters", kind="column"
    )
    against: str | None = option(None, "another model, compared on the same rows")
    table_name: str | None = option(None, "the table that takes a row for each utterance", kind="table")
    confusions_table: str | None = option(
        None,
        "the table that takes pairs of reference and hypothesis words, and characters, with their counts",
        kind="table",
    )
    exclude_trained: bool = option(False, "leave out the rows that the model was trained on")
    normalizer: str = option(
        "model",
        "what is done to both sides before they are compared: 'model' as the model's own texts, 'words' lower case "
        "without punctuation, 'none' nothing",
        choices=("model", "words", "none"),
    )
    seed: int = option(0, "seed of the bootstrap", low=0, high=2**31 - 1)


@dataclass(frozen=True, slots=True)
class Heard:
    """One row: both texts normalized, and what the model made of the audio."""

    reference: str
    hypothesis: str
    assessment: Assessment

    @property
    def suspicion(self) -> float:
        """How much better the hypothesis explains the audio than the reference does, in nats a character; 0 where they
        are one text. A confident model that hears another word than the label says points at the label.
        """
        losses = (self.assessment.reference_loss, self.assessment.hypothesis_loss)
        if self.reference == self.hypothesis or math.isnan(losses[0]):
            return 0.0
        if math.isinf(losses[0]):
            return math.inf
        return max(0.0, losses[0] - losses[1]) / max(len(self.reference), len(self.hypothesis), 1)


@dataclass
class Tally:
    """The figures of one evaluation over the rows `kept` (indices from 0)."""

    plan: EvaluatePlan
    heard: list[Heard]
    other: list[Heard] | None
    kept: list[int]
    seconds: float
    scores: list[UtteranceScore] = field(init=False)

    def __post_init__(self) -> None:
        self.scores = score_each(
            [self.heard[i].reference for i in self.kept], [self.heard[i].hypothesis for i in self.kept]
        )

    @property
    def audio_seconds(self) -> float:
        return math.fsum(self.plan.rows.seconds[index] for index in self.kept)

    @cached_property
    def other_scores(self) -> list[UtteranceScore]:
        assert self.other is not None
        return score_each([self.other[i].reference for i in self.kept], [self.other[i].hypothesis for i in self.kept])

    def figures(self) -> pd.DataFrame:
        """One row; with group_by a row a group, in their order, and the total last, its group columns NULL."""
        import pandas as pd

        if self.plan.groups is None:
            return pd.DataFrame([self.total_row()])
        names = self.plan.options.group_by
        places: dict[tuple[object, ...], list[int]] = {}
        for place, index in enumerate(self.kept):
            places.setdefault(self.plan.groups[index], []).append(place)
        rows = []
        for values in sorted(places, key=lambda values: [(value is None, str(value)) for value in values]):
            row = self._row(places[values])
            rows.append({**dict(zip(names, values)), **row, "small": row["words"] < SMALL_WORDS})
        rows.append({**dict.fromkeys(names), **self.total_row(), "small": False})
        return pd.DataFrame(rows)

    def total_row(self) -> dict[str, Any]:
        return self._row(range(len(self.kept)))

    def _row(self, places: Sequence[int]) -> dict[str, Any]:
        scores = [self.scores[place] for place in places]
        sums = total(scores)
        bounds = error_rate(
            [score.errors for score in scores],
            [score.words for score in scores],
            self._clusters(places),
            seed=self.plan.options.seed,
        )
        audio = math.fsum(self.plan.rows.seconds[self.kept[place]] for place in places)
        # A group's share of the time is by its audio: rows of all groups run through the model together.
        seconds = self.seconds * audio / self.audio_seconds if self.audio_seconds else 0.0
        return {
            "utterances": sums.utterances,
            "hours": audio / 3600,
            "words": sums.words,
            "characters": sums.characters,
            "wer": sums.wer,
            "wer_low": bounds.low,
            "wer_high": bounds.high,
            "cer": sums.cer,
            "substitutions": sums.substitutions,
            "deletions": sums.deletions,
            "insertions": sums.insertions,
            "hits": sums.hits,
            "empty_hypotheses": sum(not self.heard[self.kept[place]].hypothesis for place in places),
            "seconds": seconds,
            "rtfx": audio / seconds if seconds else math.nan,
        }

    def _clusters(self, places: Sequence[int]) -> list[str] | None:
        if self.plan.clusters is None:
            return None
        return [str(self.plan.clusters[self.kept[place]]) for place in places]

    def comparison(self) -> pd.DataFrame:
        """One row: both rates, their difference (this model's less the other's), its interval and p-value, rows won."""
        import pandas as pd

        assert self.plan.against is not None
        sums, others = total(self.scores), total(self.other_scores)
        errors = [score.errors for score in self.scores]
        other_errors = [score.errors for score in self.other_scores]
        found = paired_difference(
            errors,
            other_errors,
            [score.words for score in self.scores],
            self._clusters(range(len(self.kept))),
            seed=self.plan.options.seed,
        )
        outcomes = Counter(_sign(mine - theirs) for mine, theirs in zip(errors, other_errors))
        return pd.DataFrame(
            [
                {
                    "model": self.plan.model.name,
                    "against": self.plan.against.name,
                    "utterances": sums.utterances,
                    "words": sums.words,
                    "wer": sums.wer,
                    "wer_against": others.wer,
                    "difference": found.difference,
                    "difference_low": found.low,
                    "difference_high": found.high,
                    "p_value": found.p_value,
                    "won": outcomes[-1],
                    "lost": outcomes[1],
                    "tied": outcomes[0],
                }
            ]
        )

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """A row an utterance, in COLUMNS' order behind the row's number (COMPARED_COLUMNS' with another model)."""
        for place, index in enumerate(self.kept):
            heard, score = self.heard[index], self.scores[place]
            row = (
                index + 1,
                heard.reference,
                heard.hypothesis,
                score.wer,
                score.cer,
                score.words,
                score.substitutions,
                score.deletions,
                score.insertions,
                score.hits,
                heard.assessment.transcript.confidence,
                heard.assessment.reference_loss,
                heard.suspicion,
                json.dumps([[edit.kind, edit.reference, edit.hypothesis] for edit in score.edits], ensure_ascii=False),
            )
            if self.other is None:
                yield row
            else:
                theirs = self.other_scores[place]
                yield (*row, self.other[index].hypothesis, theirs.wer, score.errors > theirs.errors)

    def remarks(self) -> Iterator[str]:
        """What a reader should know beside the figures."""
        learned = sum(self.plan.trained)
        if learned and self.plan.options.exclude_trained:
            yield f"{learned:,} rows that {self.plan.model.name} was trained on are left out."
        elif learned:
            yield (
                f"{learned:,} of {len(self.plan.trained):,} rows are rows that {self.plan.model.name} was trained on: "
                "its figures on new audio will be worse. exclude_trained=True leaves them out."
            )
        empty = sum(not self.heard[index].reference for index in self.kept)
        if empty:
            yield f"{empty:,} references are empty: what was heard in them counts as insertions."
        worse = (
            sum(mine.errors > theirs.errors for mine, theirs in zip(self.scores, self.other_scores))
            if self.other
            else 0
        )
        if worse:
            yield f"{worse:,} rows got worse; with a table_name they are the rows WHERE worse."


def normalizer(name: str, of_model: Callable[[str], str]) -> Callable[[str], str]:
    """What the option `normalizer` does to a text."""
    if name == "model":
        return of_model
    return Normalizer(case="lower", keep="'").normalize if name == "words" else str


def check_confusions_table(environment: Environment, table: str) -> None:
    """Refuse, before any work, a table that cannot be replaced."""
    with environment.database.snapshot(_rows_without_columns(0)) as snapshot:
        snapshot.check_target(table)


def write_confusions(environment: Environment, table: str, tally: Tally) -> None:
    """Replace a table by what was taken for what: `level` is 'word' or 'character', '' is none, the most frequent first."""
    heard = [tally.heard[index] for index in tally.kept]
    counts = {
        "word": confusions(tally.scores),
        "character": character_confusions([one.reference for one in heard], [one.hypothesis for one in heard]),
    }
    pairs = [(level, *pair, count) for level, found in counts.items() for pair, count in found.most_common()]
    columns = (
        Column("level", "text"),
        Column("reference", "text"),
        Column("hypothesis", "text"),
        Column("count", "bigint"),
    )
    with environment.database.snapshot(_rows_without_columns(len(pairs))) as snapshot:
        target = snapshot.check_target(table)
        snapshot.write(columns, ((row, *pair) for row, pair in enumerate(pairs, start=1)))
        snapshot.replace(target)


def _rows_without_columns(count: int) -> SQL:
    return SQL((Text(f"SELECT FROM generate_series(1, {count})"),))


def all_trained(name: str) -> ThanoSQLDataError:
    """The error for exclude_trained where nothing else is there."""
    return ThanoSQLDataError(
        f"The model {name} was trained on every row of the query.",
        hint="Evaluate on rows that it has not seen, or leave exclude_trained out.",
    )


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
