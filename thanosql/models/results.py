"""What goes through a model and comes out of it: transcripts, utterances to learn from, and reports of training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thanosql.models.audio.parts import Audio


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was recognized in one utterance. `confidence` is from 0 to 1."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """A transcript, and how well a reference fits the same audio.

    `reference_loss` and `hypothesis_loss` are CTC losses: minus the natural log-probability of all alignments of that
    text; infinite where the text cannot fit the frames, NaN where the vocabulary cannot spell it.
    """

    transcript: Transcript
    reference_loss: float
    hypothesis_loss: float


@dataclass(frozen=True, slots=True)
class TrainingUtterance:
    """One row to learn from: `row` is its 1-based number in the query, `audio` a path, the file's bytes, or a part of
    either.

    `group` is its value of `valid_group`.
    """

    row: int
    audio: Audio
    text: str
    seconds: float
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """One step of training as it happens; `loss` is the mean CTC loss of the step's utterances."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the training rows: mean loss, wall seconds, audio seconds a wall second; and, where rows are set
    aside, the loss, WER and CER on them after it (fractions)."""

    epoch: int
    loss: float
    seconds: float
    rtfx: float
    valid_loss: float | None = None
    valid_wer: float | None = None
    valid_cer: float | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What training did. `audio_hours` is that of the training rows, once.

    `learned` are the numbers of those rows, without the validation set; `skipped` the rows left out, each with its `row`,
    `text` and `reason`; `warnings` say in sentences what the user
    should know about the outcome; `best_epoch` is the one saved where there was a validation set, `valid_utterances` of them,
    whole groups of `valid_group` where that is said; `added` are the characters that the base's vocabulary had not.
    `curve` has step, loss and learning rate of every step, or, of a long run, of stretches of equal length.
    `precision` is what 'auto' came to; `base_share` is the share of the base's weights in the saved ones, and
    `averaged` of how many trainings the rest is the mean (`curve` is the last one's); `identity` has the
    fingerprints of rows and base, the options and the versions that made the model. `calibration` has the fields of a
    `ctc.calibration.Calibration`, where there was enough to measure it on.
    """

    steps: int
    epochs: int
    loss: float
    seconds: float
    utterances: int
    audio_hours: float
    history: tuple[Epoch, ...]
    learned: tuple[int, ...] = ()
    skipped: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    best_epoch: int | None = None
    valid_utterances: int = 0
    valid_groups: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    precision: str = "float32"
    base_share: float = 0.0
    averaged: int = 1
    curve: tuple[tuple[int, float, float], ...] = ()
    identity: Mapping[str, str] = dataclasses.field(default_factory=dict)
    calibration: Mapping[str, float] | None = None
