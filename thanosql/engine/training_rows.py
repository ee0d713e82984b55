"""What BUILD or FIT is about in; its rows, looked through to the last sample, out: those to learn from, and what is wrong.

Headers and texts come first, then the audio is decoded once: what is damaged shows before the first step, not in the
middle of an epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from thanosql.engine.held_out import Rows, open_held_out
from thanosql.engine.inspection import Inspection
from thanosql.engine.planner import Environment
from thanosql.engine.preflight import access_of, describe, inspect
from thanosql.engine.texts import references
from thanosql.errors import ThanoSQLDataError
from thanosql.models.options import TrainOptions

if TYPE_CHECKING:
    from thanosql.engine.subject import Subject
    from thanosql.models.families.wav2vec2.model_facts import Facts

UNUSABLE = ("no audio", "unreadable audio", "no text", "unknown characters")
UNFIT = ("empty text", "text too long")
HINT = "CHECK in front of the statement lists every row; on_error='skip' leaves such rows out."


@dataclass(frozen=True)
class TrainingRows:
    """`learned` are the rows to learn from, `skipped` those left out (`row`, `text`, `reason`); `valid` those of valid_query.

    `findings` counts what CHECK says of the others.
    """

    learned: Rows
    valid: Rows | None
    skipped: tuple[dict[str, Any], ...]
    findings: Counter[str]


def training_rows(about: Subject, environment: Environment) -> TrainingRows:
    """Raises ThanoSQLDataError, before anything is trained, for rows that on_error does not leave out."""
    from thanosql.models import registry

    how = about.how
    assert isinstance(how, TrainOptions)
    assert about.text is not None
    strict = how.on_error != "skip"
    family = registry.family(about.model.family)
    # Every epoch reads it again.
    access = access_of(about.options, environment, read_again=True)
    rows = inspect(about.snapshot, about.audio, environment, access)
    if strict:
        rows.refuse(about.audio.name)
    texts = references(about.snapshot, about.text, required=strict)
    held_out = None
    if about.options.valid_query is not None:
        held_out = open_held_out(about.options.valid_query, about.audio.name, about.text.name, environment, access)
    # Characters of the rows to validate on belong to the vocabulary that is made as well.
    spoken = [*texts, *(held_out.references if held_out is not None else ())]
    for checked in (texts if strict else [], held_out.references if held_out is not None else []):
        family.prepare(about.model.checkpoint, environment.settings, enumerate(checked, start=1), how)
    groups = _groups(about) if how.valid_group is not None else None
    known = family.spelled(about.model.checkpoint, environment.settings, spoken, how)
    if held_out is not None:
        _refuse_damaged(held_out, about, environment)
    inspection = Inspection(about, known, frozenset(), access, environment.progress, rows.seconds)
    skipped, findings = _sorted(inspection, texts, how)
    left_out = frozenset(row["row"] for row in skipped)
    learned = Rows(about.snapshot, about.audio, rows, texts, left_out, groups)
    return TrainingRows(learned, held_out, tuple(skipped), findings)


def _refuse_damaged(held_out: Rows, about: Subject, environment: Environment) -> None:
    """Decode the rows to validate on as well: damage would show at the end of the first epoch otherwise."""
    of_them = replace(about, snapshot=held_out.snapshot, audio=held_out.audio, text=None)
    durations = held_out.seconds.seconds
    inspection = Inspection(of_them, None, frozenset(), held_out.seconds.access, environment.progress, durations)
    damaged = [
        {"row": row, "path": describe(audio), "reason": problem.reason}
        for row, audio, problems in inspection.rows()
        for problem in problems
        if problem.name in UNUSABLE
    ]
    if damaged:
        raise ThanoSQLDataError(
            f"{len(damaged):,} of the {len(durations):,} rows of valid_query have audio that cannot be read.",
            rows=damaged,
        )


def known_of(about: Subject, environment: Environment) -> Facts | None:
    """The model as CHECK holds texts against it: under BUILD and FIT with the vocabulary and normalizer to be trained."""
    from thanosql.models import registry

    family = registry.family(about.model.family)
    checkpoint = about.model.checkpoint
    if not isinstance(about.how, TrainOptions):
        known: Facts | None = family.facts(checkpoint)
        if known is None:
            # A model that is only on the hub is fetched: its vocabulary is asked for here.
            family.normalizer(checkpoint, environment.settings)
            known = family.facts(checkpoint)
        return known
    assert about.text is not None
    texts = references(about.snapshot, about.text, required=False)
    spelled: Facts = family.spelled(checkpoint, environment.settings, texts, about.how)
    return spelled


def _sorted(inspection: Inspection, texts: list[str], how: TrainOptions) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The rows left out with their reasons, and a count of what is wrong with the others."""
    refused: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    findings: Counter[str] = Counter()
    barred = {"raise": (*UNUSABLE, *UNFIT), "skip_unfit": UNUSABLE, "skip": ()}[how.on_error]
    for row, audio, problems in inspection.rows():
        fatal = next((problem for problem in problems if problem.name in (*UNUSABLE, *UNFIT)), None)
        if fatal is None:
            findings.update(problem.name for problem in problems)
        elif fatal.name in barred:
            refused.append({"row": row, "path": describe(audio), "reason": f"{fatal.name}: {fatal.reason}"})
        else:
            skipped.append({"row": row, "text": texts[row - 1], "reason": f"{fatal.name}: {fatal.reason}"})
    if refused:
        raise ThanoSQLDataError(
            f"{len(refused):,} of {len(texts):,} rows cannot be learned from.", rows=refused, hint=HINT
        )
    if len(skipped) == len(texts):
        raise ThanoSQLDataError(f"None of the {len(texts):,} rows can be learned from.", rows=skipped)
    return skipped, findings


def _groups(about: Subject) -> list[str]:
    how = about.how
    assert isinstance(how, TrainOptions)
    assert how.valid_group is not None
    column = about.snapshot.column(how.valid_group, option="valid_group")
    values = [value for _, value in about.snapshot.stream(column)]
    unknown = [
        {"row": row, "reason": f"'{column.name}' is NULL"} for row, value in enumerate(values, 1) if value is None
    ]
    if unknown:
        raise ThanoSQLDataError(
            f"{len(unknown):,} of {len(values):,} rows have no group in '{column.name}'.",
            rows=unknown,
            hint=f"Leave them out, or give each a group of its own: coalesce({column.name}, …).",
        )
    if len(set(values)) < 2:
        raise ThanoSQLDataError(
            f"All rows have the same '{column.name}', {values[0]}: no group can be held out.",
            hint="valid_split without valid_group holds out single rows.",
        )
    return [str(value) for value in values]


def remarks(rows: TrainingRows) -> Iterator[str]:
    """What the user should know of the rows that were learned from."""
    said = ", ".join(f"{count:,} {name}" for name, count in rows.findings.most_common())
    if said:
        yield f"CHECK has more to say of the rows: {said}."
