"""BUILD MODEL: a base model and a query in, a trained model in the store and its report out.

BUILD MODEL my_model USING Wav2Vec2En OPTIONS (max_epochs=5) AS SELECT * FROM librispeech_train

Trainer(model=Wav2Vec2ForCTC.from_pretrained("facebook/wav2vec2-base-960h"), …).train()   # what it means in Python
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.resuming import resuming_options
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import SQL, ModelReference, Option, Query, Statement, Text, Word
from thanosql.engine.lifecycle.interruption import Left
from thanosql.engine.planner import (
    Environment,
    Plan,
    Progress,
    located,
    plan,
    refuse_open_transaction,
    resolve_model,
)
from thanosql.engine.postgres.columns import find_column
from thanosql.engine.prediction.precision_notes import precision_notes
from thanosql.engine.rows import speeds
from thanosql.engine.rows.audio_probe import TaskOptions
from thanosql.engine.rows.bound_statement import BoundStatement, bind_statement, check_where, plan_rows
from thanosql.engine.rows.references import TagOptions
from thanosql.engine.rows.spoken_language import in_language, language_notes
from thanosql.errors import ThanoSQLError, ThanoSQLOptionError
from thanosql.models.model_report import ModelReport, leaks, model_report, skipped_rows
from thanosql.models.options import TrainOptions, option
from thanosql.models.results import TrainingProgress
from thanosql.models.tasks import TrainTask
from thanosql.models.trained_rows import TrainedRows, learned_rows, row_fingerprints, trained_rows, write_trained_rows
from thanosql.models.training.resume import UnfinishedRun

if TYPE_CHECKING:
    from thanosql.engine.evaluation.model_comparison import ModelComparison
    from thanosql.engine.executors.base import Executor
    from thanosql.engine.rows.training_set import TrainingSet
    from thanosql.models.model import Model


@dataclass(frozen=True, slots=True)
class BuildModel(Statement):
    syntax = StatementSyntax(
        "BUILD MODEL name USING base [OPTIONS (…)] AS query",
        planned=True,
        options=lambda: (BuildOptions, TrainOptions),
        columns=lambda: [entry.name for entry in fields(ModelReport)],
        view="training",
        gives="A report: an object with these fields, shown as a table of one row. When it is returned, the model is "
        "in the store. `loss` is the mean CTC loss of the last epoch, `folder` opens with `Wav2Vec2ForCTC.from_pretrained` "
        "(of a model of adapters alone: with `load_adapter`, see [Hugging Face](../guides/hugging_face.md)).",
    )

    name: Word
    base: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class BuildOptions(TagOptions, TaskOptions):
    text_col: str = option("text", "the column with the transcript to learn", kind="column")
    overwrite: bool = option(
        False, "replace an existing model of that name; the old version stays in use until the new one is complete"
    )
    valid_query: str | None = option(
        None, "a query for the validation set, as a string; the model of the epoch with the best WER on it is saved"
    )

    @property
    def replaces(self) -> bool:
        """Whether a model of the name may be there already."""
        return self.overwrite


@dataclass(frozen=True)
class TrainPlan(Plan):
    """What BUILD and FIT run: `about` is the statement with its names, options and columns checked, `name` the model's,
    `rival` the version that a new one must beat to become the current one."""

    about: BoundStatement
    name: str
    rival: Model | None = None
    resuming: str = "OPTIONS (resume=True)"  # what the statement's OPTIONS are once they say that

    @property
    def statement(self) -> str:
        return f"{self.about.kind} MODEL"

    @property
    def options(self) -> BuildOptions:
        return cast("BuildOptions", self.about.options)

    @property
    def train(self) -> TrainOptions:
        assert isinstance(self.about.how, TrainOptions)
        return self.about.how


@bind_statement.register
def bind_build(statement: BuildModel, environment: Environment) -> BoundStatement:
    return bind_training("BUILD", statement.name, statement.base, statement.options, statement.query, environment)


@plan.register
def plan_build(statement: BuildModel, environment: Environment) -> TrainPlan:
    resuming = resuming_options(statement.options, environment.source)
    return TrainPlan(bind_build(statement, environment), statement.name.text, resuming=resuming)


def bind_training(
    kind: str,
    name: Word,
    reference: ModelReference,
    given: tuple[Option, ...],
    query: Query,
    environment: Environment,
    declared: type[BuildOptions] = BuildOptions,
) -> BoundStatement:
    """What BUILD and FIT are about: names and options are checked before the query's columns."""
    from thanosql.models import registry
    from thanosql.models.model_language import takes_language

    model = resolve_model(reference, environment)
    options, train = environment.bind(kind, given, declared, TrainOptions, defaults=registry.train_defaults(model))
    model = in_language(model, train, given, environment)
    if train.train == "adapter" and not takes_language(model):
        raise ThanoSQLOptionError(
            f"train='adapter' needs a model with adapters of languages, and {model.name} has none.",
            hint="Say train='all', or leave it out.",
        )
    check_where(options, train, environment)
    _refuse_contradictions(options, train)
    with located(environment, name.start, len(name.text)):
        registry.check_new_name(name.text, environment.store, environment.settings, overwrite=options.replaces)
    refuse_open_transaction(environment, f"{kind} MODEL")
    planned, audio = plan_rows(query, options, environment)
    text = find_column(planned.columns, options.text_col, "text_col")
    if train.valid_group is not None:
        find_column(planned.columns, train.valid_group, "valid_group")
    if options.valid_query is not None:
        columns = environment.database.describe(SQL((Text(options.valid_query),)))
        for column, option_ in ((audio, "audio_col of valid_query"), (text, "text_col of valid_query")):
            find_column(columns, column.name, option_)
    there = environment.store.exists(name.text)
    writes = f"model {name.text} ({'replaced' if there else 'made'})"
    return BoundStatement(kind, model, options, train, planned, audio, text, None, writes)


