"""Which part of which recording a row means (AudioPart), and the seconds it covers once the recording's length is known."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from thanosql.models.audio.info import AudioError, AudioInfo, shown

_URL = re.compile(r"(?!file:)[a-z][a-z0-9+.\-]+://", re.IGNORECASE)
PAST_THE_END = 0.1  # seconds by which an end may pass the recording's, and is cut to it


@dataclass(frozen=True, slots=True)
class AudioPart:
    """`start` to `end` (seconds from the recording's beginning; None is its end) of one channel of one audio track.

    `audio` is a path, a URL or the file's bytes. `channel` counts from 1, None is the mean of all; `track` counts from
    1, None is the container's own choice. Hashable: equal parts are the same sound. Its values are checked when it is
    read or probed, so that a bad one is its row's own error.

    >>> AudioPart("calls/a.wav", start=1.5, end=3.0).is_whole, AudioPart("calls/a.wav", channel=2).is_whole
    (False, True)
    """

    audio: str | bytes
    start: float = 0.0
    end: float | None = None
    channel: int | None = None
    track: int | None = None

    @classmethod
    def of(cls, audio: str | bytes | AudioPart) -> AudioPart:
        """The part that is meant: all of the recording, mixed, where only that is named."""
        return audio if isinstance(audio, AudioPart) else cls(audio)

    @property
    def identity(self) -> bytes:
        """What tells the part from others of the same recording; empty for all of it, mixed."""
        if self == AudioPart(self.audio):
            return b""
        end = None if self.end is None else float(self.end)
        return repr((float(self.start), end, self.channel, self.track)).encode()

    @property
    def fragment(self) -> str:
        """The same as W3C's media fragments write it, behind a reference.

        >>> AudioPart("a.wav", 1.5, 3, channel=2).fragment, AudioPart("a.wav", 4.25).fragment, AudioPart("a.wav").fragment
        ('#t=1.5,3.0&channel=2', '#t=4.25', '')
        """
        said = []
        if not self.is_whole:
            said.append(f"t={float(self.start)}" + ("" if self.end is None else f",{float(self.end)}"))
        if self.channel is not None:
            said.append(f"channel={self.channel}")
        if self.track is not None:
            said.append(f"track={self.track}")
        return f"#{'&'.join(said)}" if said else ""

    @property
    def is_whole(self) -> bool:
        """Whether it goes from the recording's beginning to its end."""
        return self.start == 0 and self.end is None

    def check(self) -> None:
        """Raise AudioError for values that no recording has."""
        if self.start == 0 and self.end is self.channel is self.track is None:
            return
        for name, value in (("start", self.start), ("end", self.end)):
            if value is not None and not math.isfinite(value):
                raise AudioError(f"the {name} is {value}, not a number of seconds")
        if self.start < 0:
            raise AudioError(f"the start is before the recording ({self.start:g} s)")
        if self.end is not None and self.end <= self.start:
            raise AudioError(f"the end ({self.end:g} s) is not after the start ({self.start:g} s)")
        for name, number in (("channel", self.channel), ("track", self.track)):
            if number is not None and number < 1:
                raise AudioError(f"the {name} is {number}; they count from 1")

    def check_channel(self, recording: AudioInfo) -> None:
        """Raise AudioError where the recording has no such channel."""
        if self.channel is not None and self.channel > recording.channels:
            raise AudioError(no_such_channel(self.channel, recording.channels))

    def info(self, recording: AudioInfo) -> AudioInfo:
        """What is said of the part, of what the recording's header says. Raises AudioError for one that is not in it."""
        self.check()
        self.check_channel(recording)
        start, end = self.within(recording.seconds)
        return recording if self.is_whole else replace(recording, seconds=end - start)

    def within(self, seconds: float) -> tuple[float, float]:
        """(start, end) in seconds of a recording that is `seconds` long.

        Raises AudioError for a part that is not in it; an end up to 0.1 s past the recording's is cut to it.

        >>> AudioPart("a.wav", 1.0, 2.05).within(2.0)
        (1.0, 2.0)
        """
        if self.start >= seconds:
            raise AudioError(f"the start ({self.start:g} s) is past the end of the recording ({seconds:.2f} s)")
        if self.end is None:
            return self.start, seconds
        if self.end > seconds + PAST_THE_END:
            raise AudioError(f"the end ({self.end:g} s) is past the end of the recording ({seconds:.2f} s)")
        return self.start, min(self.end, seconds)


Audio = str | bytes | AudioPart  # a path or URL, a file's bytes, or a part of either


def no_such_channel(channel: int, channels: int) -> str:
    """What is said of a channel that a recording of so many has not."""
    return f"there is no channel {channel}: it has {channels}" + (", which is read without channel" * (channels == 1))


def described(audio: Audio | None) -> str:
    """Which sound a row means, as a message shows it: of a URL nothing that may be secret.

    >>> described("https://me:secret@host.org/a.wav?signature=0")
    'https://host.org/a.wav'
    >>> described("https://[x/a.wav?signature=0"), described("file:///a?b.wav"), described("a/b://c")
    ('https://…', 'file:///a?b.wav', 'a/b://c')
    >>> described(b"RIFF"), described(AudioPart("a.wav", 1.5, 3.0, channel=2)), described(AudioPart("a.wav", 4.25))
    ('4 bytes', 'a.wav, 1.5 s to 3 s, channel 2', 'a.wav, 4.25 s to its end')
    """
    if audio is None:
        return "NULL"
    if isinstance(audio, str):
        return shown(audio) if _URL.match(audio) else audio
    if isinstance(audio, bytes):
        return f"{len(audio):,} bytes"
    said = [described(audio.audio)]
    if not audio.is_whole:
        said.append(f"{audio.start:g} s to {'its end' if audio.end is None else f'{audio.end:g} s'}")
    said += [f"{name} {number}" for name, number in (("channel", audio.channel), ("track", audio.track)) if number]
    return ", ".join(said)
