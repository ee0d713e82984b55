"""When each frame of a container says that it begins → the silence to lay before it, so that time stays the container's.

A recorder that was muted, or whose microphone came on late, writes nothing meanwhile; its clock goes on.
"""

from __future__ import annotations

# Shorter than two frames of a recognizer: clocks in milliseconds, coders' delays and lost frames are no pauses.
LEAST_GAP = 0.04  # seconds
MOST_GAP = 2 * 3600.0  # seconds, where no header knows better; a clock that leaps further was set again


class Timeline:
    """Seconds laid so far (`position`), and the seconds of silence among them (`silence`).

    >>> line = Timeline()
    >>> line.lay(0.0, 2.0), line.lay(20.0, 1.0), line.position, line.silence
    (0.0, 18.0, 21.0, 18.0)

    A clock that goes back begins again there: another recording follows, as in chained Ogg.

    >>> line.lay(0.0, 2.0), line.lay(2.0, 1.0), line.position
    (0.0, 0.0, 24.0)
    """

    def __init__(self, longest: float | None = None) -> None:
        """`longest` is the recording's length in seconds as far as its header knows it."""
        self._longest = MOST_GAP if longest is None else longest + 1
        self._known = longest is not None
        self._offset = 0.0
        self._started = False
        self.position = 0.0
        self.silence = 0.0

    def lay(self, begin: float | None, seconds: float) -> float:
        """The silence before a frame of `seconds` that says it begins at `begin`; None says nothing."""
        gap = 0.0
        if begin is not None:
            if not self._started and begin < 0:
                self.position = begin  # a coder's delay, which the decoder drops
            ahead = begin + self._offset - self.position
            most = self._longest - self.position if self._known else self._longest
            if LEAST_GAP < ahead <= most:
                gap = ahead
            elif abs(ahead) > LEAST_GAP:
                self._offset -= ahead
        self._started = True
        self.position += gap + seconds
        self.silence += gap
        return gap
