"""Rows of audio and text in, fingerprints of them out: what a model's folder keeps of the rows it was trained on; and back,
whether a row is among them.

A row is known by its audio's content and, apart from it, by its text: a copy of a file is the same audio, and so is audio whose
label was corrected since. Of a part of a recording its place is kept, so that a part cut elsewhere that overlaps it is found.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.content import ContentFingerprints
from thanosql.models.audio.parts import Audio, AudioPart
from thanosql.models.json_file import read_text

if TYPE_CHECKING:
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.model import Model

# In a model's folder: AUDIO:TEXT a line, of a part of a recording AUDIO:TEXT:RECORDING:PLACE, and of older versions ROW.
TRAINED_ROWS = "trained_rows.txt"
TRAINED_ON, OTHER_TEXT, IN_PART = "trained on", "trained on with another text", "trained on in part"
# Seconds that a row may share with one that was learned from: segments hold a little of the pauses around them.
SHARED_SECONDS = 0.5


def row_fingerprints(rows: Iterable[tuple[Audio | None, str]]) -> list[str]:
    """16 hexadecimal digits of a row's audio (its reference, and which part of it) and text: enough to find it again, too
    little to read it."""
    found = []
    for audio, text in rows:
        recording, part = (audio.audio, audio.identity) if isinstance(audio, AudioPart) else (audio, b"")
        reference = recording if isinstance(recording, bytes) else str(recording).encode()
        if part:
            reference += b"\0" + part
        found.append(hashlib.blake2b(reference + b"\0" + text.encode(), digest_size=8).hexdigest())
    return found


def learned_rows(rows: Iterable[tuple[Audio, str]], access: AudioAccess) -> list[str]:
    """What is kept of each row that was learned from."""
    contents = ContentFingerprints(access)
    found = []
    for audio, text in rows:
        row = f"{contents.of(audio)}:{_text(text)}"
        if isinstance(audio, AudioPart) and audio.identity:
            row += f":{contents.of(audio.audio)}:{_place(audio)}"
        found.append(row)
    return found


def audio_of(row: str) -> str:
    """The audio's part of what is kept of a row; empty for a row of an older version."""
    return row.partition(":")[0] if ":" in row else ""


@dataclass(frozen=True)
class TrainedRows:
    """What is known of the rows that a model was trained on: `known` is what is kept of them, `access` what may be read."""

    known: frozenset[str]
    access: AudioAccess

    def __bool__(self) -> bool:
        return bool(self.known)

    @cached_property
    def _audio(self) -> frozenset[str]:
        return frozenset(map(audio_of, self.known)) - {""}

    @cached_property
    def _texts(self) -> frozenset[str]:
        """AUDIO:TEXT of each row."""
        return frozenset(":".join(row.split(":")[:2]) for row in self.known)

    @cached_property
    def _parts(self) -> Mapping[str, Sequence[AudioPart]]:
        """What was learned from of each recording; all of it, where no part is named."""
        found: dict[str, list[AudioPart]] = {}
        for row in self.known:
            audio, _, rest = row.partition(":")
            _, _, place = rest.partition(":")
            recording, _, where = place.partition(":")
            found.setdefault(recording or audio, []).append(_placed(where))
        return found

    @cached_property
    def _contents(self) -> ContentFingerprints:
        return ContentFingerprints(self.access)

    def find(self, audio: Audio | None, text: str) -> str:
        """TRAINED_ON or OTHER_TEXT for a row with audio that the model was trained on, IN_PART for one that overlaps such
        audio; empty for any other."""
        if not self.known or audio is None:
            return ""
        if row_fingerprints([(audio, text)])[0] in self.known:  # as older versions kept it
            return TRAINED_ON
        content = self._contents.of(audio) if self._audio else ""
        if not content:
            return ""
        if content in self._audio:
            return TRAINED_ON if f"{content}:{_text(text)}" in self._texts else OTHER_TEXT
        part = AudioPart.of(audio)
        recording = self._contents.of(part.audio) if part.identity else content
        return IN_PART if _overlap(part, self._parts.get(recording, ())) else ""


def write_trained_rows(folder: Path, rows: Iterable[str]) -> None:
    """Leave what is kept of the rows that a model was trained on in its folder."""
    (folder / TRAINED_ROWS).write_text("".join(f"{row}\n" for row in sorted(rows)), encoding="ascii")


def trained_rows(model: Model) -> frozenset[str]:
    """What is kept of the rows that a model was trained on; empty for a base, whose rows are not known.

    Raises ThanoSQLModelError when the file that names them cannot be read.
    """
    if model.card is None:
        return frozenset()
    path = Path(model.checkpoint) / TRAINED_ROWS
    try:
        return frozenset(read_text(path).split())
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise ThanoSQLModelError(f"The model {model.name} is damaged: {path}: {error}") from error


def fingerprint(rows: Iterable[str]) -> str:
    """One fingerprint for a set of rows, whatever their order."""
    return hashlib.blake2b("".join(sorted(rows)).encode(), digest_size=16).hexdigest()


def _place(part: AudioPart) -> str:
    """Start, end, channel and track as they are kept, and back.

    >>> _place(AudioPart("a.wav", 1.5, channel=2))
    '1.5,,2,'
    >>> _placed("1.5,,2,")
    AudioPart(audio='', start=1.5, end=None, channel=2, track=None)
    """
    return ",".join(
        "" if value is None else str(value) for value in (float(part.start), part.end, part.channel, part.track)
    )


def _placed(place: str) -> AudioPart:
    try:
        start, end, channel, track = place.split(",")
        numbers = float(start), float(end) if end else None
        return AudioPart("", *numbers, int(channel) if channel else None, int(track) if track else None)
    except ValueError:  # all of a recording, of which nothing is kept
        return AudioPart("")


def _overlap(part: AudioPart, learned: Sequence[AudioPart]) -> bool:
    """Whether the part shares more with one of those than segments share with their neighbours.

    >>> _overlap(AudioPart("a.wav", 2.0, 5.0), [AudioPart("", 0.0, 2.3)])
    False
    >>> _overlap(AudioPart("a.wav", 2.0, 5.0), [AudioPart("", 0.0, 3.0)])
    True
    """
    for other in learned:
        apart = part.channel and other.channel and part.channel != other.channel
        if apart or (part.track or 1) != (other.track or 1):
            continue
        ends = [math.inf if one.end is None else one.end for one in (part, other)]
        shared = min(ends) - max(part.start, other.start)
        shorter = min(ends[0] - part.start, ends[1] - other.start)
        if shared > SHARED_SECONDS or shared > shorter / 2:
            return True
    return False


def _text(text: str) -> str:
    """A fingerprint of a text, its case and white space aside."""
    return hashlib.blake2b(" ".join(text.casefold().split()).encode(), digest_size=8).hexdigest()
