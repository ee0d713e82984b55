"""A text and a cursor in, what may stand there out.

Keywords come from the grammar, names from store and database, options from their declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.heads import SHAPES
from thanosql.notebook import language
from thanosql.notebook.catalog import Catalog
from thanosql.notebook.place import Place, place_at

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
    place = place_at(text, cursor)
    if place is None:
        return Completions("", ())
    catalog = Catalog(session)
    found = [*_candidates(place, catalog, variables or {})]
    typed = place.fragment.lower()
    fitting = [one for one in found if one.text.lower().lstrip("'\"").startswith(typed.lstrip("'\""))]
    unique = {one.text: one for one in reversed(fitting)}
    ordered = [one for one in fitting if unique.get(one.text) is one]
    return Completions(place.fragment, tuple(ordered[:MOST]))


def _candidates(place: Place, catalog: Catalog, variables: Mapping[str, Any]) -> Iterable[Candidate]:
    if place.kind == "parameter":
        return [
            Candidate(f":{name}", "parameter", type(value).__name__)
            for name, value in sorted(variables.items())
            if _bindable(value)
        ]
    if place.kind == "start":
        ours = [Candidate(_opening(shape), "statement") for shape in SHAPES.values()]
        return [*ours, *(Candidate(word, "keyword") for word in language.SQL_OPENERS)]
    if place.kind == "option":
        return _options(place)
    if place.kind == "value":
        return _values(place, catalog)
    if place.kind == "query":
        return _in_query(place, catalog)
    return [*_names(place, catalog), *(Candidate(word, "keyword") for word in place.keywords)]


def _opening(shape: str) -> str:
    """The words a statement opens with: `BUILD MODEL`, `LIST`."""
    words = re.match(r"[A-Z]+(?: (?:MODEL|USING|AUDIO|THANOSQL)(?= |$))?", shape)
    return words[0] if words else shape


def _names(place: Place, catalog: Catalog) -> list[Candidate]:
    if place.names == "model":
        models = [Candidate(name, "model") for name in catalog.models()]
        return models + [Candidate(name, "base model") for name in catalog.bases()]
    if place.names == "stored":
        return [Candidate(name, "model") for name in catalog.models()]
    if place.names == "base":
        return [Candidate(name, "base model") for name in catalog.bases()]
    if place.names == "dataset":
        return [Candidate(name, "data set") for name in catalog.datasets()]
    if place.names == "table":
        return [Candidate(name, "table") for name in catalog.tables()]
    if place.names == "file":
        quote = "" if place.in_string else "'"
        return [Candidate(f"{quote}{path}'", "file") for path in catalog.files()]
    return []


def _options(place: Place) -> list[Candidate]:
    found = []
    for option in language.options_of(place.statement, place.about):
        if option.name not in place.given:
            found.append(Candidate(f"{option.name}=", "option", f"default {language.default_of(option)}"))
    return found


def _values(place: Place, catalog: Catalog) -> list[Candidate]:
    option = next((one for one in language.options_of(place.statement, place.about) if one.name == place.option), None)
    if option is None:
        return []
    return [Candidate(value, "value", about) for value, about in _spelled(option, place, catalog)]


def _spelled(option: Declared, place: Place, catalog: Catalog) -> Iterable[tuple[str, str]]:
    quote = "" if place.in_string else "'"
    if option.choices:
        either = [("True", ""), ("False", "")] if option.switch and not place.in_string else []
        return [
            *either,
            *((f"{quote}{choice}'", "default" if choice == option.default else "") for choice in option.choices),
        ]
    if option.kind == "column":
        return [(f"{quote}{column}'", "column") for column in catalog.columns(place.tables)]
    if option.kind == "table":
        return [(f"{quote}{table}'", "table") for table in catalog.tables()]
    if option.base is bool:
        return [("True", ""), ("False", "")]
    default = language.default_of(option)
    return [(default[1:] if place.in_string and default.startswith("'") else default, "default")]


def _in_query(place: Place, catalog: Catalog) -> list[Candidate]:
    if place.after in ("FROM", "JOIN", "INTO", "UPDATE", "TABLE"):
        found = [Candidate(name, "table") for name in catalog.tables()]
        ours = ("(PREDICT USING", "(EVALUATE USING") if place.after in ("FROM", "JOIN") else ()
        return [*found, *(Candidate(word, "statement") for word in ours)]
    if place.qualifier:
        table = place.tables.get(place.qualifier)
        named = catalog.columns({place.qualifier: table}) if table else []
        return [Candidate(f"{place.qualifier}.{column}", "column") for column in named]
    if place.after == "(":
        # A sub-select may open here, and a statement of ours stands wherever one may.
        words = ["SELECT", "PREDICT USING", "EVALUATE USING", *language.SQL_WORDS]
    else:
        words = [*language.SQL_WORDS]
    columns = [Candidate(name, "column") for name in catalog.columns(place.tables)]
    aliases = [Candidate(name, "table") for name in place.tables]
    keywords = [Candidate(word, "keyword") for word in words]
    functions = [Candidate(f"{name}(", "function") for name in language.SQL_FUNCTIONS]
    return [*columns, *aliases, *keywords, *functions]


def _bindable(value: Any) -> bool:
    """Whether a notebook's variable can be a parameter: no module, class or function."""
    return not callable(value) and type(value).__name__ not in ("module", "DataFrame", "Series")