def _refuse_contradictions(options: BuildOptions, train: TrainOptions) -> None:
    if options.valid_query is not None and train.valid_split:
        raise ThanoSQLOptionError(
            "valid_query and valid_split both define the validation set.", hint="Keep one of them."
        )
    if train.early_stopping and options.valid_query is None and not train.valid_split:
        raise ThanoSQLOptionError(
            "early_stopping needs a validation set.", hint="Set some rows aside, for example valid_split=0.1."
        )


@run.register
def run_training(plan: TrainPlan, environment: Environment) -> Result:
    from thanosql.engine.rows.training_set import read_training_set, refuse_training
    from thanosql.models import registry
    from thanosql.models.card import training_card

    with registry.using(plan.about.model):
        refuse_training(plan.about, environment)
        rows = read_training_set(plan.about, environment)
    # What an interrupted run goes on from; the draft itself goes with the run.
    state = environment.store.training_state(plan.name, plan.about.kind)
    executor = environment.executor(plan.options.executor)
    with (
        registry.using(plan.about.model),
        environment.store.writing(plan.name, overwrite=plan.options.replaces) as draft,
        _said_how_to_go_on(plan, state, interactive=environment.interactive),
    ):
        task = TrainTask(
            model=plan.about.model,
            options=plan.train,
            utterances=rows.utterances,
            validation=rows.validation,
            audio=rows.access,
            folder=draft.folder,
            state=state,
            resumes=environment.interactive,
            home=environment.settings.home,
        )
        with registry.reading(plan.about.model):
            known_before = trained_rows(plan.about.model)  # it may be replaced while this one learns
        report = executor.train(task, _progress(plan.name, environment), environment.cancellation)
        skipped = sorted((*rows.skipped, *report.skipped), key=lambda row: row["row"])
        contents = learned_rows(((one.audio, one.text) for one in rows.utterances), rows.access)
        leaked = leaks(TrainedRows(frozenset(contents), rows.access), rows.validation)
        warned = (*leaked, *report.warnings)
        report = replace(report, skipped=tuple(skipped), warnings=warned)
        fingerprints = row_fingerprints((utterance.audio, utterance.text) for utterance in rows.utterances)
        numbers = frozenset(report.learned)
        known = (row for row, utterance in zip(contents, rows.utterances, strict=True) if utterance.row in numbers)
        # What the model it starts from has learned is known to this one as well.
        write_trained_rows(draft.folder, known_before.union(known))
        compared = _compared(plan, rows, draft.folder, executor, environment)
        better = compared is None or (not isinstance(compared, str) and compared.better)
        card = training_card(
            plan.name,
            plan.about.model,
            plan.options,
            plan.train,
            report,
            fingerprints,
            rows.rows,
            environment.statement,
            rows.tagged,
        )
        model = draft.commit(card, current=better)
        environment.left = Left.SAVED
    shutil.rmtree(state, ignore_errors=True)
    trained = report.audio_hours * 3600 * len(report.history)
    speeds.keep(plan.about, report.precision, trained, sum(epoch.seconds for epoch in report.history), environment)
    said = [skipped_rows(report.skipped)] if report.skipped else []
    said.extend(language_notes(plan.about.model, plan.train))
    said.extend(rows.remarks())
    if report.added:
        said.append(f"Learned as new characters: {' '.join(report.added)}")
    said.extend(report.warnings)
    said.extend(precision_notes(plan.train, environment))
    if compared is not None:
        became = "is now the current one" if better else "is saved, and not made the current one"
        said.append(f"Version {model.version} {became}: {compared}.")
    return Result(
        status=f"{plan.statement} {plan.name}",
        report=model_report(plan.name, plan.about.model.name, report, model.version, str(model.folder)),
        note="\n".join(said),
    )


def _progress(name: str, environment: Environment) -> Callable[[TrainingProgress], None]:
    def report(step: TrainingProgress) -> None:
        environment.progress(
            Progress(
                what=f"training {name}, epoch {step.epoch} of {step.epochs}",
                done=step.step,
                total=step.steps,
                unit="steps",
                detail=f"loss {step.loss:.3f}",
            )
        )

    return report


def _compared(
    plan: TrainPlan, rows: TrainingSet, folder: Path, executor: Executor, environment: Environment
) -> ModelComparison | str | None:
    """The new version against its rival, where there is one; the training is done by then, and whatever stops the
    comparison is said, and does not cost the model."""
    if plan.rival is None:
        return None
    from thanosql.engine.evaluation.model_comparison import compare_models

    try:
        return compare_models(folder, plan.rival, rows.validation, rows.access, executor, environment)
    except ThanoSQLError as error:
        return f"it could not be compared ({error.message})"


@contextmanager
def _said_how_to_go_on(plan: TrainPlan, state: Path, *, interactive: bool) -> Iterator[None]:
    """An interrupt, and a statement that was interrupted before, say how to resume it."""
    try:
        yield
    except UnfinishedRun as error:
        error.hint = f"Write {plan.resuming} to resume it, or resume=False to start over."
        raise
    except KeyboardInterrupt as stop:
        if not state.is_dir():
            raise
        again = "again" if interactive else f"with {plan.resuming}"
        raise KeyboardInterrupt(
            f"The training of {plan.name} is saved up to its last step: run the same statement {again} to resume it."
        ) from stop
