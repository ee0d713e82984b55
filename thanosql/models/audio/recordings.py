"""Recordings that stand in many rows: decoded once, and given out again to whoever asks for a part of them.

Only what cannot be sought in to the sample needs it; the most recent stay, up to a bound on their bytes. Long ones lie in
files, so that theirs is a bound on disk: a training meets the parts of all its recordings in every epoch.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.models.audio.info import Note
from thanosql.models.audio.waveform import SAMPLE_BYTES, LongWaveform

if TYPE_CHECKING:
    from thanosql.models.audio.waveform import Waveform

MOST_BYTES = 256 << 20  # of memory: 70 minutes
MOST_FILE_BYTES = 8 << 30  # of disk: 37 hours,
DISK_SHARE = 0.25  # or so much of what is free where there is less


@dataclass(frozen=True, eq=False)
class DecodedAudio:
    """A waveform (float32 `(samples,)`, mono, 16,000 Hz), and what one should know of it; of a whole recording, the seconds
    that its header says as well."""

    waveform: Waveform
    notes: tuple[Note, ...] = ()
    header_seconds: float = 0.0


class DecodedRecordings:
    """The recordings that were decoded last. Threads may ask at once: each is decoded by one of them."""

    def __init__(self, most_bytes: int = MOST_BYTES, most_file_bytes: int = MOST_FILE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._most_file_bytes = most_file_bytes
        self._found: OrderedDict[Hashable, Future[DecodedAudio]] = OrderedDict()
        self._turn = threading.Lock()

    def known(self, key: Hashable) -> DecodedAudio | None:
        """What was decoded for this key and is still held."""
        with self._turn:
            found = self._found.get(key)
            if found is None or not found.done():
                return None
            self._found.move_to_end(key)
            return found.result()

    def get(self, key: Hashable, decode: Callable[[], DecodedAudio]) -> DecodedAudio:
        """What `decode` gave for this key, then or now. Raises what `decode` raises, and forgets that."""
        with self._turn:
            known = self._found.get(key)
            if known is not None:
                self._found.move_to_end(key)
            else:
                mine = self._found[key] = Future()
        if known is not None:
            return known.result()
        try:
            decoded = decode()
        except BaseException as error:
            with self._turn:
                self._found.pop(key, None)
            mine.set_exception(error)
            raise
        mine.set_result(decoded)
        with self._turn:
            self._let_go()
        return decoded

    def _let_go(self) -> None:
        """Forget those that were asked for longest ago, until memory and disk hold no more than they may."""
        decoded = {key: one.result().waveform for key, one in self._found.items() if one.done()}
        newest = next(reversed(decoded), None)  # it stays, however long it is
        for most, in_file in ((self._most_bytes, False), (self._most_file_bytes, True)):
            sizes = {
                key: len(waveform) * SAMPLE_BYTES
                for key, waveform in decoded.items()
                if isinstance(waveform, LongWaveform) is in_file
            }
            filled = sum(sizes.values())
            if in_file and sizes:
                # What lies in these files is taken already, and would be free without them.
                most = min(most, int(DISK_SHARE * (shutil.disk_usage(tempfile.gettempdir()).free + filled)))
            for key, size in sizes.items():
                if filled > most and key != newest:
                    filled -= size
                    del self._found[key]
