"""BUILD MODEL: a base model and a query in, a trained model in the store and its report out.

BUILD MODEL my_model USING Wav2Vec2En OPTIONS (max_epochs=5) AS SELECT * FROM librispeech_train

Trainer(model=Wav2Vec2ForCTC.from_pretrained("facebook/wav2vec2-base-960h"), …).train()   # what it means in Python
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.held_out import Rows, judge, open_held_out
from thanosql.engine.options import bind
from thanosql.engine.planner import Environment, Plan, Progress, located, plan, resolve_model
from thanosql.engine.preflight import RemoteOptions, access_of, inspect
from thanosql.engine.subject import Subject, open_rows, subject
from thanosql.engine.syntax import ModelReference, Option, Query, Statement, Word
from thanosql.engine.texts import references
from thanosql.engine.transactions import refuse_open_transaction
from thanosql.models.base import TrainingProgress, TrainingReport, TrainOptions, TranscribeOptions, option

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.models.registry import Model


@dataclass(frozen=True, slots=True)
class BuildModel(Statement):
    """BUILD MODEL name USING base [OPTIONS (…)] AS query"""

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
    rows: Rows
    valid: Rows | None = None
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
    options, train = bind(
        given,
        declared,
        TrainOptions,
        source=environment.source,
        statement=kind,
        params=environment.params,
        defaults=registry.train_defaults(model),
    )
    with located(environment, name.start, len(name.text)):
        registry.check_new_name(name.text, environment.store, overwrite=options.replaces)
    refuse_open_transaction(environment, f"{kind} MODEL")
    snapshot, audio = open_rows(query, options.audio_col, environment)
    text = snapshot.column(options.text_col, option="text_col")
    there = environment.store.exists(name.text)
    writes = f"model {name.text} ({'replaced' if there else 'made'})"
    return Subject(kind, model, options, train, snapshot, audio, text, None, writes)


def plan_training(about: Subject, name: str, environment: Environment) -> TrainPlan:
    """Check the audio's headers and the texts against the vocabulary; nothing is trained."""
    from thanosql.models import registry

    assert isinstance(about.how, TrainOptions)
    assert about.text is not None
    # Every epoch reads it again.
    access = access_of(about.options, environment, read_again=True)
    rows = inspect(about.snapshot, about.audio, environment, access)
    rows.refuse(about.audio.name)
    texts = references(about.snapshot, about.text)
    held_out = None
    if about.options.valid_query is not None:
        held_out = open_held_out(about.options.valid_query, about.audio.name, about.text.name, environment, access)
    for spoken in (texts, held_out.references if held_out is not None else []):
        registry.family(about.model.family).prepare(
            about.model.checkpoint, environment.settings, enumerate(spoken, start=1)
        )
    learned = Rows(about.snapshot, about.audio, rows, texts)
    return TrainPlan(f"{about.kind} MODEL", name, about.model, about.options, about.how, learned, held_out)


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
    state = environment.store.folder / ".training" / plan.name
    with environment.store.writing(plan.name, overwrite=plan.options.replaces) as draft:
        report = registry.family(plan.model.family).train(
            plan.model.checkpoint,
            environment.settings,
            plan.rows.utterances(),
            plan.train,
            draft.folder,
            progress,
            read=plan.rows.seconds.access.read,
            valid=plan.valid.utterances() if plan.valid is not None else (),
            state=state,
        )
        rows = row_fingerprints(zip((audio for _, audio in plan.rows.stream()), plan.rows.references))
        # What the model it starts from has learned is known to this one as well.
        write_trained_rows(draft.folder, trained_rows(plan.model).union(rows))
        verdict = None
        if plan.rival is not None and plan.valid is not None:
            verdict = judge(draft.folder, plan.rival, plan.valid, TranscribeOptions(), environment)
        better = verdict is None or verdict.better
        model = draft.commit(training_card(plan, report, rows, environment), current=better)
    shutil.rmtree(state, ignore_errors=True)
    remarks = [_skipped(report.skipped)] if report.skipped else []
    remarks.extend(report.warnings)
    if verdict is not None:
        became = "is now the current one" if better else "is kept, and not made the current one"
        remarks.append(f"Version {model.version} {became}: {verdict}.")
    return Result(
        status=f"{plan.statement} {plan.name}",
        report=_model_report(plan, report, model.version, str(model.folder)),
        note="\n".join(remarks),
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
