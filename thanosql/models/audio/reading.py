"""A reference to audio (a path, a URL, a file's bytes, or a part of one) → its header, or its waveform.

A waveform is float32 `(samples,)`, mono, at 16,000 Hz. Whatever is wrong with the audio is an AudioError: nothing that
soundfile or av raises, nor what the operating system says of the file, gets past this module. What is wrong with this
machine (no descriptor, memory or disk left) is no fault of the audio, and leaves as the OSError or MemoryError it is.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.models.audio import open_recording, pooled_decoding
from thanosql.models.audio.containers import HEAD
from thanosql.models.audio.decoding import MAX_HOURS
from thanosql.models.audio.facts import AudioFacts, facts_of
from thanosql.models.audio.faults import SourceFile, raise_if_machine
from thanosql.models.audio.info import AudioError, AudioInfo, Note
from thanosql.models.audio.open_recording import LONG_SECONDS, Decoder, collected
from thanosql.models.audio.parts import AudioPart
from thanosql.models.audio.recordings import DecodedAudio, DecodedRecordings
from thanosql.models.audio.references import find, is_remote, of_data_uri, refuse_outside
from thanosql.models.audio.riff import holds_plain_samples
from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    import numpy as np

    from thanosql.models.audio.remote import RemoteAccess

SLICE = 1 << 20  # samples of a part that are copied at once

_RECORDINGS = DecodedRecordings()


def probe(
    audio: str | bytes | AudioPart,
    roots: Sequence[Path] = (),
    *,
    confined: bool = False,
    remote: RemoteAccess | None = None,
    max_hours: float = MAX_HOURS,
    processes: int = 0,
) -> AudioInfo:
    """What the header of some audio says, without decoding it; of a part, its own seconds.

    Finds all that can be found without decoding: a file that is missing, unreadable, no audio, without samples, shorter
    than its header promises, or longer than `max_hours`; a part, channel or track that is not in it. `roots` and
    `confined` are those of `locate`; a URL is fetched, whole, where `remote` allows it, and refused otherwise. With
    `processes`, so many other processes at most decode, and one that dies is the file's error; 0: this process decodes.
    Raises AudioError.
    """
    part = AudioPart.of(audio)
    part.check()
    with _opened(part.audio, roots, confined, remote) as file:
        info = part.info(_decoder(file, processes).header(file, part, max_hours))
        return replace(info, notes=(*_found_as(file), *info.notes))


def read(
    audio: str | bytes | AudioPart,
    roots: Sequence[Path] = (),
    *,
    confined: bool = False,
    remote: RemoteAccess | None = None,
    max_hours: float = MAX_HOURS,
    processes: int = 0,
) -> np.ndarray:
    """The waveform of some audio: float32 `(samples,)`, the mean of its channels, at 16,000 Hz, full scale at 1.

    Resampled by soxr (HQ), which keeps the time: sample n is the moment n / 16,000 s of the recording. A part is the
    samples round(start · 16,000) to round(end · 16,000) of it. `roots` and `confined` are those of `locate`, `remote`
    and `processes` those of `probe`. Raises AudioError.
    """
    return _decode(AudioPart.of(audio), roots, confined, remote, max_hours, math.inf, processes).waveform[:]


def decode(
    audio: str | bytes | AudioPart,
    roots: Sequence[Path] = (),
    *,
    confined: bool = False,
    remote: RemoteAccess | None = None,
    max_hours: float = MAX_HOURS,
    processes: int = 0,
) -> DecodedAudio:
    """As `read`, with what one should know of the recording, which for some shows in decoding alone.

    A waveform of more than LONG_SECONDS lies in a file and is read by slices, so that memory stays flat.
    """
    return _decode(AudioPart.of(audio), roots, confined, remote, max_hours, LONG_SECONDS, processes)


def facts(
    audios: Sequence[str | bytes | AudioPart],
    roots: Sequence[Path] = (),
    *,
    confined: bool = False,
    remote: RemoteAccess | None = None,
    max_hours: float = MAX_HOURS,
    processes: int = 0,
) -> list[AudioFacts | AudioError]:
    """What decoding tells of each of some audios, in their order, or the error of those that cannot be used.

    Other processes decode whole files together, and send no samples: one message goes there and one comes back.
    """
    found: list[AudioFacts | AudioError | None] = [None] * len(audios)
    together: list[tuple[int, io.BytesIO | SourceFile, AudioPart]] = []
    with ExitStack() as opened:
        for place, audio in enumerate(audios):
            try:
                part = AudioPart.of(audio)
                part.check()
                file = opened.enter_context(_opened(part.audio, roots, confined, remote))
                if part.is_whole and _decoder(file, processes) is not open_recording:
                    together.append((place, file, part))
                else:
                    found[place] = facts_of(_of_file(file, part, max_hours, LONG_SECONDS, processes))
            except AudioError as error:
                found[place] = error
        asked = [(file, part) for _, file, part in together]
        for (place, _, _), one in zip(together, pooled_decoding.of(processes).facts(asked, max_hours), strict=True):
            found[place] = one
        for place, file, _ in together:
            known = found[place]
            if isinstance(known, AudioFacts) and (found_as := _found_as(file)):
                found[place] = replace(known, notes=(*found_as, *known.notes))
    return [one for one in found if one is not None]


def _decode(
    part: AudioPart,
    roots: Sequence[Path],
    confined: bool,
    remote: RemoteAccess | None,
    max_hours: float,
    most_seconds: float,
    processes: int,
) -> DecodedAudio:
    """`most_seconds` are held in memory; a longer waveform lies in a file."""
    part.check()
    with _opened(part.audio, roots, confined, remote) as file:
        decoded = _of_file(file, part, max_hours, most_seconds, processes)
        found_as = _found_as(file)
        return replace(decoded, notes=(*found_as, *decoded.notes)) if found_as else decoded


def _of_file(
    file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float, most_seconds: float, processes: int
) -> DecodedAudio:
    decoder = _decoder(file, processes)
    if part.is_whole:
        return decoder.whole(file, part, max_hours, most_seconds)
    key = (_identity(file), part.channel, part.track, max_hours)
    # A recording that was decoded is not opened again: to know the length of a stream, its packets are counted.
    whole = _RECORDINGS.known(key)
    if whole is None:
        found = decoder.cut(file, part, max_hours, most_seconds)
        if found is not None:
            return found
        whole = _RECORDINGS.get(key, lambda: decoder.whole(file, part, max_hours, LONG_SECONDS))
    # The header's length is the decoded one but for a few milliseconds.
    begin = round(part.within(whole.header_seconds)[0] * SAMPLING_RATE)
    samples = len(whole.waveform)
    stop = samples if part.end is None else min(round(part.end * SAMPLING_RATE), samples)
    # Copies, so that who changes a part changes no other.
    slices = (whole.waveform[at : min(at + SLICE, stop)].copy() for at in range(begin, stop, SLICE))
    return DecodedAudio(collected(slices, most_seconds), whole.notes)


def _decoder(file: io.BytesIO | SourceFile, processes: int) -> Decoder:
    """Who decodes a file. What is no more than samples one after the other is read here: there is nothing to decode."""
    if not processes:
        return open_recording
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return open_recording if holds_plain_samples(file, file.read(HEAD), length) else pooled_decoding.of(processes)


def _found_as(file: io.BytesIO | SourceFile) -> tuple[Note, ...]:
    return (Note("other name", file.note),) if isinstance(file, SourceFile) and file.note else ()


def _identity(file: io.BytesIO | SourceFile) -> Hashable:
    """What tells a recording from others, and from itself once it has changed."""
    if isinstance(file, io.BytesIO):
        return hashlib.blake2b(file.getbuffer(), digest_size=16).digest()
    about = os.fstat(file.fileno())
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def open_source(path: str, roots: Sequence[Path], *, confined: bool) -> SourceFile:
    """The file of a path, open, to be closed by who asks. Raises AudioError as `locate`, and for one outside of the roots."""
    file = SourceFile(*find(path, roots, confined=confined))
    try:
        if confined:
            # Where the path led when it was looked at, a link may stand since.
            refuse_outside(file.place(), roots)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def _opened(
    audio: str | bytes, roots: Sequence[Path], confined: bool, remote: RemoteAccess | None
) -> Iterator[io.BytesIO | SourceFile]:
    if remote is not None and isinstance(audio, str) and is_remote(audio):
        from thanosql.models.audio.remote import fetch

        audio = fetch(audio, remote)
    if isinstance(audio, str) and (content := of_data_uri(audio)) is not None:
        audio = content
    if isinstance(audio, (bytes, bytearray, memoryview)):
        if not len(audio):
            raise AudioError("empty value (0 bytes)")
        yield io.BytesIO(audio)
        return
    if not isinstance(audio, (str, os.PathLike)):
        raise AudioError(f"a path or the file's bytes are needed, not {type(audio).__name__}")
    with closing(open_source(os.fspath(audio), roots, confined=confined)) as file:
        try:
            yield file
        except (ImportError, OSError) as error:  # a decoder's library that cannot be loaded, for one
            raise_if_machine(error)
            raise
