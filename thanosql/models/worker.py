"""A task and rows in, their outcomes out: what is done in whichever process the work has come to.

The model and the audio are opened here, from what the task says; nothing of the statement's own process is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from thanosql.models import measurements
from thanosql.models.audio import AudioError
from thanosql.models.audio.facts import AudioFacts
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.tasks import AudioRow, Failure, Outcome, Output, TrainTask, TranscribeTask
from thanosql.models.training.ranks import ALONE

if TYPE_CHECKING:
    from thanosql.models.audio.recordings import DecodedAudio
    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.base import CTCRecognizer, Recognizer
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.calibration import Calibration
    from thanosql.models.ctc.decoder import Decoder
    from thanosql.models.model_cache import ModelCache
    from thanosql.models.results import TrainingProgress, TrainingReport
    from thanosql.models.training.ranks import Ranks

CHECKED_TOGETHER = 16  # files that are open at once, where they are not recognized; of 8 a message costs more
TOLERANCE = 1.01  # of a batch's seconds: durations come rounded

Read = tuple[AudioRow, "DecodedAudio | AudioFacts | Failure"]


class Worker:
    """Opens the model of a task when the first row needs it. `models` are those that this process has loaded already;
    `cancellation` is looked at between the forward passes of a batch, which raise Cancelled."""

    def __init__(
        self, task: TranscribeTask, models: ModelCache | None = None, cancellation: Cancellation | None = None
    ) -> None:
        self.task = task
        self._models = models
        self._cancellation = cancellation

    def work(self, rows: Sequence[AudioRow]) -> tuple[Outcome, ...]:
        """The rows' outcomes, read and recognized one batch after the other."""
        return self.in_parts(self.read(rows))

    def in_parts(self, read: Sequence[Read]) -> tuple[Outcome, ...]:
        """The outcomes of a batch that was read, in its order, in parts where it is longer than was thought."""
        return tuple(outcome for part in parts(read, self.task.batch_seconds) for outcome in self.outcomes(part))

    def read(self, rows: Sequence[AudioRow]) -> list[Read]:
        """Rows with their audio decoded; what is wrong with it is a Failure.

        Threads may read at once. Raises what is not the audio's own fault.
        """
        if self.task.output is Output.AUDIO:
            groups = (rows[first : first + CHECKED_TOGETHER] for first in range(0, len(rows), CHECKED_TOGETHER))
            facts = (one for group in groups for one in self.task.audio.facts([row.audio for row in group]))
            return [(row, _failure(one) if isinstance(one, AudioError) else one) for row, one in zip(rows, facts)]
        return [(row, self._decoded(row)) for row in rows]

    def _decoded(self, row: AudioRow) -> DecodedAudio | Failure:
        try:
            return self.task.audio.decode(row.audio)
        except AudioError as error:
            return _failure(error)

    def outcomes(self, read: Sequence[tuple[AudioRow, Any]]) -> tuple[Outcome, ...]:
        """The outcomes of rows that were read, in their order; those to recognize go through the model together."""
        readable = [(row, found) for row, found in read if not isinstance(found, Failure)]
        values: Iterator[Any] = iter(())
        if self.task.output is Output.AUDIO:
            return tuple(Outcome(row.row, found, getattr(found, "seconds", 0.0)) for row, found in read)
        if readable:
            with measurements.kept_in(self.task.home):
                values = iter(self._recognized([row for row, _ in readable], [found.waveform for _, found in readable]))
        return tuple(
            Outcome(row.row, found, 0.0)
            if isinstance(found, Failure)
            else Outcome(row.row, next(values), len(found.waveform) / SAMPLING_RATE, found.notes)
            for row, found in read
        )

    def _recognized(self, rows: Sequence[AudioRow], waveforms: list[Waveform]) -> Sequence[Any]:
        found = _OUTPUTS[self.task.output](self, rows, waveforms)
        if self.calibration is None or self.task.output is Output.ALIGNMENT:
            return found
        return [self.calibration.of(value) for value in found]

    @cached_property
    def calibration(self) -> Calibration | None:
        """What makes the model's confidence the chance of being right, where its card has that."""
        from thanosql.models.ctc.calibration import Calibration

        return Calibration.of_card(None if self.task.model is None else self.task.model.card)

    @cached_property
    def recognizer(self) -> Recognizer:
        from thanosql.models.model_cache import ModelCache

        assert self.task.model is not None
        models = self._models if self._models is not None else ModelCache()
        return models.recognizer(self.task.model, self.task.options)

    @cached_property
    def _ctc(self) -> CTCRecognizer:
        from thanosql.models import registry

        assert self.task.model is not None
        return registry.ctc_recognizer(self.task.model, self.recognizer, f"A task for an {self.task.output}")

    @cached_property
    def decoder(self) -> Decoder:
        """What makes text of log-probabilities `(frames, vocab)`, as the task's options say."""
        from thanosql.models import registry
        from thanosql.models.ctc import arpa, decoder
        from thanosql.models.ctc.ngram import NGram

        task, recognizer = self.task, self._ctc
        assert task.model is not None
        named = task.language_model
        language = named if named is None or isinstance(named, NGram) else arpa.open_model(named)
        normalize = registry.normalizer(task.model).normalize
        return decoder.decoder(
            recognizer.vocabulary,
            task.decode,
            normalize,
            language,
            level=task.level,
            frame_seconds=recognizer.frame_seconds,
        )

    def _transcripts(self, rows: Sequence[AudioRow], waveforms: list[Waveform]) -> Sequence[Any]:
        return self.recognizer.transcribe(waveforms, self.task.options, self._cancellation)

    def _timed(self, rows: Sequence[AudioRow], waveforms: list[Waveform]) -> Sequence[Any]:
        from thanosql.models.ctc.word_bounds import WordBounds

        timed = self.task.level != "none"
        return [
            self.decoder(logs, WordBounds(waveform) if timed else None)
            for logs, waveform in zip(self._log_probabilities(waveforms), waveforms, strict=True)
        ]

    def _assessments(self, rows: Sequence[AudioRow], waveforms: list[Waveform]) -> Sequence[Any]:
        decoder = None if self.task.decode.decoder == "greedy" else self.decoder
        texts = [row.text or "" for row in rows]
        return self._ctc.assess(waveforms, texts, self.task.options, decoder, self._cancellation)

    def _alignments(self, rows: Sequence[AudioRow], waveforms: list[Waveform]) -> Sequence[Any]:
        from thanosql.models.ctc.alignment import AlignmentError
        from thanosql.models.ctc.checked_alignment import check_alignment
        from thanosql.models.ctc.word_bounds import WordBounds

        found: list[Any] = []
        vocabulary, step = self._ctc.vocabulary, self._ctc.frame_seconds
        for row, logs, waveform in zip(rows, self._log_probabilities(waveforms), waveforms, strict=True):
            try:
                if row.text is None:
                    raise AlignmentError("no text (NULL)")
                aligned = check_alignment(
                    logs,
                    row.text,
                    vocabulary,
                    self.task.align,
                    level=self.task.level,
                    frame_seconds=step,
                    bounds=WordBounds(waveform),
                )
                found.append(aligned)
            except AlignmentError as error:
                found.append(Failure(str(error), "text"))
        return found

    def _log_probabilities(self, waveforms: list[Waveform]) -> Iterator[Any]:
        options = self.task.options
        for logs in self._ctc.log_probabilities(
            waveforms,
            batch_size=options.batch_size,
            window_seconds=options.window_seconds,
            cancellation=self._cancellation,
        ):
            yield logs.numpy()


