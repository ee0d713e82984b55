"""An open audio file → its header and its samples, as FFmpeg reads it, each frame at the time its container gives it.

It is handed open files, never names: FFmpeg's playlist and concatenation demuxers open other files and hosts, so only
the containers of `FORMATS` are let through.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from thanosql.models.audio.containers import kind_of, not_audio
from thanosql.models.audio.faults import SourceFile, raise_if_out_of_memory
from thanosql.models.audio.info import HIGHEST_RATE, LOWEST_RATE, AudioError, AudioInfo, Note, damaged
from thanosql.models.audio.packets import missing_of_last
from thanosql.models.audio.timeline import LEAST_GAP, Timeline

if TYPE_CHECKING:
    import numpy as np

# FFmpeg's demuxers that read the one file they are given, and nothing beside it.
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "ogg,oma,qcp,sox,tak,tta,voc,w64,wav,wv"
)
# Containers whose header holds each track's duration; in the others the packets are counted, which decodes nothing.
TIMED = ("aiff", "ape", "au", "caf", "flac", "mov", "tak", "tta", "w64", "wav", "wv")
# Here the duration is the longest track's: the sound's own where it is alone.
TIMED_TOGETHER = ("asf", "matroska")

NAMES = {"mov": "MP4", "matroska": "WebM"}  # as people call what FFmpeg calls otherwise
# Where one recording was put after another, and where a tag begins, a frame or two are none.
UNDECODABLE_PACKETS = {"mp3": 2, "aac": 2}

# From so many planes on, PyAV (18.1) looks for the end of FFmpeg's list of them beyond that list, and crashes.
SAFE_PLANES = 8

MOST_DROPPED = 0.25  # seconds; more is no coder's delay
BLOCK_FRAMES = 1 << 15  # frames that are handed on together; a packet holds a thirtieth of them


class Container:
    """A file as FFmpeg reads it."""

    def __init__(self, container: Any, stream: Any, info: AudioInfo) -> None:
        self._container, self._stream, self.info = container, stream, info
        self._timeline = Timeline(info.seconds)
        self._tick, self._origin = float(stream.time_base), _origin(container)  # seconds
        self._first_packet = 0.0  # seconds
        self._dropped: float | None = None  # seconds that the decoder leaves out at the beginning, which are no gap

    @classmethod
    def open(
        cls,
        file: io.BytesIO | SourceFile,
        head: bytes,
        *,
        timed: bool,
        track: int | None = None,
        ignore_length: bool = False,
    ) -> Container:
        """`timed` says that the header's duration is known to be right, in a container where it need not be;
        `ignore_length`, that a WAV's is known to be wrong. `track` counts the audio tracks from 1."""
        import av

        container = _open(file, head, ignore_length)
        try:
            stream = _stream(container, track)
            seconds = 0.0 if ignore_length else _stated_seconds(container, stream, timed)
            if not seconds:
                seconds = _count(container, stream)
                # A seek would not find the first of the recordings that an Ogg file chains.
                container.close()
                container = _open(file, head, ignore_length)
                stream = _stream(container, track)
            return cls(container, stream, _describe(container, stream, seconds, track))
        except (av.error.FFmpegError, IndexError) as error:  # IndexError: a stream that only turns up among the packets
            container.close()
            _check_memory(error)
            if isinstance(error, av.error.PatchWelcomeError):  # not damaged: a chained Ogg file may change as it likes
                raise AudioError(
                    "FFmpeg does not read what it holds: recordings in a chain whose rates or channels differ, say, which "
                    "must be files of their own"
                ) from error
            raise AudioError(f"damaged: its packets cannot be read ({_cause(error)})") from error
        except BaseException:
            container.close()
            raise

    @property
    def silence(self) -> float:
        """Seconds of gaps that were filled with silence so far."""
        return self._timeline.silence

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """(sampling rate in Hz, float32 `(frames, channels)`) with silence where nothing was recorded.

        Raises AudioError where decoding fails.
        """
        import numpy as np

        blocks: list[np.ndarray] = []
        count, rate = 0, 0
        for frame in self._frames():
            samples = _samples(frame)
            if blocks and (frame.sample_rate != rate or samples.shape[1] != blocks[0].shape[1] or count > BLOCK_FRAMES):
                yield rate, np.concatenate(blocks)
                blocks, count = [], 0
            rate = frame.sample_rate
            silence = self._silence_before(frame)
            while silence:
                part = min(silence, BLOCK_FRAMES)
                blocks.append(np.zeros((part, samples.shape[1]), np.float32))
                yield rate, np.concatenate(blocks)
                blocks, count, silence = [], 0, silence - part
            blocks.append(samples)
            count += len(samples)
        if blocks:
            yield rate, np.concatenate(blocks)

    def _silence_before(self, frame: Any) -> int:
        begin = None if frame.pts is None else frame.pts * self._tick - self._origin
        if begin is not None:
            if self._dropped is None:
                first = max(0.0, self._first_packet)
                self._dropped = begin - first if LEAST_GAP < begin - first < MOST_DROPPED else 0.0
            begin -= self._dropped
        rate: int = frame.sample_rate
        return round(self._timeline.lay(begin, frame.samples / rate) * rate)

    def _frames(self) -> Iterator[Any]:
        import av

        undecodable, first = 0, True
        allowed = UNDECODABLE_PACKETS.get(self._container.format.name, 0)
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if first and packet is not None and packet.pts is not None:
                    self._first_packet = packet.pts * self._tick - self._origin
                first = False
                frames = packet.decode() if packet is not None else []
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError, IndexError) as error:
                _check_memory(error)
                undecodable += 1
                if undecodable > allowed:
                    raise damaged(self._timeline.position, _cause(error)) from error
                continue
            if packet is None:
                return
            for frame in frames:
                if not LOWEST_RATE <= frame.sample_rate <= HIGHEST_RATE:
                    after = self._timeline.position
                    raise AudioError(f"damaged: after {after:.2f} s its sampling rate is {frame.sample_rate} Hz")
                yield frame

    def close(self) -> None:
        self._container.close()


