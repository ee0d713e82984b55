"""An open file → what its header says, all its samples, or those of a part.

Whichever process has the file open runs this: the session's own, or one that does nothing but decode (`decoder_process`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from thanosql.models.audio.decoding import blocks, opened
from thanosql.models.audio.faults import SourceFile
from thanosql.models.audio.info import AudioError, AudioInfo, Note
from thanosql.models.audio.libsndfile import SoundFile
from thanosql.models.audio.mixing import Mixer
from thanosql.models.audio.parts import AudioPart
from thanosql.models.audio.recordings import DecodedAudio
from thanosql.models.audio.resampling import resampled, window
from thanosql.models.audio.waveform import SAMPLING_RATE, LongWaveform, Waveform

if TYPE_CHECKING:
    import numpy as np

LONG_SECONDS = 600.0  # 38 MB

Step = Callable[[], None]  # called for each block that is decoded


class Decoder(Protocol):
    """Who decodes an open file: this module, in the process that calls it, or a pool of other processes."""

    def header(self, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float) -> AudioInfo: ...
    def cut(
        self, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float, most_seconds: float
    ) -> DecodedAudio | None: ...
    def whole(
        self, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float, most_seconds: float
    ) -> DecodedAudio: ...


def _on() -> None: ...


def header(file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float) -> AudioInfo:
    """What the header says of the recording whose track a part names. Raises AudioError."""
    with opened(file, track=part.track, max_hours=max_hours) as source:
        return source.info


def cut(
    file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float, most_seconds: float, step: Step = _on
) -> DecodedAudio | None:
    """A part's samples; None where the file must be decoded from its beginning for that. Raises AudioError.

    `most_seconds` are held in memory; a longer waveform lies in a file.
    """
    with opened(file, track=part.track, max_hours=max_hours) as source:
        part.check_channel(source.info)
        start, end = part.within(source.info.seconds)
        if not isinstance(source, SoundFile) or not source.seeks:
            return None
        bounds = round(start * SAMPLING_RATE), round(end * SAMPLING_RATE)
        found = partial(window, source.blocks, source.info.sampling_rate, *bounds)
        return _mixed(lambda mixer: collected(found(mixer.mixed), most_seconds, step), part, source.info.notes)


def whole(
    file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float, most_seconds: float, step: Step = _on
) -> DecodedAudio:
    """All of an open file in the channel and track of a part. Raises AudioError."""
    length = file.seek(0, io.SEEK_END)
    notes: list[Note] = []
    seconds = 0.0

    def decoded(mixer: Mixer) -> Waveform:
        nonlocal seconds
        with opened(file, track=part.track, max_hours=max_hours) as source:
            part.check_channel(source.info)
            waveform = collected(resampled(blocks(source, mixer, length, max_hours)), most_seconds, step)
            notes[:], seconds = source.info.notes, source.info.seconds
            if source.silence:
                said = f"nothing was recorded for {source.silence:.2f} s of it, read as silence"
                notes.append(Note("gap in time", said))
        return waveform

    return replace(_mixed(decoded, part, notes), header_seconds=seconds)


def _mixed(decoded: Callable[[Mixer], Waveform], part: AudioPart, notes: Sequence[Note]) -> DecodedAudio:
    """What is decoded with a mixer; with the first channel alone where the channels cancel each other in the mix."""
    mixer = Mixer(part.channel)
    waveform = decoded(mixer)
    if mixer.cancels:
        waveform = decoded(Mixer(1))
    return DecodedAudio(waveform, (*notes, *mixer.notes))


def collected(parts: Iterator[np.ndarray], most_seconds: float, step: Step = _on) -> Waveform:
    """An array of blocks at 16,000 Hz, or a file of them once they are more than `most_seconds`."""
    import numpy as np

    blocks: list[np.ndarray] = []
    samples = 0
    long: LongWaveform | None = None
    for part in parts:
        step()
        if not len(part):
            continue
        blocks.append(part)
        samples += len(part)
        if samples > most_seconds * SAMPLING_RATE:
            long = long or LongWaveform()
            for one in blocks:
                long.append(one)
            blocks.clear()
    if long is not None:
        return long
    if not blocks:
        raise AudioError("no samples: it is shorter than one sample at 16,000 Hz")
    return np.ascontiguousarray(blocks[0] if len(blocks) == 1 else np.concatenate(blocks))
