"""Rows with what was said and heard in; rates, intervals, groups and comparisons out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted
from thanosql.engine.evaluation.recognized import RecognizedRow
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError
from thanosql.models.intervals import error_rate, paired_difference
from thanosql.models.metrics import UtteranceScore, score_each, total
from thanosql.models.trained_rows import IN_PART, OTHER_TEXT

if TYPE_CHECKING:
    import pandas as pd

SMALL_WORDS = 100  # a group with fewer reference words is marked: its rate says little

_BIGINT, _DOUBLE = "bigint", "double precision"
FIGURES = (
    *(Column(name, _BIGINT) for name in ("utterances",)),
    Column("hours", _DOUBLE),
    *(Column(name, _BIGINT) for name in ("words", "characters")),
    *(Column(name, _DOUBLE) for name in ("wer", "wer_low", "wer_high", "cer")),
    *(Column(name, _BIGINT) for name in ("substitutions", "deletions", "insertions", "hits", "empty_hypotheses")),
    *(Column(name, _DOUBLE) for name in ("seconds", "rtfx")),
)
SMALL = Column("small", "boolean")
COMPARISON = (
    *(Column(name, "text") for name in ("model", "against")),
    *(Column(name, _BIGINT) for name in ("utterances", "words")),
    *(
        Column(name, _DOUBLE)
        for name in ("wer", "wer_against", "difference", "difference_low", "difference_high", "p_value")
    ),
    *(Column(name, _BIGINT) for name in ("won", "lost", "tied")),
)


def refuse_groups(groups: Sequence[Column], *, compared: bool) -> None:
    """Raise ThanoSQLOptionError for groups of a comparison, ThanoSQLDataError for a group column with a figure's name."""
    if groups and compared:
        raise ThanoSQLOptionError(
            "A comparison of two models has one row, and no groups: it takes either against or group_by.",
            hint="Leave group_by out, or give the query a WHERE for each group.",
        )
    for column in groups:
        if column.name in {figure.name for figure in (*FIGURES, SMALL)}:
            raise ThanoSQLDataError(
                f"The result has a column '{column.name}' of its own, so the rows cannot be grouped by one of that name.",
                hint=f"Give it another name in the query: {quoted(column.name)} AS another_name.",
                option=("group_by", column.name),
            )


@dataclass(frozen=True)
class EvaluationRows:
    """What the figures need of each row beside what was heard: `seconds` of audio, whether and how the model was `trained` on
    it (TRAINED_ON, OTHER_TEXT or nothing),
    its values of `clusters` and `groups` (of the columns `group_by`)."""

    seconds: Sequence[float]
    trained: Sequence[str]
    clusters: Sequence[object] | None = None
    groups: Sequence[tuple[object, ...]] | None = None
    group_by: tuple[str, ...] = ()


