"""An open audio file → what its header says (`describe`), and its samples, mixed to mono, block by block (`blocks`).

libsndfile decodes what it knows well, FFmpeg the rest. What a file lacks is looked for before either opens it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from thanosql.models.audio.containers import HEAD, kind_of, shortage, xing
from thanosql.models.audio.faults import SourceFile
from thanosql.models.audio.info import AudioError, AudioInfo
from thanosql.models.audio.sources import HIGHEST_RATE, LOWEST_RATE, Container, SoundFile

if TYPE_CHECKING:
    import numpy as np


def describe(file: io.BytesIO | SourceFile) -> AudioInfo:
    """The header of an open file; the samples are not decoded.

    Raises AudioError for what is no audio, holds no samples, or is shorter than its header promises.
    """
    with _opened(file) as source:
        return source.info


def blocks(file: io.BytesIO | SourceFile) -> Iterator[tuple[int, np.ndarray]]:
    """(sampling rate in Hz, mono float32 `(frames,)`) from an open file, in order; channels are averaged.

    Raises AudioError for what `describe` raises it for, and for damage that shows in decoding.
    """
    with _opened(file) as source:
        seconds = 0.0
        for rate, block in source.blocks():
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise AudioError(f"damaged: after {seconds:.2f} s its sampling rate is {rate} Hz")
            _check_finite(block, seconds, rate)
            seconds += len(block) / rate
            yield rate, block
        # A coder's delay and padding, and headers that count in milliseconds, are no loss.
        if seconds < source.info.seconds - max(0.15, source.info.seconds * 0.005):
            raise AudioError(
                f"truncated: its header promises {source.info.seconds:.2f} s, only {seconds:.2f} s can be decoded"
            )


@contextmanager
def _opened(file: io.BytesIO | SourceFile) -> Iterator[SoundFile | Container]:
    length = file.seek(0, io.SEEK_END)
    if length == 0:
        raise AudioError("empty file (0 bytes)")
    file.seek(0)
    head = file.read(HEAD)
    missing = shortage(file, head, length)
    if missing:
        raise AudioError(missing)
    kind = kind_of(head)
    # libsndfile takes an estimate for the length of an MP3 without a tag, and passes over damage in any.
    source: SoundFile | Container | None = None
    if kind not in ("MP3", "MP4", "WebM", "ASF", "AAC", "AMR"):
        source = SoundFile.open(file)
    if source is None:
        source = Container.open(file, head, timed=kind == "MP3" and xing(file, head, length) is not None)
    elif not source.info.seconds:
        # Written to a pipe, a header may say 0 for a length that was not known.
        source.close()
        try:
            source = Container.open(file, head, timed=False)
        except AudioError as error:
            raise AudioError(f"no samples: nothing follows the {kind or 'file'} header") from error
    try:
        yield source
    finally:
        source.close()


def _check_finite(block: np.ndarray, before: float, rate: int) -> None:
    import numpy as np

    bad = np.flatnonzero(~np.isfinite(block))
    if len(bad):
        raise AudioError(f"NaN or infinite samples, the first at {before + int(bad[0]) / rate:.3f} s")
