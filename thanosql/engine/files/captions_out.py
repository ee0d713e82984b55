"""Rows with their seconds in, the text of a caption file out: srt, vtt, or NIST's ctm.

What is said stands in one of three places, the first that is there: a column of lists of words or segments, as PREDICT with
`timestamps` and ALIGN give it; or `start` and `end` with `predict_result`, `text` or `word`, as tables of segments, captions
and words have them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError
from thanosql.models.ctc.timestamps import PAUSE_SECONDS

FORMATS = ("srt", "vtt", "ctm")
TEXTS = ("predict_result", "text", "word")
# Words are put together to captions of at most two lines of 42 characters that stand for 7 s at most, as broadcasters'
# guides have it (Netflix, Timed Text Style Guide).
LONGEST_TEXT = 84
LONGEST_SECONDS = 7.0
_CURE = "PREDICT with timestamps='segment' or 'word' has times, and ALIGN; or give columns start, \"end\" and text."


@dataclass(frozen=True)
class Cue:
    """What is said from `start` to `end`, in seconds of the recording; `joins` if it is one of the words of a caption."""

    recording: Any
    start: float
    end: float
    text: str
    channel: int = 1
    speaker: str = ""
    confidence: float | None = None
    joins: bool = False


def captions(names: Sequence[str], rows: Iterable[Sequence[Any]], form: str, audio_col: str = "audio_path") -> str:
    """The text of a caption file in `form`: values are None where they are not known, and lists may be JSON.

    Raises ThanoSQLOptionError for another form, and ThanoSQLDataError for rows without times, of several recordings (srt and
    vtt have one), or without a recording's name or a time for each word (ctm).

    >>> print(captions(["start", "end", "text"], [(3600.5, 3602, "yes & no")], "srt"))
    1
    01:00:00,500 --> 01:00:02,000
    yes & no
    <BLANKLINE>
    """
    if form not in FORMATS:
        raise ThanoSQLOptionError(f"'{form}' is no form of captions.", hint=f"It is one of {', '.join(FORMATS)}.")
    cues = list(_cues(names, list(rows), form, audio_col))
    if form == "ctm":
        return _ctm(cues, audio_col)
    if len({cue.recording for cue in cues}) > 1:
        raise ThanoSQLDataError(
            f"{form} is of one recording, and these rows are of {len({cue.recording for cue in cues}):,}.",
            hint="Choose one with WHERE; ctm holds several.",
        )
    found = sorted(_joined(cues), key=lambda cue: cue.start)
    blocks = [_block(number, cue, form) for number, cue in enumerate(found, start=1)]
    return "\n".join(["WEBVTT\n", *blocks] if form == "vtt" else blocks)


def _cues(names: Sequence[str], rows: Sequence[Sequence[Any]], form: str, audio_col: str) -> Iterator[Cue]:
    at = {name: place for place, name in reversed(list(enumerate(names)))}
    lists = _column_of_lists(names, rows)
    said = next((name for name in TEXTS if name in at), None)
    if lists is None and not (said and "start" in at and "end" in at):
        raise ThanoSQLDataError(
            f"{form} needs to know when each thing is said, and these rows do not tell.", hint=_CURE
        )
    for number, row in enumerate(rows, start=1):

        def known(name: str, row: Sequence[Any] = row) -> Any:
            return row[at[name]] if name in at else None

        recording = known(audio_col)
        if lists is not None and recording is None and audio_col not in at:
            recording = number
        channel, speaker = known("channel"), " ".join(str(known("speaker") or "").split())
        one = Cue(recording, 0.0, 0.0, "", 1 if channel is None else int(channel), speaker)
        if lists is None:
            times = {name: known(name) for name in ("start", "end", "confidence")}
            yield from _timed(one, times, known(said or ""), number, joins=said == "word")
            continue
        try:
            items = _items(row[at[lists]])
        except ValueError as error:
            raise ThanoSQLDataError(
                f"Row {number}: {lists} is no list of words with their times.", hint=_CURE
            ) from error
        words = [item for item in items if str(item.get("word") or "").strip()]
        text = known(lists.removesuffix("_words"))
        if isinstance(text, str) and len(text.split()) < len(words) and all(len(item["word"]) == 1 for item in words):
            raise ThanoSQLDataError(
                f"Row {number}: {lists} has the times of characters.", hint="Say timestamps='word'."
            )
        for item in words:
            yield from _timed(one, item, item["word"], number, joins=True)


def _timed(one: Cue, times: dict[str, Any], text: Any, row: int, *, joins: bool = False) -> Iterator[Cue]:
    """The cue with its times and text; none without a text."""
    lines = [" ".join(line.split()) for line in str("" if text is None else text).splitlines()]
    if not any(lines):
        return
    try:
        start, end = float(times["start"]), float(times["end"])
    except (TypeError, ValueError, KeyError) as error:
        raise ThanoSQLDataError(f"Row {row} has no start or no end.", hint=_CURE) from error
    if not 0 <= start <= end < float("inf"):
        raise ThanoSQLDataError(f"Row {row}: from {start} to {end} is no part of a recording.")
    sure = times.get("confidence")
    yield replace(
        one,
        start=start,
        end=end,
        text="\n".join(filter(None, lines)),
        confidence=None if sure is None else float(sure),
        joins=joins and len(str(text).split()) == 1,
    )


def _column_of_lists(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str | None:
    for place, name in enumerate(names):
        value = next((row[place] for row in rows if row[place] is not None), None)
        if isinstance(value, str) and not re.match(r"\s*\[\s*(\{|\])", value):
            continue
        if isinstance(value, str | list) and (name.endswith("_words") or _has_times(value)):
            return name
    return None


def _has_times(value: Any) -> bool:
    try:
        return any("start" in item for item in _items(value))
    except ValueError:  # a text that begins as a list does
        return False


def _items(value: Any) -> list[dict[str, Any]]:
    """Raises ValueError for a text that is no JSON."""
    found = json.loads(value.strip() or "[]") if isinstance(value, str) else value
    return [item for item in found or () if isinstance(item, dict)]


def _joined(cues: Sequence[Cue]) -> Iterator[Cue]:
    """Captions, of words that stand by themselves: one ends at a pause, and before it gets too long."""
    held: Cue | None = None
    for cue in cues:
        if (
            held is not None
            and held.joins
            and cue.joins
            and (cue.recording, cue.channel, cue.speaker) == (held.recording, held.channel, held.speaker)
            and cue.start - held.end < PAUSE_SECONDS - 1e-9
            and cue.end - held.start <= LONGEST_SECONDS
            and len(held.text) + 1 + len(cue.text) <= LONGEST_TEXT
        ):
            held = replace(held, end=max(held.end, cue.end), text=f"{held.text} {cue.text}")
            continue
        if held is not None:
            yield held
        held = cue
    if held is not None:
        yield held


def _block(number: int, cue: Cue, form: str) -> str:
    start, end = round(cue.start * 1000), max(round(cue.end * 1000), round(cue.start * 1000) + 1)
    if form == "srt":
        text = cue.text.replace("-->", "--&gt;")  # which would be read as a time
        return f"{number}\n{_stamp(start, ',')} --> {_stamp(end, ',')}\n{text}\n"
    voice = f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""
    return f"{_stamp(start, '.')} --> {_stamp(end, '.')}\n{voice}{_escaped(cue.text)}\n"


def _stamp(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _ctm(cues: Sequence[Cue], audio_col: str) -> str:
    """A line a word, sorted as sclite wants them: recording, channel, start, seconds, word, confidence if it is known."""
    lines = []
    for cue in cues:
        if not isinstance(cue.recording, str):
            raise ThanoSQLDataError(
                "ctm names the recording of each word, and these rows do not.",
                hint=f"Give its path or name in the column {audio_col}.",
            )
        if len(cue.text.split()) > 1:
            raise ThanoSQLDataError(
                f"ctm has a time for each word, and '{cue.text[:40]}' has one for several.",
                hint="PREDICT with timestamps='word' has the time of each, and ALIGN.",
            )
        name = "_".join(PurePath(cue.recording).stem.split())
        sure = "" if cue.confidence is None else f" {cue.confidence:.3f}"
        start = round(cue.start, 3)
        line = f"{name} {cue.channel} {start:.3f} {max(round(cue.end, 3) - start, 0):.3f} {cue.text}{sure}"
        lines.append(((name, cue.channel, start), line))
    return "\n".join(line for _, line in sorted(lines, key=lambda one: one[0]))
