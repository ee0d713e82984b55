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
        "arithmetic of the forward pass; 'auto' is bfloat16 where the hardware has matrix units for it and a check on the "
        "model's card (EVALUATE with 'auto' makes one) found enough words and hardly any that differ, float32 elsewhere",
        choices=("float32", "bfloat16", "float16", "auto"),
    )
    device: str = option("auto", "'auto', 'cpu', 'cuda' or 'cuda:N'", changes_result=False)
    window_seconds: float = option(
        30.0, "audio longer than this is transcribed in overlapping windows of this length", low=2.0, high=3600.0
    )
    language: str | None = option(
        None,
        "the language of a model that has adapters of several, as ISO 639-3 names it ('kor'); NULL is the one that the "
        "model is set to",
    )


@dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """How log-probabilities become text; PREDICT and EVALUATE take them."""

    decoder: str = option(
        "greedy",
        "'greedy' takes the best token of each frame; 'beam' the likeliest text, guided by lm and hotwords",
        choices=("greedy", "beam"),
    )
    beam_width: int = option(100, "prefixes that decoder='beam' keeps per frame", low=1, high=10_000)
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
    lm_closed: bool = option(
        False, "transcripts hold no words but those of the language model and of hotwords, with decoder='beam'"
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
        "how texts are normalized before training: 'auto' as the base has it (its case, its punctuation), 'lower' "
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
        0.0,
        "share of the rows for the validation set; the model of the epoch with the best WER on it is saved",
        low=0.0,
        high=0.5,
    )
    valid_group: str | None = option(
        None,
        "a column (the speaker, say): rows with one value are all in the training set or all in the validation set",
        kind="column",
    )
    early_stopping: int = option(
        0,
        "epochs without a better WER on the validation set, or a lower loss where it is equal, before training ends; 0 is "
        "never",
        low=0,
        high=10_000,
    )
    resume: bool | None = option(
        None,
        "True resumes the unfinished run of the same statement, False begins anew; NULL resumes it in a notebook and at the "
        "prompt, and is an error elsewhere if there is one",
    )
    device: str = option("auto", "'auto', 'cpu', 'cuda' or 'cuda:N'")
    language: str | None = option(
        None,
        "the language of a model that has adapters of several, as ISO 639-3 names it ('kor'); NULL is the one that the "
        "model is set to",
    )
    train: str = option(
        "auto",
        "'adapter' trains the adapters and the head of the language alone, and saves them alone, a few megabytes that name "
        "their base; 'all' trains and saves the whole model; 'auto' is 'adapter' where the model has adapters of languages",
        choices=("auto", "adapter", "all"),
    )

    def __post_init__(self) -> None:
        if isinstance(self.augment, list) and "none" in self.augment and len(self.augment) > 1:
            raise ThanoSQLOptionError("augment cannot be 'none' and more.", hint="Name the parts, or say False.")
        if self.valid_group is not None and not self.valid_split:
            raise ThanoSQLOptionError(
                "valid_group says which rows stay together, and valid_split how many are for validation.",
                hint="Say valid_split=0.1 as well, for one.",
            )
