"""The options of EVALUATE, as data."""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.rows.audio_probe import ResumableOptions
from thanosql.models.options import DecodeOptions, option


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(ResumableOptions, DecodeOptions):
    text_col: str = option("text", "the column with the reference transcript", kind="column")
    group_by: list[str] = option([], "columns; a row for each group of their values, and a total", kind="column")
    cluster_by: str | None = option(
        None, "the column whose values err together (the speaker): the interval draws whole clusters", kind="column"
    )
    against: str | None = option(None, "another model, compared on the same rows")
    table_name: str | None = option(None, "the table that takes a row for each utterance", kind="table")
    confusions_table: str | None = option(
        None,
        "the table that takes pairs of reference and hypothesis words, and characters, with their counts",
        kind="table",
    )
    exclude_trained: bool = option(False, "leave out the rows that the model was trained on")
    normalizer: str = option(
        "model",
        "what is done to both sides before they are compared: 'model' as the model's own texts, 'words' lower case "
        "without punctuation, 'none' nothing",
        choices=("model", "words", "none"),
    )
    row_key: str | None = option(
        None,
        "the column that tells rows apart (an id): the worst rows are named by it, not by their number",
        kind="column",
    )
    seed: int = option(0, "seed of the bootstrap", low=0, high=2**31 - 1)
