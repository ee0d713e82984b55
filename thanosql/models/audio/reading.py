"""A reference to audio (a path, a URL, or a file's bytes) → its header, or its waveform.

A waveform is float32 `(samples,)`, mono, at 16,000 Hz. Whatever is wrong with the audio is an AudioError: nothing that
soundfile or av raises, nor what the operating system says of the file, gets past this module. What is wrong with this
machine (no descriptor, memory or disk left) is no fault of the audio, and leaves as the OSError or MemoryError it is.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.models.audio.decoding import blocks, describe
from thanosql.models.audio.faults import SourceFile, raise_if_machine
from thanosql.models.audio.info import AudioError, AudioInfo
from thanosql.models.audio.references import is_remote, locate
from thanosql.models.audio.resampling import resampled
from thanosql.models.audio.waveform import SAMPLING_RATE, LongWaveform

if TYPE_CHECKING:
    import numpy as np

    from thanosql.models.audio.remote import RemoteAccess
    from thanosql.models.audio.waveform import Waveform

LONG_SECONDS = 600.0  # 38 MB


def probe(
    audio: str | bytes, roots: Sequence[Path] = (), *, confined: bool = False, remote: RemoteAccess | None = None
) -> AudioInfo:
    """What the header of some audio says, without decoding it.

    Finds all that can be found without decoding: a file that is missing, unreadable, no audio, without samples, or
    shorter than its header promises. `roots` and `confined` are those of `locate`; a URL is fetched, whole, where
    `remote` allows it, and refused otherwise. Raises AudioError.
    """
    with _opened(audio, roots, confined, remote) as file:
        return describe(file)


def read(
    audio: str | bytes, roots: Sequence[Path] = (), *, confined: bool = False, remote: RemoteAccess | None = None
) -> np.ndarray:
    """The waveform of some audio: float32 `(samples,)`, the mean of its channels, at 16,000 Hz, full scale at 1.

    Resampled by soxr (HQ), which keeps the time: sample n is the moment n / 16,000 s of the recording. `roots` and
    `confined` are those of `locate`, `remote` that of `probe`. Raises AudioError.
    """
    with _opened(audio, roots, confined, remote) as file:
        return _joined([part for part in resampled(blocks(file)) if len(part)])


def read_any_length(
    audio: str | bytes, roots: Sequence[Path] = (), *, confined: bool = False, remote: RemoteAccess | None = None
) -> Waveform:
    """As `read`; of more than LONG_SECONDS a waveform that lies in a file, so that memory stays flat."""
    parts: list[np.ndarray] = []
    held = 0
    long: LongWaveform | None = None
    with _opened(audio, roots, confined, remote) as file:
        for part in resampled(blocks(file)):
            parts.append(part)
            held += len(part)
            if held > LONG_SECONDS * SAMPLING_RATE:
                long = long or LongWaveform()
                for one in parts:
                    long.append(one)
                parts.clear()
    return _joined([part for part in parts if len(part)]) if long is None else long


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    import numpy as np

    if not parts:
        raise AudioError("no samples: it is shorter than one sample at 16,000 Hz")
    return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts))


@contextmanager
def _opened(
    audio: str | bytes, roots: Sequence[Path], confined: bool, remote: RemoteAccess | None
) -> Iterator[io.BytesIO | SourceFile]:
    if remote is not None and isinstance(audio, str) and is_remote(audio):
        from thanosql.models.audio.remote import fetch

        audio = fetch(audio, remote)
    if isinstance(audio, (bytes, bytearray, memoryview)):
        if not len(audio):
            raise AudioError("empty value (0 bytes)")
        yield io.BytesIO(audio)
        return
    if not isinstance(audio, (str, os.PathLike)):
        raise AudioError(f"a path or the file's bytes are needed, not {type(audio).__name__}")
    file = SourceFile(locate(os.fspath(audio), roots, confined=confined))
    with closing(file):
        try:
            yield file
        except (ImportError, OSError) as error:  # a decoder's library that cannot be loaded, for one
            raise_if_machine(error)
            raise
