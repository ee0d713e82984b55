"""Recordings that stand in many rows: decoded once, and given out again to whoever asks for a part of them.

Only what cannot be sought in to the sample needs it; the most recent stay, up to a bound on their bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.models.audio.info import Note
from thanosql.models.audio.waveform import SAMPLE_BYTES

if TYPE_CHECKING:
    from thanosql.models.audio.waveform import Waveform

MOST_BYTES = 256 << 20  # 70 minutes


@dataclass(frozen=True, eq=False)
class DecodedAudio:
    """A waveform (float32 `(samples,)`, mono, 16,000 Hz), and what one should know of it."""

    waveform: Waveform
    notes: tuple[Note, ...] = ()


class DecodedRecordings:
    """The recordings that were decoded last. Threads may ask at once: each is decoded by one of them."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._found: OrderedDict[Hashable, Future[DecodedAudio]] = OrderedDict()
        self._turn = threading.Lock()

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
        held = {key: len(one.result().waveform) for key, one in self._found.items() if one.done()}
        filled = sum(held.values()) * SAMPLE_BYTES
        for key in list(held)[:-1]:  # the newest stays, however long it is
            if filled <= self._most_bytes:
                return
            filled -= held[key] * SAMPLE_BYTES
            del self._found[key]
