"""A checkpoint and rows of audio and text in; a Hugging Face folder with the trained model, and a report, out.

CTC fine-tuning of wav2vec 2.0 (Baevski et al. 2020): the convolutional feature encoder frozen, SpecAugment on the
hidden states, AdamW with warm-up and decay, gradients clipped. Every random choice follows from the seed and the number
of the epoch, the step or the example, never from what was drawn before: so a run can be repeated, and gone on with.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.errors import ThanoSQLModelError, ThanoSQLOptionError
from thanosql.models.families.wav2vec2 import checkpoint as checkpoints
from thanosql.models.results import TrainingProgress, TrainingReport
from thanosql.models.store import CARD_FILE
from thanosql.models.training import augmentation_config, precision, resume
from thanosql.models.training.examples import Waveforms, select
from thanosql.models.training.feature_cache import FeatureCache
from thanosql.models.training.loop import Run
from thanosql.models.training.validation import Validator, hold_out
from thanosql.models.training.vocabulary_builder import spelling
from thanosql.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.config import Settings
    from thanosql.models.options import TrainOptions
    from thanosql.models.results import TrainingUtterance

RECITED = 32  # of the rows learned from, that a model without held-out rows is asked for once it is done


def train(
    checkpoint: str,
    settings: Settings | None,
    utterances: Sequence[TrainingUtterance],
    options: TrainOptions,
    folder: Path,
    progress: Callable[[TrainingProgress], None],
    *,
    read: Callable[[str | bytes], np.ndarray],
    valid: Sequence[TrainingUtterance] = (),
    state: Path | None = None,
) -> TrainingReport:
    """Train from `checkpoint` (a folder or hub id) and leave a Hugging Face folder in `folder`.

    `read` gives the waveform of an utterance's audio, float32 `(samples,)` at 16 kHz. `progress` hears of every step.
    With rows to validate on, `valid` or a share of the others by `valid_split`, the epoch with the best WER is kept,
    otherwise the last. In the folder `state` the run keeps what it goes on from when it is killed and then called again
    with `resume`; the folder is the caller's to remove, once the model is safe where it belongs.

    Raises ThanoSQLDataError for texts outside the vocabulary, audio that cannot be read, and when no row can be learned
    from; ThanoSQLModelError for a base that cannot be trained, a loss that is not finite, memory that does not suffice,
    and a state of other rows or options; ThanoSQLOptionError for options that contradict each other.
    """
    started = time.perf_counter()
    base = checkpoints.open(checkpoint, settings).folder
    spelt = spelling(base, (utterance.text for utterance in (*utterances, *valid)), options)
    vocabulary = spelt.vocabulary
    features = checkpoints.read_features(base)
    config = checkpoints.read_config(base)
    examples, skipped = select(utterances, vocabulary, spelt.normalizer, config, options)
    if valid:
        held_out, more = select(valid, vocabulary, spelt.normalizer, config, options)
        skipped += [{**row, "reason": f"of the held-out rows: {row['reason']}"} for row in more]
    else:
        examples, held_out = hold_out(
            examples, options.valid_split, options.seed, grouped=options.valid_group is not None
        )
    if options.early_stopping and not held_out:
        raise ThanoSQLOptionError(
            "early_stopping needs rows to validate on.", hint="Hold some out: valid_split=0.1, for one."
        )
    device = _device(options.device)
    options = replace(options, precision=precision.of_training(options.precision, device))
    identity = _identity(base, options, examples, held_out)
    saved = None if state is None else resume.SavedState(state, identity)
    if saved is not None:
        _offer(saved, options)
    varied = augmentation_config.chosen(options.augment)
    sound = {
        "read": read,
        "config": config,
        "seed": options.seed,
        "epochs": options.max_epochs,
        "normalized": features.do_normalize,
    }
    with ExitStack() as stack:
        stack.enter_context(_own_randomness(device))
        stack.enter_context(_memory(options))
        kept = None
        seconds = sum(example.seconds for example in examples)
        repeated = options.freeze_feature_encoder and varied is None
        if repeated:
            room = FeatureCache.fit(seconds, config, folder.parent)
            kept = stack.enter_context(FeatureCache(folder.parent, room=room))
        validator = None
        if held_out:
            validator = Validator(held_out, Waveforms(held_out, varied=None, **sound), vocabulary, options.max_seconds)
        made = None if options.vocabulary == "keep" else vocabulary
        model = _trainable(checkpoints.load_model(base, vocabulary=made), options, checkpoint).to(device)
        waveforms = Waveforms(examples, varied=varied, **sound)
        run = Run(
            model, examples, waveforms, options, vocabulary.blank, device, kept=kept, validator=validator, saved=saved
        )
        warnings = _take_up(run, options)
        run.learn(progress)
        if validator is None:
            known = examples[:RECITED]
            validator = Validator(known, Waveforms(known, varied=None, **sound), vocabulary, options.max_seconds)
            wer = validator.listen(run.model, device).wer
        else:
            wer = run.best.score[0]
    checkpoints.save(folder, run.model.eval().cpu(), vocabulary, spelt.normalizer, features)
    return TrainingReport(
        steps=run.done,
        epochs=len(run.history),
        loss=run.history[-1].loss,
        seconds=run.seconds_before + time.perf_counter() - started,
        utterances=len(examples),
        audio_hours=seconds / 3600,
        history=tuple(run.history),
        learned=tuple(example.row for example in examples),
        skipped=tuple(skipped),
        warnings=(*warnings, *_doubts(run, options, wer)),
        best_epoch=run.best.epoch or None,
        valid_utterances=len(held_out),
        valid_groups=tuple(sorted({row.group for row in held_out})) if options.valid_group else (),
        added=() if options.vocabulary == "keep" else spelt.added,
        precision=options.precision,
        curve=run.curve.whole(),
        identity=identity,
    )


def _identity(base: Path, options: TrainOptions, examples: Sequence[Any], held_out: Sequence[Any]) -> dict[str, str]:
    """What makes a run the run it is, each in a few characters, so that a change can be named."""
    # A card is no part of the model: it grows with every evaluation.
    weights = [
        path
        for path in sorted(base.iterdir())
        if path.suffix in (".safetensors", ".bin", ".json") and path.name != CARD_FILE
    ]
    named = {
        f"option {name}": str(value) for name, value in asdict(options).items() if name not in ("resume", "device")
    }
    # Labels alone are numbers, which another vocabulary gives to another text.
    rows = [(example.row, example.text, example.labels, example.seconds) for example in (*examples, *held_out)]
    audio = [example.audio for example in (*examples, *held_out)]
    return {
        "rows": f"{len(rows):,}, {resume.digest([*rows, *audio])}",
        "base": resume.digest([(path.name, resume.file_digest(path)) for path in weights]),
        **named,
        "package thanosql": __version__,
        **{f"package {name}": importlib.metadata.version(name) for name in ("torch", "transformers", "numpy", "soxr")},
    }


def _offer(saved: resume.SavedState, options: TrainOptions) -> None:
    """Where the same statement was interrupted and says nothing of it, offer to go on, rather than throw work away."""
    found = saved.same() if options.resume is None else None
    if found is not None:
        raise ThanoSQLModelError(
            f"The same statement was interrupted before: {found.step:,} of its {found.steps:,} steps are done.",
            hint="Go on from there with resume=True, or begin anew with resume=False.",
        )


def _take_up(run: Run, options: TrainOptions) -> list[str]:
    if run.saved is None:
        return []
    if not options.resume:
        run.saved.clear()
        return []
    found = run.saved.load()
    if found is None:
        return ["There was no interrupted training to go on with: this one began anew."]
    run.go_on_from(*found)
    return []


def _doubts(run: Run, options: TrainOptions, wer: float) -> list[str]:
    """What the user should know about the outcome; `wer` is that of the held-out rows, or of some it learned from."""
    # Of a run that fell silent, the best epoch may speak.
    if not run.spoken and wer >= 1:
        return [
            "Every frame of the last epoch was heard as blank: the model transcribes nothing yet. The likely cause is "
            f"too few steps ({run.steps:,}), or a learning_rate ({options.learning_rate:g}) too low or too high here."
        ]
    if wer >= 1:
        rows = "held-out rows" if run.best.epoch else "rows it learned from"
        return [
            f"The WER on the {rows} is {wer:.2f}, no better than silence. The likely cause is texts that do not "
            f"belong to their audio, too few steps ({run.steps:,}), or a learning_rate ({options.learning_rate:g}) too "
            "low or too high here."
        ]
    return []


def _trainable(model: Any, options: TrainOptions, checkpoint: str) -> Any:
    if model.config.add_adapter:
        raise ThanoSQLModelError(f"{checkpoint} has adapter layers behind its encoder: training cannot start from it.")
    for parameter in model.parameters():
        # The weights may be pages of the base's file: what is trained is a copy.
        parameter.data = parameter.data.clone()
    if options.freeze_feature_encoder:
        model.freeze_feature_encoder()
    return model


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # torch says it in an exception of its own for each reason: unknown name, no such card, no CUDA at all.
    except (RuntimeError, AssertionError) as error:
        raise ThanoSQLOptionError(f"There is no device '{name}' here: {str(error).splitlines()[0]}") from error
    return device


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Leave torch's generators as they were: the caller's own draws go on as if nothing had been trained."""
    import torch

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextmanager
def _memory(options: TrainOptions) -> Iterator[None]:
    import torch

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # torch has an exception of its own for a GPU's memory alone.
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "DefaultCPUAllocator" not in str(error):
            raise
        raise ThanoSQLModelError(
            "The memory does not suffice for one forward and backward pass.",
            hint=f"Choose a max_seconds below {options.max_seconds:g}: the same steps are computed in smaller parts.",
        ) from error
