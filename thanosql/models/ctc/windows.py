"""Long audio in, overlapping windows of it out, and which frames of each make up the whole.

A frame near the edge of a window has heard only one side of what it needs; so neighbours overlap, and the whole is
joined in the middle of each overlap (striding, as in Hugging Face's pipeline). Windows begin at whole frames: the
frames of a window stand exactly where those of the whole would.
"""

from __future__ import annotations

from dataclasses import dataclass

OVERLAP = 1 / 6  # of a window: 5 s of 30 s, of which each side gives up half


@dataclass(frozen=True, slots=True)
class Window:
    """Samples `begin:end` of the audio; of its frames, `keep_from:keep_to` belong to the whole."""

    begin: int
    end: int
    keep_from: int
    keep_to: int


def cut(samples: int, count: int, reach: int, step: int, most: int, unit: int = 1) -> list[Window]:
    """Windows over audio of `count` frames, each of at most `most` frames; one, the audio itself, where that suffices.

    They begin at multiples of `unit` frames: where a model hears as many as one, it hears the same ones together.

    >>> cut(samples=3_600, count=11, reach=400, step=320, most=6)
    [Window(begin=0, end=2000, keep_from=0, keep_to=5), Window(begin=1600, end=3600, keep_from=0, keep_to=6)]
    """
    if count <= most:
        return [Window(0, samples, 0, count)]
    overlap = max(1, round(most * OVERLAP))
    last_begin = -(-(count - most) // unit) * unit
    begins = list(range(0, last_begin, max(1, (most - overlap) // unit) * unit))
    # The last window is moved back to the end, so that it hears as much as the others.
    begins.append(last_begin)
    windows = []
    kept = 0
    for number, begin in enumerate(begins):
        last = number == len(begins) - 1
        end = count if last else (begin + most + begins[number + 1]) // 2
        windows.append(Window(begin * step, (min(begin + most, count) - 1) * step + reach, kept - begin, end - begin))
        kept = end
    return windows
