"""What a family of models is: the protocols it fulfils, and the options and results that pass through it.

`models/` knows no SQL: it takes references to audio and texts, and gives transcripts and reports.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from thanosql.errors import ThanoSQLOptionError
from thanosql.models.audio.waveform import SAMPLING_RATE as SAMPLING_RATE

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.config import Settings
    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.ctc.decoder import Hear
    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.text import Normalizer


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    exclusive_low: bool = False,
    choices: Sequence[str] | None = None,
    kind: str | None = None,
    changes_result: bool = True,
) -> Any:
    """Declare one option as a dataclass field: the one place that errors, completion, DESCRIBE and the reference read.

    The type is the field's annotation (`int`, `float`, `bool`, `str`, `list[str]`, or one of them `| None`). `low` and
    `high` are inclusive unless `exclusive_low`; `kind` is 'column' or 'table' where a bare name is meant;
    `changes_result=False` says that a kept prediction stays valid when this option changes.
    """
    metadata = {
        "help": help,
        "low": low,
        "high": high,
        "exclusive_low": exclusive_low,
        "choices": tuple(choices) if choices else None,
        "kind": kind,
        "changes_result": changes_result,
    }
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class TranscribeOptions:
    """How a model transcribes; PREDICT and EVALUATE take them."""

    batch_size: int = option(16, "utterances in one batch", low=1, high=4096, changes_result=False)
    precision: str = option(
        "float32",
        "arithmetic of the forward pass; 'auto' is bfloat16 where the hardware has matrix units for it and a check on the "
        "model's card (EVALUATE with 'auto' makes one) found enough words and hardly any that differ, float32 elsewhere",
        choices=("float32", "bfloat16", "float16", "auto"),
    )
    device: str = option("auto", "'auto', 'cpu', 'cuda' or 'cuda:N'", changes_result=False)
    window_seconds: float = option(
        30.0, "audio longer than this is heard in overlapping windows of this length", low=2.0, high=3600.0
    )


@dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """How what a model heard becomes text; PREDICT takes them."""

    decoder: str = option(
        "greedy",
        "'greedy' takes the best token of each frame; 'beam' the likeliest text, guided by lm and hotwords",
        choices=("greedy", "beam"),
    )
    beam_width: int = option(100, "beginnings of texts that decoder='beam' keeps after each frame", low=1, high=10_000)
    hotwords: list[str] = option([], "words or phrases to listen for, with decoder='beam'")
    hotword_weight: float = option(
        10.0,
        "what a hot word earns in the beam, as a natural logarithm: 10 makes it e¹⁰ times likelier",
        low=0,
        high=100,
    )
    lm: str | None = option(None, "a language model in ARPA format (or KenLM's binary) for decoder='beam': its path")
    lm_query: str | None = option(
        None, "a query for texts (and how often each counts) that a language model is made of, for decoder='beam'"
    )
    lm_weight: float = option(0.5, "the language model's part in the beam: 0 is none", low=0, high=100)
    word_bonus: float = option(
        1.5, "what each word earns where there is a language model, which prefers few", low=-100, high=100
    )


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How a model is trained; BUILD and FIT take them. Those beyond the seed's have defaults that work."""

    batch_size: int = option(16, "utterances in one optimizer step", low=1, high=4096)
    max_epochs: int = option(5, "passes over the training rows", low=1, high=10_000)
    learning_rate: float = option(1e-4, "peak learning rate", low=0.0, high=1.0, exclusive_low=True)
    seed: int = option(0, "seed of every random choice", low=0, high=2**31 - 1)
    warmup_ratio: float = option(0.1, "share of the steps in which the learning rate rises", low=0.0, high=1.0)
    weight_decay: float = option(0.01, "AdamW's weight decay; norms and biases are left out", low=0.0, high=1.0)
    freeze_feature_encoder: bool = option(True, "keep the convolutional feature encoder as it is")
    max_seconds: float = option(120.0, "audio seconds in one forward pass; a step is split by it", low=1.0, high=1e6)
    augment: bool | list[str] = option(
        True,
        "what is varied in the training audio, in fewer rows from epoch to epoch: True is all of it, False and 'none' "
        "nothing, a list names parts ('speed' with tempo and pauses, 'noise', 'level', 'band' with tone, 'room')",
        choices=("speed", "noise", "level", "band", "room", "none"),
    )
    precision: str = option(
        "float32",
        "arithmetic of training; 'auto' is bfloat16 where the hardware multiplies it itself, weights and the loss stay "
        "float32",
        choices=("float32", "bfloat16", "auto"),
    )
    vocabulary: str = option(
        "keep",
        "'keep' learns the characters that the base has and refuses others; 'extend' adds those that the texts need, "
        "'rebuild' makes the vocabulary from the texts alone",
        choices=("keep", "extend", "rebuild"),
    )
    normalizer: str = option(
        "auto",
        "how texts are folded before they are learned: 'auto' as the base has it (its case, its punctuation), 'lower' "
        "and 'upper' in that case, 'none' as they are written",
        choices=("auto", "lower", "upper", "none"),
    )
    on_error: str = option(
        "skip_unfit",
        "rows that cannot be learned from: 'skip_unfit' lists and leaves out those that do not fit (no text left, too "
        "short for their text, over max_seconds) and stops, before any work, at audio that cannot be read, a text that "
        "is missing and unknown characters; 'skip' leaves all of these out; 'raise' stops at any",
        choices=("skip_unfit", "skip", "raise"),
    )
    gradient_accumulation: int = option(1, "batches of batch_size in one optimizer step", low=1, high=1024)
    valid_split: float = option(
        0.0, "share of the rows held out; the epoch with the best WER on them is kept", low=0.0, high=0.5
    )
    valid_group: str | None = option(
        None,
        "the column whose values (speakers, say) stand on one side of valid_split only",
        kind="column",
    )
    early_stopping: int = option(
        0,
        "epochs without a better WER on the held-out rows, or a lower loss where it is equal, before training ends; 0 is "
        "never",
        low=0,
        high=10_000,
    )
    resume: bool | None = option(
        None,
        "True goes on where the same statement was interrupted, False begins anew; NULL refuses, with the offer, where "
        "there is something to go on with",
    )
    device: str = option("auto", "'auto', 'cpu', 'cuda' or 'cuda:N'")

    def __post_init__(self) -> None:
        if isinstance(self.augment, list) and "none" in self.augment and len(self.augment) > 1:
            raise ThanoSQLOptionError("augment cannot be 'none' and more.", hint="Name the parts, or say False.")
        if self.valid_group is not None and not self.valid_split:
            raise ThanoSQLOptionError(
                "valid_group says which rows stay together, and valid_split how many are held out.",
                hint="Say valid_split=0.1 as well, for one.",
            )


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard in one utterance. `confidence` is from 0 to 1."""

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
    """One row to learn from: `row` is its 1-based number in the query, `audio` a path or the file's bytes.

    `group` is its value of `valid_group`.
    """

    row: int
    audio: str | bytes
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
    """One pass over the training rows: mean loss, wall seconds, audio seconds a wall second; and, where rows are held
    out, the loss, WER and CER on them after it (fractions)."""

    epoch: int
    loss: float
    seconds: float
    rtfx: float
    valid_loss: float | None = None
    valid_wer: float | None = None
    valid_cer: float | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What training did. `audio_hours` is that of the rows learned from, once.

    `learned` are the numbers of those rows, without the ones held out; `skipped` the rows left out, each with its `row`,
    `text` and `reason`; `warnings` say in sentences what the user
    should know about the outcome; `best_epoch` is the one kept where rows were held out, `valid_utterances` of them,
    whole groups of `valid_group` where that is said; `added` are the characters that the base's vocabulary had not.
    `curve` has step, loss and learning rate of every step, or, of a long run, of stretches of equal length.
    `precision` is what 'auto' came to; `identity` has the fingerprints of rows and base, the options and the versions
    that made the model.
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
    curve: tuple[tuple[int, float, float], ...] = ()
    identity: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Recognizer(Protocol):
    """A loaded model that transcribes."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What the second axis of `log_probabilities` stands for."""

    @property
    def frame_seconds(self) -> float:
        """From one frame of `log_probabilities` to the next."""

    def log_probabilities(
        self, waveforms: Sequence[Waveform], *, batch_size: int, window_seconds: float
    ) -> list[torch.Tensor]:
        """Natural log-probabilities of each waveform, float32 `(frames, vocab)` on the CPU, in their order."""

    def transcribe(self, waveforms: Sequence[Waveform], options: TranscribeOptions) -> list[Transcript]:
        """Transcripts of float32 waveforms `(samples,)` at 16,000 Hz, in their order.

        The answer to one does not depend on its neighbours.
        """

    def assess(
        self,
        waveforms: Sequence[Waveform],
        references: Sequence[str],
        options: TranscribeOptions,
        hear: Hear | None = None,
    ) -> list[Assessment]:
        """The same, decoded by `hear` where there is one, and how well each normalized reference fits its waveform."""


