"""The first bytes of a file → what kind of file it is, or what it is instead of audio."""

from __future__ import annotations

HEAD = 4096  # bytes that `kind_of` and `not_audio` want to see
TS_PACKET = 188  # bytes

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_W64_HEADER = bytes.fromhex("726966662e91cf11a5d628db04c10000")
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


def kind_of(head: bytes) -> str | None:
    """The container that the first bytes announce; None when they announce none of these.

    >>> kind_of(b"RIFF....WAVEfmt "), kind_of(b"fLaC"), kind_of(b"hello")
    ('WAV', 'FLAC', None)
    """
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    if head[:16] == _W64_HEADER:
        return "W64"
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
    if head.startswith(b"Creative Voice File"):
        return "VOC"
    if head[:2] == b"\x0bw":
        return "AC-3"
    if len(head) > TS_PACKET and head[0] == head[TS_PACKET] == 0x47:
        return "TS"
    if head[:3] == b"FLV":
        return "FLV"
    return {b"fLaC": "FLAC", b"OggS": "Ogg", b".snd": "AU", b"caff": "CAF", b"#!AM": "AMR"}.get(head[:4])


def not_audio(head: bytes) -> str:
    """What a file is that no decoder takes for audio, judged by its first bytes.

    >>> not_audio(b"#EXTM3U\\n/etc/passwd")
    'an m3u playlist: it only names other files, which ThanoSQL does not open; give the audio file itself'
    >>> not_audio(b"hello, world")
    "text, not audio (it begins with 'hello, world')"
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for mark, name in _PLAYLISTS:
        # XML may stand before the element that tells, so that one is looked for in all of the head.
        if start.startswith(mark) or (mark[:1] == b"<" and start[:1] == b"<" and mark.lower() in head.lower()):
            return f"{name}: it only names other files, which ThanoSQL does not open; give the audio file itself"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the audio itself: fetch it with `git lfs pull`"
    if start.startswith(b"NIST_1A"):
        packed = b"shorten" in head
        return f"NIST SPHERE{' packed with shorten' * packed}, which is not read: sph2pipe makes a WAV of it"
    for mark, name in _PICTURES_AND_ARCHIVES:
        if head.startswith(mark):
            return f"{name}, not audio"
    text = _text(head)
    if text is not None:
        return f"text, not audio (it begins with {text[:30]!r})"
    return f"not audio in a format that can be read (it begins with the bytes {head[:8].hex(' ')})"


def _text(head: bytes) -> str | None:
    for cut in range(4):  # the head may end within a character
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return text if all(character.isprintable() or character in "\t\r\n\f" for character in text) else None
    return None
