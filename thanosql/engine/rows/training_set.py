"""A bound BUILD or FIT in; its rows, looked through to the last sample, out: those to learn from, and what is wrong.

Headers and texts come first, then the audio is decoded once: what is damaged shows before the first step, not in the
middle of an epoch. The snapshots are closed when this is done: training needs no connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from thanosql.counting import part_of
from thanosql.engine.language.syntax import SQL, Text
from thanosql.engine.planner import Environment
from thanosql.engine.postgres.audio_columns import AudioColumns
from thanosql.engine.rows.audio_probe import access_of, probe_rows, refuse_empty
from thanosql.engine.rows.query import open_snapshot
from thanosql.engine.rows.references import references
from thanosql.engine.rows.unspoken import UNKNOWN
from thanosql.engine.rows.validation import InspectedRows, findings
from thanosql.errors import ThanoSQLDataError
from thanosql.models.audio.parts import described
from thanosql.models.options import TrainOptions
from thanosql.models.results import TrainingUtterance
from thanosql.models.tasks import TrainTask
from thanosql.models.transcript_tags import tags

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot
    from thanosql.engine.rows.bound_statement import BoundStatement
    from thanosql.models.audio import Audio
    from thanosql.models.audio.access import AudioAccess

UNUSABLE = ("no audio", "unreadable audio", "no text", "unknown characters", UNKNOWN)
UNFIT = ("empty text", "text too long")
LOOKED_AT = 16  # rows whose audio must be where the training is
HINT = "CHECK in front of the statement lists every row; on_error='skip' leaves such rows out."


@dataclass(frozen=True)
class TrainingSet:
    """What there is to learn from, in memory or in files that the rows name: no connection is needed any more.

    `rows` is how many the query gave, `skipped` those left out (`row`, `text`, `reason`); `validation` are those of
    valid_query. `problems` counts what CHECK says of the others.
    """

    rows: int
    utterances: tuple[TrainingUtterance, ...]
    validation: tuple[TrainingUtterance, ...]
    access: AudioAccess
    skipped: tuple[dict[str, Any], ...]
    problems: Counter[str]
    tagged: int = 0  # rows with tags of annotators

    def remarks(self) -> Iterator[str]:
        """What the user should know of the rows that are trained on."""
        said = ", ".join(f"{count:,} {name}" for name, count in self.problems.most_common())
        if said:
            yield f"CHECK finds more in the rows: {said}."


def read_training_set(about: BoundStatement, environment: Environment) -> TrainingSet:
    """Raises ThanoSQLDataError, before anything is trained, for rows that on_error does not leave out."""
    with open_snapshot(about.query, environment) as snapshot:
        refuse_empty(snapshot)
        refuse_training(about, environment, tuple(islice(about.audio.stream(snapshot), LOOKED_AT)))
        return _read(about, snapshot, environment)


def refuse_training(about: BoundStatement, environment: Environment, audio: tuple[tuple[int, Audio], ...] = ()) -> None:
    """Refuse, before there is work, what the executor cannot train on: its machines may see neither the store, nor the base
    model, nor that audio."""
    how = about.how
    assert isinstance(how, TrainOptions)
    utterances = tuple(TrainingUtterance(row, value, "", 0.0) for row, value in audio)
    access = access_of(about.options, environment)
    task = TrainTask(
        model=about.model, options=how, utterances=utterances, audio=access, folder=environment.store.folder
    )
    environment.executor(about.options.executor).refuse(task)


def _read(about: BoundStatement, snapshot: Snapshot, environment: Environment) -> TrainingSet:
    from thanosql.models import registry

    how = about.how
    assert isinstance(how, TrainOptions)
    assert about.text is not None
    strict = how.on_error != "skip"
    family = registry.trainable_family_of(about.model, about.kind)
    # Every epoch reads it again.
    access = access_of(about.options, environment, read_again=True)
    texts = references(snapshot, about.text, about.tags, required=strict)
    if strict:  # before a file is opened
        family.prepare(about.model.checkpoint, enumerate(texts, start=1), how)
    probed = probe_rows(snapshot, about.audio, environment, access)
    if strict:
        probed.refuse(about.audio.name)
    tagged = sum(bool(text and tags(str(text))) for _, text in snapshot.stream(about.text))
    validation = _validation(about, access, environment) if about.options.valid_query is not None else ()
    # Characters of the rows to validate on belong to the vocabulary that is made as well.
    spoken = [*texts, *(utterance.text for utterance in validation)]
    family.prepare(about.model.checkpoint, enumerate([utterance.text for utterance in validation], start=1), how)
    groups = _groups(about, snapshot) if how.valid_group is not None else None
    known = family.facts_for_training(about.model.checkpoint, spoken, how)
    executor = environment.executor(about.options.executor)
    inspected = InspectedRows(about.kind, snapshot, about.audio, about.text, access, executor, about.tags)
    found = findings(inspected, known, None, environment, probed.seconds)
    skipped, problems = _sorted(found, texts, how)
    left_out = {row["row"] for row in skipped}
    utterances = tuple(
        TrainingUtterance(
            row, audio, texts[row - 1], probed.seconds[row - 1], groups[row - 1] if groups is not None else ""
        )
        for row, audio in about.audio.stream(snapshot)
        if row not in left_out
    )
    return TrainingSet(snapshot.rows, utterances, validation, access, tuple(skipped), problems, tagged)


def _validation(about: BoundStatement, access: AudioAccess, environment: Environment) -> tuple[TrainingUtterance, ...]:
    """The rows of a valid_query, checked as those of any query are, and decoded: damage would show at the end of the first
    epoch otherwise."""
    assert about.text is not None
    with environment.database.snapshot(SQL((Text(about.options.valid_query),))) as snapshot:
        refuse_empty(snapshot)
        audio = AudioColumns.find(snapshot.columns, about.options, " of valid_query")
        text = snapshot.column(about.text.name, option="text_col of valid_query")
        probed = probe_rows(snapshot, audio, environment, access)
        probed.refuse(audio.name)
        texts = references(snapshot, text, about.tags)
        executor = environment.executor(about.options.executor)
        inspected = InspectedRows(about.kind, snapshot, audio, None, access, executor)
        damaged = [
            {"row": row, "path": described(value), "reason": problem.reason}
            for row, value, problems in findings(inspected, None, None, environment, probed.seconds)
            for problem in problems
            if problem.name in UNUSABLE
        ]
        if damaged:
            raise ThanoSQLDataError(
                f"In valid_query, {part_of(len(damaged), snapshot.rows, 'row', ('has', 'have'))} audio that cannot be read.",
                rows=damaged,
            )
        return tuple(
            TrainingUtterance(row, value, texts[row - 1], probed.seconds[row - 1])
            for row, value in audio.stream(snapshot)
        )


def _sorted(
    found: Iterator[tuple[int, Any, list[Any]]], texts: list[str], how: TrainOptions
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The rows left out with their reasons, and a count of what is wrong with the others."""
    refused: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    counted: Counter[str] = Counter()
    barred = {"raise": (*UNUSABLE, *UNFIT), "skip_unfit": UNUSABLE, "skip": ()}[how.on_error]
    for row, audio, problems in found:
        fatal = next((problem for problem in problems if problem.name in (*UNUSABLE, *UNFIT)), None)
        if fatal is None:
            counted.update(problem.name for problem in problems)
        elif fatal.name in barred:
            refused.append({"row": row, "path": described(audio), "reason": f"{fatal.name}: {fatal.reason}"})
        else:
            skipped.append({"row": row, "text": texts[row - 1], "reason": f"{fatal.name}: {fatal.reason}"})
    if refused:
        raise ThanoSQLDataError(
            f"{len(refused):,} of {len(texts):,} rows cannot be trained on.", rows=refused, hint=HINT
        )
    if len(skipped) == len(texts):
        raise ThanoSQLDataError(f"None of the {len(texts):,} rows can be trained on.", rows=skipped)
    return skipped, counted


def _groups(about: BoundStatement, snapshot: Snapshot) -> list[str]:
    how = about.how
    assert isinstance(how, TrainOptions)
    assert how.valid_group is not None
    column: Column = snapshot.column(how.valid_group, option="valid_group")
    values = [value for _, value in snapshot.stream(column)]
    unknown = [
        {"row": row, "reason": f"'{column.name}' is NULL"} for row, value in enumerate(values, 1) if value is None
    ]
    if unknown:
        raise ThanoSQLDataError(
            f"{part_of(len(unknown), len(values), 'row', ('has', 'have'))} no group in '{column.name}'.",
            rows=unknown,
            hint=f"Leave these rows out, or give each a group of its own: coalesce({column.name}, …).",
        )
    if len(set(values)) < 2:
        raise ThanoSQLDataError(
            f"All rows have the same '{column.name}', {values[0]}: no group can be set aside for validation.",
            hint="valid_split without valid_group sets single rows aside.",
        )
    return [str(value) for value in values]
