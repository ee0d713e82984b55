"""Damaged audio in six formats; each gives a transcript's audio or a message, within seconds and within some memory.

It is decoded as a session has it decoded, by a process of the pool; one whose decoder crashed is counted by itself.
"""

from __future__ import annotations

import io
import json
import random
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from tests.torture.acts import children
from tests.torture.findings import Findings
from tests.torture.world import FOLDER

FORMATS = ("wav", "flac", "mp3", "ogg", "m4a", "webm")
ENDINGS = ("read", "told", "crashed")  # crashed: of the process that decodes, which the row's message says
GROUP = 100  # files that one process reads
LONGEST = 10.0  # seconds for one file
MEMORY = 1 << 30  # bytes that reading them may take beside what the process had


def originals() -> dict[str, bytes]:
    """One recording in each format, of libsndfile's encoders and FFmpeg's."""
    import av
    import soundfile

    samples, rate = soundfile.read(FOLDER / "0001.flac", dtype="float32")
    found = {}
    for name, kind in (("wav", "WAV"), ("flac", "FLAC"), ("mp3", "MP3"), ("ogg", "OGG")):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format=kind)
        found[name] = buffer.getvalue()
    for name, container, codec in (("m4a", "mp4", "aac"), ("webm", "webm", "libopus")):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=container) as out:
            stream = out.add_stream(codec, rate=48_000 if codec == "libopus" else rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = rate
            resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=stream.rate)
            fifo = av.AudioFifo()
            for part in resampler.resample(frame) + resampler.resample(None):
                part.pts = None
                fifo.write(part)
            size = stream.codec_context.frame_size or 960
            while (part := fifo.read(size)) is not None:
                out.mux(stream.encode(part))
            if (part := fifo.read(0)) is not None and part.samples:
                out.mux(stream.encode(part))
            out.mux(stream.encode(None))
        found[name] = buffer.getvalue()
    return found


def mutated(content: bytes, draw: random.Random) -> bytes:
    """The same with damage of one kind or two: bits, bytes, extreme numbers, pieces lost, doubled, moved or foreign."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        at = draw.randrange(min(len(data), 400) if draw.random() < 0.6 else len(data)) if data else 0
        width = draw.choice((1, 2, 4, 8, 64, 1000))
        kind = draw.randrange(8)
        if kind == 0 and data:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at : at + width] = draw.randbytes(width)
        elif kind == 2:
            extreme = draw.choice((b"\xff", b"\x00", b"\x7f", b"\x80"))
            data[at : at + min(width, 8)] = extreme * min(width, 8)
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            del data[at : at + width]
        elif kind == 5:
            data[at:at] = data[at : at + width]
        elif kind == 6:
            piece = data[at : at + width]
            del data[at : at + width]
            place = draw.randrange(len(data) + 1)
            data[place:place] = piece
        else:
            data[at:at] = draw.randbytes(width)
    return bytes(data)


def mutants(name: str, seed: int, count: int) -> Iterator[tuple[int, bytes]]:
    content = originals()[name]
    for number in range(seed, seed + count):
        yield number, mutated(content, random.Random(f"{name} {number}"))


def read_all(name: str, seed: int, count: int, log: Path) -> None:
    """What a process does: a line before each file and one after it, so that who dies has named the file."""
    from thanosql.models.audio import AudioError
    from thanosql.models.audio.access import AudioAccess

    access = AudioAccess(roots=(), max_hours=1.0, processes=1)
    access.read(originals()[name])
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with log.open("w", encoding="utf-8", buffering=1) as lines:
        for number, content in mutants(name, seed, count):
            lines.write(json.dumps([number, "begun", 0.0]) + "\n")
            begun = time.monotonic()
            try:
                access.probe(content)
                waveform = access.read(content)
                outcome = "read" if waveform.ndim == 1 and str(waveform.dtype) == "float32" else f"WRONG {waveform!r}"
            except AudioError as error:
                outcome = "told" if str(error).strip() else "WRONG: no message"
                outcome = "crashed" if "its decoder" in str(error) and "crashed" in str(error) else outcome
            except BaseException as error:
                outcome = f"WRONG {type(error).__name__}: {error}"
            lines.write(json.dumps([number, outcome, time.monotonic() - begun]) + "\n")


def damage(folder: Path, files: int, seed: int = 0) -> Findings:
    """`files` damaged files of each format, read by processes of their own; logs go to `folder`."""
    findings = Findings(f"{files} damaged files in each of {', '.join(FORMATS)}")
    folder.mkdir(exist_ok=True)
    for name in FORMATS:
        first, end = seed, seed + files
        while first < end and findings.going_on():
            count = min(GROUP, end - first)
            log = folder / f"{name}.jsonl"
            child = children().Process(target=read_all, args=(name, first, count, log), daemon=True)
            child.start()
            child.join(60 + count * LONGEST)
            if child.is_alive():
                child.kill()
                child.join()
            events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
            log.unlink(missing_ok=True)
            for number, outcome, seconds in events:
                if outcome == "begun":
                    continue
                findings.counts[f"{name}: {outcome if outcome in ENDINGS else 'WRONG'}"] += 1
                findings.check(not outcome.startswith("WRONG"), f"{name} {number}: {outcome}")
                findings.check(seconds <= LONGEST, f"{name} {number}: took {seconds:.1f} s")
            if events and events[-1][1] == "begun":
                findings.fail(f"{name} {events[-1][0]}: the process ended with {child.exitcode}")
                first = events[-1][0] + 1
            else:
                findings.check(child.exitcode == 0, f"{name} from {first}: the process ended with {child.exitcode}")
                first += count
    return findings.done()
