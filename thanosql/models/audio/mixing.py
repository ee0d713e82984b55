"""Blocks of `(frames, channels)` in, blocks of one channel or of all channels' mean out, with what shows on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from thanosql.models.audio.info import AudioError
from thanosql.models.audio.parts import no_such_channel

if TYPE_CHECKING:
    import numpy as np

CANCELLED_DB = 20.0  # by so much the mix lies under its channels where they are each other's inverse


class Mixer:
    """`channel` counts from 1; None is the mean of all. Afterwards, `cancels` says whether the mean lost the sound."""

    def __init__(self, channel: int | None) -> None:
        self._channel = channel
        self._mix_power = self._channel_power = 0.0

    def mixed(self, blocks: Iterator[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray]]:
        """(sampling rate in Hz, float32 `(frames,)`) of (sampling rate, float32 `(frames, channels)`).

        Raises AudioError for samples that are no numbers, and for a channel that is not there.
        """
        seconds = 0.0
        for rate, block in blocks:
            mono = self._one(block)
            check_finite(mono, seconds, rate)
            if self._channel is None and block.shape[1] > 1:
                self._mix_power += _energy(mono) / rate
                self._channel_power += _energy(block) / block.shape[1] / rate
            seconds += len(mono) / rate
            yield rate, mono

    @property
    def cancels(self) -> bool:
        return self._mix_power < self._channel_power * 10 ** (-CANCELLED_DB / 10)

    def _one(self, block: np.ndarray) -> np.ndarray:
        import numpy as np

        channels = block.shape[1]
        if self._channel is not None:
            if self._channel > channels:
                raise AudioError(no_such_channel(self._channel, channels))
            return np.ascontiguousarray(block[:, self._channel - 1])
        if channels == 1:
            return block[:, 0]
        with np.errstate(invalid="ignore", over="ignore"):  # infinity on both sides: found by the check that follows
            if channels == 2:
                pair: np.ndarray = (block[:, 0] + block[:, 1]) * np.float32(0.5)
                return pair
            mean: np.ndarray = block.mean(axis=1, dtype=np.float32)
        return mean


def check_finite(block: np.ndarray, before: float, rate: int) -> None:
    """Raise AudioError where a sample is no number; `before` is the block's beginning in seconds."""
    import numpy as np

    finite = np.isfinite(block)
    if not finite.all():
        raise AudioError(f"NaN or infinite samples, the first at {before + int(finite.argmin()) / rate:.3f} s")


def _energy(samples: np.ndarray) -> float:
    import numpy as np

    flat = samples.ravel(order="K")
    return float(np.dot(flat, flat))
