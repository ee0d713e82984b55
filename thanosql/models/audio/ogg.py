"""The pages of an Ogg file → whether it holds one recording, without a gap in its time.

Source: RFC 3533 (Ogg), RFC 6716 and 7845 (Opus), the Vorbis I specification.
"""

from __future__ import annotations

import struct

from thanosql.models.audio.riff import Seekable

OPUS_RATE = 48_000
PAGE_HEAD = 27 + 255 + 32  # bytes: a page's header, and the beginning of its first packet
GAP = 0.04  # seconds by which a page's clock may be ahead of the packets on it


def is_plain(file: Seekable, length: int) -> bool:
    """Whether an Ogg file is one logical stream that goes on without a gap, as libsndfile takes all of them to be.

    False for streams side by side (a film) or one after the other (chained), for pages that cannot be followed, and
    where the clock of a page is ahead of what its packets hold, as when a recorder was muted.
    """
    position, pages, clock = 0, 0, None
    rate, longest = 0, 0.0  # clock ticks a second, and the longest packet in seconds, as far as they are known
    while position < length:
        file.seek(position)
        page = file.read(PAGE_HEAD)
        if len(page) < 27 or page[:4] != b"OggS" or (bool(page[5] & 2) != (pages == 0)):
            return False
        table = page[27 : 27 + page[26]]
        packet = page[27 + page[26] :]
        if pages == 0:
            rate, longest = _codec(packet)
        elif packet and rate == OPUS_RATE and not page[5] & 1:
            longest = _opus_seconds(packet) or longest
        ticks = struct.unpack("<q", page[6:14])[0]
        if ticks > 0:
            packets = sum(1 for size in table if size < 255)
            if clock is not None and rate and (ticks - clock) / rate > packets * longest + GAP:
                return False
            clock = ticks
        elif ticks == 0:
            clock = None  # headers
        position += 27 + page[26] + sum(table)
        pages += 1
    return True


def _codec(packet: bytes) -> tuple[int, float]:
    """(clock ticks a second, longest packet in seconds) of an identification header; (0, 0) of an unknown codec."""
    if packet.startswith(b"OpusHead"):
        return OPUS_RATE, 0.12
    if packet.startswith(b"\x01vorbis") and len(packet) >= 29:
        rate = struct.unpack("<I", packet[12:16])[0]
        return (rate, (1 << (packet[28] >> 4)) / 2 / rate) if rate else (0, 0.0)
    return 0, 0.0


def _opus_seconds(packet: bytes) -> float:
    """How long an Opus packet is, by its first two bytes."""
    config, code = packet[0] >> 3, packet[0] & 3
    milliseconds: tuple[float, ...] = (
        (10, 20, 40, 60) if config < 12 else (10, 20) * 2 if config < 16 else (2.5, 5, 10, 20)
    )
    count = (1, 2, 2)[code] if code < 3 else packet[1] & 63 if len(packet) > 1 else 0
    return milliseconds[config & 3] * count / 1000
