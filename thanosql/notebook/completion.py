"""A text and a cursor in, what may stand there out.

Keywords, kinds of names and options come from the statements, names from store and database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.vocabulary import vocabulary
from thanosql.notebook import language, sql_words
from thanosql.notebook.catalog import Catalog
from thanosql.notebook.cursor_context import CursorContext, context_at

if TYPE_CHECKING:
    from thanosql.engine.language.options import Declared
    from thanosql.engine.session import Session

MOST = 200


@dataclass(frozen=True)
class Candidate:
    """One completion: what is put in, what it is, and a word about it."""

    text: str
    kind: str
    about: str = ""


@dataclass(frozen=True)
class Completions:
    """What may stand at the cursor. `fragment` is what is typed of it, and what a candidate replaces."""

    fragment: str
    candidates: tuple[Candidate, ...]


def complete(text: str, cursor: int, session: Session, variables: Mapping[str, Any] | None = None) -> Completions:
    """The candidates at `cursor`, a 0-based offset into `text`, the likeliest kind first."""
    context = context_at(text, cursor)
    if context is None:
        return Completions("", ())
    catalog = Catalog(session)
    found = [*_candidates(context, catalog, variables or {})]
    typed = context.fragment.lower()
    fitting = [one for one in found if one.text.lower().lstrip("'\"").startswith(typed.lstrip("'\""))]
    unique = {one.text: one for one in reversed(fitting)}
    ordered = [one for one in fitting if unique.get(one.text) is one]
    return Completions(context.fragment, tuple(ordered[:MOST]))


def _candidates(context: CursorContext, catalog: Catalog, variables: Mapping[str, Any]) -> Iterable[Candidate]:
    if context.kind == "parameter":
        return [
            Candidate(f":{name}", "parameter", type(value).__name__)
            for name, value in sorted(variables.items())
            if _bindable(value)
        ]
    if context.kind == "start":
        ours = [Candidate(words, "statement") for words in vocabulary().following()]
        return [*ours, *(Candidate(word, "keyword") for word in sql_words.SQL_OPENERS)]
    if context.kind == "option":
        return _options(context)
    if context.kind == "value":
        return _values(context, catalog)
    if context.kind == "query":
        return _in_query(context, catalog)
    return [*_names(context, catalog), *(Candidate(word, "keyword") for word in context.keywords)]


def _names(context: CursorContext, catalog: Catalog) -> list[Candidate]:
    found: list[Candidate] = []
    for kind in context.names.split(" or "):
        if kind == "model":
            found += [Candidate(name, "model") for name in catalog.models()]
        elif kind == "base":
            found += [Candidate(name, "base model") for name in catalog.bases()]
        elif kind == "data set":
            found += [Candidate(name, "data set") for name in catalog.datasets()]
        elif kind == "table":
            found += [Candidate(name, "table") for name in catalog.tables()]
        elif kind == "file":
            quote = "" if context.in_string else "'"
            found += [Candidate(f"{quote}{path}'", "file") for path in catalog.files()]
    return found


def _options(context: CursorContext) -> list[Candidate]:
    found = []
    for option in language.options_of(context.statement):
        if option.name not in context.given:
            found.append(Candidate(f"{option.name}=", "option", f"default {language.default_of(option)}"))
    return found


def _values(context: CursorContext, catalog: Catalog) -> list[Candidate]:
    option = next((one for one in language.options_of(context.statement) if one.name == context.option), None)
    if option is None:
        return []
    return [Candidate(value, "value", about) for value, about in _spelled(option, context, catalog)]


def _spelled(option: Declared, context: CursorContext, catalog: Catalog) -> Iterable[tuple[str, str]]:
    quote = "" if context.in_string else "'"
    if option.choices:
        either = [("True", ""), ("False", "")] if option.switch and not context.in_string else []
        return [
            *either,
            *((f"{quote}{choice}'", "default" if choice == option.default else "") for choice in option.choices),
        ]
    if option.kind == "column":
        return [(f"{quote}{column}'", "column") for column in catalog.columns(context.tables)]
    if option.kind == "table":
        return [(f"{quote}{table}'", "table") for table in catalog.tables()]
    if option.base is bool:
        return [("True", ""), ("False", "")]
    default = language.default_of(option)
    return [(default[1:] if context.in_string and default.startswith("'") else default, "default")]


def _in_query(context: CursorContext, catalog: Catalog) -> list[Candidate]:
    if context.after in ("FROM", "JOIN", "INTO", "UPDATE", "TABLE"):
        found = [Candidate(name, "table") for name in catalog.tables()]
        ours = [f"({words}" for words in _nested()] if context.after in ("FROM", "JOIN") else []
        return [*found, *(Candidate(word, "statement") for word in ours)]
    if context.qualifier:
        table = context.tables.get(context.qualifier)
        named = catalog.columns({context.qualifier: table}) if table else []
        return [Candidate(f"{context.qualifier}.{column}", "column") for column in named]
    if context.after == "(":
        # A sub-select may open here, and a statement of ours stands wherever one may.
        words = ["SELECT", *_nested(), *sql_words.SQL_WORDS]
    else:
        words = [*sql_words.SQL_WORDS]
    columns = [Candidate(name, "column") for name in catalog.columns(context.tables)]
    aliases = [Candidate(name, "table") for name in context.tables]
    keywords = [Candidate(word, "keyword") for word in words]
    functions = [Candidate(f"{name}(", "function") for name in sql_words.SQL_FUNCTIONS]
    return [*columns, *aliases, *keywords, *functions]


def _nested() -> list[str]:
    """How the statements open that are made for a query."""
    return [f"{word} USING" for word in sorted(vocabulary().nested_using)]


def _bindable(value: Any) -> bool:
    """Whether a notebook's variable can be a parameter: no module, class or function."""
    return not callable(value) and type(value).__name__ not in ("module", "DataFrame", "Series")
