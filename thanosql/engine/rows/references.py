"""A snapshot's text column → its texts, every one of them there, with or without the tags of annotators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted, part_of
from thanosql.errors import ThanoSQLDataError
from thanosql.models.options import option
from thanosql.models.transcript_tags import tags as find_tags
from thanosql.models.transcript_tags import without_tags

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot


@dataclass(frozen=True, kw_only=True)
class TagOptions:
    """What becomes of tags in texts; statements that learn from texts, measure with them or align them take it."""

    tags: str = option(
        "drop",
        "tags that annotators write beside the words, as [noise], (inaudible) or <unk>: 'drop' removes them from the text, "
        "'keep' counts their words as spoken, 'error' stops before any work and lists the rows",
        choices=("drop", "keep", "error"),
    )


def references(snapshot: Snapshot, column: Column, tags: str, *, required: bool = True) -> list[str]:
    """The texts in the rows' order, tags as the option says. Raises ThanoSQLDataError naming the rows where one is NULL,
    unless they are not `required`: '' then."""
    texts: list[str] = []
    missing = []
    for row, text in enumerate(spoken_texts(snapshot, column, tags), start=1):
        if text is None:
            missing.append({"row": row, "reason": f"'{column.name}' is NULL"})
        texts.append("" if text is None else text)
    if missing and required:
        raise ThanoSQLDataError(
            f"{part_of(len(missing), len(texts), 'row', ('has', 'have'))} no text in '{column.name}'.",
            rows=missing,
            hint=f"Leave them out: WHERE {column.name} IS NOT NULL.",
        )
    return texts


def tag_remarks(texts: Iterable[Any], choice: str) -> list[str]:
    """What is to be said of tags in the texts that a statement read; nothing where there are none.

    >>> tag_remarks(["one [noise]", None, "two"], "drop"), tag_remarks(["one"], "drop")
    (["Tags were left out of 1 of 3 texts (tags='drop')."], [])
    """
    found = [bool(text is not None and find_tags(str(text))) for text in texts]
    done = {"drop": "Tags were left out of", "keep": "Tags count as spoken words in"}.get(choice)
    return [f"{done} {sum(found):,} of {counted(len(found), 'text')} (tags={choice!r})."] if any(found) and done else []


def spoken_texts(snapshot: Snapshot, column: Column, tags: str) -> Iterator[str | None]:
    """The texts in the rows' order, None for NULL. Raises ThanoSQLDataError for tags with 'error', behind the last row."""
    tagged: list[dict[str, Any]] = []
    for row, text in snapshot.stream(column):
        said = None if text is None else text if isinstance(text, str) else str(text)
        if said is not None and tags == "error":
            tagged.extend(_tagged(row, said))
        yield without_tags(said) if said is not None and tags == "drop" else said
    if tagged:
        raise ThanoSQLDataError(
            f"{part_of(len(tagged), snapshot.rows, 'row', ('has', 'have'))} tags in '{column.name}'.",
            rows=tagged,
            hint="tags='drop' removes them, tags='keep' counts their words as spoken.",
        )


def _tagged(row: int, text: str) -> Iterator[dict[str, Any]]:
    if found := find_tags(text):
        yield {"row": row, "text": text, "reason": f"tags: {' '.join(found)}"}
