"""Audio in, what a table says of where a result is from out: which reference it was, and how its file stood then.

`6f1d0c2ab94e7a35.32044.1764144000123456789#t=1.5,3.0&channel=2`: a digest of the reference, the file's size in bytes and its
time of change in nanoseconds, and the part (as W3C's media fragments name one). It is the same where folders have moved,
if the times were kept. A digest of a text stands first, so that a database can make it by itself for a million rows.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from thanosql.models.audio import file_states
from thanosql.models.audio.info import AudioError
from thanosql.models.audio.parts import AudioPart
from thanosql.models.audio.references import is_remote, of_data_uri

if TYPE_CHECKING:
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.audio.parts import Audio

DIGITS = 16  # hexadecimal ones of SHA-256


class AudioOrigins:
    """Says it as a statement reads its audio."""

    def __init__(self, access: AudioAccess) -> None:
        self._access = access

    def of(self, audio: Audio) -> str:
        """What is said of an audio. Raises AudioError for a file that is not there."""
        if isinstance(audio, AudioPart):
            return self.of(audio.audio) + audio.fragment
        if not isinstance(audio, str):
            return digest(audio)
        return digest(audio.encode(errors="surrogatepass")) + self._state(audio)

    def states_at_once(self, references: Sequence[str | None]) -> Sequence[str | None]:
        """The same as `states` of the absolute paths, as far as it is known from asking for many together; None for all else.
        Several threads may ask."""
        once = list(dict.fromkeys(references))  # parts of a recording
        asked = [reference for reference in once if reference is not None and reference[:1] == "/"]
        if self._access.confined or not asked:
            return [None] * len(references)
        found = file_states.states_at_once(asked)
        if len(asked) == len(references):
            return found
        known = dict(zip(asked, found))
        return [known.get(reference or "") for reference in references]

    def states(self, references: Iterable[str | None]) -> Iterator[str | None]:
        """How the file of each is now: '.32044.1764144000123456789', None where there is no such file. Nothing for a URL,
        since to ask for it would take a journey each, nor for a data URI, which is all there, nor for no audio.

        An absolute path is asked of the system without the questions that a nearly right one needs: of a million rows that
        is half of the time.
        """
        at_once = not self._access.confined
        last, state = None, None
        for reference in references:
            if reference is None:
                yield ""
                continue
            if reference != last:  # parts of a recording follow each other
                about = None
                if at_once and reference[:1] == "/":
                    try:
                        about = os.stat(reference)
                    except (OSError, ValueError):
                        about = None
                if about is not None and stat.S_ISREG(about.st_mode):
                    state = file_states.state(about.st_size, about.st_mtime_ns)
                else:
                    try:
                        state = self._state(reference)
                    except AudioError:
                        state = None
                last = reference
            yield state

    def _state(self, reference: str) -> str:
        if is_remote(reference) or of_data_uri(reference) is not None:
            return ""
        about = self._access.stat(reference)
        return file_states.state(about.st_size, about.st_mtime_ns)


def digest(content: bytes) -> str:
    """The digest of a reference in UTF-8, or of audio itself.

    >>> digest(b"calls/a.wav")
    '57b2c4a278dbb617'
    """
    return hashlib.sha256(content).hexdigest()[:DIGITS]
