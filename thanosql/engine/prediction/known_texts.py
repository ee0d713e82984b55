"""A snapshot's column of texts in; the texts as the model spells them, or the rows that ALIGN cannot place, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thanosql.counting import part_of
from thanosql.engine.rows.references import spoken_texts
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot
    from thanosql.models.model import Model

NO_TEXT = "no text (NULL)"


def normalized_texts(snapshot: Snapshot, column: Column, model: Model, tags: str) -> list[str | None]:
    """The texts in the model's own letters, tags as the option says, in the rows' order; None for NULL."""
    from thanosql.models import registry

    normalize = registry.normalizer(model).normalize
    texts = spoken_texts(snapshot, column, tags)
    return [None if text is None else normalize(text) for text in texts]


def refuse_texts(texts: list[str | None], column: Column, model: Model, unknown: str) -> None:
    """Raise ThanoSQLDataError for texts that are not there, and with unknown='error' for what the model cannot spell."""
    from thanosql.models import registry

    facts = registry.facts(model)
    vocabulary = facts.vocabulary if facts is not None else None
    failures: list[dict[str, Any]] = []
    for row, text in enumerate(texts, start=1):
        if text is None:
            failures.append({"row": row, "text": None, "reason": NO_TEXT})
        elif unknown == "error" and vocabulary is not None and (missing := vocabulary.missing(text)):
            reason = f"the model has no {', '.join(map(repr, missing))}"
            failures.append({"row": row, "text": text, "reason": reason})
    if failures:
        raise unaligned(column, failures, len(texts))


def unaligned(column: Column, failures: list[dict[str, Any]], rows: int) -> ThanoSQLDataError:
    """The error for texts that cannot be aligned, of so many rows."""
    return ThanoSQLDataError(
        f"{part_of(len(failures), rows, 'row', ('has', 'have'))} a text in '{column.name}' that cannot be aligned.",
        rows=failures,
        hint="Nothing was changed. on_error='null' skips such rows.",
    )
