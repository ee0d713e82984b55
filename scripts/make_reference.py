"""The code in, the reference's pages and diagrams out: docs/reference/.

    python scripts/make_reference.py            writes them
    python scripts/make_reference.py --check    says which are not as the code has them

Shapes, options, columns, bases, settings, types and errors are read from where the code declares them. What only a person
can say (what a statement gives, the cure of an error) stands here, and tests/docs holds it against what runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import railroads

import thanosql
from thanosql import errors
from thanosql.engine.language.heads import SHAPES
from thanosql.engine.language.options import Declared, describe
from thanosql.engine.postgres import frames
from thanosql.engine.statements.build_model import ModelReport
from thanosql.models.options import TrainOptions
from thanosql.models.registry import ASSETS, BASES

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Made by scripts/make_reference.py from the code. Change the code, then run it again. -->"


@dataclass(frozen=True)
class Entry:
    """A statement on its page: `rules` are drawn, `kinds` declare its options ('module:Class'), `columns` are its rows'."""

    title: str
    shapes: tuple[str, ...]
    rules: tuple[str, ...]
    module: str
    gives: str
    kinds: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    shape: str = ""  # where the head's own says too much

    @property
    def options(self) -> list[Declared]:
        """The options it takes, each once, in the order of an error's list."""
        found: dict[str, Declared] = {}
        for kind in self.kinds:
            for option in describe(_found(kind)):
                found.setdefault(option.name, option)
        return list(found.values())


