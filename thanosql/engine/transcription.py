"""A snapshot's rows and a model → what was heard in every row: what PREDICT and EVALUATE share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from thanosql.engine.executors import local
from thanosql.engine.executors.local import READERS, Memory, Utterance
from thanosql.engine.planner import Environment, Progress
from thanosql.engine.preflight import FETCHES_AT_ONCE, MISSING, AudioRows, chunk_size
from thanosql.errors import ThanoSQLDataError
from thanosql.models.base import Recognizer
from thanosql.models.options import TranscribeOptions
from thanosql.models.results import Assessment, Transcript

if TYPE_CHECKING:
    import numpy as np

    from thanosql.engine.postgres.database import Column, Snapshot
    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.ctc.alignment import AlignmentError
    from thanosql.models.ctc.arpa import LanguageModel
    from thanosql.models.ctc.decoder import Decoder, TimedTranscript
    from thanosql.models.options import DecodeOptions
    from thanosql.models.registry import Model

T = TypeVar("T")


def transcribe(
    snapshot: Snapshot,
    audio: Column,
    rows: AudioRows,
    model: Model,
    options: TranscribeOptions,
    environment: Environment,
    *,
    memory: Memory[Transcript] | None = None,
) -> Iterator[tuple[int, Transcript | Exception]]:
    """`(row, transcript)` for each row, or what was wrong with its audio; in the order in which they were done.

    What `memory` knows is not recognized again.
    """

    def work(recognizer: Recognizer, waveforms: list[Waveform], _: list[str | None]) -> list[Transcript]:
        return recognizer.transcribe(waveforms, options)

    return _recognize(snapshot, audio, rows, model, options, environment, work, memory=memory)


def assess(
    snapshot: Snapshot,
    audio: Column,
    rows: AudioRows,
    references: Sequence[str],
    model: Model,
    options: TranscribeOptions,
    environment: Environment,
    decode: DecodeOptions,
    language: LanguageModel | None = None,
) -> Iterator[tuple[int, Assessment | Exception]]:
    """As `hear`, and how well each row's reference (`references[row - 1]`, normalized) fits its audio."""
    hear = _decoder(model, environment, decode, language, "none")

    def work(recognizer: Recognizer, waveforms: list[Waveform], texts: list[str | None]) -> list[Assessment]:
        guided = None if decode.decoder == "greedy" else hear(recognizer)
        return recognizer.assess(waveforms, [text or "" for text in texts], options, guided)

    return _recognize(snapshot, audio, rows, model, options, environment, work, references)


def hear(
    snapshot: Snapshot,
    audio: Column,
    rows: AudioRows,
    model: Model,
    options: TranscribeOptions,
    environment: Environment,
    decode: DecodeOptions,
    language: LanguageModel | None = None,
    *,
    level: str = "word",
    memory: Memory[TimedTranscript] | None = None,
) -> Iterator[tuple[int, TimedTranscript | Exception]]:
    """As `transcribe`, decoded as `decode` says, with the seconds of each word, character or segment (`level`)."""
    hear = _decoder(model, environment, decode, language, level)

    def work(recognizer: Recognizer, waveforms: list[Waveform], _: list[str | None]) -> list[TimedTranscript]:
        heard = hear(recognizer)
        return [heard(logs) for logs in _log_probabilities(recognizer, waveforms, options)]

    return _recognize(snapshot, audio, rows, model, options, environment, work, memory=memory)


def align(
    snapshot: Snapshot,
    audio: Column,
    rows: AudioRows,
    texts: Sequence[str | None],
    model: Model,
    options: TranscribeOptions,
    environment: Environment,
    *,
    level: str = "word",
) -> Iterator[tuple[int, TimedTranscript | Exception]]:
    """`(row, where its text stands in its audio)`, `texts[row - 1]` being normalized; or what was wrong with either."""

    def work(
        recognizer: Recognizer, waveforms: list[Waveform], known: list[str | None]
    ) -> list[TimedTranscript | AlignmentError]:
        from thanosql.models.ctc import decoder
        from thanosql.models.ctc.alignment import AlignmentError

        found: list[TimedTranscript | AlignmentError] = []
        step = recognizer.frame_seconds
        for logs, text in zip(_log_probabilities(recognizer, waveforms, options), known, strict=True):
            try:
                if text is None:
                    raise AlignmentError("no text (NULL)")
                found.append(decoder.aligned(logs, text, recognizer.vocabulary, level=level, frame_seconds=step))
            except AlignmentError as error:
                found.append(error)
        return found

    return _recognize(snapshot, audio, rows, model, options, environment, work, texts)


