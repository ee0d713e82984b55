"""CHECK: a statement in, a row for every row that would fail or hurt out; the audio is decoded, nothing else is done.

CHECK FIT MODEL my_model USING my_model OPTIONS (overwrite=True) AS SELECT * FROM new_calls
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.counting import counted
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement
from thanosql.engine.planner import Environment, Plan, plan
from thanosql.engine.rows.audio_probe import access_of
from thanosql.engine.rows.bound_statement import BoundStatement, bind_statement
from thanosql.engine.rows.references import references
from thanosql.engine.rows.spoken_language import language_notes
from thanosql.models.audio.parts import described
from thanosql.models.options import TrainOptions
from thanosql.models.trained_rows import TrainedRows, trained_rows

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.base import Facts
    from thanosql.models.text import Normalizer

COLUMNS = ["row", "path", "problem", "reason"]


@dataclass(frozen=True, slots=True)
class Check(Statement):
    syntax = StatementSyntax(
        "CHECK statement",
        columns=lambda: COLUMNS,
        view="whole",
        gives="A row for every row that would fail or would lower the quality: audio that is missing, unreadable, "
        "silent, too short or too "
        "long; text that is missing, empty, outside the vocabulary, in figures and signs or too long for its audio; "
        "duplicates; overlapping parts; rows the model was trained on. An empty table means that nothing was found.",
    )

    statement: Statement


@dataclass(frozen=True)
class CheckPlan(Plan):
    about: BoundStatement


@plan.register
def plan_check(statement: Check, environment: Environment) -> CheckPlan:
    return CheckPlan(bind_statement(statement.statement, environment))


@run.register
def run_check(plan: CheckPlan, environment: Environment) -> Result:
    import pandas as pd

    notes: list[str] = []
    totals: list[str] = []
    statements = _checkable(plan.about, environment, notes)
    rows = [row for about in statements for row in _rows(about, environment, notes, totals)]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype(
        {"row": "int64", "path": "str", "problem": "str", "reason": "str"}
    )
    counts = Counter(problem for _, _, problem, _ in rows)
    said = ", ".join(f"{count:,} {problem}" for problem, count in counts.most_common()) or "no problem found"
    notes = [*language_notes(plan.about.model, plan.about.how), *notes]
    return Result(status=f"CHECK {len(rows)}", table=frame, note="; ".join([f"{'; '.join(notes)}: {said}", *totals]))


def _checkable(about: BoundStatement, environment: Environment, notes: list[str]) -> Iterator[BoundStatement]:
    """The statements whose rows can be looked at now: of one whose query holds others, those others. Nothing is recognized."""
    if not about.query.recognizes:
        yield about
        return
    notes.append(f"the rows of {about.kind} are known once the statement inside its query has run")
    for inner in about.query.plans:
        if inner.recognizes and (within := getattr(inner, "about", None)) is not None:
            yield from _checkable(within, environment, notes)


def _rows(
    about: BoundStatement, environment: Environment, notes: list[str], totals: list[str]
) -> Iterator[tuple[int, str, str, str]]:
    from thanosql.engine.prediction.stale_rows import rows_to_do
    from thanosql.engine.rows.validation import InspectedRows, findings

    snapshot, stale = rows_to_do(about, environment)
    notes.append(f"{counted(snapshot.rows, 'row')} {'' if not notes else f'of {about.kind} '}checked")
    known = _known(about, snapshot) if about.text is not None else None
    # What a model learned from may be aligned with it: nothing is measured.
    measured = about.kind != "ALIGN" and about.text is not None
    access, executor = access_of(about.options, environment), environment.executor(about.options.executor)
    trained = TrainedRows(trained_rows(about.model) if measured else frozenset(), access)
    normalizer = _normalizer(about, known)
    inspected = InspectedRows(about.kind, snapshot, about.audio, about.text, access, executor, about.tags, normalizer)
    for row, audio, problems in findings(inspected, known, trained, environment):
        for problem in problems:
            yield row if stale is None else stale.numbers[row - 1], described(audio), problem.name, problem.reason
    if said := str(inspected.total):
        totals.append(said)


def _normalizer(about: BoundStatement, known: Facts | None) -> Normalizer | None:
    """What EVALUATE normalizes references by, before the model is asked how it would spell them."""
    if known is None or known.normalizer is None or about.kind != "EVALUATE":
        return None
    from thanosql.engine.evaluation.recognized import spoken_in

    return spoken_in(known.normalizer, about.options.normalizer)


def _known(about: BoundStatement, snapshot: Snapshot) -> Facts | None:
    """The model that texts are held against: under BUILD and FIT with the vocabulary and normalizer to be trained."""
    from thanosql.models import registry

    if not isinstance(about.how, TrainOptions):
        known = registry.facts(about.model)
        if known is None:
            # A model that is only on the hub is fetched: its vocabulary is asked for here.
            registry.normalizer(about.model)
            known = registry.facts(about.model)
        return known
    assert about.text is not None
    texts = references(snapshot, about.text, about.tags, required=False)
    with registry.reading(about.model):
        family = registry.trainable_family_of(about.model, about.kind)
        return family.facts_for_training(about.model.checkpoint, texts, about.how)
