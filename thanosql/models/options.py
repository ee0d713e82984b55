"""The options of transcription, decoding and training, each declared once: what errors, completion and the reference read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thanosql.errors import ThanoSQLOptionError


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    exclusive_low: bool = False,
    choices: Sequence[str] | None = None,
    words: Sequence[str] = (),
    kind: str | None = None,
    changes_result: bool = True,
) -> Any:
    """Declare one option as a dataclass field: the one place that errors, completion, DESCRIBE and the reference read.

    The type is the field's annotation (`int`, `float`, `bool`, `str`, `list[str]`, or one of them `| None`). `low` and
    `high` are inclusive unless `exclusive_low`; `words` may stand in a number's place, whose type is then `int | str`;
    `kind` is 'column' or 'table' where a bare name is meant;
    `changes_result=False` says that a cached prediction stays valid when this option changes.
    """
    metadata = {
        "help": help,
        "low": low,
        "high": high,
        "exclusive_low": exclusive_low,
        "choices": tuple(choices) if choices else None,
        "words": tuple(words),
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
        "number format of the forward pass; 'auto' is bfloat16 if the hardware has matrix units for "
        "it and the model's card holds a check that bfloat16 changes hardly any words (EVALUATE with "
        "precision='auto' makes it), else float32",
        choices=("float32", "bfloat16", "float16", "auto"),
    )
    device: str = option("auto", "'auto', 'cpu', 'cuda' or 'cuda:N'", changes_result=False)
    window_seconds: float = option(
        30.0, "audio longer than this is transcribed in overlapping windows of this length", low=2.0, high=3600.0
    )
    language: str | None = option(
        None,
        "the language, for a model with adapters for several, as an ISO 639-3 code ('kor'); NULL: the "
        "one the model is set to",
    )


@dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """How log-probabilities become text; PREDICT and EVALUATE take them."""

    decoder: str = option(
        "greedy",
        "'greedy' takes the most probable token of each frame; 'beam' searches for the most probable text, and can use "
        "lm and hotwords",
        choices=("greedy", "beam"),
    )
    beam_width: int = option(100, "beam width: prefixes kept per frame, with decoder='beam'", low=1, high=10_000)
    hotwords: list[str] = option([], "hot words: words or phrases to favour, with decoder='beam'")
    hotword_weight: float = option(
        10.0,
        "score that a hot word adds in the beam, as a natural logarithm: 10 makes it e¹⁰ times more probable",
        low=0,
        high=100,
    )
    lm: str | None = option(None, "path of a language model for decoder='beam', in ARPA format or as a KenLM binary")
    lm_query: str | None = option(
        None,
        "a query for texts (and optionally how often each counts); a language model is made from them for decoder='beam'",
    )
    lm_closed: bool = option(
        False, "allow only words of the language model and of hotwords in transcripts, with decoder='beam'"
    )
    lm_weight: float = option(0.5, "weight of the language model in the beam; 0 ignores it", low=0, high=100)
    word_bonus: float = option(
        1.5,
        "score that each word adds when there is a language model, because a language model prefers few words",
        low=-100,
        high=100,
    )


@dataclass(frozen=True, kw_only=True)
class AlignmentOptions:
    """What is done about a text that does not fit its audio; ALIGN takes them."""

    gaps: bool = option(
        True,
        "words without audio and audio without text are found and marked, so that what is around them keeps its place; "
        "False places every word",
    )
    unknown: str = option(
        "wildcard",
        "words that the vocabulary cannot spell, such as digits: 'wildcard' finds when they were said, 'error' refuses them",
        choices=("wildcard", "error"),
    )


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How a model is trained; BUILD and FIT take them. Those beyond the seed's have defaults that work."""

    batch_size: int = option(16, "utterances in one optimizer step", low=1, high=4096)
    max_epochs: int = option(5, "passes over the training rows", low=1, high=10_000)
    learning_rate: float = option(1e-4, "peak learning rate", low=0.0, high=1.0, exclusive_low=True)
    seed: int = option(0, "seed of every random choice", low=0, high=2**31 - 1)
    warmup_ratio: float = option(
        0.1, "share of the steps in which the learning rate rises to its peak", low=0.0, high=1.0
    )
    weight_decay: float = option(0.01, "AdamW's weight decay; norms and biases are left out", low=0.0, high=1.0)
    base_share: float = option(
        0.0,
        "share of the base's own weights in the saved model, the rest is what was learned: with some of them it hears "
        "speakers better who are not in the rows; half of it or nothing is taken where it would cost more than one "
        "percentage point of WER on the validation set, or without one five on up to 200 of the rows",
        low=0.0,
        high=0.9,
    )
    trainings: int = option(
        1,
        "trainings from the base, each with a seed of its own; the mean of their weights is saved: 2 take twice the time, "
        "and speakers who are not in the rows are heard better",
        low=1,
        high=16,
    )
    freeze_feature_encoder: bool = option(True, "do not train the convolutional feature encoder")
    max_seconds: float = option(
        120.0,
        "most seconds of audio in one forward pass; a larger optimizer step is split into several",
        low=1.0,
        high=1e6,
    )
    augment: bool | list[str] = option(
        True,
        "augmentation of the training audio, in fewer rows from epoch to epoch: True for all kinds, "
        "False or 'none' for none, or a list of kinds ('speed' with tempo and pauses, 'noise', "
        "'level', 'band' with tone, 'room')",
        choices=("speed", "noise", "level", "band", "room", "none"),
    )
    precision: str = option(
        "float32",
        "number format of training; 'auto' is bfloat16 if the hardware can multiply it; weights and "
        "the loss stay float32",
        choices=("float32", "bfloat16", "auto"),
    )
    vocabulary: str = option(
        "keep",
        "'keep' uses the base's characters and refuses others; 'extend' adds those that the texts need, "
        "'rebuild' makes the vocabulary from the texts alone",
        choices=("keep", "extend", "rebuild"),
    )
    normalizer: str = option(
        "auto",
        "how texts are normalized before training: 'auto' to the base's case and punctuation, 'lower' and 'upper' to "
        "that case, 'none' not at all; 'english' and 'korean' put numbers, money, times, signs and abbreviations into "
        "words first, and are then as 'auto'",
        choices=("auto", "lower", "upper", "none", "english", "korean"),
    )
    on_error: str = option(
        "skip_unfit",
        "rows that cannot be trained on: 'skip_unfit' lists and leaves out rows that do not fit (no "
        "text left, audio too short for its text, over max_seconds), and stops before any work if "
        "audio cannot be read, a text is missing or has unknown characters; 'skip' leaves all of "
        "these out; 'raise' stops at any",
        choices=("skip_unfit", "skip", "raise"),
    )
    gradient_accumulation: int = option(1, "batches of batch_size in one optimizer step", low=1, high=1024)
    valid_split: float = option(
        0.0,
        "share of the rows to use as the validation set; the model of the epoch with the best WER on it is saved",
        low=0.0,
        high=0.5,
    )
    valid_group: str | None = option(
        None,
        "a column such as the speaker: rows with the same value are all in the training set or all in the validation set",
        kind="column",
    )
    early_stopping: int = option(
        0,
        "stop training after this many epochs without a better WER on the validation set (or a lower "
        "loss at equal WER); 0: never",
        low=0,
        high=10_000,
    )
    resume: bool | None = option(
        None,
        "True resumes the unfinished run of the same statement, False starts over; NULL resumes it in "
        "a notebook or at the prompt, elsewhere an unfinished run is an error",
    )
    device: str = option("auto", "'auto', 'cpu', 'cuda' or 'cuda:N'")
    language: str | None = option(
        None,
        "the language, for a model with adapters for several, as an ISO 639-3 code ('kor'); NULL: the "
        "one the model is set to",
    )
    train: str = option(
        "auto",
        "'adapter' trains the adapters and the head of the language alone, and saves them alone, a few megabytes that name "
        "their base; 'all' trains and saves the whole model; 'auto' is 'adapter' where the model has adapters of languages",
        choices=("auto", "adapter", "all"),
    )

    def __post_init__(self) -> None:
        if isinstance(self.augment, list) and "none" in self.augment and len(self.augment) > 1:
            raise ThanoSQLOptionError(
                "augment cannot combine 'none' with other kinds.", hint="Name the kinds, or write False."
            )
        if self.valid_group is not None and not self.valid_split:
            raise ThanoSQLOptionError(
                "valid_group needs valid_split: the first says which rows stay together, the second how many are for "
                "validation.",
                hint="Add valid_split as well, for example valid_split=0.1.",
            )
