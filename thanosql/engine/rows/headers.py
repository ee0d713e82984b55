"""Audio in, how long it is, or why it cannot be read, out: each recording's header is read once for all its parts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thanosql.models.audio import AudioInfo
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.audio.parts import Audio

REMEMBERED = 8192  # recordings
ASSUMED_SECONDS = 10.0  # of audio that is on another machine, until it is read
MISSING = "no audio (NULL)"


class Headers:
    """The headers of a statement's audio, as far as they were read."""

    def __init__(self, access: AudioAccess) -> None:
        self._access = access
        self._known: dict[Hashable, AudioInfo | str] = {}

    def seconds(self, audio: Audio | None) -> tuple[float, str]:
        """How long a row's audio is and "", or NaN and why it cannot be read."""
        (found,) = self.of_rows([audio])
        return found

    def of_rows(self, rows: Sequence[Audio | None], pool: Executor | None = None) -> list[tuple[float, str]]:
        """The same of several rows; `pool` reads their headers at once."""
        if len(self._known) > REMEMBERED:
            self._known.clear()
        keys = [self._recording(place, audio) for place, audio in enumerate(rows)]
        unread = {
            key: audio
            for key, audio in zip(keys, rows)
            if key is not None and audio is not None and key not in self._known
        }
        self._known.update(zip(unread, (pool.map if pool else map)(self._read, unread.values())))
        found = [self._of(key, audio) for key, audio in zip(keys, rows)]
        for place in range(len(rows)):
            self._known.pop(place, None)
        return found

    def _recording(self, place: int, audio: Audio | None) -> Hashable:
        """What tells a row's recording from others; None where no header is to be read. That of a whole file in bytes, which
        stands in one row, is its place."""
        from thanosql.models.audio import AudioPart

        if audio is None or self._access.fetches(audio):
            return None
        if isinstance(audio, bytes):
            return place
        part = AudioPart.of(audio)
        named = part.audio if isinstance(part.audio, str) else hashlib.blake2b(part.audio, digest_size=16).digest()
        return named, part.track

    def _read(self, audio: Audio) -> AudioInfo | str:
        """The header of the whole recording, or why it cannot be read."""
        from thanosql.models.audio import AudioError, AudioPart

        part = AudioPart.of(audio)
        try:
            return self._access.probe(AudioPart(part.audio, track=part.track))
        except AudioError as error:
            return str(error)

    def _of(self, key: Hashable, audio: Audio | None) -> tuple[float, str]:
        from thanosql.models.audio import AudioError, AudioPart

        if audio is None:
            return math.nan, MISSING
        part = AudioPart.of(audio)
        try:
            if key is None:
                part.check()
                return ASSUMED_SECONDS if part.end is None else part.end - part.start, ""
            found = self._known[key]
            return (math.nan, found) if isinstance(found, str) else (part.info(found).seconds, "")
        except AudioError as error:
            return math.nan, str(error)