TRANSCRIBE, TRAIN = "models.base:TranscribeOptions", "models.base:TrainOptions"
STATEMENTS = (
    Entry(
        "BUILD MODEL",
        ("BUILD",),
        ("build_model",),
        "build_model",
        "A report: an object with these fields, shown as a table of one row. The model is in the store when it comes. "
        "`loss` is the mean CTC loss of the last epoch, `folder` opens with `Wav2Vec2ForCTC.from_pretrained`.",
        ("engine.statements.build_model:BuildOptions", TRAIN),
        tuple(field.name for field in dataclasses.fields(ModelReport)),
    ),
    Entry(
        "FIT MODEL",
        ("FIT",),
        ("fit_model",),
        "fit_model",
        "The same report as `BUILD MODEL`. The vocabulary stays the model's.",
        ("engine.statements.fit_model:FitOptions", TRAIN),
        tuple(field.name for field in dataclasses.fields(ModelReport)),
    ),
    Entry(
        "PREDICT",
        ("PREDICT",),
        ("predict",),
        "predict",
        "The query's columns with their types, in the query's order, and the transcript in `result_col`. Options add "
        "columns behind it: `timestamps` adds `…_words` (jsonb), `confidence=True` adds `…_confidence`, "
        "`on_error='null'` adds `…_error`. With `table_name` the same rows are that table.",
        ("engine.statements.predict:PredictOptions", TRANSCRIBE),
    ),
    Entry(
        "EVALUATE",
        ("EVALUATE",),
        ("evaluate",),
        "evaluate",
        "One row with these columns; with `group_by` a row for each group, the total last, and a column `small` that marks "
        "groups of fewer than 100 words. With `against` one row that compares two models: `model`, `against`, `utterances`, "
        "`words`, `wer`, `wer_against`, `difference`, `difference_low`, `difference_high`, `p_value`, `won`, `lost`, "
        "`tied`. The table of `table_name` has a row an utterance. See [Evaluation](../guides/evaluation.md).",
        ("engine.evaluation:EvaluateOptions", TRANSCRIBE),
        (
            *("utterances", "hours", "words", "characters", "wer", "wer_low", "wer_high", "cer", "substitutions"),
            *("deletions", "insertions", "hits", "empty_hypotheses", "seconds", "rtfx"),
        ),
    ),
    Entry(
        "ALIGN",
        ("ALIGN",),
        ("align",),
        "align",
        "The query's columns; `result_col` (jsonb), a list of objects with `word`, `start` and `end` (seconds) and "
        "`confidence`; and `…_confidence`, how well the whole text fits, from 0 to 1.",
        ("engine.statements.align:AlignOptions", TRANSCRIBE),
    ),
    Entry(
        "LIST",
        ("LIST",),
        ("list", "list_versions"),
        "listing",
        "A table. `LIST MODEL` gives the models of the store with the WER of their last evaluation; `LIST TABLE` the tables "
        "of the database; `LIST THANOSQL MODEL` the base models; `LIST THANOSQL DATASET` the tutorial data sets; "
        "`LIST MODEL VERSIONS name` the versions that are kept of a model; `LIST PREDICTIONS` what is kept of `PREDICT`s that "
        "were not completed. The plural words mean the same.",
    ),
    Entry(
        "DESCRIBE MODEL",
        ("DESCRIBE",),
        ("describe_model",),
        "describe_model",
        "A fact a row: what the model is, its files and vocabulary, its normalizer, the statement that trained it, options, "
        "versions, the history of its training, its evaluations. A base model may be described too.",
        columns=("section", "name", "value"),
    ),
    Entry(
        "DROP MODEL",
        ("DROP", "DELETE"),
        ("drop_model",),
        "drop_model",
        "A status. The two words mean the same; `IF EXISTS` makes an absent model no error.",
        shape="DROP MODEL [IF EXISTS] name\nDELETE MODEL name",
    ),
    Entry(
        "DROP PREDICTIONS",
        ("DROP",),
        ("drop_predictions",),
        "drop_predictions",
        "A status. What is kept of `PREDICT`s that were not completed goes: of one model, or of all.",
        shape="DROP PREDICTIONS [model]",
    ),
    Entry(
        "ROLLBACK MODEL",
        ("ROLLBACK",),
        ("rollback_model",),
        "rollback_model",
        "A status. Without a version, the one before the current is made current. The newest three versions are kept.",
    ),
    Entry(
        "PRINT AUDIO",
        ("PRINT",),
        ("print_audio",),
        "print_audio",
        "The query's rows; a notebook shows a player beside each.",
        ("engine.statements.print_audio:PrintOptions",),
    ),
    Entry(
        "COPY",
        ("COPY",),
        ("copy",),
        "copy_table",
        "A status, and the types that were inferred. csv, tsv, parquet, xlsx, json and jsonl are read; a folder of audio "
        "files gives a row a file with `audio_path`, `duration`, `sampling_rate` and `channels`. PostgreSQL's own forms of "
        "`COPY` (`TO`, `STDIN`, `WITH (…)`, a query in parentheses) go to PostgreSQL.",
        ("engine.statements.copy_table:CopyOptions",),
    ),
    Entry(
        "GET THANOSQL DATASET",
        ("GET",),
        ("get_dataset",),
        "get_thanosql",
        "A status. The data set is in `thanosql-dataset/NAME/` of the workspace, where `COPY` and the paths in its rows find "
        "it from any working folder.",
        ("engine.statements.get_thanosql:GetDatasetOptions",),
        shape="GET THANOSQL DATASET name [OPTIONS (…)]",
    ),
    Entry(
        "GET THANOSQL MODEL",
        ("GET",),
        ("get_model",),
        "get_thanosql",
        "A status. The base's files are in the store under a name of your own, and stay as they are when the hub changes.",
        ("engine.statements.get_thanosql:GetModelOptions",),
        shape="GET THANOSQL MODEL name [OPTIONS (…)]",
    ),
    Entry(
        "UPLOAD MODEL",
        ("UPLOAD",),
        ("upload_model",),
        "upload_model",
        "A status. The folder is one that `save_pretrained` leaves; its files are checked and copied.",
        ("engine.statements.upload_model:UploadOptions",),
    ),
    Entry(
        "EXPLAIN",
        ("EXPLAIN",),
        ("explain",),
        "explain",
        "An item a row: rows, hours of audio, model and its size, device, precision, batches, estimated memory and time. The "
        "query is run READ ONLY and headers are read; no model is loaded. `EXPLAIN` before anything else is PostgreSQL's.",
        columns=("item", "value"),
    ),
    Entry(
        "CHECK",
        ("CHECK",),
        ("check",),
        "check",
        "A row for every row that would fail or hurt: audio that is missing, unreadable, silent, too short or too long; text "
        "that is missing, empty, outside the vocabulary or too long for its audio; duplicates; rows the model was trained "
        "on. An empty table means that nothing was found.",
        columns=("row", "path", "problem", "reason"),
    ),
)
# Rules that stand in several statements.
PARTS = ("options", "option", "value", "name", "model", "table", "path", "query", "nested")

