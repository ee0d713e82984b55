"""An open file → whether all that its header promises is there, read from its first and last bytes.

Nothing is decoded, and neither soundfile nor FFmpeg is needed. Sources: CAF 1.0, ISO/IEC 14496-12 (MP4), RFC 8794
(EBML), ASF 01.20.06, RFC 3533 (Ogg), FLV 10.1, ISO/IEC 13818-1 (TS), the Xing tag of MP3.
"""

from __future__ import annotations

import struct

from thanosql.models.audio.containers import TS_PACKET, kind_of
from thanosql.models.audio.riff import MOST_PARTS, Seekable, at, short_chunks


def shortage(file: Seekable, head: bytes, length: int) -> str | None:
    """What the header of a container promises and the file does not hold; None where nothing is known to be missing.

    `length` is the file's in bytes. A header that leaves its length open (a stream written to a pipe) promises nothing.
    """
    kind = kind_of(head)
    if kind == "WAV":
        return short_chunks(file, head, length, "<")
    if kind == "AIFF":
        return short_chunks(file, head, length, ">")
    if kind == "MP4":
        return _short_boxes(file, length)
    if kind == "WebM":
        return _promised(_segment_end(head), length)
    if kind == "ASF":
        return _promised(_asf_size(head), length)
    if kind == "Ogg":
        return _short_page(file, length)
    if kind == "MP3":
        frames = xing(file, head, length)
        return _promised(frames[1], length) if frames else None
    if kind == "TS":
        return "truncated: the file ends inside a packet of its transport stream" if length % TS_PACKET else None
    if kind == "FLV":
        return _short_tag(file, length)
    if kind == "VOC":
        return _promised(_voc_end(file, head), length)
    if kind == "CAF":
        return _promised(_caf_end(file, head), length)
    return _promised(_stated_end(kind, head), length)


def _stated_end(kind: str | None, head: bytes) -> int | None:
    """Where the samples end by what the first bytes say outright; None where they leave it open."""
    if len(head) < 24:
        return None
    if kind == "AU":
        begin, size = struct.unpack(">II", head[4:12])
        return None if size == 0xFFFFFFFF else int(begin + size)
    if kind == "AVI":
        size = struct.unpack("<I", head[4:8])[0]
        return None if size in (0, 0xFFFFFFFF) else int(size + 8)
    if kind == "W64":
        size = struct.unpack("<Q", head[16:24])[0]
        return None if size >= 1 << 62 else int(size)
    return None


