"""An open audio file → its header and its samples, as libsndfile (`SoundFile`) or FFmpeg (`Container`) reads it.

Both are handed open files, never names: FFmpeg's playlist and concatenation demuxers open other files and hosts, so
only the containers of `FORMATS` are let through.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from thanosql.models.audio.containers import kind_of, not_audio
from thanosql.models.audio.faults import SourceFile, raise_if_out_of_memory
from thanosql.models.audio.info import AudioError, AudioInfo

if TYPE_CHECKING:
    import numpy as np

# FFmpeg's demuxers that read the one file they are given, and nothing beside it.
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "ogg,oma,qcp,sox,tak,tta,voc,w64,wav,wv"
)
# Containers whose header holds the duration; in the others the packets are counted, which decodes nothing.
TIMED = ("aiff", "ape", "asf", "au", "caf", "flac", "matroska", "mov", "tak", "tta", "w64", "wav", "wv")

NAMES = {"mov": "MP4", "matroska": "WebM"}  # as people call what FFmpeg calls otherwise
# Where one recording was put after another, and where a tag begins, a frame or two are none.
UNDECODABLE_PACKETS = {"mp3": 2, "aac": 2}

# From so many planes on, PyAV (18.1) looks for the end of FFmpeg's list of them beyond that list, and crashes.
SAFE_PLANES = 8

BLOCK_FRAMES = 1 << 18  # at once in memory, so that an hour of 96 kHz stereo takes no gigabytes
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz; a header outside of these is damaged


class SoundFile:
    """A file as libsndfile reads it."""

    def __init__(self, sound: Any, error: type[Exception]) -> None:
        self._sound, self._error = sound, error
        name = f"{sound.format}/{sound.subtype}".lower()
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

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        done = 0
        while True:
            try:
                block = self._sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
            except self._error as error:
                _damaged(done / self.info.sampling_rate, _cause(error).rpartition(" : ")[2], error)
            if not len(block):
                return
            done += len(block)
            yield self.info.sampling_rate, _mono(block)

    def close(self) -> None:
        self._sound.close()


class Container:
    """A file as FFmpeg reads it."""

    def __init__(self, container: Any, stream: Any, info: AudioInfo) -> None:
        self._container, self._stream, self.info = container, stream, info

    @classmethod
    def open(cls, file: io.BytesIO | SourceFile, head: bytes, *, timed: bool) -> Container:
        """`timed` says that the header's duration is known to be right, in a container where it need not be."""
        import av

        file.seek(0)
        try:
            container = av.open(
                file,  # which has no name: FFmpeg would guess the format by it, and look for others beside it
                container_options={"format_whitelist": FORMATS, "protocol_whitelist": "none"},
                io_open=_refuse,
                metadata_errors="replace",  # titles in Latin-1 are common, and nobody reads them here
            )
        except (av.error.FFmpegError, ValueError) as error:
            _check_memory(error)
            kind = kind_of(head)
            if kind is None:
                raise AudioError(not_audio(head)) from error
            raise AudioError(f"damaged: it begins like {kind}, but its header cannot be read") from error
        try:
            return cls(container, *_look(container, timed))
        except (av.error.FFmpegError, IndexError) as error:  # IndexError: a stream that only turns up among the packets
            container.close()
            _check_memory(error)
            raise AudioError(f"damaged: its packets cannot be read ({_cause(error)})") from error
        except BaseException:
            container.close()
            raise

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        import av

        done, undecodable = 0.0, 0
        allowed = UNDECODABLE_PACKETS.get(self._container.format.name, 0)
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError, IndexError) as error:
                _check_memory(error)
                undecodable += 1
                if undecodable > allowed:
                    _damaged(done, _cause(error), error)
                continue
            if packet is None:
                return
            for frame in frames:
                yield frame.sample_rate, _mono(_samples(frame))
                done += frame.samples / max(frame.sample_rate, 1)

    def close(self) -> None:
        self._container.close()


def _refuse(url: str, flags: int, options: object) -> NoReturn:
    raise AudioError("it makes the decoder open another file, which no audio file may")


def _look(container: Any, timed: bool) -> tuple[Any, AudioInfo]:
    """The audio stream of an open container, and its header. The container is at its beginning afterwards."""
    demuxer = container.format.name.split(",")[0]
    name = NAMES.get(demuxer, demuxer).lower()
    if not container.streams.audio:
        others = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise AudioError(f"no audio stream (the {name} file holds {' and '.join(others)} alone)")
    stream = container.streams.best("audio") or container.streams.audio[0]
    context = stream.codec_context
    if context is None:
        raise AudioError(f"no decoder for the sound in this {name} file")
    if not LOWEST_RATE <= (context.sample_rate or 0) <= HIGHEST_RATE or not context.channels:
        raise AudioError(f"damaged: the {name} header names no sampling rate that can be ({context.sample_rate} Hz)")
    seconds = 0.0
    if timed or demuxer in TIMED:
        if stream.duration:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration:
            seconds = container.duration / 1e6
    if not seconds:
        seconds = _count(container, stream)
        container.seek(0)
    if not seconds:
        raise AudioError(f"no samples: nothing follows the {NAMES.get(demuxer, demuxer.upper())} header")
    return stream, AudioInfo(seconds, context.sample_rate, context.channels, f"{name}/{context.codec.canonical_name}")


def _count(container: Any, stream: Any) -> float:
    """Seconds of all packets of a stream, which are read and not decoded."""
    total, first, last = 0, None, 0
    for packet in container.demux(stream):
        if packet.size and packet.duration:
            total += packet.duration
        if packet.size and packet.pts is not None:
            first = packet.pts if first is None else first
            last = max(last, packet.pts + (packet.duration or 0))
    return float((total or last - (first or 0)) * stream.time_base)


def _samples(frame: Any) -> np.ndarray:
    """A decoded frame as float32 `(frames, channels)`, full scale at 1."""
    import numpy as np

    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels >= SAFE_PLANES:
        import av

        frame = av.AudioResampler(frame.format.packed.name, frame.layout, frame.sample_rate).resample(frame)[0]
    data: np.ndarray = frame.to_ndarray()
    data = data.T if frame.format.is_planar else data.reshape(-1, channels)
    if data.dtype == np.uint8:
        return (data.astype(np.float32) - np.float32(128)) / np.float32(128)
    if data.dtype.kind == "i":
        return (data / float(-np.iinfo(data.dtype).min)).astype(np.float32)
    return data.astype(np.float32, copy=False)


def _mono(block: np.ndarray) -> np.ndarray:
    import numpy as np

    if block.shape[1] == 1:
        return block[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):  # infinity on both sides: found by the check that follows
        mean: np.ndarray = block.mean(axis=1, dtype=np.float32)
    return mean


def _check_memory(error: Exception) -> None:
    if isinstance(error, MemoryError):  # FFmpeg's is one of both kinds
        raise_if_out_of_memory(error)


def _cause(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")


def _damaged(seconds: float, reason: str, error: Exception) -> NoReturn:
    raise AudioError(f"damaged: decoding fails after {seconds:.2f} s ({reason})") from error
