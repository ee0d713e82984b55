"""Requests in, waveforms and facts out: the process that decodes for a session, and that a damaged file may end without it.

Started by `decoder_pool`, with the descriptor of its socket as argument. Its memory and its processor
time without a sample are limited; past the second, a signal ends it. It ends with its session, and after a while without
a request.
"""

from __future__ import annotations

import io
import os
import select
import signal
import socket
import sys
import tempfile
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path

from thanosql.models.audio import open_recording
from thanosql.models.audio.decoder_messages import Reply, Request, receive, send, unnamed_file, write_all
from thanosql.models.audio.facts import facts_of
from thanosql.models.audio.faults import SourceFile
from thanosql.models.audio.info import AudioError
from thanosql.models.audio.parts import AudioPart
from thanosql.models.audio.recordings import DecodedAudio
from thanosql.models.audio.waveform import SAMPLE_BYTES, LongWaveform

IDLE_SECONDS = 60.0
BUFFER = 8 << 20  # bytes that are held between requests
MEMORY = 1 << 30  # bytes, beyond what the libraries take
# Without a sample: of the processor's time, and by the clock.
STEP_SECONDS = 60.0
STEP_SECONDS_IN_ALL = 600.0


def main() -> None:
    """Answer requests until there are none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the session's to stop
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    import av  # noqa: F401  (the libraries, before memory is limited and before anyone waits)
    import numpy  # noqa: F401  # noqa: ICN001
    import soundfile  # noqa: F401
    import soxr  # noqa: F401

    _limit_memory()
    with (
        socket.socket(fileno=int(sys.argv[1])) as channel,
        unnamed_file() as buffer,
        suppress(ConnectionError),
    ):
        send(channel, [Reply(ending="ready")], [buffer.fileno()])
        while _serve(channel, buffer):
            pass


def _serve(channel: socket.socket, buffer: io.FileIO) -> bool:
    """Answer one request. False where there will be no other."""
    last = not select.select([channel], [], [], IDLE_SECONDS)[0]
    if last:
        # From here on the session's sending fails, and it starts another; what it has sent before is answered.
        channel.shutdown(socket.SHUT_RD)
    received = receive(channel)
    if received is None:
        return False
    replies: list[Reply] = []
    waveform: LongWaveform | None = None
    for content, descriptor in zip(*received, strict=True):
        request = Request(**content)
        tempfile.tempdir = request.folder
        step()
        with closing(SourceFile.of_descriptor(descriptor, Path(request.path))) as file:
            reply, waveform = _answer(request, file, buffer)
        replies.append(reply)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    send(channel, replies, [] if waveform is None else [waveform.fileno()])
    return not last


def _answer(request: Request, file: SourceFile, buffer: io.FileIO) -> tuple[Reply, LongWaveform | None]:
    try:
        return _done(request, file, buffer)
    except AudioError as error:
        return Reply(ending="audio", said=str(error)), None
    except MemoryError as error:
        return Reply(ending="memory", said=str(error)), None
    except OSError as error:
        return Reply(
            ending="system", said=error.strerror or str(error), number=error.errno or 0, filename=_name(error)
        ), None
    except Exception as error:
        return Reply(ending="defect", said=f"{type(error).__name__}: {error}"), None


def _done(request: Request, file: SourceFile, buffer: io.FileIO) -> tuple[Reply, LongWaveform | None]:
    part = AudioPart("", request.start, request.end, request.channel, request.track)
    if request.want == "header":
        return Reply(ending="done", facts=asdict(open_recording.header(file, part, request.max_hours))), None
    work = open_recording.cut if request.want == "cut" else open_recording.whole
    decoded: DecodedAudio | None = work(file, part, request.max_hours, open_recording.LONG_SECONDS, step)
    if decoded is None:
        return Reply(ending="done"), None
    notes = [asdict(note) for note in decoded.notes]
    if request.want == "facts":
        found = facts_of(decoded)
        said = {"samples": found.samples, "peak": found.peak, "digest": found.digest.hex(), "notes": notes}
        return Reply(ending="done", facts=said), None
    facts = {"notes": notes, "header_seconds": decoded.header_seconds}
    waveform = decoded.waveform
    reply = Reply(ending="done", facts=facts, samples=len(waveform))
    if isinstance(waveform, LongWaveform):
        return reply, waveform
    if os.fstat(buffer.fileno()).st_size > max(BUFFER, len(waveform) * SAMPLE_BYTES):
        buffer.truncate(BUFFER)
    buffer.seek(0)
    write_all(buffer, waveform[:].data)
    return reply, None


def step() -> None:
    """Begin the time anew that may pass without a sample."""
    signal.setitimer(signal.ITIMER_PROF, STEP_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, STEP_SECONDS_IN_ALL)


def _name(error: OSError) -> str | None:
    return None if error.filename is None else str(error.filename)


def _limit_memory() -> None:
    import resource

    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = taken + MEMORY if hard == resource.RLIM_INFINITY else min(taken + MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
