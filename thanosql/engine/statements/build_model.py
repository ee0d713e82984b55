"""BUILD MODEL: a base model and a query in, a trained model in the store and its report out.

BUILD MODEL my_model USING Wav2Vec2En OPTIONS (max_epochs=5) AS SELECT * FROM librispeech_train

Trainer(model=Wav2Vec2ForCTC.from_pretrained("facebook/wav2vec2-base-960h"), …).train()   # what it means in Python
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.held_out import judge
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Option, Query, Statement, Word
from thanosql.engine.planner import Environment, Plan, Progress, located, plan, resolve_model
from thanosql.engine.preflight import RemoteOptions
from thanosql.engine.subject import Subject, open_rows, subject
from thanosql.engine.training_rows import TrainingRows, remarks, training_rows
from thanosql.engine.transactions import refuse_open_transaction
from thanosql.errors import ThanoSQLOptionError
from thanosql.models.options import TrainOptions, TranscribeOptions, option
from thanosql.models.results import TrainingProgress, TrainingReport, TrainingUtterance

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.models.registry import Model


@dataclass(frozen=True, slots=True)
class BuildModel(Statement):
    syntax = StatementSyntax(
        "BUILD MODEL name USING base [OPTIONS (…)] AS query",
        planned=True,
        options=lambda: (BuildOptions, TrainOptions),
        columns=lambda: [entry.name for entry in fields(ModelReport)],
        view="training",
        gives="A report: an object with these fields, shown as a table of one row. The model is in the store when it "
        "comes. `loss` is the mean CTC loss of the last epoch, `folder` opens with `Wav2Vec2ForCTC.from_pretrained`.",
    )

    name: Word
    base: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class BuildOptions(RemoteOptions):
    audio_col: str = option("audio_path", "the column with the audio: a path, or the file's bytes", kind="column")
    text_col: str = option("text", "the column with the transcript to learn", kind="column")
    overwrite: bool = option(False, "replace a model of that name; the old one stays until the new one is complete")
    valid_query: str | None = option(
        None, "a query for rows to validate on, in a string; the epoch with the best WER on them is kept"
    )

    @property
    def replaces(self) -> bool:
        """Whether a model of the name may be there already."""
        return self.overwrite


@dataclass(frozen=True)
class TrainPlan(Plan):
    """What BUILD and FIT run: `statement` is 'BUILD MODEL' or 'FIT MODEL', `rival` the model that a new version must beat."""

    statement: str
    name: str
    model: Model
    options: BuildOptions
    train: TrainOptions
    rows: TrainingRows
    rival: Model | None = None


@dataclass(frozen=True, kw_only=True)
class ModelReport:
    """What BUILD and FIT did, a field a column: `loss` is the last epoch's mean CTC loss, `folder` opens in transformers."""

    model: str
    version: int
    base: str
    utterances: int
    skipped: int
    hours: float
    steps: int
    epochs: int
    loss: float
    seconds: float
    folder: str

    def frame(self) -> pd.DataFrame:
        """The report as a table of one row."""
        import pandas as pd

        return pd.DataFrame([asdict(self)])

    def _repr_html_(self) -> str:
        return str(self.frame().to_html(index=False, escape=True))


@subject.register
def subject_of_build(statement: BuildModel, environment: Environment) -> Subject:
    return subject_of_training("BUILD", statement.name, statement.base, statement.options, statement.query, environment)


@plan.register
def plan_build(statement: BuildModel, environment: Environment) -> TrainPlan:
    return plan_training(subject_of_build(statement, environment), statement.name.text, environment)


def subject_of_training(
    kind: str,
    name: Word,
    reference: ModelReference,
    given: tuple[Option, ...],
    query: Query,
    environment: Environment,
    declared: type[BuildOptions] = BuildOptions,
) -> Subject:
    """What BUILD and FIT are about: names and options are checked before the query is run."""
    from thanosql.models import registry

    model = resolve_model(reference, environment)
    options, train = environment.bind(kind, given, declared, TrainOptions, defaults=registry.train_defaults(model))
    _refuse_contradictions(options, train)
    with located(environment, name.start, len(name.text)):
        registry.check_new_name(name.text, environment.store, overwrite=options.replaces)
    refuse_open_transaction(environment, f"{kind} MODEL")
    snapshot, audio = open_rows(query, options.audio_col, environment)
    text = snapshot.column(options.text_col, option="text_col")
    there = environment.store.exists(name.text)
    writes = f"model {name.text} ({'replaced' if there else 'made'})"
    return Subject(kind, model, options, train, snapshot, audio, text, None, writes)


