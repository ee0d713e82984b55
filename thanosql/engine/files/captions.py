"""Captions (srt, vtt), Praat's TextGrid, and NIST's ctm, stm and rttm → segments of the recording beside them.

ctm, stm and rttm: https://github.com/usnistgov/SCTK (doc/infmts.htm) and the NIST RT-09 evaluation plan.
"""

from __future__ import annotations

import html
import io
import math
import re
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted
from thanosql.engine.files.segment_rows import Audio, Segment, read_text, segment_records
from thanosql.engine.files.tabular import Records, refuse_missing
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

_VOICE = re.compile(r"<v(?:\.[^ >]*)?\s+([^>]*)>")
_MARKUP = re.compile(r"</?[A-Za-z0-9][^>]*>|\{\\[^}]*\}")
_CHANNELS = {"A": 1, "B": 2}
_LANGUAGE = re.compile(r"(?i)[a-z]{2,3}([-_][a-z0-9]{2,8})*|forced|sdh|cc")  # talk.en.srt, talk.zh-Hans.vtt
_NOT_SCORED = re.compile(
    r"(?i)ignore_time_segment_in_scoring"
)  # what an stm has in the place of a text it does not know


def open_captions(path: Path, encoding: str | None, settings: Settings) -> Records:
    """A row a caption, interval, word or turn. Raises ThanoSQLDataError naming the line or caption that cannot be read."""
    suffix = path.suffix.lower()
    audio = Audio(path.parent, settings)
    text = read_text(path, encoding)
    if suffix in (".srt", ".vtt"):
        found = list(_cues(path, text, suffix[1:], audio))
    elif suffix == ".textgrid":
        found = list(_intervals(path, text, audio))
    else:
        found = list(_READERS[suffix](path, text, audio))
    if not found:
        raise ThanoSQLDataError(f"{path.name} holds no segment.", hint=f"It is read as {suffix[1:]}.")
    names = {".textgrid": "tiers are speakers", ".ctm": "a row a word"}
    if suffix == ".stm" and (unknown := sum(one.text is None for one in found)):
        names[".stm"] = f"{counted(unknown, 'line', ('is', 'are'))} not to be scored, the text is NULL"
    unit = {".srt": "caption", ".vtt": "caption", ".textgrid": "interval"}.get(suffix, "line")
    return segment_records(path, lambda: found, audio, names.get(suffix, ""), unit=unit, in_order=True)


def _cues(path: Path, text: str, kind: str, audio: Audio) -> Iterator[Segment]:
    try:
        import webvtt
        from webvtt.errors import MalformedCaptionError, MalformedFileError
    except ImportError as error:
        refuse_missing("webvtt-py", path, error, extra="captions")
    try:
        cues = list(webvtt.from_buffer(io.StringIO(text), format=kind))
    except (MalformedFileError, MalformedCaptionError, ValueError) as error:
        raise ThanoSQLDataError(f"{path.name} cannot be read as {kind}: {error or 'no captions'}.") from error
    timed, empty = _timed(text.split("\n"))
    if not timed - empty <= len(cues) <= timed:
        raise ThanoSQLDataError(
            f"{path.name}: {counted(timed, 'line', ('holds', 'hold'))} times, and {counted(len(cues), 'caption')} can be read.",
            hint="A time is written as 00:01:02,345 (srt) or 00:01:02.345 (vtt).",
        )
    place = audio.path(path.stem, *_without_language(path.stem))
    for row, cue in enumerate(cues, start=1):
        start, end = _seconds(cue.start), _seconds(cue.end)
        # A voice goes on until the next one of its caption.
        before, *voices = _VOICE.split(cue.raw_text)
        turns = [(None, before), *zip(voices[::2], voices[1::2])] if before.strip() or not voices else None
        for speaker, said in turns or zip(voices[::2], voices[1::2]):
            plain = html.unescape(_MARKUP.sub("", said)).strip()
            yield Segment(row, place, start, end, speaker=speaker and html.unescape(speaker).strip(), text=plain)


