"""A word somebody asks about in, help out: a statement, an option, a base model."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from thanosql.engine.language.heads import SHAPES
from thanosql.errors import did_you_mean
from thanosql.notebook import language

if TYPE_CHECKING:
    from thanosql.engine.language.options import Declared


def explain(asked: str) -> str:
    """Help on `PREDICT`, `BUILD MODEL`, `batch_size` or `Wav2Vec2En`; on what there is, where it is none of them."""
    words = asked.split()
    first = words[0].upper()
    if first in SHAPES:
        return _statement(first, words[-1].upper())
    if (base := _base(asked)) is not None:
        return base
    if (option := _option(asked.lower())) is not None:
        return option
    known = [*(shape.split()[0] for shape in SHAPES.values()), *_bases(), *_option_names()]
    closest = did_you_mean(asked, known) or ""
    return "\n".join(
        (
            f"There is no '{asked}' to explain. {closest if closest.startswith('Did') else ''}".rstrip(),
            "",
            "Statements:",
            *(f"  {shape}" for shape in SHAPES.values()),
            "  any other SQL, as PostgreSQL has it",
            f"Base models: {', '.join(_bases())}",
        )
    )


def _statement(first: str, last: str) -> str:
    lines = [SHAPES[first], "", *language.example_of(first).splitlines()]
    if options := language.options_of(first, last if last in ("MODEL", "DATASET") else ""):
        lines += ["", "Options:"]
        for option in options:
            lines += _described(option)
    return "\n".join(lines)


def _described(option: Declared) -> list[str]:
    limits = f", {option.limits}" if option.limits else ""
    head = f"  {option.name}={language.default_of(option)}"
    return [
        f"{head}    {option.type}{limits}",
        *textwrap.wrap(option.help, 100, initial_indent="      ", subsequent_indent="      "),
    ]


def _option(name: str) -> str | None:
    lines: list[str] = []
    for statement in language.MODULES:
        for option in language.options_of(statement):
            if option.name == name:
                described = _described(option)
                if lines and lines[-len(described) :] == described:
                    lines[-len(described) - 1] += f", {SHAPES[statement].split()[0]}"
                else:
                    lines += [f"Option of {SHAPES[statement].split()[0]}", *described]
    return "\n".join(lines) or None


def _option_names() -> set[str]:
    return {option.name for statement in language.MODULES for option in language.options_of(statement)}


def _bases() -> list[str]:
    from thanosql.models.registry import BASES

    return list(BASES)


def _base(asked: str) -> str | None:
    from thanosql.models.registry import BASES

    base = next((base for name, base in BASES.items() if name.lower() == asked.lower()), None)
    if base is None:
        return None
    return "\n".join(
        (
            f"{base.name}: a base model for {base.language}, {base.size}",
            f"checkpoint: {base.checkpoint}",
            f"BUILD MODEL my_model USING {base.name} AS SELECT audio_path, text FROM …",
            f"PREDICT USING {base.name} AS SELECT audio_path FROM …",
        )
    )
