"""Blocks of `(frames, channels)` in, blocks of one channel or of all channels' mean out, with what shows on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from thanosql.models.audio.info import AudioError, Note
from thanosql.models.audio.parts import no_such_channel

if TYPE_CHECKING:
    import numpy as np

CANCELLED_DB = 20.0  # by so much the mix lies under its channels where they are each other's inverse
SILENT_DB = 60.0  # by so much a channel without sound lies under the loudest
STEP_SECONDS = 0.1  # in which channels' levels are compared,
STRIDE = 8  # by one frame of so many;
APART_DB = 10.0  # so far apart, somebody speaks on one of them,
HEARD_POWER = 1e-5  # if he can be heard at all (-50 dB of full scale)
APART_SHARE = 0.1  # of the seconds that can be heard: more, and the channels hold different people,
ALIKE = 0.5  # unless their sound is this much the same (correlation)


class Mixer:
    """`channel` counts from 1; None is the mean of all. Afterwards, `cancels` says whether the mean lost the sound, and
    `notes` what shows of the channels."""

    def __init__(self, channel: int | None) -> None:
        self._channel = channel
        self._mix_power = self._channel_power = 0.0
        self._levels: np.ndarray | None = None  # (channels,): energy of each
        self._sum_energy = 0.0  # of all channels added up
        self._heard = self._apart = 0.0  # seconds

    def mixed(self, blocks: Iterator[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray]]:
        """(sampling rate in Hz, float32 `(frames,)`) of (sampling rate, float32 `(frames, channels)`).

        Raises AudioError for samples that are no numbers, and for a channel that is not there.
        """
        seconds = 0.0
        for rate, block in blocks:
            mono = self._one(block)
            check_finite(mono, seconds, rate)
            if self._channel is None and block.shape[1] > 1 and len(block):
                self._mix_power += _energy(mono) / rate
                self._channel_power += _energy(block) / block.shape[1] / rate
                self._compare(block, rate)
            seconds += len(mono) / rate
            yield rate, mono

    @property
    def cancels(self) -> bool:
        return self._mix_power < self._channel_power * 10 ** (-CANCELLED_DB / 10)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the listener should know of the channels, and the option that helps."""
        if self._levels is None or not self._levels.any():
            return ()
        if self.cancels:
            said = "its channels cancel each other when mixed, so only channel 1 is read; channel=2 reads the other"
            return (Note("channels cancel", said),)
        silent = self._levels < self._levels.max() * 10 ** (-SILENT_DB / 10)
        if silent.any():
            numbers = [number for number, nothing in enumerate(silent, start=1) if nothing]
            loudest = int(self._levels.argmax()) + 1
            named = f"channel {numbers[0]} is" if len(numbers) == 1 else f"channels {_listed(numbers)} are"
            return (Note("silent channel", f"{named} silent, so the mix is quieter than channel={loudest} would be"),)
        if self._heard and self._apart > APART_SHARE * self._heard and self._likeness < ALIKE:
            said = (
                "each of its channels seems to be another speaker; channel_col, or channel=1 and channel=2, transcribe "
                "them separately"
            )
            return (Note("channels differ", said),)
        return ()

    @property
    def _likeness(self) -> float:
        """How much the channels hold one sound: their correlation, which the energy of their sum tells. 1 is one sound."""
        import numpy as np

        assert self._levels is not None
        common = self._sum_energy - float(self._levels.sum())
        return common / (float(np.sqrt(self._levels).sum()) ** 2 - float(self._levels.sum()))

    def _compare(self, block: np.ndarray, rate: int) -> None:
        """Take up each channel's energy, and count the seconds in which one is much louder than another."""
        import numpy as np

        some = block[::STRIDE]
        step = max(1, min(len(some), round(STEP_SECONDS * rate / STRIDE)))
        steps = len(some) // step
        cut = some[: steps * step].reshape(steps, step, -1)  # what is left over of a block counts for nothing
        levels = np.einsum("ijk,ijk->ik", cut, cut)
        energy = levels.sum(axis=0, dtype=np.float64)
        if self._levels is None or len(self._levels) != len(energy):  # a broadcast may change its channels on the way
            self._levels, self._sum_energy = np.zeros_like(energy), 0.0
        self._levels += energy
        self._sum_energy += _energy(cut.sum(axis=2))
        high = levels.max(axis=1)
        heard = high > HEARD_POWER * step
        apart = heard & (high > levels.min(axis=1) * 10 ** (APART_DB / 10))
        each = step * STRIDE / rate
        self._heard += each * int(heard.sum())
        self._apart += each * int(apart.sum())

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


def _listed(numbers: list[int]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _energy(samples: np.ndarray) -> float:
    import numpy as np

    flat = samples.ravel(order="K")
    return float(np.dot(flat, flat))