_OUTPUTS: dict[Output, Callable[[Worker, Sequence[AudioRow], list[Any]], Sequence[Any]]] = {
    Output.TRANSCRIPT: Worker._transcripts,
    Output.TIMED_TRANSCRIPT: Worker._timed,
    Output.ASSESSMENT: Worker._assessments,
    Output.ALIGNMENT: Worker._alignments,
}


def _failure(error: AudioError) -> Failure:
    return Failure(str(error) or "cannot be read")


def parts(batch: Sequence[Read], most_seconds: float) -> Iterator[list[Read]]:
    """A batch in parts of at most so much audio: what was not known beforehand may be longer than was thought."""
    part: list[Read] = []
    filled = 0.0
    for row, read in batch:
        seconds = 0.0 if isinstance(read, Failure | AudioFacts) else len(read.waveform) / SAMPLING_RATE
        if part and filled + seconds > TOLERANCE * most_seconds:
            yield part
            part, filled = [], 0.0
        part.append((row, read))
        filled += seconds
    yield part


def train(
    task: TrainTask,
    progress: Callable[[TrainingProgress], None],
    cancellation: Cancellation,
    ranks: Ranks = ALONE,
) -> TrainingReport:
    """Train as a task says, with the family of its model; with other processes where there are `ranks`."""
    from thanosql.models import registry

    with registry.reading(task.model):
        family = registry.trainable_family_of(task.model, "BUILD")
    with registry.using(task.model), measurements.kept_in(task.home):
        return family.train(task, progress, cancellation, ranks)
