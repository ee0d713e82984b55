"""Where a statement's audio may come from: references in; headers, waveforms and fingerprints out.

It binds what the settings say (folders, hosts) and what the statement allows, so that every reader of its audio keeps
to the same limits.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from thanosql.models.audio.decoding import MAX_HOURS
from thanosql.models.audio.faults import SourceFile, of_source
from thanosql.models.audio.info import AudioError, AudioInfo
from thanosql.models.audio.parts import Audio, AudioPart
from thanosql.models.audio.reading import decode, facts, open_source, probe, read
from thanosql.models.audio.references import is_remote, locate, of_data_uri, stat_plain

if TYPE_CHECKING:
    import numpy as np

    from thanosql.config import Settings
    from thanosql.models.audio.download_cache import Downloads
    from thanosql.models.audio.facts import AudioFacts
    from thanosql.models.audio.recordings import DecodedAudio
    from thanosql.models.audio.remote import RemoteAccess

FINGERPRINT_BYTES = 16


class _Limits(TypedDict):
    roots: Sequence[Path]
    confined: bool
    remote: RemoteAccess | None
    max_hours: float
    processes: int


@dataclass(frozen=True, kw_only=True)
class AudioAccess:
    """`roots` and `confined` are those of `audio.locate`; without `remote` no URL is fetched; a recording
    of more than `max_hours` is refused. `processes` decode it at most; 0: this process does.

    With `downloads`, a remote file is fetched once into that cache and read from there: for what reads audio again and
    again. The cache is the caller's to close. It holds no handle, and can be pickled.
    """

    roots: tuple[Path, ...]
    confined: bool = False
    remote: RemoteAccess | None = None
    downloads: Downloads | None = None
    max_hours: float = MAX_HOURS
    processes: int = 0

    @classmethod
    def of(cls, settings: Settings, *, allow_remote: bool = False, downloads: Downloads | None = None) -> AudioAccess:
        """What the settings let through; other machines only with `allow_remote`."""
        remote = None
        if allow_remote:
            from thanosql.models.audio.remote import RemoteAccess

            remote = RemoteAccess(hosts=frozenset(settings.remote_hosts))
        return cls(
            roots=settings.audio_roots,
            confined=settings.confined,
            remote=remote,
            downloads=downloads,
            max_hours=settings.max_hours,
            processes=settings.decoding_processes,
        )

    def fetches(self, audio: Audio | None) -> bool:
        """Whether this audio comes over the network each time it is read: then its header is not read beforehand."""
        if isinstance(audio, AudioPart):
            audio = audio.audio
        return self.remote is not None and self.downloads is None and isinstance(audio, str) and is_remote(audio)

    def locate(self, path: str) -> Path:
        """As `audio.locate`. Raises AudioError."""
        return locate(path, self.roots, confined=self.confined)

    def open(self, path: str) -> SourceFile:
        """The file that `locate` finds, open, to be closed by who asks. Raises AudioError."""
        return open_source(path, self.roots, confined=self.confined)

    def probe(self, audio: Audio) -> AudioInfo:
        """As `audio.probe`. Raises AudioError."""
        return probe(self._at_hand(audio), **self._limits)

    def read(self, audio: Audio) -> np.ndarray:
        """As `audio.read`: float32 `(samples,)`, mono, 16,000 Hz. Raises AudioError."""
        return read(self._at_hand(audio), **self._limits)

    def decode(self, audio: Audio) -> DecodedAudio:
        """As `audio.decode`. Raises AudioError."""
        return decode(self._at_hand(audio), **self._limits)

    def facts(self, audios: Sequence[Audio]) -> list[AudioFacts | AudioError]:
        """As `reading.facts`."""
        there: list[Audio | AudioError] = []
        for audio in audios:
            try:
                there.append(self._at_hand(audio))
            except AudioError as error:
                there.append(error)
        found = iter(facts([audio for audio in there if not isinstance(audio, AudioError)], **self._limits))
        return [audio if isinstance(audio, AudioError) else next(found) for audio in there]

    @property
    def _limits(self) -> _Limits:
        return {
            "roots": self.roots,
            "confined": self.confined,
            "remote": self.remote,
            "max_hours": self.max_hours,
            "processes": self.processes,
        }

    def fingerprint(self, audio: Audio) -> bytes:
        """16 bytes that change with the audio: of its bytes, or of its file's place, size and time of change.

        Of a URL it is made of the URL alone: to ask for more would take a journey each. A part's differs from the
        recording's, and from every other part's. Raises AudioError for a file that is not there.
        """
        if isinstance(audio, AudioPart):
            known = self.fingerprint(audio.audio)
            return _digest(known + audio.identity, b"part") if audio.identity else known
        if not isinstance(audio, str):
            return _digest(audio)
        if (content := of_data_uri(audio)) is not None:
            return _digest(content)
        if is_remote(audio):
            return _digest(audio.encode(errors="surrogatepass"), b"url")
        file, about = self._found(audio)
        stamp = b"\0%d\0%d" % (about.st_size, about.st_mtime_ns)
        return _digest(os.fsencode(os.path.abspath(file)) + stamp, b"file")

    def stat(self, path: str) -> os.stat_result:
        """What the system says of the file that a path means. Raises AudioError where there is none."""
        return self._found(path)[1]

    def _found(self, path: str) -> tuple[str, os.stat_result]:
        if not self.confined and (found := stat_plain(path, self.roots)) is not None:
            return found
        file = self.locate(path)
        try:
            return str(file), file.stat()
        except OSError as error:
            raise of_source(error, file) from error

    def _at_hand(self, audio: Audio) -> Audio:
        """The bytes of a remote file that was fetched before, or is now; any other audio as it is."""
        if isinstance(audio, AudioPart):
            return replace(audio, audio=self._content(audio.audio))
        return self._content(audio)

    def _content(self, audio: str | bytes) -> str | bytes:
        if self.downloads is None or self.remote is None or not isinstance(audio, str) or not is_remote(audio):
            return audio
        from thanosql.models.audio.remote import fetch

        return self.downloads.cache().content(audio, partial(fetch, access=self.remote))


def _digest(content: bytes, person: bytes = b"") -> bytes:
    return hashlib.blake2b(content, digest_size=FINGERPRINT_BYTES, person=person).digest()
