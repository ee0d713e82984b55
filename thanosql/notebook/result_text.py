"""A statement's Result in, its text out, for where HTML is not shown: a terminal, a log, a diff of notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thanosql.notebook import terminal

if TYPE_CHECKING:
    from thanosql.engine.dispatcher import Result

WORST = 10  # rows of an evaluation that a text shows where all rows are asked for


def as_text(result: Result, limit: int, *, width: int | None = None, expanded: bool = False) -> str:
    """The first `limit` rows of a result (0: all), or its status; `terminal.as_text` says how wide."""
    frame = frame_of(result)
    if frame is None:
        return result.status
    table = terminal.as_text(frame, limit, width=width, expanded=expanded)
    utterances = result.display.get("utterances", ())
    if result.view != "evaluation" and not utterances:
        return table
    from thanosql.notebook import evaluation

    worst = evaluation.worst_as_text(utterances, limit or WORST)
    lead = ""  # what an evaluation says in a sentence
    if result.view == "evaluation" and len(frame) and "wer" in frame.columns:
        row = frame.iloc[-1].to_dict()
        lead = evaluation.compared(row) if row.keys() >= evaluation.COMPARED else evaluation.hears(row)
    return "\n\n".join(part for part in (lead, table, worst) if part)


def frame_of(result: Result) -> Any:
    """The rows of a result as they come, or its report as a table of one row; None for a status."""
    if result.table is not None:
        return result.table
    return getattr(result.report, "frame", lambda: None)()
