"""CHECK: a statement in, a row for every row that would fail or hurt out; the audio is decoded, nothing else is done.

CHECK FIT MODEL my_model USING my_model OPTIONS (overwrite=True) AS SELECT * FROM new_calls
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.inspection import Inspection
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement
from thanosql.engine.lineage import trained_rows
from thanosql.engine.planner import Environment, Plan, plan
from thanosql.engine.preflight import access_of, describe
from thanosql.engine.subject import Subject, subject
from thanosql.engine.training_rows import known_of

COLUMNS = ["row", "path", "problem", "reason"]


@dataclass(frozen=True, slots=True)
class Check(Statement):
    syntax = StatementSyntax(
        "CHECK statement",
        columns=lambda: COLUMNS,
        view="whole",
        gives="A row for every row that would fail or hurt: audio that is missing, unreadable, silent, too short or too "
        "long; text that is missing, empty, outside the vocabulary or too long for its audio; duplicates; rows the model "
        "was trained on. An empty table means that nothing was found.",
    )

    statement: Statement


@dataclass(frozen=True)
class CheckPlan(Plan):
    subject: Subject


@plan.register
def plan_check(statement: Check, environment: Environment) -> CheckPlan:
    return CheckPlan(subject(statement.statement, environment))


@run.register
def run_check(plan: CheckPlan, environment: Environment) -> Result:
    import pandas as pd

    rows = list(_rows(plan.subject, environment))
    frame = pd.DataFrame(rows, columns=COLUMNS).astype(
        {"row": "int64", "path": "str", "problem": "str", "reason": "str"}
    )
    counts = Counter(problem for _, _, problem, _ in rows)
    said = ", ".join(f"{count:,} {problem}" for problem, count in counts.most_common()) or "no problem found"
    return Result(
        status=f"CHECK {len(rows)}",
        rows=frame,
        note=f"{plan.subject.snapshot.rows:,} rows checked: {said}",
    )


def _rows(about: Subject, environment: Environment) -> Iterator[tuple[int, str, str, str]]:
    known = known_of(about, environment) if about.text is not None else None
    # What a model learned from may be aligned with it: nothing is measured.
    trained = trained_rows(about.model) if about.kind != "ALIGN" and about.text is not None else frozenset[str]()
    inspection = Inspection(about, known, trained, access_of(about.options, environment), environment.progress)
    for row, audio, problems in inspection.rows():
        for problem in problems:
            yield row, describe(audio), problem.name, problem.reason
