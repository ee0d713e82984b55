"""A snapshot's text column → its texts, every one of them there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot


def references(snapshot: Snapshot, column: Column, *, required: bool = True) -> list[str]:
    """The texts in the rows' order. Raises ThanoSQLDataError naming the rows where one is NULL, unless they are not
    `required`: '' then."""
    texts: list[str] = []
    missing = []
    for row, text in snapshot.stream(column):
        if text is None:
            missing.append({"row": row, "reason": f"'{column.name}' is NULL"})
        texts.append("" if text is None else text if isinstance(text, str) else str(text))
    if missing and required:
        raise ThanoSQLDataError(
            f"{len(missing):,} of {len(texts):,} rows have no text in '{column.name}'.",
            rows=missing,
            hint=f"Leave them out: WHERE {column.name} IS NOT NULL.",
        )
    return texts
