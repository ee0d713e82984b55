"""The options of PREDICT, and the columns that they ask for."""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.postgres.naming import Column
from thanosql.engine.prediction.segments_table import SegmentOptions
from thanosql.engine.prediction.word_table import LEVELS
from thanosql.engine.rows.audio_probe import ResumableOptions
from thanosql.models.options import DecodeOptions, option

TYPES = {"_words": "jsonb", "_confidence": "double precision", "_error": "text"}


@dataclass(frozen=True, kw_only=True)
class PredictOptions(ResumableOptions, SegmentOptions, DecodeOptions):
    result_col: str = option(
        "predict_result",
        "the column for the transcript; it replaces a query column of that name",
        kind="column",
        changes_result=False,
    )
    table_name: str | None = option(
        None,
        "the table to write the result to; an existing one is replaced in one step",
        kind="table",
        changes_result=False,
    )
    mode: str = option(
        "replace",
        "what becomes of table_name: 'replace' puts the result in its place; 'update' recognizes only rows that are new or "
        "whose audio, model or options have changed since, and keeps all others (needs row_key)",
        choices=("replace", "update"),
        changes_result=False,
    )
    prune: bool = option(
        False, "with mode='update': delete the rows whose row_key the query no longer gives", changes_result=False
    )
    share_rows: int | None = option(
        None,
        "with mode='update': recognize and write this many rows at a time, so that other processes, on any machines, can run "
        "the same statement at once and take other rows; NULL: all rows in one transaction",
        low=1,
        high=1_000_000,
        changes_result=False,
    )
    on_error: str = option(
        "raise",
        "a row whose audio cannot be read: 'raise' stops before any work; 'null' gives NULL, and the reason in the "
        "column result_col plus _error",
        choices=("raise", "null"),
        changes_result=False,
    )
    timestamps: str = option(
        "none",
        "add the jsonb column result_col plus _words: a list of word, start and end (seconds) and "
        "confidence, for words, characters or segments between pauses",
        choices=("none", *LEVELS),
    )
    confidence: bool = option(
        False,
        "add the column result_col plus _confidence: how sure the model is of the transcript, from 0 to 1",
        changes_result=False,
    )
    words_table: str | None = option(
        None,
        "the table to write one row per word to; it sets timestamps='word' if that is 'none'",
        kind="table",
        changes_result=False,
    )
    row_key: str | None = option(
        None,
        "the column that identifies the query's rows: mode='update' needs it, and words_table and segments_table have it "
        "for each of their rows (NULL there: audio_col)",
        kind="column",
        changes_result=False,
    )

    @property
    def level(self) -> str:
        """What is timed."""
        beside = self.words_table is not None or self.segments_table is not None
        return "word" if self.timestamps == "none" and beside else self.timestamps

    @property
    def tells_confidence(self) -> bool:
        """Whether the result or a table beside it has confidences."""
        return self.confidence or self.level != "none"

    @property
    def columns(self) -> list[Column]:
        """The columns that are written: the transcript, and what else was asked for."""
        wanted = {
            "_words": self.level != "none",
            "_confidence": self.confidence,
            "_error": self.on_error == "null",
        }
        return [
            Column(self.result_col, "text"),
            *(Column(f"{self.result_col}{end}", TYPES[end]) for end, is_wanted in wanted.items() if is_wanted),
        ]

    @property
    def origin_col(self) -> str:
        """The column that says, under mode='update', what a row's result was made by."""
        return f"{self.result_col}_by"

    @property
    def written_columns(self) -> list[Column]:
        """The same as `columns`, and that of the origin where there is one."""
        return [*self.columns, Column(self.origin_col, "text")] if self.mode == "update" else self.columns

    @property
    def plain(self) -> bool:
        """Whether the transcript alone is asked for, from greedy decoding."""
        return self.decoder == "greedy" and self.level == "none"

    @property
    def needs_ctc(self) -> str:
        """The option that needs probabilities of frames; empty where there is none."""
        if self.decoder != "greedy":
            return f"decoder='{self.decoder}'"
        if self.plain or self.timestamps != "none":
            return "" if self.plain else "timestamps"
        return "words_table" if self.words_table is not None else "segments_table"