@dataclass
class Evaluation:
    """The figures of one evaluation over the rows `counted` (indices from 0); `wall_seconds` is what recognizing took.

    `other` is what another model heard in the same rows.
    """

    model: str
    rows: EvaluationRows
    recognized: list[RecognizedRow]
    counted: list[int]
    wall_seconds: float
    seed: int
    against: str | None = None
    other: list[RecognizedRow] | None = None
    scores: list[UtteranceScore] = field(init=False)

    def __post_init__(self) -> None:
        self.scores = _scored(self.recognized, self.counted)

    @property
    def audio_seconds(self) -> float:
        return math.fsum(self.rows.seconds[index] for index in self.counted)

    @cached_property
    def other_scores(self) -> list[UtteranceScore]:
        assert self.other is not None
        return _scored(self.other, self.counted)

    def figures(self) -> pd.DataFrame:
        """One row; with group_by a row a group, in their order, and the total last, its group columns NULL."""
        import pandas as pd

        if self.rows.groups is None:
            return pd.DataFrame([self.total_row()])
        names = self.rows.group_by
        places: dict[tuple[object, ...], list[int]] = {}
        for place, index in enumerate(self.counted):
            places.setdefault(tuple(map(_key, self.rows.groups[index])), []).append(place)
        groups = [(self.rows.groups[self.counted[members[0]]], members) for members in places.values()]
        rows = []
        for values, members in sorted(groups, key=lambda group: [*map(_order, group[0])]):
            row = self._row(members)
            rows.append({**dict(zip(names, values)), **row, "small": row["words"] < SMALL_WORDS})
        rows.append({**dict.fromkeys(names), **self.total_row(), "small": False})
        return pd.DataFrame(rows)

    def total_row(self) -> dict[str, Any]:
        """The figures of all rows together, by name."""
        return self._row(range(len(self.counted)))

    def _row(self, places: Sequence[int]) -> dict[str, Any]:
        scores = [self.scores[place] for place in places]
        sums = total(scores)
        bounds = error_rate(
            [score.errors for score in scores],
            [score.words for score in scores],
            self._clusters(places),
            seed=self.seed,
        )
        audio = math.fsum(self.rows.seconds[self.counted[place]] for place in places)
        # A group's share of the time is by its audio: rows of all groups run through the model together.
        seconds = self.wall_seconds * audio / self.audio_seconds if self.audio_seconds else 0.0
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
            "empty_hypotheses": sum(not self.recognized[self.counted[place]].hypothesis for place in places),
            "seconds": seconds,
            "rtfx": audio / seconds if seconds else math.nan,
        }

    def _clusters(self, places: Sequence[int]) -> list[str] | None:
        if self.rows.clusters is None:
            return None
        return [str(self.rows.clusters[self.counted[place]]) for place in places]

    def comparison(self) -> pd.DataFrame:
        """One row: both rates, their difference (this model's less the other's), its interval and p-value, rows won."""
        import pandas as pd

        sums, others = total(self.scores), total(self.other_scores)
        errors = [score.errors for score in self.scores]
        other_errors = [score.errors for score in self.other_scores]
        found = paired_difference(
            errors,
            other_errors,
            [score.words for score in self.scores],
            self._clusters(range(len(self.counted))),
            seed=self.seed,
        )
        outcomes = Counter(_sign(mine - theirs) for mine, theirs in zip(errors, other_errors))
        return pd.DataFrame(
            [
                {
                    "model": self.model,
                    "against": self.against,
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

    def remarks(self, *, trained_left_out: bool) -> Iterator[str]:
        """What a reader should know beside the figures."""
        learned = sum(map(bool, self.rows.trained))
        if learned and trained_left_out:
            yield f"{counted(learned, 'row')} that {self.model} was trained on {'is' if learned == 1 else 'are'} left out."
        elif learned:
            kinds = Counter(self.rows.trained)
            of_them = ((kinds[OTHER_TEXT], "with another text"), (kinds[IN_PART], "in part"))
            said = ", ".join(f"{count:,} of them {how}" for count, how in of_them if count)
            yield (
                f"{self.model} was trained on {learned:,} of the {counted(len(self.rows.trained), 'row')}"
                f"{f' ({said})' if said else ''}: on new "
                "audio its figures will be worse. exclude_trained=True leaves them out."
            )
        empty = sum(not self.recognized[index].reference for index in self.counted)
        if empty:
            yield f"{counted(empty, 'reference', ('is', 'are'))} empty: every word recognized in them counts as an insertion."
        worse = (
            sum(mine.errors > theirs.errors for mine, theirs in zip(self.scores, self.other_scores))
            if self.other
            else 0
        )
        if worse:
            yield f"{counted(worse, 'row')} got worse; with table_name, find them with WHERE worse."


def _scored(rows: Sequence[RecognizedRow], counted: Sequence[int]) -> list[UtteranceScore]:
    return score_each([rows[index].reference for index in counted], [rows[index].hypothesis for index in counted])


def _key(value: object) -> object:
    """What is equal for values that PostgreSQL groups together: NaN is one group, and an array or JSON has a key too.

    >>> _key([1, {"a": float("nan")}]) == _key([1, {"a": float("nan")}]), _key([1]) == _key([True])
    (True, False)
    """
    if isinstance(value, list):
        return ("list", *map(_key, value))
    if isinstance(value, dict):
        return frozenset((name, _key(item)) for name, item in value.items())
    if isinstance(value, bool) or value != value:
        return (type(value), str(value))
    return value


def _order(value: object) -> tuple[int, Any]:
    """Where a group stands: numbers by size, NaN after them, anything else as text, NULL last.

    >>> sorted([None, 10, float("nan"), 9, "a"], key=_order)
    [9, 10, nan, 'a', None]
    """
    if value is None:
        return 3, ""
    if isinstance(value, int | float | Decimal):
        return (0, value) if value == value else (1, "")
    return 2, str(value)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
