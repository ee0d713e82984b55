"""An open file in, its header, waveform or facts out, by the processes of the pool."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from thanosql.models.audio.decoder_messages import MOST_FILES, Reply, Request, unnamed_file
from thanosql.models.audio.decoder_pool import POOL
from thanosql.models.audio.facts import AudioFacts
from thanosql.models.audio.faults import SourceFile, raise_if_out_of_memory
from thanosql.models.audio.info import AudioError, AudioInfo, Note
from thanosql.models.audio.recordings import DecodedAudio
from thanosql.models.audio.waveform import SAMPLING_RATE, Waveform

if TYPE_CHECKING:
    from thanosql.models.audio.parts import AudioPart


class PooledDecoder:
    """A `Decoder` that asks the pool, for `most` processes at once."""

    def __init__(self, most: int) -> None:
        self._most = most

    def header(self, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float) -> AudioInfo:
        reply, _ = self._ask("header", file, part, max_hours)
        facts = reply.facts or {}
        return AudioInfo(**facts | {"notes": _notes(facts)})

    def cut(
        self, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float, most_seconds: float
    ) -> DecodedAudio | None:
        return self._decoded("cut", file, part, max_hours, most_seconds)

    def whole(
        self, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float, most_seconds: float
    ) -> DecodedAudio:
        decoded = self._decoded("whole", file, part, max_hours, most_seconds)
        assert decoded is not None
        return decoded

    def facts(
        self, files: Sequence[tuple[io.BytesIO | SourceFile, AudioPart]], max_hours: float
    ) -> list[AudioFacts | AudioError]:
        """What decoding tells of whole files, or why it cannot, in their order."""
        found: list[AudioFacts | AudioError] = []
        for first in range(0, len(files), MOST_FILES):
            some = files[first : first + MOST_FILES]
            with ExitStack() as opened:
                requests = [_request("facts", file, part, max_hours) for file, part in some]
                descriptors = [_descriptor(file, opened) for file, _ in some]
                replies = POOL.ask_together(requests, descriptors, self._most) if len(some) > 1 else None
                for place, request in enumerate(requests):
                    try:
                        reply = replies[place] if replies else POOL.ask(request, descriptors[place], self._most)[0]
                        _raise(reply)
                        found.append(_facts(reply))
                    except AudioError as error:
                        found.append(error)
        return found

    def _decoded(
        self, want: str, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float, most_seconds: float
    ) -> DecodedAudio | None:
        reply, waveform = self._ask(want, file, part, max_hours)
        if waveform is None:
            return None
        if len(waveform) <= most_seconds * SAMPLING_RATE:
            waveform = waveform[:]
        facts = reply.facts or {}
        return DecodedAudio(waveform, _notes(facts), facts["header_seconds"])

    def _ask(
        self, want: str, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float
    ) -> tuple[Reply, Waveform | None]:
        with ExitStack() as opened:
            descriptor = _descriptor(file, opened)
            reply, waveform = POOL.ask(_request(want, file, part, max_hours), descriptor, self._most)
        _raise(reply)
        return reply, waveform


def of(processes: int) -> PooledDecoder:
    """Who decodes with so many processes at most."""
    return PooledDecoder(processes)


def _raise(reply: Reply) -> None:
    """Raise what a reply says was raised there."""
    if reply.ending == "audio":
        raise AudioError(reply.said)
    if reply.ending == "system":
        raise OSError(reply.number, reply.said, reply.filename)
    if reply.ending == "memory":
        error = AudioError("damaged: its decoder asks for more memory than 1 GB")
        raise_if_out_of_memory(error)
        raise error
    if reply.ending != "done":
        raise RuntimeError(f"in the process that decodes: {reply.said}")


def _notes(facts: dict[str, list[dict[str, str]]]) -> tuple[Note, ...]:
    return tuple(Note(**note) for note in facts.get("notes", ()))


def _facts(reply: Reply) -> AudioFacts:
    facts = reply.facts or {}
    return AudioFacts(facts["samples"], facts["peak"], bytes.fromhex(facts["digest"]), _notes(facts))


def _request(want: str, file: io.BytesIO | SourceFile, part: AudioPart, max_hours: float) -> Request:
    return Request(
        want=want,
        path="" if isinstance(file, io.BytesIO) else str(file.path),
        folder=tempfile.gettempdir(),
        max_hours=max_hours,
        start=part.start,
        end=part.end,
        channel=part.channel,
        track=part.track,
    )


def _descriptor(file: io.BytesIO | SourceFile, opened: ExitStack) -> int:
    """The open file's; of bytes that of a file without a name, which `opened` closes."""
    if isinstance(file, io.BytesIO):
        return opened.enter_context(unnamed_file(file.getbuffer())).fileno()
    return file.fileno()
