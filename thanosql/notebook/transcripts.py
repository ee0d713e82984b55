"""Transcribed rows in, a table with a player beside each transcript out: PREDICT and PRINT AUDIO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from thanosql.notebook import tables
from thanosql.notebook.markup import Html, element, join, unseen
from thanosql.notebook.players import Players

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.audio_columns import AudioColumns

MOST_WORDS = 200  # of one row with their times


def as_html(
    frame: pd.DataFrame,
    limit: int,
    players: Players,
    *,
    audio: AudioColumns | None,
    transcript: str | None = None,
    confidence: Sequence[float | None] | None = None,
    waveform: bool = False,
) -> Html:
    """The first `limit` rows: the player, the transcript, then the rest, and where the audio is last of all.
    `confidence` is by row, from 0 to 1."""
    names = [str(name) for name in frame.columns]
    where = None if audio is None else audio.name
    ordered = sorted(names, key=lambda name: (name != transcript, name == where))  # a stable order
    values = [] if audio is None else audio.of_frame(frame.iloc[: limit or None])
    cells: Mapping[str, tables.Cell] = {}
    if transcript in names:
        cells = {
            str(transcript): lambda row, value: transcript_cell(value, _at(confidence, row)),
            f"{transcript}_words": lambda _, value: transcript_cell(value, None),
        }

    def play(row: int, _: Any) -> Html:
        return players.player(values[row], f"row {row + 1}", waveform=waveform)

    return tables.as_html(
        frame[ordered], limit, cells=cells, first={"▶" if "audio" in names else "audio": play} if values else {}
    )


def transcript_cell(text: Any, confidence: float | None) -> Html:
    """A transcript, shaded the more the less sure the model is; sure ones have no shade. So is each of a list of
    words with their times."""
    if isinstance(text, list) and all(isinstance(word, Mapping) for word in text):
        return timed(text)
    if not isinstance(text, str):
        return element("span", "NULL", class_="thanosql-null")
    if not text:
        return element("span", "(nothing heard)", class_="thanosql-null")
    if confidence is None:
        return tables.clamped(element("span", text), text)
    shaded = tables.clamped(_shaded(text, confidence), text)
    return join((shaded, unseen(f" (confidence {confidence:.0%})")))


def timed(words: Sequence[Mapping[str, Any]]) -> Html:
    """Words, each with the second it starts at; all that is known of one is said when it is pointed at."""
    shown = [
        element(
            "span",
            _shaded(str(word.get("word", "")), word.get("confidence"), title=_when(word)),
            element("small", f"{float(word.get('start') or 0):.1f}"),
            " ",
            class_="thanosql-timed",
        )
        for word in words[:MOST_WORDS]
    ]
    left = len(words) - MOST_WORDS
    return join((shown, element("span", f"… {left:,} more words", class_="thanosql-note") if left > 0 else None))


def _shaded(text: str, confidence: float | None, title: str = "") -> Html:
    doubt = 0.0 if confidence is None else max(0.0, min(1.0, 1.0 - confidence))
    return element(
        "span",
        text,
        class_="thanosql-heard",
        style=f"background:rgba(var(--ts-warn),calc(var(--ts-shade)*{doubt**0.7 * 0.6:.2f}))" if doubt > 0.01 else None,
        title=title or (None if confidence is None else f"confidence {confidence:.1%}"),
    )


def _when(word: Mapping[str, Any]) -> str:
    sure = word.get("confidence")
    said = f"{word.get('start')} s to {word.get('end')} s"
    return said if sure is None else f"{said}, confidence {sure:.1%}"


def _at(confidence: Sequence[float | None] | None, row: int) -> float | None:
    return confidence[row] if confidence is not None and row < len(confidence) else None
