"""The chunks of a WAV or AIFF → how many bytes of samples its header counts, against those that are there.

Sources: RIFF and RF64 (EBU Tech 3306), AIFF 1.3.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

MOST_PARTS = 10_000  # chunks or boxes looked at: a file made of nothing else would keep us for hours

# A header may be off by this much before a file counts as cut: less than one frame (20 ms) of a recognizer.
TOLERATED_SECONDS = 0.02


class Seekable(Protocol):
    """An open file, or bytes in memory."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...


class _Samples(NamedTuple):
    """The chunk of a WAV or AIFF that holds its samples: where they begin, how many bytes of them the header counts
    (None: it leaves that open), and how many bytes are a second."""

    begin: int
    size: int | None
    bytes_a_second: int


def _samples_chunk(file: Seekable, head: bytes, order: str) -> _Samples | None:
    """None where the file has none. Raises EOFError where it ends before."""
    position, bytes_a_second, long_data = 12, 0, 0
    for _ in range(MOST_PARTS):
        chunk = at(file, head, position, 48)
        if len(chunk) < 8:
            raise EOFError
        name, size = chunk[:4], struct.unpack(order + "I", chunk[4:8])[0]
        if name == b"fmt " and len(chunk) >= 20:
            bytes_a_second = struct.unpack("<I", chunk[16:20])[0]
        elif name == b"ds64" and len(chunk) >= 24:
            long_data = struct.unpack("<Q", chunk[16:24])[0]
        elif name == b"COMM" and len(chunk) >= 26:
            channels, _, bits = struct.unpack(">HIH", chunk[8:16])
            bytes_a_second = channels * (bits + 7) // 8 * 8000
        elif name in (b"data", b"SSND"):
            if order == "<" and size == 0xFFFFFFFF and long_data:
                size = long_data
            # Written to a pipe, the size stays 0, all ones, or the largest that a program dares.
            known = size and (size < 0x7FFFF000 or long_data)
            return _Samples(position + 8, size if known else None, bytes_a_second)
        position += 8 + size + (size & 1)
    return None


# Format tags of samples that stand in the file as they are, and their widths in bits: PCM, IEEE float.
_AS_THEY_ARE = {1: (8, 16, 24, 32), 3: (32, 64)}


def holds_plain_samples(file: Seekable, head: bytes, length: int) -> bool:
    """Whether a file is a WAV of samples that need no decoder, behind a header of the simplest kind: 'fmt ', its sizes in
    order, 'fact' or 'LIST' at most, and 'data', which is there as a whole."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return False
    position, described = 12, False
    while position + 8 <= len(head):
        name, size = head[position : position + 4], struct.unpack("<I", head[position + 4 : position + 8])[0]
        if name == b"fmt " and not described and size >= 16 and position + 24 <= len(head):
            tag, channels, rate, a_second, block, bits = struct.unpack("<HHIIHH", head[position + 8 : position + 24])
            described = bits in _AS_THEY_ARE.get(tag, ()) and 1 <= channels <= 64 and 1_000 <= rate <= 1_000_000
            if not described or block != channels * bits // 8 or a_second != rate * block:
                return False
        elif name == b"data":
            return described and 0 < size <= length - position - 8 and miscount(file, head, length) is None
        elif name not in (b"fact", b"LIST"):
            return False
        position += 8 + size + (size & 1)
    return False


def short_chunks(file: Seekable, head: bytes, length: int, order: str) -> str | None:
    """What a WAV (order '<') or AIFF ('>') that was cut lacks; None where nothing is known to be missing."""
    try:
        samples = _samples_chunk(file, head, order)
    except EOFError:
        kind = "WAV" if order == "<" else "AIFF"
        return f"truncated: the file ends inside the {kind} header, before any samples"
    if samples is None or samples.size is None:
        return None
    there = length - samples.begin
    if samples.size - there <= samples.bytes_a_second * TOLERATED_SECONDS:
        return None
    if order == "<" and _riff_is_whole(head, length):
        return None  # the file is all there, and its count of samples is wrong: `miscount` says so
    return f"truncated: its header promises {samples.size:,} bytes of samples, {max(there, 0):,} are there"


def miscount(file: Seekable, head: bytes, length: int) -> str | None:
    """What to say of a WAV whose header counts less, or more, than the file holds; it is read to the file's end then.

    Less: what follows the samples that it counts is no chunk. More: the RIFF header around says that the file is whole.
    """
    try:
        samples = _samples_chunk(file, head, "<")
    except EOFError:
        return None
    if samples is None or samples.size is None:
        return None
    there, tolerated = length - samples.begin, samples.bytes_a_second * TOLERATED_SECONDS
    more = samples.size - there > tolerated and _riff_is_whole(head, length)
    less = there - samples.size > max(tolerated, 8) and not _is_chunk(file, samples.begin + samples.size, length)
    if not (more or less):
        return None
    return f"its header counts {samples.size:,} bytes of samples; the file holds {there:,}, and all are read"


def _riff_is_whole(head: bytes, length: int) -> bool:
    size: int = struct.unpack("<I", head[4:8])[0]
    return abs(size + 8 - length) <= 16


def _is_chunk(file: Seekable, position: int, length: int) -> bool:
    """Whether a RIFF chunk with a name stands at or just after a position, and ends within the file."""
    for begin in (position, position + 1):  # an odd size is followed by a byte of padding
        file.seek(begin)
        name = file.read(4)
        size = int.from_bytes(file.read(4), "little")
        if len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name) and begin + 8 + size <= length + 1:
            return True
    return False


def at(file: Seekable, head: bytes, position: int, size: int) -> bytes:
    """`size` bytes from a position, out of the head where they stand there."""
    if position + size <= len(head):
        return head[position : position + size]
    file.seek(position)
    return file.read(size)