def _decoder(
    model: Model, environment: Environment, decode: DecodeOptions, language: LanguageModel | None, level: str
) -> Callable[[Recognizer], Decoder]:
    """What gives a recognizer's decoder, made when it is first asked for."""
    made: list[Decoder] = []

    def decoder(recognizer: Recognizer) -> Decoder:
        from thanosql.models import registry
        from thanosql.models.ctc import decoder

        if not made:
            normalize = registry.normalizer(model, environment.settings).normalize
            given = (recognizer.vocabulary, decode, normalize, language)
            made.append(decoder.decoder(*given, level=level, frame_seconds=recognizer.frame_seconds))
        return made[0]

    return decoder


def _log_probabilities(
    recognizer: Recognizer, waveforms: list[Waveform], options: TranscribeOptions
) -> Iterator[np.ndarray]:
    for logs in recognizer.log_probabilities(
        waveforms, batch_size=options.batch_size, window_seconds=options.window_seconds
    ):
        yield logs.numpy()


def _recognize(
    snapshot: Snapshot,
    audio: Column,
    rows: AudioRows,
    model: Model,
    options: TranscribeOptions,
    environment: Environment,
    work: Callable[[Recognizer, list[Waveform], list[str | None]], list[T]],
    references: Sequence[str | None] | None = None,
    *,
    memory: Memory[T] | None = None,
) -> Iterator[tuple[int, T | Exception]]:
    from thanosql.models.audio import AudioError

    if unreadable := rows.unreadable:
        for row, value in snapshot.stream(audio, chunk=chunk_size(audio)):
            if (reason := rows.failure(row, value)) is not None:
                yield row, AudioError(reason)
    if unreadable == snapshot.rows:
        return
    recognizer = environment.loaded.recognizer(model, environment.settings, options)
    utterances = (
        Utterance(row, value, rows.seconds[row - 1], references[row - 1] if references is not None else None)
        for row, value in snapshot.stream(audio, chunk=chunk_size(audio))
        if rows.seconds[row - 1] == rows.seconds[row - 1]
    )
    heard, total = 0.0, rows.total_seconds
    for row, outcome, seconds in local.recognize(
        utterances,
        partial(work, recognizer),
        rows.access.read_any_length,
        options.batch_size,
        memory=memory,
        readers=READERS if rows.access.remote is None else FETCHES_AT_ONCE,
    ):
        heard += rows.seconds[row - 1]
        if not isinstance(outcome, Exception):
            rows.seconds[row - 1] = seconds
        environment.progress(Progress(what="transcribing", done=heard, total=total, unit="s"))
        yield row, outcome


def unreadable(row: int, column: str, error: Exception) -> ThanoSQLDataError:
    """The error for audio whose header was right and whose content is not."""
    return ThanoSQLDataError(
        f"The audio of a row in '{column}' cannot be read.",
        rows=[{"row": row, "reason": str(error) or MISSING}],
        hint="Nothing was changed. CHECK before the statement lists such rows; on_error='null' goes on past them.",
    )


def summary(rows: int, audio_seconds: float, seconds: float) -> str:
    """One line of what was done.

    >>> summary(1200, 7200.0, 90.0), summary(3, 3.9, 18.1)
    ('1,200 rows, 2.00 h of audio in 90.0 s (80 × real time)', '3 rows, 3.9 s of audio in 18.1 s (0.2 × real time)')
    """
    hours = f"{audio_seconds / 3600:.2f} h" if audio_seconds >= 360 else f"{audio_seconds:.1f} s"
    speed = audio_seconds / max(seconds, 1e-9)
    return f"{rows:,} rows, {hours} of audio in {seconds:.1f} s ({speed:,.{0 if speed >= 10 else 1}f} × real time)"
