"""The options of EVALUATE, as data."""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.rows.audio_probe import ResumableOptions
from thanosql.engine.rows.references import TagOptions
from thanosql.models.options import DecodeOptions, option


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(ResumableOptions, TagOptions, DecodeOptions):
    text_col: str = option("text", "the column with the reference transcript", kind="column")
    group_by: list[str] = option([], "columns to group by: one row per group, and a total", kind="column")
    cluster_by: str | None = option(
        None,
        "the column whose rows are not independent (the speaker): the confidence interval resamples whole clusters",
        kind="column",
    )
    against: str | None = option(None, "another model, compared on the same rows")
    table_name: str | None = option(None, "the table to write one row per utterance to", kind="table")
    confusions_table: str | None = option(
        None,
        "the table to write confusions to: pairs of reference and hypothesis words, and of characters, with their counts",
        kind="table",
    )
    exclude_trained: bool = option(False, "leave out the rows that the model was trained on")
    normalizer: str = option(
        "model",
        "how reference and hypothesis are normalized before they are compared: 'model' as for "
        "training the model, 'words' to lower case without punctuation, 'none' not at all; 'english' and 'korean' put "
        "numbers, money, times, signs and abbreviations of both into words first (12 is 'twelve'), and are then as 'words'",
        choices=("model", "words", "none", "english", "korean"),
    )
    row_key: str | None = option(
        None,
        "the column that tells rows apart (an id): the worst rows are named by it, not by their number",
        kind="column",
    )
    seed: int = option(0, "seed of the bootstrap", low=0, high=2**31 - 1)
