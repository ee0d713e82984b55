"""A statement's Result in, the HTML a notebook shows for it out; the value of the cell stays what `execute` returns.

Which view a result has, its statement's class says. `Result.display` may hold more
than the value does: `result_column` of a PREDICT, `utterances` of an EVALUATE (mappings of row, audio, reference,
hypothesis, errors), `card`, `version` and `folder` of a DESCRIBE, `history` of a BUILD or FIT; `known` adds the last two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.statement_syntax import View
from thanosql.models.audio.access import AudioAccess
from thanosql.notebook import cards, evaluation, style, tables, transcripts
from thanosql.notebook.markup import Html, element
from thanosql.notebook.players import Players
from thanosql.notebook.result_text import frame_of

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.dispatcher import Result
    from thanosql.engine.session import Session


@dataclass(frozen=True, kw_only=True)
class Showing:
    """How results are shown: at most `limit` rows (0: all), `audio_bytes` of sound in one output."""

    limit: int = 10
    players: bool = True
    audio_bytes: int = 8_000_000
    access: AudioAccess = AudioAccess(roots=())

    def make_players(self) -> Players:
        return Players(self.access, self.audio_bytes if self.players else 0)


def as_html(result: Result, showing: Showing, *, note: str = "") -> str | None:
    """The whole HTML of a result; None for one that is but a status."""
    content = VIEWS[result.view](result, showing)
    if content is None:
        return None
    said = element("p", note, class_="thanosql-note") if note else None
    return style.framed(content, said, label=f"ThanoSQL: {result.status}")


def known(result: Result, session: Session) -> Result:
    """The result with what the store knows of the model that it is about: its card, its training's history."""
    name = result.status.split()[-1]
    if result.view not in ("training", "card") or not session.store.exists(name):
        return result
    model = session.store.get(name)
    trained = model.card.get("report") or {}
    more: dict[str, Any] = {"history": trained.get("history") or ()}
    if result.view == "card":
        more = {"card": model.card, "version": model.version, "folder": str(model.folder)}
    return dataclasses.replace(result, display={**more, **result.display})


def first_rows(frame: pd.DataFrame, limit: int) -> pd.DataFrame:
    """What of a frame is shown: of one whose rows are still in the database, the first (all of them for 0)."""
    from thanosql.engine.postgres.server_cursor import server_cursor_of

    cursor = server_cursor_of(frame)
    if cursor is None or not limit:
        return frame
    head = cursor.head(limit)
    head.attrs[tables.ROWS_IN_ALL] = cursor.count
    return head


def _table(result: Result, showing: Showing) -> Html | None:
    frame = result.rows if result.table is not None else frame_of(result)
    return None if frame is None else tables.as_html(frame, showing.limit)


def _predict(result: Result, showing: Showing) -> Html | None:
    frame, display = result.rows, result.display
    if frame is None or not showing.players or not _plays(result):
        return _table(result, showing)
    transcript = display.get("result_column") or _transcript(frame)
    sure = f"{transcript}_confidence"
    return transcripts.as_html(
        frame,
        showing.limit,
        showing.make_players(),
        audio=result.audio,
        transcript=transcript,
        confidence=list(frame[sure].iloc[: showing.limit or None]) if sure in frame.columns else None,
    )


def _print(result: Result, showing: Showing) -> Html | None:
    frame = result.rows
    if frame is None or not _plays(result):
        return _table(result, showing)
    return transcripts.as_html(
        frame,
        showing.limit,
        Players(showing.access, showing.audio_bytes),
        audio=result.audio,
        transcript=next((name for name in ("predict_result", "text", "transcript") if name in frame.columns), None),
        waveform=True,
    )


def _plays(result: Result) -> bool:
    """Whether the rows still have the columns that say which sound they mean."""
    frame, audio = result.rows, result.audio
    return frame is not None and audio is not None and audio.stand_in(frame.columns)


def _evaluate(result: Result, showing: Showing) -> Html | None:
    if result.rows is None or "wer" not in result.rows.columns:
        return _table(result, showing)
    utterances = result.display.get("utterances", ())
    return evaluation.as_html(result.rows, showing.limit, showing.make_players(), utterances)


def _train(result: Result, showing: Showing) -> Html | None:
    if not dataclasses.is_dataclass(result.report):
        return _table(result, showing)
    fields = {field.name: getattr(result.report, field.name) for field in dataclasses.fields(result.report)}
    return cards.report(fields, result.display.get("history") or fields.get("history") or ())


def _describe(result: Result, showing: Showing) -> Html | None:
    card = result.display.get("card")
    if card is None:
        return _table(result, dataclasses.replace(showing, limit=0))
    return cards.model(card, result.display.get("version"), str(result.display.get("folder", "")))


def _whole(result: Result, showing: Showing) -> Html | None:
    return _table(result, dataclasses.replace(showing, limit=max(showing.limit, 100)))


def _transcript(frame: Any) -> str:
    """The column with the transcripts: the one that other columns are named after, or else the last."""
    names = [str(name) for name in frame.columns]
    ends = ("_words", "_confidence", "_error")
    of_others = (name for name in names if any(f"{name}{end}" in names for end in ends))
    return next(of_others, "predict_result" if "predict_result" in names else names[-1])


VIEWS: dict[View, Callable[[Any, Showing], Html | None]] = {
    "": _table,
    "transcripts": _predict,
    "players": _print,
    "evaluation": _evaluate,
    "training": _train,
    "card": _describe,
    "whole": _whole,
}
