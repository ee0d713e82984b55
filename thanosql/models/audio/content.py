"""Audio in, a fingerprint of its content out: a copy of a file is the same audio, whatever it is called."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

from thanosql.models.audio.info import AudioError
from thanosql.models.audio.parts import Audio, AudioPart
from thanosql.models.audio.references import is_remote, of_data_uri

if TYPE_CHECKING:
    from thanosql.models.audio.access import AudioAccess

BLOCK = 1 << 20  # bytes read at a time
DIGEST_BYTES = 8


class ContentFingerprints:
    """Fingerprints of what `access` lets through; a file is read once, however many parts of it are asked about."""

    def __init__(self, access: AudioAccess) -> None:
        self._access = access
        self._files: dict[str, bytes] = {}

    def of(self, audio: Audio | None) -> str:
        """16 hexadecimal digits of the audio's bytes as they are stored, and of which part of them it is; of a URL, which is
        not fetched for it, of the URL. Nothing is decoded. Empty for audio that cannot be read."""
        if audio is None:
            return ""
        part = AudioPart.of(audio)
        try:
            content = self._content(part.audio)
        except (AudioError, OSError):
            return ""
        return hashlib.blake2b(content + part.identity, digest_size=DIGEST_BYTES).hexdigest()

    def _content(self, audio: str | bytes) -> bytes:
        if not isinstance(audio, str):
            return _digest(audio)
        if (content := of_data_uri(audio)) is not None:
            return _digest(content)
        if is_remote(audio):
            return _digest(audio.encode(errors="surrogatepass"))
        if audio not in self._files:
            self._files[audio] = self._file(audio)
        return self._files[audio]

    def _file(self, path: str) -> bytes:
        made = _blake()
        with closing(self._access.open(path)) as file:
            while block := file.read(BLOCK):
                made.update(block)
        return made.digest()


def _blake() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=2 * DIGEST_BYTES)


def _digest(content: bytes | bytearray | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=2 * DIGEST_BYTES).digest()
