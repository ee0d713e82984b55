"""What is said of audio: what its header holds (AudioInfo), or why it cannot be used (AudioError)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from thanosql.errors import shown_reference

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz; a header outside of these is damaged


class AudioError(Exception):
    """Audio that cannot be used. The message says why in plain words; who calls adds the row and the path."""


@dataclass(frozen=True, slots=True)
class Note:
    """What one should know of audio that is read nonetheless: `name` says it in two or three words, `text` in a sentence."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a header says: duration in seconds, sampling rate in Hz, channels, container and codec ('wav/pcm_16').

    Of a part, `seconds` are the part's. `notes` say, for one, that its header has the length wrong, that there are several
    audio tracks, or that a coder's delay is not noted.
    """

    seconds: float
    sampling_rate: int
    channels: int
    format: str
    notes: tuple[Note, ...] = ()


def damaged(seconds: float, reason: str) -> AudioError:
    """The AudioError for decoding that fails after so many seconds."""
    return AudioError(f"damaged: decoding fails after {seconds:.2f} s ({reason})")


def shown(url: str) -> str:
    """A URL without what may be secret in it: user, password, query and fragment.

    >>> shown("https://me:secret@host.org:8443/a/b.wav?X-Amz-Signature=0#t")
    'https://host.org:8443/a/b.wav'
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a host that is none
        return f"{url.partition('://')[0]}://…"
    return shown_reference(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
