"""The grammar in lark's language: grammar.lark and the statements' shapes in, the whole out."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

from thanosql.engine.language.declared import DECLARED
from thanosql.engine.language.vocabulary import vocabulary


def text() -> str:
    """grammar.lark, and the rules that list statements and keywords."""
    written = resources.files("thanosql").joinpath("grammar.lark").read_text(encoding="utf-8")
    declared = {rule: one.shape for rule, one in DECLARED.items()}
    derived = {
        "?statement": declared,
        "_planned": (rule for rule, shape in declared.items() if shape is not None and shape.planned),
        "_nestable": (rule for rule, shape in declared.items() if shape is not None and shape.nests),
        "!_keyword": (f'"{word}"i' for word in vocabulary().names),
    }
    return written + "\n" + "".join(f"{rule}: {_either(parts)}\n" for rule, parts in derived.items())


def _either(parts: Iterable[str]) -> str:
    return " | ".join(sorted(parts))
