"""What is said of audio: what its header holds (AudioInfo), or why it cannot be used (AudioError)."""

from __future__ import annotations

from dataclasses import dataclass


class AudioError(Exception):
    """Audio that cannot be used. The message says why in plain words; who calls adds the row and the path."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a header says: duration in seconds, sampling rate in Hz, channels, container and codec ('wav/pcm_16')."""

    seconds: float
    sampling_rate: int
    channels: int
    format: str
