"""Texts to learn from in; the rows that a checkpoint's vocabulary cannot spell out, as an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted
from thanosql.errors import ThanoSQLDataError
from thanosql.models.training.vocabulary_builder import training_vocabulary

if TYPE_CHECKING:
    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.options import TrainOptions


def prepare(folder: Path, texts: Iterable[tuple[int, str]], options: TrainOptions) -> None:
    """Check texts (row number, text) against the vocabulary that the options make of a checkpoint's folder; nothing is
    loaded for it.

    Raises ThanoSQLDataError with the rows that hold characters which the vocabulary lacks after normalization, since
    they would be learned as unknown; ThanoSQLModelError when the checkpoint has no vocabulary and none is made.
    """
    numbered = list(texts)
    built = training_vocabulary(folder, (text for _, text in numbered), options)
    rows: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for row, text in numbered:
        if missing := built.vocabulary.missing(built.normalizer.normalize(text)):
            rows.append({"row": row, "text": repr(_shortened(text)), "characters": repr(_shortened(missing))})
            counts.update(missing)
    if rows:
        shown = " ".join(letter if letter != " " else "(space)" for letter, _ in counts.most_common(40))
        raise ThanoSQLDataError(
            f"{counted(len(rows), 'text', ('contains', 'contain'))} characters that the model's vocabulary lacks: {shown}",
            rows=rows,
            hint=_cure(counts, built.vocabulary, options),
        )


def _cure(counts: Counter[str], vocabulary: Vocabulary, options: TrainOptions) -> str:
    if vocabulary.delimiter in counts:
        return f"The sign {vocabulary.delimiter} separates words in the vocabulary: write the texts without it."
    if all(letter.swapcase() in vocabulary.characters for letter in counts):
        return "The vocabulary has them in the other case: normalizer='auto' folds the texts to it."
    return (
        "Write them as they are spoken (5 → five; normalizer='english' or 'korean' does it), add them to the vocabulary "
        "with vocabulary='extend', leave these rows out with on_error='skip', or choose a base that has them."
    )


def _shortened(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
