"""The last packet of a stream → what its frame's header promises and the packet lacks.

Streams state no length, but each frame states its own, so that one that was cut shows. Sources: ISO/IEC 11172-3 (MPEG
audio), ISO/IEC 13818-7 (ADTS), ETSI TS 102 366 (AC-3, E-AC-3).
"""

from __future__ import annotations

_MPEG_KBITS = {  # by (MPEG-1, layer)
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = (44_100, 48_000, 32_000)
_AC3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


def missing_of_last(codec: str, packet: bytes) -> str | None:
    """What to say of a last packet that is shorter than its frame; None where it is whole, or states no length.

    >>> missing_of_last("ac3", bytes.fromhex("0b77000014") + bytes(100))
    'truncated: its last frame promises 768 bytes, 105 are there'
    """
    size = _frame_bytes(codec, packet)
    if size is None or size <= len(packet):
        return None
    return f"truncated: its last frame promises {size:,} bytes, {len(packet):,} are there"


def _frame_bytes(codec: str, packet: bytes) -> int | None:
    if len(packet) < 6:
        return None
    sync = packet[0] << 8 | packet[1]
    if codec == "aac" and sync & 0xFFF6 == 0xFFF0:
        return (packet[3] & 3) << 11 | packet[4] << 3 | packet[5] >> 5
    if codec == "eac3" and sync == 0x0B77:
        return ((packet[2] & 7) << 8 | packet[3]) * 2 + 2
    if codec == "ac3" and sync == 0x0B77:
        rate, code = packet[4] >> 6, packet[4] & 63
        if rate == 3 or code // 2 >= len(_AC3_KBITS):
            return None
        kbits = _AC3_KBITS[code // 2]
        return (kbits * 4, 2 * (kbits * 96_000 // 44_100 + code % 2), kbits * 6)[rate]
    if codec.startswith(("mp1", "mp2", "mp3")) and sync & 0xFFE0 == 0xFFE0:
        return _mpeg_frame_bytes(packet)
    return None


def _mpeg_frame_bytes(packet: bytes) -> int | None:
    version, layer = packet[1] >> 3 & 3, 4 - (packet[1] >> 1 & 3)
    bits, rate, padding = packet[2] >> 4, packet[2] >> 2 & 3, packet[2] >> 1 & 1
    if version == 1 or layer == 4 or rate == 3 or bits in (0, 15):
        return None
    hertz = _MPEG_RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    kbits = _MPEG_KBITS[version == 3, layer][bits]
    if layer == 1:
        return (12_000 * kbits // hertz + padding) * 4
    samples_an_eighth = 72 if layer == 3 and version != 3 else 144
    return samples_an_eighth * 1000 * kbits // hertz + padding
