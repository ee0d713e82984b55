"""An open audio file → its header and its samples, as libsndfile reads it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from thanosql.models.audio.faults import SourceFile
from thanosql.models.audio.info import HIGHEST_RATE, LOWEST_RATE, AudioError, AudioInfo, damaged

if TYPE_CHECKING:
    import numpy as np

BLOCK_FRAMES = 1 << 18  # at once in memory, so that an hour of 96 kHz stereo takes no gigabytes


class SoundFile:
    """A file as libsndfile reads it."""

    silence = 0.0  # it knows of no gaps

    def __init__(self, sound: Any, error: type[Exception]) -> None:
        self._sound, self._error = sound, error
        name = f"{sound.format}/{sound.subtype}".lower()
        # Sample by sample, or frame by frame as FLAC: no decoder's state that a seek would lose.
        self.seeks = sound.subtype.startswith(("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW"))
        self.info = AudioInfo(sound.frames / sound.samplerate, sound.samplerate, sound.channels, name)

    @classmethod
    def open(cls, file: io.BytesIO | SourceFile) -> SoundFile | None:
        """None where libsndfile does not know the format, or not its length."""
        import soundfile

        file.seek(0)
        try:
            # A descriptor spares a call back into Python for every read.
            sound = soundfile.SoundFile(file if isinstance(file, io.BytesIO) else file.fileno(), closefd=False)
        except (soundfile.SoundFileError, ValueError, TypeError):
            return None
        usable = LOWEST_RATE <= sound.samplerate <= HIGHEST_RATE and sound.frames < 1 << 48
        if not usable or sound.subtype.startswith("MPEG"):
            sound.close()
            return None
        if sound.format == "FLAC" and sound.frames:
            try:
                # One frame is decoded: the cheapest way to see that the end is there.
                sound.seek(sound.frames - 1)
                complete = len(sound.read(1)) == 1
                sound.seek(0)
            except soundfile.SoundFileError:
                complete = False
            if not complete:
                seconds = sound.frames / sound.samplerate
                sound.close()
                raise AudioError(
                    f"truncated or damaged: the end of the {seconds:.2f} s its header promises is not there"
                )
        return cls(sound, soundfile.SoundFileError)

    def blocks(self, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """(sampling rate in Hz, float32 `(frames, channels)`), from the frame `begin` to `end`, or to the last.

        Raises AudioError where decoding fails.
        """
        rate, done = self.info.sampling_rate, begin
        try:
            if begin:
                self._sound.seek(begin)
            while end is None or done < end:
                wanted = BLOCK_FRAMES if end is None else min(BLOCK_FRAMES, end - done)
                block = self._sound.read(wanted, dtype="float32", always_2d=True)
                if not len(block):
                    return
                done += len(block)
                yield rate, block
        except self._error as error:
            raise damaged(done / rate, _cause(error)) from error

    def close(self) -> None:
        self._sound.close()


def _cause(error: Exception) -> str:
    return str(error).rpartition(" : ")[2].rstrip(".")