CURES = {
    "ThanoSQLSyntaxError": "Read the line with the caret: the message says what was expected there, and the hint what was "
    "probably meant. A `:name` without a value is one of these too.",
    "ThanoSQLOptionError": "The hint lists the options of the statement, or the limits of the value.",
    "ThanoSQLModelError": "`LIST MODEL` and `LIST THANOSQL MODEL` show what there is. A name that is taken needs "
    "`overwrite=True`, or another name. A damaged folder is to be fetched or uploaded again.",
    "ThanoSQLDataError": "`error.rows` holds every offending row. `CHECK` before the statement lists them as a table; "
    "`on_error='null'` lets `PREDICT` go on past unreadable audio.",
    "ThanoSQLDatabaseError": "The words are PostgreSQL's, the position is in your text; `error.sqlstate` is its code. A "
    "query that would write is refused, since it is run READ ONLY: run it as a statement of its own.",
    "ThanoSQLConnectionError": "Check `THANOSQL_DATABASE_URL`, or install the embedded PostgreSQL: "
    '`pip install "thanosql[embedded]"`. Off line, point `[base_models]` at a folder.',
    "ThanoSQLInternalError": "Please report it with the statement; the cause is in `error.__cause__`.",
}

# Mistakes that are found before a database is asked.
MISTAKES = (
    "PREDICT USING Wav2Vec2Tiny SELECT * FROM calls",
    "BULID MODEL m USING Wav2Vec2Tiny AS SELECT * FROM calls",
    "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size: 8) AS SELECT * FROM calls",
    "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_sise=8) AS SELECT * FROM calls",
    "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size=0) AS SELECT * FROM calls",
    "PREDICT USING wav2vec2tiny AS SELECT * FROM calls",
    "DROP MODEL my_model",
)


def pages() -> dict[str, str]:
    """Every file of the reference, by its name in docs/reference."""
    rules = [rule for entry in STATEMENTS for rule in entry.rules] + list(PARTS)
    drawn = {f"diagrams/{rule}.svg": svg for rule, svg in railroads.drawn(rules).items()}
    return {
        "statements.md": _joined(_statements()),
        "errors.md": _joined(_errors()),
        "settings.md": _joined(_settings()),
        "types.md": _joined(_types()),
        **drawn,
    }