def _refuse(url: str, flags: int, options: object) -> NoReturn:
    raise AudioError("it tells the decoder to open another file, which is not allowed")


def _open(file: io.BytesIO | SourceFile, head: bytes, ignore_length: bool) -> Any:
    import av

    file.seek(0)
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
    if ignore_length:
        options["ignore_length"] = "1"
    try:
        return av.open(
            file,  # which has no name: FFmpeg would guess the format by it, and look for others beside it
            container_options=options,
            io_open=_refuse,
            metadata_errors="replace",  # titles in Latin-1 are common, and nobody reads them here
        )
    except (av.error.FFmpegError, ValueError) as error:
        _check_memory(error)
        kind = kind_of(head)
        if kind is None:
            raise AudioError(not_audio(head)) from error
        raise AudioError(f"damaged: it begins like {kind}, but its header cannot be read") from error


def _stream(container: Any, track: int | None) -> Any:
    """The audio track of that number, or the container's own choice."""
    name = _name(container)
    tracks = container.streams.audio
    if not tracks:
        others = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise AudioError(f"no audio stream (the {name} file holds {' and '.join(others)} alone)")
    if track is not None and track > len(tracks):
        raise AudioError(f"there is no audio track {track}: it has {len(tracks)}")
    stream = tracks[track - 1] if track is not None else container.streams.best("audio") or tracks[0]
    context = stream.codec_context
    if context is None:
        raise AudioError(f"no decoder for the audio in this {name} file")
    if not context.channels:
        raise AudioError(f"damaged: the {name} header says that there are no channels")
    if not LOWEST_RATE <= (context.sample_rate or 0) <= HIGHEST_RATE:
        raise AudioError(f"damaged: the {name} header gives an impossible sampling rate ({context.sample_rate} Hz)")
    return stream


def _stated_seconds(container: Any, stream: Any, timed: bool) -> float:
    """The length of an audio track as the header has it, from the beginning of the container's clock; 0 where it has none
    that can be relied on."""
    demuxer = container.format.name.split(",")[0]
    if stream.duration and (timed or demuxer in TIMED):
        late = float((stream.start_time or 0) * stream.time_base) - _origin(container)
        return float(stream.duration * stream.time_base) + max(late, 0.0)
    if container.duration and (timed or demuxer in TIMED_TOGETHER) and len(container.streams) == 1:
        return float(container.duration / 1e6)
    return 0.0


def _describe(container: Any, stream: Any, seconds: float, track: int | None) -> AudioInfo:
    demuxer, name, context = container.format.name.split(",")[0], _name(container), stream.codec_context
    if not seconds:
        raise AudioError(f"no samples: nothing follows the {NAMES.get(demuxer, demuxer.upper())} header")
    notes: tuple[Note, ...] = ()
    tracks = container.streams.audio
    if track is None and len(tracks) > 1:
        number = list(tracks).index(stream) + 1
        other = "track=2 reads the next" if number == 1 else "track=1 reads the first"
        said = f"it has {len(tracks)} audio tracks, of which track {number} is read; {other}"
        notes = (Note("several tracks", said),)
    return AudioInfo(seconds, context.sample_rate, context.channels, f"{name}/{context.codec.canonical_name}", notes)


def _count(container: Any, stream: Any) -> float:
    """Seconds of all packets of a stream with the gaps between them; they are read and not decoded."""
    line, last = Timeline(), None
    tick, origin = float(stream.time_base), _origin(container)
    for packet in container.demux(stream):
        if packet.size:
            begin = None if packet.pts is None else packet.pts * tick - origin
            line.lay(begin, (packet.duration or 0) * tick)
            last = packet
    if last is not None and container.format.name != "mp3":  # its last frame is cut in many files, and nobody minds
        missing = missing_of_last(stream.codec_context.name, bytes(last))
        if missing:
            raise AudioError(missing)
    return round(max(line.position, 0.0), 6)


def _origin(container: Any) -> float:
    """The moment in seconds at which a container's clock begins."""
    start: int | None = container.start_time
    return 0.0 if start is None else start / 1e6


def _name(container: Any) -> str:
    demuxer: str = container.format.name.split(",")[0]
    return NAMES.get(demuxer, demuxer).lower()


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


def _check_memory(error: Exception) -> None:
    if isinstance(error, MemoryError):  # FFmpeg's is one of both kinds
        raise_if_out_of_memory(error)


def _cause(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")
