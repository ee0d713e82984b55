"""The first and last bytes of a file → what kind of file it is, and whether all that its header promises is there.

Headers alone are read here: nothing is decoded, and neither soundfile nor FFmpeg is needed. Sources: RIFF and RF64 (EBU
Tech 3306), AIFF 1.3, ISO/IEC 14496-12 (MP4), RFC 8794 (EBML), ASF 01.20.06, RFC 3533 (Ogg), the Xing tag of MP3.
"""

from __future__ import annotations

import struct
from typing import Protocol

HEAD = 4096  # bytes that `kind_of` and `not_audio` want to see

MOST_PARTS = 10_000  # chunks or boxes looked at: a file made of nothing else would keep us for hours

# A header may be off by this much before a file counts as cut: less than one frame (20 ms) of a recognizer.
TOLERATED_SECONDS = 0.02

_PLAYLISTS = (
    (b"#EXTM3U", "an m3u playlist"),
    (b"ffconcat", "a concatenation script"),
    (b"[playlist]", "a pls playlist"),
    (b"<MPD", "a DASH manifest"),
    (b"<smil", "a SMIL playlist"),
    (b"<asx", "an ASX playlist"),
    (b"<playlist", "an XSPF playlist"),
    (b"v=0\r\n", "a session description (SDP)"),
    (b"v=0\n", "a session description (SDP)"),
)
_PICTURES_AND_ARCHIVES = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PAR1", "a Parquet table"),
    (b"\x7fELF", "a program"),
)


class Seekable(Protocol):
    """An open file, or bytes in memory."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...


def kind_of(head: bytes) -> str | None:
    """The container that the first bytes announce; None when they announce none of these.

    >>> kind_of(b"RIFF....WAVEfmt "), kind_of(b"fLaC"), kind_of(b"hello")
    ('WAV', 'FLAC', None)
    """
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        return "MP4"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "WebM"
    if head[:16] == _ASF_HEADER:
        return "ASF"
    if head[:3] == b"ID3":
        return "MP3"
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # The two layer bits are 00 in AAC's ADTS header, and never in MPEG audio's.
        return "AAC" if head[1] & 0xF6 == 0xF0 else "MP3" if head[1] & 0x06 else None
    return {b"fLaC": "FLAC", b"OggS": "Ogg", b".snd": "AU", b"caff": "CAF", b"#!AM": "AMR"}.get(head[:4])


def not_audio(head: bytes) -> str:
    """What a file is that no decoder takes for audio, judged by its first bytes.

    >>> not_audio(b"#EXTM3U\\n/etc/passwd")
    'an m3u playlist: it only names other files, which are not opened; give the audio file itself'
    >>> not_audio(b"hello, world")
    "text, not audio (it begins with 'hello, world')"
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for mark, name in _PLAYLISTS:
        # XML may stand before the element that tells, so that one is looked for in all of the head.
        if start.startswith(mark) or (mark[:1] == b"<" and start[:1] == b"<" and mark.lower() in head.lower()):
            return f"{name}: it only names other files, which are not opened; give the audio file itself"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the audio itself: fetch it with `git lfs pull`"
    for mark, name in _PICTURES_AND_ARCHIVES:
        if head.startswith(mark):
            return f"{name}, not audio"
    text = _text(head)
    if text is not None:
        return f"text, not audio (it begins with {text[:30]!r})"
    return f"not audio in a format that can be read (it begins with the bytes {head[:8].hex(' ')})"


def shortage(file: Seekable, head: bytes, length: int) -> str | None:
    """What the header of a container promises and the file does not hold; None where nothing is known to be missing.

    `length` is the file's in bytes. A header that leaves its length open (a stream written to a pipe) promises nothing.
    """
    kind = kind_of(head)
    if kind == "WAV":
        return _short_chunks(file, head, length, "<", b"data")
    if kind == "AIFF":
        return _short_chunks(file, head, length, ">", b"SSND")
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


def _text(head: bytes) -> str | None:
    for cut in range(4):  # the head may end within a character
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return text if all(character.isprintable() or character in "\t\r\n\f" for character in text) else None
    return None


def _promised(promised: int | None, length: int) -> str | None:
    # Some writers count an index or a tag that they never wrote; that is no audio.
    if promised is None or promised - length <= 16:
        return None
    return f"truncated: its header promises {promised:,} bytes, {length:,} are there"


def _short_chunks(file: Seekable, head: bytes, length: int, order: str, wanted: bytes) -> str | None:
    position, bytes_a_second, long_data = 12, 0, 0
    for _ in range(MOST_PARTS):
        chunk = _at(file, head, position, 48)
        if len(chunk) < 8:
            kind = "WAV" if wanted == b"data" else "AIFF"
            return f"truncated: the file ends inside the {kind} header, before any samples"
        name, size = chunk[:4], struct.unpack(order + "I", chunk[4:8])[0]
        if name == b"fmt " and len(chunk) >= 20:
            bytes_a_second = struct.unpack("<I", chunk[16:20])[0]
        elif name == b"ds64" and len(chunk) >= 24:
            long_data = struct.unpack("<Q", chunk[16:24])[0]
        elif name == b"COMM" and len(chunk) >= 26:
            channels, _, bits = struct.unpack(">HIH", chunk[8:16])
            bytes_a_second = channels * (bits + 7) // 8 * 8000
        elif name == wanted:
            # Written to a pipe, the size stays 0, all ones, or the largest that a program dares.
            if order == "<" and size == 0xFFFFFFFF:
                size = long_data
            there = length - position - 8
            if size >= 0x7FFFF000 and not long_data:
                return None
            if size - there <= bytes_a_second * TOLERATED_SECONDS:
                return None
            return f"truncated: its header promises {size:,} bytes of samples, {max(there, 0):,} are there"
        position += 8 + size + (size & 1)
    return None


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


_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _asf_size(head: bytes) -> int | None:
    position = head.find(_ASF_FILE_PROPERTIES)
    fields = head[position : position + 92]
    if position < 0 or len(fields) < 92 or fields[88] & 1:  # bit 0: a broadcast, whose sizes mean nothing
        return None
    size: int = struct.unpack("<Q", fields[40:48])[0]
    return size


def _short_page(file: Seekable, length: int) -> str | None:
    begin = max(0, length - 65_307)  # the largest page
    file.seek(begin)
    tail = file.read(length - begin)
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 27:
        return "truncated: the file ends inside an Ogg page" if page >= 0 else None
    segments = tail[page + 27 : page + 27 + tail[page + 26]]
    end = begin + page + 27 + tail[page + 26] + sum(segments)
    return f"truncated: its last Ogg page promises {end:,} bytes, {length:,} are there" if end > length else None


def _at(file: Seekable, head: bytes, position: int, size: int) -> bytes:
    if position + size <= len(head):
        return head[position : position + size]
    file.seek(position)
    return file.read(size)