def _statements() -> Iterator[str]:
    yield "# Statements"
    yield (
        "Keywords are read in any case. A query is bare or in parentheses. Several statements are divided by `;`: they run "
        "in order, the last one's result is returned, and the first error stops the rest. Any other SQL goes to PostgreSQL "
        "as written."
    )
    yield "\n".join(f"- [{entry.title}](#{_anchor(entry.title)})" for entry in STATEMENTS)
    for entry in STATEMENTS:
        yield f"## {entry.title}"
        shapes = (entry.shape,) if entry.shape else tuple(SHAPES[key] for key in entry.shapes)
        yield "```text\n" + "\n".join(shapes) + "\n```"
        for rule in entry.rules:
            yield f"![The grammar of {entry.title}](diagrams/{rule}.svg)"
        yield from _examples(entry)
        yield f"**Gives.** {entry.gives}"
        if entry.columns:
            yield "Columns: " + ", ".join(f"`{column}`" for column in entry.columns) + "."
        if entry.options:
            yield _options(entry.options)
    yield "## Parts"
    yield "What the boxes of the diagrams stand for. A word in a box is a name, a box in a statement is one of these."
    for rule in PARTS:
        yield f"### {rule}"
        yield f"![The grammar of {rule}](diagrams/{rule}.svg)"


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield (
        "Every error that a user can cause is a `ThanoSQLError` of one of these kinds. `str(error)` is the whole message: what "
        "is wrong, where (with a caret), and what to do. `error.message`, `error.hint` and `error.position` hold its parts. "
        "A notebook shows the message alone; the traceback stays in `error.__traceback__`."
    )
    yield (
        "A statement that fails, is interrupted or is killed leaves every table and model as it was. Of several statements "
        "divided by `;`, those before the failing one stay done, and the message names the one that failed."
    )
    yield "| error | for | what to do |\n| --- | --- | --- |\n" + "\n".join(
        f"| `{kind.__name__}` | {_first_line(kind)} | {CURES[kind.__name__]} |" for kind in _error_classes()
    )
    yield "## What it looks like"
    yield "Each is the text, and the whole message that comes of it."
    yield from _messages()


def _settings() -> Iterator[str]:
    from thanosql.config import KEYS

    yield "# Settings"
    yield (
        "An argument of `thanosql.connect` stands above the environment, the environment above the file, the file above the "
        "default. The file is `thanosql.toml` in the working folder, else in the platform's user configuration folder; "
        "`THANOSQL_CONFIG` names another."
    )
    if missing := sorted(set(KEYS) - set(SETTINGS)):
        raise SystemExit(f"scripts/make_reference.py: SETTINGS says nothing of {', '.join(missing)}")
    yield "| setting | environment | meaning | default |\n| --- | --- | --- | --- |\n" + "\n".join(
        f"| `{name}` | {environment} | {meaning} | {default} |"
        for name, (environment, meaning, default) in SETTINGS.items()
        if name in KEYS
    )
    yield "## Base models"
    yield "| name | checkpoint | size | language | trains with |\n| --- | --- | --- | --- | --- |\n" + "\n".join(
        f"| `{base.name}` | {_checkpoint(base.checkpoint)} | {base.size} | {base.language} | "
        f"{', '.join(f'{name} {value:g}' for name, value in base.train_defaults.items()) or 'the defaults'} |"
        for base in BASES.values()
    )
    default = describe(TrainOptions)
    rate = next(option.default for option in default if option.name == "learning_rate")
    yield (
        f"The default `learning_rate` is {rate:g}; a base that is far smaller declares its own. `USING 'path or hub id'` "
        "names any other Wav2Vec2 CTC checkpoint; `'owner/name@revision'` pins one of its commits."
    )


SETTINGS = {
    "database_url": (
        "`THANOSQL_DATABASE_URL`",
        "the PostgreSQL to work on, `postgresql://user@host/database`",
        "an embedded PostgreSQL under the home",
    ),
    "home": (
        "`THANOSQL_HOME`",
        "where models, data sets and the embedded database are",
        "the platform's user data folder; as root `/var/lib/thanosql`",
    ),
    "audio_roots": (
        "`THANOSQL_AUDIO_ROOTS` (a path list)",
        "where relative audio paths are looked for, in order; once set, no local file outside of them is read",
        "the working folder, then the workspace under the home",
    ),
    "remote_hosts": (
        "`THANOSQL_REMOTE_HOSTS` (divided by commas or spaces)",
        "names of private hosts that audio may be fetched from",
        "none",
    ),
    "connections": ("", "names for databases, for `%thanosql NAME` in a notebook", "none"),
    "executor": ("`THANOSQL_EXECUTOR`", "where the rows are worked on; there is `local`", "`local`"),
    "base_models": (
        "`THANOSQL_WAV2VEC2EN`, `THANOSQL_WAV2VEC2KO`",
        "a base's name and the hub id, the folder or the other base that stands behind it",
        "the table below",
    ),
}


