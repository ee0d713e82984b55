"""Texts to learn from in; the rows that a checkpoint's vocabulary cannot spell out, as an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError
from thanosql.models.text import Normalizer
from thanosql.models.wav2vec2 import checkpoint as checkpoints

if TYPE_CHECKING:
    from thanosql.config import Settings


def normalizer(checkpoint: str, settings: Settings) -> Normalizer:
    """The normalizer saved with a checkpoint, or the one that its vocabulary asks for."""
    folder = checkpoints.open(checkpoint, settings).folder
    return Normalizer.read(folder, checkpoints.read_vocabulary(folder))


def prepare(checkpoint: str, settings: Settings, texts: Iterable[tuple[int, str]]) -> None:
    """Check texts (row number, text) against the checkpoint's vocabulary; nothing is loaded for it.

    Raises ThanoSQLDataError with the rows that hold characters which the vocabulary lacks after normalization, since
    they would be learned as unknown; ThanoSQLModelError when the checkpoint has no vocabulary.
    """
    folder = checkpoints.open(checkpoint, settings).folder
    if not (folder / "vocab.json").is_file():
        raise ThanoSQLModelError(
            f"{checkpoint} is a pretrained model without a vocabulary: training cannot start from it yet.",
            hint="Name a model with a CTC head, such as Wav2Vec2En, Wav2Vec2Ko or Wav2Vec2Tiny.",
        )
    vocabulary = checkpoints.read_vocabulary(folder)
    fitted = Normalizer.read(folder, vocabulary)
    rows: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for row, text in texts:
        if missing := vocabulary.missing(fitted.normalize(text)):
            rows.append({"row": row, "text": repr(_shortened(text)), "characters": repr(_shortened(missing))})
            counts.update(missing)
    if rows:
        shown = " ".join(letter if letter != " " else "(space)" for letter, _ in counts.most_common(40))
        raise ThanoSQLDataError(
            f"{len(rows):,} texts hold characters that the model's vocabulary lacks: {shown}",
            rows=rows,
            hint="Write them as they are spoken (5 → five), leave these rows out, or choose a base that has them.",
        )


def _shortened(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
