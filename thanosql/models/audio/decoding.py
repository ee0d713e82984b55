"""An open audio file → the library that reads it best (`opened`), and its samples, mixed to mono, block by block.

libsndfile decodes what it knows well, FFmpeg the rest. What a file lacks is looked for before either opens it, and so is
a length that is past the limit.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from thanosql.models.audio.completeness import lacks_end, shortage, xing
from thanosql.models.audio.containers import HEAD, kind_of
from thanosql.models.audio.faults import SourceFile
from thanosql.models.audio.ffmpeg import Container
from thanosql.models.audio.info import AudioError, Note
from thanosql.models.audio.libsndfile import SoundFile
from thanosql.models.audio.mixing import Mixer
from thanosql.models.audio.ogg import is_plain
from thanosql.models.audio.riff import miscount

if TYPE_CHECKING:
    import numpy as np

MAX_HOURS = 24.0  # of a recording, where no setting says otherwise
# A long recording that takes fewer bytes than any speech does: it was made to fill memory and disk.
BOMB_SECONDS = 3600.0
BOMB_BYTES_A_SECOND = 10

BY_FFMPEG = ("MP3", "MP4", "WebM", "ASF", "AAC", "AMR")
# One thread at a time decodes with FFmpeg: a packet takes microseconds, and between two the threads of a session would hand
# Python's lock to each other, 800 times a file. Four of them take three times the processor's time of one.
_ffmpeg = threading.RLock()


def _after_fork() -> None:
    global _ffmpeg
    _ffmpeg = threading.RLock()  # a thread that is not here may hold the other


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_LATE = Note("late start", "it may start up to 70 ms late: the file does not record its encoder's delay")

_NO_END = Note("no end mark", "it may have been cut off: its last page does not say that the recording ends there")


@contextmanager
def opened(
    file: io.BytesIO | SourceFile, *, track: int | None = None, max_hours: float = MAX_HOURS
) -> Iterator[SoundFile | Container]:
    """An open file with its header read; `info` has it, and the samples are not decoded yet.

    Raises AudioError for what is no audio, holds no samples, is shorter than its header promises, or longer than
    `max_hours`.
    """
    length = file.seek(0, io.SEEK_END)
    if length == 0:
        raise AudioError("empty file (0 bytes)")
    file.seek(0)
    head = file.read(HEAD)
    missing = shortage(file, head, length)
    if missing:
        raise AudioError(missing)
    kind = kind_of(head)
    unended = kind == "Ogg" and lacks_end(file, length)
    with _ffmpeg if kind in BY_FFMPEG else nullcontext():
        source = _source(file, head, length, track)
        if unended:
            source.info = replace(source.info, notes=(*source.info.notes, _NO_END))
        try:
            _check_length(source.info.seconds, length if isinstance(source, SoundFile) else None, max_hours)
            yield source
        finally:
            source.close()


def _source(file: io.BytesIO | SourceFile, head: bytes, length: int, track: int | None) -> SoundFile | Container:
    kind = kind_of(head)
    miscounted = miscount(file, head, length) if kind == "WAV" else None
    if miscounted:
        container = Container.open(file, head, timed=False, track=track, ignore_length=True)
        container.info = replace(container.info, notes=(*container.info.notes, Note("wrong length", miscounted)))
        return container
    # libsndfile takes an estimate for the length of an MP3 without a tag, passes over damage in any, and knows of Ogg
    # neither the gaps in its time nor what is chained to it.
    if kind not in BY_FFMPEG and (kind != "Ogg" or is_plain(file, length)):
        source = SoundFile.open(file)
        if source is not None and source.info.seconds:
            if track is not None and track > 1:
                source.close()
                raise AudioError(f"there is no audio track {track}: it has 1")
            return source
        if source is not None:
            # Written to a pipe, a header may say 0 for a length that was not known.
            source.close()
            try:
                return Container.open(file, head, timed=False, track=track)
            except AudioError as error:
                raise AudioError(f"no samples: nothing follows the {kind or 'file'} header") from error
    tagged = kind == "MP3" and xing(file, head, length) is not None
    container = Container.open(file, head, timed=tagged, track=track)
    if kind == "AAC" or (kind == "MP3" and not tagged):
        container.info = replace(container.info, notes=(*container.info.notes, _LATE))
    return container


def blocks(
    source: SoundFile | Container, mixer: Mixer, length: int | None, max_hours: float = MAX_HOURS
) -> Iterator[tuple[int, np.ndarray]]:
    """(sampling rate in Hz, mono float32 `(frames,)`) of all of an open file, in order, mixed by `mixer`.

    `length` is the file's in bytes. Raises AudioError for damage that shows in decoding, and for more than `max_hours`.
    """
    seconds = 0.0
    for rate, block in mixer.mixed(source.blocks()):
        seconds += len(block) / rate
        _check_length(seconds, None, max_hours)
        _check_length(seconds - source.silence, length, max_hours)
        yield rate, block
    # A coder's delay and padding, and headers that count in milliseconds, are no loss.
    if seconds < source.info.seconds - max(0.15, source.info.seconds * 0.005):
        raise AudioError(
            f"truncated: its header promises {source.info.seconds:.2f} s, only {seconds:.2f} s can be decoded"
        )


def _check_length(seconds: float, length: int | None, max_hours: float) -> None:
    if seconds > max_hours * 3600:
        raise AudioError(
            f"{seconds / 3600:.1f} h long, and no more than {max_hours:g} h are read (the setting max_hours, or "
            "THANOSQL_MAX_HOURS)"
        )
    if length is not None and seconds > BOMB_SECONDS and length < seconds * BOMB_BYTES_A_SECOND:
        raise AudioError(
            f"{seconds / 3600:.1f} h in {length / 1000:,.0f} kB, which holds no speech: silence, or made to fill a disk"
        )
