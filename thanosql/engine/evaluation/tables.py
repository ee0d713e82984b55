"""An evaluation in; a row an utterance, and a row a confusion, for tables, out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from thanosql.engine.evaluation.figures import Evaluation
from thanosql.engine.language.syntax import SQL, Text
from thanosql.engine.lifecycle.interruption import Left
from thanosql.engine.postgres.naming import Column
from thanosql.models.metrics import character_confusions, confusions

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Database, Replacement, Snapshot

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
CONFUSIONS = (
    Column("level", "text"),
    Column("reference", "text"),
    Column("hypothesis", "text"),
    Column("count", "bigint"),
)


def write(
    snapshot: Snapshot | None,
    table: str | None,
    confusions_table: str | None,
    evaluation: Evaluation,
    database: Database,
) -> Left:
    """Put a row an utterance in the place of `table` and a row a confusion in that of `confusions_table`: both or neither,
    in one transaction; what is left behind then. `snapshot` has the query's rows; `table` needs it."""
    changes = []
    with ExitStack() as resources:
        if table is not None:
            assert snapshot is not None
            snapshot.write(COLUMNS if evaluation.other is None else COMPARED_COLUMNS, utterance_rows(evaluation))
            changes.append(snapshot.replacing(snapshot.check_target(table)))
        if confusions_table is not None:
            changes.append(confusions_replacement(database, confusions_table, evaluation, resources))
        if changes:
            database.replace(*changes)
    return Left.SAVED if changes else Left.UNCHANGED


def utterance_rows(evaluation: Evaluation) -> Iterator[tuple[Any, ...]]:
    """A row an utterance, in COLUMNS' order after the row's number (COMPARED_COLUMNS' with another model)."""
    for place, index in enumerate(evaluation.counted):
        row, score = evaluation.recognized[index], evaluation.scores[place]
        values = (
            index + 1,
            row.reference,
            row.hypothesis,
            score.wer,
            score.cer,
            score.words,
            score.substitutions,
            score.deletions,
            score.insertions,
            score.hits,
            row.assessment.transcript.confidence,
            row.assessment.reference_loss,
            row.suspicion,
            json.dumps([[edit.kind, edit.reference, edit.hypothesis] for edit in score.edits], ensure_ascii=False),
        )
        if evaluation.other is None:
            yield values
        else:
            theirs = evaluation.other_scores[place]
            yield (*values, evaluation.other[index].hypothesis, theirs.wer, score.errors > theirs.errors)


def confusion_rows(evaluation: Evaluation) -> list[tuple[str, str, str, int]]:
    """What was taken for what: `level` is 'word' or 'character', '' stands for none, the most frequent first."""
    rows = [evaluation.recognized[index] for index in evaluation.counted]
    counts = {
        "word": confusions(evaluation.scores),
        "character": character_confusions([row.reference for row in rows], [row.hypothesis for row in rows]),
    }
    return [(level, *pair, count) for level, found in counts.items() for pair, count in found.most_common()]


def confusions_replacement(database: Database, table: str, evaluation: Evaluation, resources: ExitStack) -> Replacement:
    """The confusions, to be put in a table's place; they lie on the server until `resources` close."""
    pairs = confusion_rows(evaluation)
    numbered = SQL((Text(f"SELECT FROM generate_series(1, {len(pairs)})"),))
    snapshot = resources.enter_context(database.snapshot(numbered))
    target = snapshot.check_target(table)
    snapshot.write(CONFUSIONS, ((row, *pair) for row, pair in enumerate(pairs, start=1)))
    return snapshot.replacing(target)
