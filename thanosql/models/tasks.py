"""Work as data: what a process is told to do with audio, and what it gives back.

A task holds no handle, no closure and no DataFrame, so that it can be pickled: the process that gets it opens the model
and the audio by itself. Rows and outcomes travel beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.models.options import AlignmentOptions, DecodeOptions, TrainOptions, TranscribeOptions
from thanosql.models.results import TrainingUtterance

if TYPE_CHECKING:
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.audio.info import Note
    from thanosql.models.audio.parts import Audio
    from thanosql.models.ctc.ngram import NGram
    from thanosql.models.model import Model

BATCH_SECONDS = 60.0


class Output(StrEnum):
    """What is wanted of each row's audio; the type of an outcome's value follows each."""

    TRANSCRIPT = "transcript"  # Transcript: text and confidence
    TIMED_TRANSCRIPT = "timed transcript"  # the same with words and their seconds, by any decoder
    ASSESSMENT = "assessment"  # Assessment: a transcript, and how well the row's text fits
    ALIGNMENT = "alignment"  # where the row's text stands in the audio
    AUDIO = "audio"  # AudioFacts: the audio is decoded, no model is opened


@dataclass(frozen=True, slots=True)
class AudioRow:
    """One row to work on: its number in the query from 1, its audio (a reference, the file's bytes, or a part of
    either), its duration as far as it is known, and its normalized text where the output needs one."""

    row: int
    audio: Audio
    seconds: float
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row has no result. `kind` is 'audio' (it cannot be read) or 'text' (it cannot be aligned)."""

    reason: str
    kind: str = "audio"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row; `seconds` is its audio's decoded length, 0 for one that could not be read; `notes` are what one
    should know of its audio."""

    row: int
    value: Any
    seconds: float
    notes: tuple[Note, ...] = ()

    @property
    def failed(self) -> bool:
        return isinstance(self.value, Failure)


@dataclass(frozen=True, kw_only=True)
class TranscribeTask:
    """Audio in, an outcome a row out. `model` is None for Output.AUDIO alone.

    `language_model` is the ARPA (or KenLM) file that guides a beam, or the n-grams themselves; `level` is what is timed:
    'word', 'char', 'segment' or 'none'. `batch_seconds` is how much audio is recognized together at most, unless one
    utterance alone is longer. `home` is where is kept what was measured of the machine (`measurements`).
    """

    output: Output
    audio: AudioAccess
    model: Model | None = None
    options: TranscribeOptions = field(default_factory=TranscribeOptions)
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    align: AlignmentOptions = field(default_factory=AlignmentOptions)
    language_model: Path | NGram | None = None
    level: str = "none"
    batch_seconds: float = BATCH_SECONDS
    home: Path | None = None


@dataclass(frozen=True, kw_only=True)
class TrainTask:
    """Utterances in, a Hugging Face folder in `folder` and a TrainingReport out.

    `validation` are the utterances that the best epoch is chosen by, where `options` do not hold a share out. `state` is the
    checkpoint folder of an unfinished run; with `resumes` such a run of the same statement is resumed where the options
    say nothing of it. `home` is where is kept what was measured of the machine (`measurements`).
    """

    model: Model
    options: TrainOptions
    utterances: tuple[TrainingUtterance, ...] = field(repr=False)
    validation: tuple[TrainingUtterance, ...] = field(default=(), repr=False)
    audio: AudioAccess
    folder: Path
    state: Path | None = None
    resumes: bool = False
    home: Path | None = None
