"""A word somebody asks about in, help out: a statement, an option, a base model."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from thanosql.engine.language.options import declared_by
from thanosql.engine.language.vocabulary import vocabulary
from thanosql.errors import did_you_mean
from thanosql.notebook import language

if TYPE_CHECKING:
    from thanosql.engine.language.options import Declared


def explain(asked: str) -> str:
    """Help on `PREDICT`, `BUILD MODEL`, `batch_size` or `Wav2Vec2En`; on what there is, where it is none of them."""
    if not asked:
        return _everything("PREDICT? explains a statement, batch_size? an option, Wav2Vec2En? a base model.")
    words = asked.upper().split()
    if words and words[0] in vocabulary().firsts:
        return _statements(words)
    if (base := _base(asked)) is not None:
        return base
    if (option := _option(asked.lower())) is not None:
        return option
    known = [*vocabulary().firsts, *_bases(), *_option_names()]
    closest = did_you_mean(asked, known) or ""
    return _everything(f"There is no '{asked}' to explain. {closest if closest.startswith('Did') else ''}".rstrip())


def _everything(opening: str) -> str:
    return "\n".join(
        (
            opening,
            "",
            "Statements:",
            *(f"  {vocabulary().shown(line)}" for syntax in vocabulary().syntaxes for line in syntax.lines),
            "  any other SQL, as PostgreSQL has it",
            f"Base models: {', '.join(_bases())}",
        )
    )


def _statements(words: list[str]) -> str:
    """The help on those that begin with these words; GET MODEL is GET THANOSQL MODEL."""
    found = language.statements_of(words)
    found = [kind for kind in found if kind.syntax and words[-1] in kind.syntax.title.split()] or found
    lines: list[str] = []
    for kind in found:
        syntax = kind.syntax
        assert syntax is not None
        lines += ["", *(vocabulary().shown(line) for line in syntax.lines), "", *language.example_of(kind).splitlines()]
        if options := declared_by(*syntax.options()):
            lines += ["", "Options:"]
            for option in options:
                lines += _described(option)
    return "\n".join(lines[1:])


def _described(option: Declared) -> list[str]:
    limits = f", {option.limits}" if option.limits else ""
    head = f"  {option.name}={language.default_of(option)}"
    return [
        f"{head}    {option.type}{limits}",
        *textwrap.wrap(option.help, 100, initial_indent="      ", subsequent_indent="      "),
    ]


def _option(name: str) -> str | None:
    """The help on an option: statements that have the same share it."""
    titles: dict[tuple[str, ...], list[str]] = {}
    for title, option in _options():
        if option.name == name:
            titles.setdefault(tuple(_described(option)), []).append(title)
    return "\n".join(f"Option of {', '.join(of)}\n" + "\n".join(said) for said, of in titles.items()) or None


def _options() -> Iterator[tuple[str, Declared]]:
    for _, syntax in language.syntaxes():
        for option in declared_by(*syntax.options()):
            yield syntax.title, option


def _option_names() -> set[str]:
    return {option.name for _, option in _options()}


def _bases() -> list[str]:
    from thanosql.models.bases import BASES

    return list(BASES)


def _base(asked: str) -> str | None:
    from thanosql.models.bases import BASES

    base = next((base for name, base in BASES.items() if name.lower() == asked.lower()), None)
    if base is None:
        return None
    return "\n".join(
        (
            f"{base.name}: a base model for {base.language}, {base.size}",
            f"checkpoint: {base.checkpoint}",
            *([f"license: {base.license}"] if base.license is not None else []),
            f"BUILD MODEL my_model USING {base.name} AS SELECT audio_path, text FROM …",
            f"PREDICT USING {base.name} AS SELECT audio_path FROM …",
        )
    )
