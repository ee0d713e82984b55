"""Where a statement's audio may come from: references in; headers, waveforms and fingerprints out.

It binds what the settings say (folders, hosts) and what the statement allows, so that every reader of its audio keeps
to the same limits.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.models.audio.faults import of_source
from thanosql.models.audio.info import AudioInfo
from thanosql.models.audio.reading import probe, read, read_any_length
from thanosql.models.audio.references import is_remote, locate

if TYPE_CHECKING:
    import numpy as np

    from thanosql.config import Settings
    from thanosql.models.audio.download_cache import Downloads
    from thanosql.models.audio.remote import RemoteAccess
    from thanosql.models.audio.waveform import Waveform

FINGERPRINT_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class AudioAccess:
    """`roots` and `confined` are those of `audio.locate`; without `remote` no URL is fetched.

    With `downloads`, a remote file is fetched once into that cache and read from there: for what reads audio again and
    again. The cache is the caller's to close. It holds no handle, and can be pickled.
    """

    roots: tuple[Path, ...]
    confined: bool = False
    remote: RemoteAccess | None = None
    downloads: Downloads | None = None

    @classmethod
    def of(cls, settings: Settings, *, allow_remote: bool = False, downloads: Downloads | None = None) -> AudioAccess:
        """What the settings let through; other machines only with `allow_remote`."""
        remote = None
        if allow_remote:
            from thanosql.models.audio.remote import RemoteAccess

            remote = RemoteAccess(hosts=frozenset(settings.remote_hosts))
        return cls(roots=settings.audio_roots, confined=settings.confined, remote=remote, downloads=downloads)

    def fetches(self, audio: str | bytes | None) -> bool:
        """Whether this audio comes over the network each time it is read: then its header is not read beforehand."""
        return self.remote is not None and self.downloads is None and isinstance(audio, str) and is_remote(audio)

    def locate(self, path: str) -> Path:
        """As `audio.locate`. Raises AudioError."""
        return locate(path, self.roots, confined=self.confined)

    def probe(self, audio: str | bytes) -> AudioInfo:
        """As `audio.probe`. Raises AudioError."""
        return probe(self._at_hand(audio), self.roots, confined=self.confined, remote=self.remote)

    def read(self, audio: str | bytes) -> np.ndarray:
        """As `audio.read`: float32 `(samples,)`, mono, 16,000 Hz. Raises AudioError."""
        return read(self._at_hand(audio), self.roots, confined=self.confined, remote=self.remote)

    def read_any_length(self, audio: str | bytes) -> Waveform:
        """As `audio.read_any_length`. Raises AudioError."""
        return read_any_length(self._at_hand(audio), self.roots, confined=self.confined, remote=self.remote)

    def fingerprint(self, audio: str | bytes) -> bytes:
        """16 bytes that change with the audio: of its bytes, or of its file's place, size and time of change.

        Of a URL it is made of the URL alone: to ask for more would take a journey each. Raises AudioError for a file
        that is not there.
        """
        digest = partial(hashlib.blake2b, digest_size=FINGERPRINT_BYTES)
        if not isinstance(audio, str):
            return digest(audio).digest()
        if is_remote(audio):
            return digest(audio.encode(errors="surrogatepass"), person=b"url").digest()
        file = self.locate(audio)
        try:
            about = file.stat()
        except OSError as error:
            raise of_source(error, file) from error
        stamp = f"\0{about.st_size}\0{about.st_mtime_ns}".encode()
        return digest(os.fsencode(file.absolute()) + stamp, person=b"file").digest()

    def _at_hand(self, audio: str | bytes) -> str | bytes:
        """The bytes of a remote file that was fetched before, or is now; any other audio as it is."""
        if self.downloads is None or self.remote is None or not isinstance(audio, str) or not is_remote(audio):
            return audio
        from thanosql.models.audio.remote import fetch

        return self.downloads.cache().content(audio, partial(fetch, access=self.remote))