def _refuse_contradictions(options: BuildOptions, train: TrainOptions) -> None:
    if options.valid_query is not None and train.valid_split:
        raise ThanoSQLOptionError(
            "valid_query and valid_split both say which rows are held out.", hint="Keep one of them."
        )
    if train.early_stopping and options.valid_query is None and not train.valid_split:
        raise ThanoSQLOptionError(
            "early_stopping needs rows to validate on.", hint="Hold some out: valid_split=0.1, for one."
        )


def plan_training(about: Subject, name: str, environment: Environment) -> TrainPlan:
    """Look through the rows, audio and texts; nothing is trained."""
    assert isinstance(about.how, TrainOptions)
    rows = training_rows(about, environment)
    return TrainPlan(f"{about.kind} MODEL", name, about.model, about.options, about.how, rows)


@run.register
def run_training(plan: TrainPlan, environment: Environment) -> Result:
    from thanosql.engine.lineage import row_fingerprints, trained_rows, training_card, write_trained_rows
    from thanosql.models import registry

    def progress(step: TrainingProgress) -> None:
        environment.progress(
            Progress(
                what=f"training {plan.name}, epoch {step.epoch} of {step.epochs}",
                done=step.step,
                total=step.steps,
                unit="steps",
                detail=f"loss {step.loss:.3f}",
            )
        )

    # What an interrupted run goes on from; the draft itself goes with the run.
    state = environment.store.training_state(plan.name)
    learned, valid = plan.rows.learned, plan.rows.valid
    utterances = learned.utterances()
    held_out = valid.utterances() if valid is not None else []
    with (
        environment.store.writing(plan.name, overwrite=plan.options.replaces) as draft,
        _said_how_to_go_on(plan, state),
    ):
        report = registry.family(plan.model.family).train(
            plan.model.checkpoint,
            environment.settings,
            utterances,
            plan.train,
            draft.folder,
            progress,
            read=learned.seconds.access.read,
            valid=held_out,
            state=state,
        )
        skipped = sorted((*plan.rows.skipped, *report.skipped), key=lambda row: row["row"])
        report = replace(report, skipped=tuple(skipped), warnings=(*_leaks(utterances, held_out), *report.warnings))
        rows = row_fingerprints((utterance.audio, utterance.text) for utterance in utterances)
        numbers = frozenset(report.learned)
        known = (row for row, utterance in zip(rows, utterances, strict=True) if utterance.row in numbers)
        # What the model it starts from has learned is known to this one as well.
        write_trained_rows(draft.folder, trained_rows(plan.model).union(known))
        verdict = None
        if plan.rival is not None and valid is not None:
            verdict = judge(draft.folder, plan.rival, valid, TranscribeOptions(), environment)
        better = verdict is None or verdict.better
        model = draft.commit(training_card(plan, report, rows, environment), current=better)
    shutil.rmtree(state, ignore_errors=True)
    said = [_skipped(report.skipped)] if report.skipped else []
    said.extend(remarks(plan.rows))
    if report.added:
        said.append(f"Learned as new characters: {' '.join(report.added)}")
    said.extend(report.warnings)
    if verdict is not None:
        became = "is now the current one" if better else "is kept, and not made the current one"
        said.append(f"Version {model.version} {became}: {verdict}.")
    return Result(
        status=f"{plan.statement} {plan.name}",
        report=_model_report(plan, report, model.version, str(model.folder)),
        note="\n".join(said),
    )


@contextmanager
def _said_how_to_go_on(plan: TrainPlan, state: Path) -> Iterator[None]:
    """An interrupt says what is kept, and how the statement goes on from it."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if not state.is_dir():
            raise
        raise KeyboardInterrupt(
            f"What {plan.statement} {plan.name} has learned so far is kept: the same statement with resume=True goes on."
        ) from stop


def _leaks(learned: Sequence[TrainingUtterance], held_out: Sequence[TrainingUtterance]) -> Iterator[str]:
    audio = {utterance.audio for utterance in learned}
    if both := sum(utterance.audio in audio for utterance in held_out):
        yield (
            f"{both:,} of the {len(held_out):,} rows of valid_query are learned from as well: the WER on them says too "
            "much of new audio."
        )


def _skipped(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = "; ".join(f"row {row['row']}: {row['reason']}" for row in rows[:3])
    return f"{len(rows):,} rows were left out: {shown}{' …' if len(rows) > 3 else ''}"


def _model_report(plan: TrainPlan, report: TrainingReport, version: int, folder: str) -> ModelReport:
    return ModelReport(
        model=plan.name,
        version=version,
        base=plan.model.name,
        utterances=report.utterances,
        skipped=len(report.skipped),
        hours=report.audio_hours,
        steps=report.steps,
        epochs=report.epochs,
        loss=report.loss,
        seconds=report.seconds,
        folder=folder,
    )