class Family(Protocol):
    """A kind of model: a module or object with these, registered by name in `registry.py`."""

    def load(self, checkpoint: str, settings: Settings, options: TranscribeOptions) -> Recognizer:
        """The recognizer of a checkpoint (a folder, or a hub id)."""

    def normalizer(self, checkpoint: str, settings: Settings) -> Normalizer:
        """What is done to texts before the checkpoint learns from them, or is measured against them."""

    def prepare(
        self, checkpoint: str, settings: Settings, texts: Iterable[tuple[int, str]], options: TrainOptions
    ) -> None:
        """Check the texts (row number, text) against the vocabulary that is trained, before anything is trained."""

    def spelled(self, checkpoint: str, settings: Settings, texts: Iterable[str], options: TrainOptions) -> Any:
        """The facts of a checkpoint, with the vocabulary and normalizer that training on the texts would give it."""

    def train(
        self,
        checkpoint: str,
        settings: Settings,
        utterances: Sequence[TrainingUtterance],
        options: TrainOptions,
        folder: Path,
        progress: Callable[[TrainingProgress], None],
        *,
        read: Callable[[str | bytes], np.ndarray],
        valid: Sequence[TrainingUtterance] = (),
        state: Path | None = None,
    ) -> TrainingReport:
        """Train from `checkpoint` and leave a Hugging Face folder in `folder`; `read` gives an utterance's waveform.

        `valid` are rows to validate on; in `state` a killed run keeps what it goes on from.
        """

    def adopt(self, checkpoint: str, settings: Settings, folder: Path) -> str | None:
        """Put a checkpoint's files into `folder`, checked; the hub's commit they are of, None for a folder's own."""

    def facts(self, checkpoint: str) -> Any:
        """What can be said of a checkpoint without loading it; None when its files are not on this machine."""