def _types() -> Iterator[str]:
    yield "# Types of a DataFrame"
    yield (
        "`execute` returns rows as a `pandas.DataFrame`. A column's type depends on the type in PostgreSQL, and not on the "
        "rows that happen to be there. A result written by `table_name` never leaves PostgreSQL and keeps its types exactly."
    )
    document = inspect.getdoc(frames) or ""
    _, table, rest = re.split(r"\n\n", document, maxsplit=2)
    yield table
    yield re.sub(r"\s*\n\s*", " ", rest)
    yield (
        "NumPy and pandas scalars are taken as parameters; `NaT` and `NA` become NULL. Two columns of one name are refused "
        "with the words to write instead."
    )


def _options(options: list[Declared]) -> str:
    rows = [
        f"| `{option.name}` | {_type(option)} | `{_default(option)}` | {_cell(option.help)} |" for option in options
    ]
    return "| option | type | default | what it does |\n| --- | --- | --- | --- |\n" + "\n".join(rows)


def _type(option: Declared) -> str:
    limited = option.type + (f", {option.limits}" if option.limits else "")
    return limited + (", or NULL" if option.optional else "")


def _default(option: Declared) -> str:
    value = option.default
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _examples(entry: Entry) -> Iterator[str]:
    """The docstring of a statement's file, behind its first paragraph: SQL as SQL, what it means in Python as text."""
    document = inspect.getdoc(importlib.import_module(f"thanosql.engine.statements.{entry.module}")) or ""
    for part in document.split("\n\n")[1:]:
        lines = inspect.cleandoc(part).splitlines()
        first = lines[0].split(" ", 1)[0]
        if first.isupper() and not re.search(r"\w {3,}\w", lines[0]):
            if entry.shape:
                lines = [line for line in lines if line.startswith(entry.title)]
            yield "```sql\n" + ";\n".join(lines).replace(" AS SELECT", " AS\nSELECT") + "\n```"
        elif first.isupper():
            yield "```text\n" + "\n".join(lines) + "\n```"
        elif "what it means in Python" in part or re.search(r"[=(.:]", first):
            yield "In Python, in outline:"
            yield (
                "```text\n"
                + "\n".join(
                    re.sub(r"\s*#\s*$", "", re.sub(r"# what it means in Python,? ?", "# ", line)) for line in lines
                )
                + "\n```"
            )
        else:
            yield " ".join(lines)


def _messages() -> Iterator[str]:
    """What is printed for mistakes that need no database to be found."""
    with tempfile.TemporaryDirectory() as home, thanosql.connect(home=home) as session:
        for text in MISTAKES:
            try:
                session.execute(text)
            except errors.ThanoSQLError as error:
                yield f"```text\n{text}\n\n{type(error).__name__}: {error}\n```"
            else:
                raise SystemExit(f"scripts/make_reference.py: no error comes of {text!r}")


def _error_classes() -> list[type[errors.ThanoSQLError]]:
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.ThanoSQLError) and kind is not errors.ThanoSQLError
    ]


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")


def _checkpoint(checkpoint: str) -> str:
    return "ships with the package" if checkpoint.startswith(str(ASSETS)) else f"`{checkpoint}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _found(kind: str) -> type:
    module, name = kind.split(":")
    found = getattr(importlib.import_module(f"thanosql.{module}"), name)
    assert isinstance(found, type)
    return found


def _joined(parts: Iterator[str]) -> str:
    title, *rest = parts
    return "\n\n".join((title, NOTE, *filter(None, rest))) + "\n"


def stale() -> list[str]:
    """The files of docs/reference that are missing, are not as the code has them, or are no longer made."""
    wanted = pages()
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.suffix in (".md", ".svg")}
    differing = [
        name
        for name, text in wanted.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    return sorted({*differing, *(there - wanted.keys())})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when a page is stale")
    if parser.parse_args().check:
        found = stale()
        print("\n".join(f"docs/reference/{name} is not as the code has it" for name in found), file=sys.stderr)
        return 1 if found else 0
    (FOLDER / "diagrams").mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name in stale():
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
