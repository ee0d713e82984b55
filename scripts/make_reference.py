"""The code in, the reference's pages and diagrams out: docs/reference/.

    python scripts/make_reference.py            writes them
    python scripts/make_reference.py --check    says which are not as the code has them

Statements, options, columns, bases, settings, types and errors are read from where the code declares them. What only a
person can say stands in reference_texts.py, and tests/docs holds it against what runs.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import railroads
from language_page import language
from reference_texts import CURES, MISTAKES, SETTINGS

import thanosql
from thanosql import errors
from thanosql.engine.language.options import Declared, declared_by, describe
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement, rule_of
from thanosql.engine.language.vocabulary import vocabulary
from thanosql.engine.postgres import frames
from thanosql.engine.statements import statement_classes
from thanosql.models.base import Capability
from thanosql.models.bases import ASSETS, BASES
from thanosql.models.families.waveform_ctc.architectures import ARCHITECTURES
from thanosql.models.options import TrainOptions
from thanosql.models.registry import FAMILIES, family

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Made by scripts/make_reference.py from the code. Change the code, then run it again. -->"


def entries() -> list[type[Statement]]:
    """The statements, in the order of their titles."""
    return sorted(
        (kind for kind in statement_classes().values() if kind.syntax),
        key=lambda kind: (syntax_of(kind).title, kind.__module__),
    )


def syntax_of(kind: type[Statement]) -> StatementSyntax:
    assert kind.syntax is not None
    return kind.syntax


# Rules that stand in several statements.
PARTS = ("options", "option", "value", "name", "version", "model", "table", "path", "query", "nested")


def pages() -> dict[str, str]:
    """Every file of the reference, by its name in docs/reference."""
    rules = [rule_of(kind) for kind in entries()] + list(PARTS)
    drawn = {f"diagrams/{rule}.svg": svg for rule, svg in railroads.drawn(rules).items()}
    return {
        "language.md": _joined(language()),
        "statements.md": _joined(_statements()),
        "errors.md": _joined(_errors()),
        "settings.md": _joined(_settings()),
        "types.md": _joined(_types()),
        "models.md": _joined(_models()),
        **drawn,
    }


def _statements() -> Iterator[str]:
    yield "# Statements"
    yield (
        "Keywords are read in any case. A query is bare or in parentheses. Several statements are divided by `;`: they run "
        "in order, the last one's result is returned, and the first error stops the rest. Any other SQL goes to PostgreSQL "
        "as written."
    )
    yield "\n".join(f"- [{syntax_of(kind).title}](#{_anchor(syntax_of(kind).title)})" for kind in entries())
    for kind in entries():
        syntax = syntax_of(kind)
        yield f"## {syntax.title}"
        yield "```text\n" + "\n".join(vocabulary().shown(line) for line in syntax.lines) + "\n```"
        yield f"![The grammar of {syntax.title}](diagrams/{rule_of(kind)}.svg)"
        yield from _examples(kind)
        yield f"**Gives.** {syntax.gives}"
        if syntax.nests:
            yield "It may stand in a query, in parentheses."
        if columns := syntax.columns():
            yield "Columns: " + ", ".join(f"`{column}`" for column in columns) + "."
        if options := declared_by(*syntax.options()):
            yield _options(options)
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
    yield "Each example shows a text, and below it the whole message."
    yield from _messages()


def _settings() -> Iterator[str]:
    from thanosql.config import KEYS

    yield "# Settings"
    yield (
        "If a setting is given in several places, an argument of `thanosql.connect` comes first, then the "
        "environment, then the "
        "file, then the default. The file is `thanosql.toml` in the working folder, else in the platform's user "
        "configuration folder; "
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
    yield (
        "| name | checkpoint | size | language | trains with | license |\n| --- | --- | --- | --- | --- | --- |\n"
        + "\n".join(
            f"| `{base.name}` | {_checkpoint(base.checkpoint)} | {base.size} | {base.language} | "
            f"{', '.join(f'{name} {value:g}' for name, value in base.train_defaults.items()) or 'the defaults'} | "
            f"{base.license or ''} |"
            for base in BASES.values()
        )
    )
    default = describe(TrainOptions)
    rate = next(option.default for option in default if option.name == "learning_rate")
    yield (
        f"The default `learning_rate` is {rate:g}; a base that is far smaller declares its own. `USING 'path or hub id'` "
        "names any other CTC checkpoint of a [type that can be read](models.md); `'owner/name@revision'` pins one of "
        "its commits. A checkpoint without "
        "`@` is the newest commit of the day on which it is first loaded, and stays that one while it is in the hub's cache."
    )


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
        "NumPy's and pandas' scalars, arrays and Series are taken as parameters; what pandas counts as missing in them is "
        "NULL. Plain SQL may give two columns of one name; the query of a statement of ours may not, and the error has the "
        "words to write instead."
    )


# What each type was trained as, and where to look for one: what only a person can say.
NAMES = {
    "wav2vec2": "Wav2Vec2, XLS-R, MMS",
    "hubert": "HuBERT",
    "wavlm": "WavLM",
    "data2vec-audio": "Data2VecAudio",
    "unispeech": "UniSpeech",
    "unispeech-sat": "UniSpeechSat",
    "sew": "SEW",
    "sew-d": "SEW-D",
    "wav2vec2-conformer": "Wav2Vec2-Conformer",
    "parakeet_ctc": "Parakeet CTC",
    "lasr_ctc": "LASR, MedASR",
    "granite_speech5_ctc": "Granite Speech 5 TurboCTC",
    "wav2vec2-bert": "Wav2Vec2-BERT",
}


def _models() -> Iterator[str]:
    yield "# Types of models"
    yield (
        "The `model_type` in a checkpoint's config.json decides what it is. A type that is not here is refused with what it "
        "is and what would do."
    )
    rows = []
    for kind in FAMILIES:
        able = family(kind).capabilities
        ctc, training = ("yes" if one in able else "no" for one in (Capability.CTC, Capability.TRAINING))
        alike = ARCHITECTURES.get(kind)
        languages = (
            "yes, of a checkpoint with adapters (MMS)" if Capability.ADAPTERS in able and kind == "wav2vec2" else "no"
        )
        forward = "its own" if alike and alike.cpu_model else "transformers'"
        batched = "padded together" if alike and alike.padded else "one by one"
        rows.append(f"| {NAMES[kind]} | `{kind}` | {ctc} | {training} | {languages} | {forward} | {batched} |")
    yield (
        "| models | `model_type` | PREDICT, EVALUATE, ALIGN | BUILD, FIT | `language=` | forward pass on a CPU "
        "| utterances on a GPU |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows)
    )
    yield (
        "Every type takes UPLOAD, EXPLAIN, CHECK, DESCRIBE, timestamps, long recordings and beams; hot words and language "
        "models need a vocabulary of letters, which Parakeet's pieces of words are not."
    )


def _options(options: Sequence[Declared]) -> str:
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


def _examples(kind: type[Statement]) -> Iterator[str]:
    """The docstring of a statement's file, behind its first paragraph: SQL as SQL, what it means in Python as text."""
    document = inspect.getdoc(importlib.import_module(kind.__module__)) or ""
    others = [other for other in entries() if other.__module__ == kind.__module__ and other is not kind]
    for part in document.split("\n\n")[1:]:
        lines = inspect.cleandoc(part).splitlines()
        first = lines[0].split(" ", 1)[0]
        if first.isupper() and not re.search(r"\w {3,}\w", lines[0]):
            if others:
                lines = [line for line in lines if line.startswith(syntax_of(kind).title)]
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
