"""Rows of audio and text in, what is wrong with each out: the audio decoded, the text held against the vocabulary."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, MutableSequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Protocol

from thanosql.engine.lineage import row_fingerprints
from thanosql.engine.planner import Progress
from thanosql.engine.preflight import MISSING, chunk_size
from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.families.wav2vec2.model_facts import Facts

READERS = 4
LONG_SECONDS = 30.0  # what a recognizer hears in one piece, and what training bears
SHORT_SECONDS = 0.1  # shorter than any word
SILENT_DB = -60.0  # full scale; a peak under it is no speech
SHOWN = 20  # characters named in a reason

Audio = str | bytes | None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row, in two or three words, and the particulars."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What decoding told of one audio: `samples` at 16,000 Hz, `peak` of full scale, a digest of all samples."""

    samples: int = 0
    peak: float = 0.0
    digest: bytes = b""
    failure: str = ""


class About(Protocol):
    """What is inspected: a statement's snapshot and columns."""

    @property
    def kind(self) -> str: ...
    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def audio(self) -> Column: ...
    @property
    def text(self) -> Column | None: ...


class Inspection:
    """All rows of a statement, one after the other. Memory holds a digest a row, never the audio."""

    def __init__(
        self,
        about: About,
        known: Facts | None,
        trained: frozenset[str],
        access: AudioAccess,
        progress: Callable[[Progress], None],
        durations: MutableSequence[float] | None = None,
    ) -> None:
        """`durations[row - 1]` becomes the seconds that were decoded: a header may be wrong, or far away."""
        self._durations = durations
        self._about = about
        self._known = known
        self._trained = trained
        self._access = access
        self._progress = progress
        self._first: dict[bytes, tuple[int, str | None]] = {}

    def rows(self) -> Iterator[tuple[int, Audio, list[Problem]]]:
        """`(row, audio, problems)` of every row with problems, in the rows' order."""
        about = self._about
        columns = (about.audio,) if about.text is None else (about.audio, about.text)
        stream = about.snapshot.stream(*columns, chunk=chunk_size(about.audio))
        done = 0
        with ThreadPoolExecutor(READERS, thread_name_prefix="check") as pool:
            try:
                while chunk := list(islice(stream, chunk_size(about.audio))):
                    for row, heard in zip(chunk, pool.map(self._listen, [row[1] for row in chunk])):
                        number, audio, text = (*row, None)[:3]
                        if self._durations is not None and not heard.failure:
                            self._durations[number - 1] = heard.samples / SAMPLING_RATE
                        if problems := list(self._problems(number, audio, text, heard)):
                            yield number, audio, problems
                        done += 1
                        if done % 20 == 0 or done == about.snapshot.rows:
                            self._progress(Progress(what="checking", done=done, total=about.snapshot.rows, unit="rows"))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _listen(self, audio: Audio) -> Heard:
        import numpy as np

        from thanosql.models.audio import AudioError

        if audio is None:
            return Heard(failure=MISSING)
        try:
            waveform = self._access.read(audio)
        except AudioError as error:
            return Heard(failure=str(error))
        digest = hashlib.blake2b(waveform.tobytes(), digest_size=12).digest()
        return Heard(len(waveform), float(np.max(np.abs(waveform))) if len(waveform) else 0.0, digest)

    def _problems(self, row: int, audio: Audio, text: Any, heard: Heard) -> Iterator[Problem]:
        if heard.failure:
            yield Problem("no audio" if audio is None else "unreadable audio", heard.failure)
        else:
            yield from _sound(heard, training=self._about.kind in ("BUILD", "FIT"))
        if self._about.text is not None:
            yield from self._written(self._about.text.name, text, heard)
        if self._about.text is not None and not heard.failure:
            yield from self._seen_before(row, text, heard)
        if self._trained and isinstance(text, str) and audio is not None:
            (fingerprint,) = row_fingerprints([(audio, text)])
            if fingerprint in self._trained:
                yield Problem("trained on", "the model has learned from this row: a measurement with it says too much")

    def _written(self, column: str, text: Any, heard: Heard) -> Iterator[Problem]:
        if text is None:
            yield Problem("no text", f"'{column}' is NULL")
            return
        text = text if isinstance(text, str) else str(text)
        known = self._known
        if known is None or known.vocabulary is None or known.normalizer is None:
            if not text.strip():
                yield Problem("empty text", f"'{column}' has nothing but white space")
            return
        normal = known.normalizer.normalize(text)
        if not normal:
            yield Problem("empty text", f"nothing is left of {text[:SHOWN]!r} once it is normalized")
            return
        if missing := known.vocabulary.missing(normal):
            shown = " ".join(missing[:SHOWN])
            yield Problem("unknown characters", f"the vocabulary lacks: {shown}")
            return
        if new := "" if known.base_vocabulary is None else known.base_vocabulary.missing(normal):
            yield Problem(
                "new characters", f"vocabulary='keep' would refuse the row: the base lacks {' '.join(new[:SHOWN])}"
            )
        if not heard.failure:
            ids = known.vocabulary.encode(normal)
            # CTC puts a blank between two equal labels that follow each other.
            needed = len(ids) + sum(left == right for left, right in pairwise(ids))
            frames = known.frames(heard.samples)
            if needed > frames:
                yield Problem(
                    "text too long",
                    f"{len(ids)} letters need {needed} frames, and {heard.samples / SAMPLING_RATE:.2f} s of audio have "
                    f"{frames}",
                )

    def _seen_before(self, row: int, text: Any, heard: Heard) -> Iterator[Problem]:
        first = self._first.setdefault(heard.digest, (row, text))
        if first[0] != row:
            also = "the same text" if first[1] == text else f"another text ({str(first[1])[:SHOWN]!r})"
            yield Problem("duplicate", f"the same audio as row {first[0]}, with {also}")


def _sound(heard: Heard, *, training: bool) -> Iterator[Problem]:
    seconds = heard.samples / SAMPLING_RATE
    if heard.peak == 0.0:
        yield Problem("silent audio", f"every sample of its {seconds:.2f} s is zero")
    elif 20 * math.log10(heard.peak) < SILENT_DB:
        yield Problem("silent audio", f"its loudest sample is at {20 * math.log10(heard.peak):.0f} dB of full scale")
    if seconds > LONG_SECONDS:
        hurt = "memory grows with its square, and a long text is hard to align"
        if not training:
            hurt = "it is heard in windows, at whose seams words may be lost"
        yield Problem("long audio", f"{seconds:.1f} s; over {LONG_SECONDS:.0f} s {hurt}")
    elif seconds < SHORT_SECONDS:
        yield Problem("short audio", f"{seconds:.3f} s is shorter than a word")