def xing(file: Seekable, head: bytes, length: int) -> tuple[int, int] | None:
    """The frames that an MP3's Xing or Info tag counts, and the offset in bytes where it says that they end.

    None without a tag, with one that leaves out either number, and with one that tells of a part of the file only, as
    after `cat a.mp3 b.mp3`: then the frames have to be counted.
    """
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        a, b, c, d = head[6:10]
        start = 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if head[5] & 0x10 else 0)
        file.seek(start)
        head = file.read(512)
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    mpeg1, mono = head[1] & 0x18 == 0x18, head[3] & 0xC0 == 0xC0
    tag = 4 + ((17 if mono else 32) if mpeg1 else (9 if mono else 17))
    if head[tag : tag + 4] not in (b"Xing", b"Info") or len(head) < tag + 16:
        return None
    flags, frames, size = struct.unpack(">III", head[tag + 4 : tag + 16])
    if flags & 3 != 3 or not frames or not size:
        return None
    end = start + size
    # Tags (ID3v1, APE, lyrics) may follow the audio; a second recording is larger than they are.
    return (frames, end) if length - end <= max(4096, size // 50) else None


def _promised(promised: int | None, length: int) -> str | None:
    # Some writers count an index or a tag that they never wrote; that is no audio.
    if promised is None or promised - length <= 16:
        return None
    return f"truncated: its header promises {promised:,} bytes, {length:,} are there"


def _short_boxes(file: Seekable, length: int) -> str | None:
    position, names = 0, set()
    for _ in range(MOST_PARTS):
        if position + 8 > length:
            break
        file.seek(position)
        box = file.read(16)
        size, name = struct.unpack(">I4s", box[:8])
        if size == 1 and len(box) == 16:
            size = struct.unpack(">Q", box[8:])[0]
        elif size == 0:
            size = length - position
        names.add(name)
        if size < 8:
            return None
        position += size
    if position > length + 16 and b"moof" not in names:
        return _promised(position, length)
    if not names & {b"moov", b"moof"}:
        return "truncated: an MP4 without its index (moov), which is written last"
    return None


def _segment_end(head: bytes) -> int | None:
    """Where a Matroska segment says that it ends; None when it is left open, as live recorders do."""
    position = 4
    size, position = _ebml_size(head, position)
    if size is None or head[position + size : position + size + 4] != b"\x18S\x80g":
        return None
    size, position = _ebml_size(head, position + size + 4)
    return None if size is None else position + size


def _ebml_size(head: bytes, position: int) -> tuple[int | None, int]:
    if position >= len(head) or not head[position]:
        return None, position
    width = 9 - head[position].bit_length()
    field = int.from_bytes(head[position : position + width], "big")
    ones = (1 << 7 * width) - 1
    return (None if field & ones == ones else field & ones), position + width


_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _asf_size(head: bytes) -> int | None:
    position = head.find(_ASF_FILE_PROPERTIES)
    fields = head[position : position + 92]
    if position < 0 or len(fields) < 92 or fields[88] & 1:  # bit 0: a broadcast, whose sizes mean nothing
        return None
    size: int = struct.unpack("<Q", fields[40:48])[0]
    return size


def _caf_end(file: Seekable, head: bytes) -> int | None:
    position = 8
    for _ in range(MOST_PARTS):
        chunk = at(file, head, position, 12)
        if len(chunk) < 12:
            return None
        size: int = struct.unpack(">q", chunk[4:])[0]
        if size < 0:  # the samples go on to the file's end
            return None
        position += 12 + size
        if chunk[:4] == b"data":
            return position
    return None


def _voc_end(file: Seekable, head: bytes) -> int | None:
    position: int = struct.unpack("<H", head[20:22])[0] if len(head) >= 22 else 0
    end = None
    for _ in range(MOST_PARTS):
        block = at(file, head, position, 4)
        if len(block) < 4 or not block[0]:  # the last block has no size
            return end
        position += 4 + int.from_bytes(block[1:], "little")
        end = position
    return end


def _short_tag(file: Seekable, length: int) -> str | None:
    """Each FLV tag is followed by its size, so that the file's last four bytes tell whether the last one is whole."""
    if length < 13:
        return None
    file.seek(length - 4)
    size = int.from_bytes(file.read(4), "big")
    if 11 <= size <= length - 13:
        file.seek(length - 4 - size)
        if int.from_bytes(file.read(4)[1:], "big") == size - 11:
            return None
    return "truncated: the file ends inside an FLV tag"


def _short_page(file: Seekable, length: int) -> str | None:
    begin, tail, page = _last_page(file, length)
    if page < 0 or len(tail) < page + 27:
        return "truncated: the file ends inside an Ogg page" if page >= 0 else None
    segments = tail[page + 27 : page + 27 + tail[page + 26]]
    end = begin + page + 27 + tail[page + 26] + sum(segments)
    return f"truncated: its last Ogg page promises {end:,} bytes, {length:,} are there" if end > length else None


def lacks_end(file: Seekable, length: int) -> bool:
    """Whether the last page of an Ogg file does not say that its stream ends there, as where a file was cut between pages
    or its recorder was killed; a saved radio stream has no such page either."""
    _, tail, page = _last_page(file, length)
    return 0 <= page <= len(tail) - 27 and not tail[page + 5] & 4


def _last_page(file: Seekable, length: int) -> tuple[int, bytes, int]:
    """Where the file's last bytes begin, those bytes, and where in them the last page begins; -1 where there is none."""
    begin = max(0, length - 65_307)  # the largest page
    file.seek(begin)
    tail = file.read(length - begin)
    return begin, tail, tail.rfind(b"OggS")
