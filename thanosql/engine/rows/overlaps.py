"""Parts of recordings in, one after the other; which of them hold sound that an earlier one holds as well, out."""

from __future__ import annotations

import bisect
from collections.abc import Hashable

from thanosql.models.audio.parts import Audio, AudioPart

LEAST_SECONDS = 0.1  # what is shared by less is how bounds were rounded


class Overlaps:
    """The parts seen so far, by their recording, channel and track; a range a stretch that they cover without a gap."""

    def __init__(self) -> None:
        self._ranges: dict[Hashable, list[tuple[float, float, int]]] = {}  # start, end, the row that came last

    def find(self, row: int, audio: Audio, seconds: float) -> tuple[int, float] | None:
        """An earlier row whose part lies in this one's `seconds`, and how many seconds they share; None without one.

        >>> overlaps = Overlaps()
        >>> overlaps.find(1, AudioPart("a.wav", 0.0, 4.0), 4.0), overlaps.find(2, AudioPart("a.wav", 4.0, 6.0), 2.0)
        (None, None)
        >>> overlaps.find(3, AudioPart("a.wav", 5.5, 7.0), 1.5), overlaps.find(4, AudioPart("a.wav", 5.5, 7.0, 2), 1.5)
        ((2, 0.5), None)
        """
        part = AudioPart.of(audio)
        recording = part.audio if isinstance(part.audio, str) else (hash(part.audio), len(part.audio))
        ranges = self._ranges.setdefault((recording, part.channel, part.track), [])
        start, end = part.start, part.start + seconds
        first = bisect.bisect_left(ranges, (start, 0.0, 0))
        if first and ranges[first - 1][1] > start:
            first -= 1
        last = bisect.bisect_left(ranges, (end, 0.0, 0))
        shared = [(min(end, stop) - max(start, begin), other) for begin, stop, other in ranges[first:last]]
        covered = [*ranges[first:last], (start, end, row)]
        ranges[first:last] = [(min(one[0] for one in covered), max(one[1] for one in covered), row)]
        most, other = max(shared, default=(0.0, 0))
        return (other, round(most, 3)) if most >= LEAST_SECONDS else None