def _timed(lines: list[str]) -> tuple[int, int]:
    """How many lines hold times, and how many of them no text: another caption follows, or nothing.

    >>> _timed(["1", "0 --> 1", "", "2", "1 --> 2", "a", "", "3", "2 --> 3", "", "lost", "text"])
    (3, 1)
    """
    said = [line.strip() for line in lines] + [""]
    empty = timed = 0
    for number, line in enumerate(said):
        if "-->" not in line:
            continue
        timed += 1
        rest = list(islice((one for one in islice(said, number + 1, None) if one), 2))
        empty += not said[number + 1] and (not rest or any("-->" in one for one in rest))
    return timed, empty


def _without_language(stem: str) -> tuple[str, ...]:
    """The name without the language at its end, if it has one.

    >>> _without_language("talk.en"), _without_language("talk.zh-Hans"), _without_language("talk 1.5"), _without_language("en")
    (('talk',), ('talk',), (), ())
    """
    name, _, language = stem.rpartition(".")
    return (name,) if name and _LANGUAGE.fullmatch(language) else ()


def _seconds(stamp: str) -> float:
    hours, minutes, seconds = stamp.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _intervals(path: Path, text: str, audio: Audio) -> Iterator[Segment]:
    try:
        from praatio import textgrid
    except ImportError as error:
        refuse_missing("praatio", path, error, extra="captions")
    try:
        with tempfile.TemporaryDirectory() as folder:
            decoded = Path(folder, "decoded.TextGrid")  # praatio reads UTF-8 and UTF-16 alone
            decoded.write_text(text, encoding="utf-8")
            grid = textgrid.openTextgrid(str(decoded), False, reportingMode="silence", duplicateNamesMode="rename")
    except Exception as error:  # praatio fails in many words, ValueError and KeyError among them
        raise ThanoSQLDataError(
            f"{path.name} cannot be read as a TextGrid: {error or type(error).__name__}."
        ) from error
    place = audio.path(path.stem)
    row = 0
    for tier in grid.tiers:
        for entry in tier.entries:
            row += 1
            end = getattr(entry, "end", None)
            start = entry.start if end is not None else entry.time
            yield Segment(row, place, start, end if end is not None else start, speaker=tier.name, text=entry.label)


def _lines(path: Path, text: str, least: int, split: int = -1) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith(";;"):
            continue
        parts = line.split(None, split)
        if len(parts) < least:
            raise ThanoSQLDataError(
                f"{path.name}, line {number}: {len(parts)} fields, where {path.suffix[1:]} has at least {least}."
            )
        yield number, parts


def _number(path: Path, line: int, said: str) -> float:
    try:
        value = float(said)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ThanoSQLDataError(f"{path.name}, line {line}: '{said[:40]}' is no time in seconds.")
    return value


def _channel(said: str) -> int | None:
    return _CHANNELS.get(said.upper()) or (int(said) if said.isascii() and said.isdigit() and int(said) > 0 else None)


def _ctm(path: Path, text: str, audio: Audio) -> Iterator[Segment]:
    for line, (name, channel, start, length, word, *_) in _lines(path, text, 5):
        begin = _number(path, line, start)
        end = round(begin + _number(path, line, length), 6)
        yield Segment(line, audio.path(name), begin, end, _channel(channel), text=word)


def _stm(path: Path, text: str, audio: Audio) -> Iterator[Segment]:
    for line, parts in _lines(path, text, 5, 5):
        name, channel, speaker, start, end, *rest = parts
        said = re.sub(r"^<[^>]*>\s*", "", rest[0]).strip() if rest else ""
        times = _number(path, line, start), _number(path, line, end)
        known = None if _NOT_SCORED.fullmatch(said) else said
        yield Segment(line, audio.path(name), *times, _channel(channel), speaker, known)


def _rttm(path: Path, text: str, audio: Audio) -> Iterator[Segment]:
    for line, parts in _lines(path, text, 8):
        kind, name, channel, start, length, said, _, speaker, *_ = parts
        if kind == "SPKR-INFO":
            continue
        begin = _number(path, line, start)
        end = round(begin + _number(path, line, length), 6)
        word = None if said == "<NA>" else said
        yield Segment(
            line, audio.path(name), begin, end, _channel(channel), None if speaker == "<NA>" else speaker, word
        )


_READERS: dict[str, Any] = {".ctm": _ctm, ".stm": _stm, ".rttm": _rttm}
