"""A checkpoint and a task in; a Hugging Face folder with the trained model, and a report, out.

CTC fine-tuning as of wav2vec 2.0 (Baevski et al. 2020): the convolutional feature encoder frozen, SpecAugment on the
hidden states, AdamW with warm-up and decay, gradients clipped. Every random choice follows from the seed and the number
of the epoch, the step or the example, never from what was drawn before: so a run can be repeated, and resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLOptionError, ThanoSQLResourceError
from thanosql.models.devices import choose_device, exact_float32
from thanosql.models.results import TrainingProgress, TrainingReport
from thanosql.models.training import augmentation_config, memory, precision, resume, weight_mean
from thanosql.models.training.allocation import freed_at_once
from thanosql.models.training.base_share import HELD_OUT, JUDGED_ROWS, LEARNED, copies, mix, remarks
from thanosql.models.training.confidence import calibrate
from thanosql.models.training.doubts import doubts
from thanosql.models.training.examples import DecodedOnce, Waveforms, select
from thanosql.models.training.feature_cache import FeatureCache
from thanosql.models.training.loop import Run
from thanosql.models.training.ranks import ALONE
from thanosql.models.training.run_identity import run_identity
from thanosql.models.training.shares import Shares
from thanosql.models.training.steps import step_size
from thanosql.models.training.validation import Validator, hold_out
from thanosql.models.training.vocabulary_builder import training_vocabulary

if TYPE_CHECKING:
    import torch

    from thanosql.models.cancellation import Cancellation
    from thanosql.models.options import TrainOptions
    from thanosql.models.tasks import TrainTask
    from thanosql.models.training.ranks import Ranks
    from thanosql.models.training.trainable import TrainableCheckpoint

SANITY_ROWS = 32  # training rows transcribed as a sanity check when there is no validation set


def train(
    base: TrainableCheckpoint,
    task: TrainTask,
    progress: Callable[[TrainingProgress], None],
    cancellation: Cancellation,
    ranks: Ranks = ALONE,
) -> TrainingReport:
    """Train from `base` and leave a Hugging Face folder in `task.folder`. `progress` hears of every step.

    Several `ranks` take the steps of one together, and each returns the report; the first one writes the checkpoint and the
    folder.

    With rows to validate on, `task.validation` or a share of the others by `valid_split`, the epoch with the best WER
    is kept, otherwise the last. The folder `task.state` takes the run's checkpoint, from which it is resumed when it is
    called again with `resume`; the folder is the caller's to remove, once the model is safe where it belongs.

    Raises ThanoSQLDataError for texts outside the vocabulary, audio that cannot be read, and when no row can be learned
    from; ThanoSQLModelError for a base that cannot be trained, a loss that is not finite, and a
    checkpoint of other rows or options; ThanoSQLResourceError for memory that does not suffice; ThanoSQLOptionError for
    options that contradict each other; UnfinishedRun; Cancelled, with the checkpoint saved, after the step in which it
    was asked for.
    """
    started = time.perf_counter()
    options = task.options
    texts = (utterance.text for utterance in (*task.utterances, *task.validation))
    built = training_vocabulary(base.folder, texts, options)
    vocabulary = built.vocabulary
    examples, skipped = select(task.utterances, vocabulary, built.normalizer, base, options)
    if task.validation:
        validation, more = select(task.validation, vocabulary, built.normalizer, base, options)
        skipped += [{**row, "reason": f"of the validation set: {row['reason']}"} for row in more]
    else:
        examples, validation = hold_out(
            examples, options.valid_split, options.seed, grouped=options.valid_group is not None
        )
    if options.early_stopping and not validation:
        raise ThanoSQLOptionError(
            "early_stopping needs a validation set.", hint="Set some rows aside, for example valid_split=0.1."
        )
    device = choose_device(options.device)
    options = replace(options, precision=precision.of_training(options.precision, device))
    identity = run_identity(base.folder, options, examples, validation, task.audio)
    saved = None if task.state is None else resume.SavedState(task.state, identity)
    unfinished = saved.same() if saved is not None and options.resume is None else None
    if unfinished is not None and not task.resumes:
        raise _unfinished(unfinished)
    if unfinished is not None:
        options = replace(options, resume=True)
    varied = augmentation_config.chosen(options.augment)
    with ExitStack() as stack:
        stack.enter_context(_own_randomness(device))
        stack.enter_context(exact_float32(device))
        stack.enter_context(_memory(options))
        sound = partial(
            Waveforms,
            read=DecodedOnce(task.audio.read),
            model=base,
            seed=options.seed,
            epochs=options.max_epochs,
            normalized=base.normalizes,
        )
        feature_cache = None
        sizes = base.sizes
        lengths = [example.seconds for example in examples]
        shares = Shares(lengths, ranks)
        if device.type == "cpu":
            stack.enter_context(freed_at_once())
            together = min(options.batch_size, -(-step_size(options) // ranks.count) + (ranks.count > 1))
            memory.check(sizes, lengths, options.max_seconds, together, ranks.local)
        seconds = sum(lengths)
        repeated = options.freeze_feature_encoder and varied is None
        if repeated:
            room = FeatureCache.fit(seconds, base.feature_width, task.folder.parent)
            feature_cache = stack.enter_context(FeatureCache(task.folder.parent, room=room, kept=shares))
        validator = None
        if validation:
            validator = Validator(
                validation, sound(validation, varied=None), vocabulary, options.max_seconds, sizes.fits, ranks
            )
        made = None if options.vocabulary == "keep" else vocabulary
        model = base.load(made, freeze_feature_encoder=options.freeze_feature_encoder).to(device)
        several = options.trainings > 1
        start = copies(model.named_parameters()) if options.base_share or several else {}
        found, warnings = _take_up(saved, options, unfinished, ranks)
        finished = weight_mean.Finished.of(*found) if found else weight_mean.Finished()
        if saved is not None and several:
            saved.finished = finished  # grows with each
        before = found[0]["seconds"] if found else 0.0
        for number in range(len(finished.weights), options.trainings):
            own = weight_mean.options_of(options, number)
            run = Run(
                model,
                examples,
                sound(examples, varied=varied, seed=own.seed),
                own,
                vocabulary.blank,
                device,
                sizes,
                feature_cache=feature_cache,
                validator=validator,
                saved=saved,
                ranks=ranks,
                shares=shares,
            )
            if found:
                run.resume_from(*found)
                found = None
            elif number:
                weight_mean.put(run.learned, start)
            run.seconds_before = before + time.perf_counter() - started
            run.train(weight_mean.among(progress, number, options.trainings), cancellation)
            finished.add(run.done, run.history, copies(run.learned.items()) if several else {})
        calibration = None
        if judge := validator:
            wer = run.best.score[0]
        else:
            known = examples[:: -(-len(examples) // (JUDGED_ROWS if start else SANITY_ROWS))]
            judge = Validator(known, sound(known, varied=None), vocabulary, options.max_seconds, sizes.fits, ranks)
            wer = judge.validate(model, device, cancellation).wer
        hear, tolerance = lambda: judge.validate(model, device, cancellation).wer, HELD_OUT if validator else LEARNED
        averaged, wer = weight_mean.take_mean(run.learned, finished.weights, wer, hear, tolerance=tolerance)
        mixture = mix(run.learned, start, options.base_share, wer, hear, tolerance=tolerance)
        if validator:
            calibration = calibrate(
                run.model,
                validation,
                sound(validation, varied=None),
                vocabulary,
                device,
                seed=options.seed,
                max_seconds=options.max_seconds,
                normalized=base.normalizes,
                cancellation=cancellation,
            )
    if not ranks.rank:
        base.save(run.model, task.folder, vocabulary, built.normalizer)
    return TrainingReport(
        steps=finished.steps,
        epochs=len(finished.history),
        loss=run.history[-1].loss,
        seconds=before + time.perf_counter() - started,
        utterances=len(examples),
        audio_hours=seconds / 3600,
        history=tuple(finished.history),
        learned=tuple(example.row for example in examples),
        skipped=tuple(skipped),
        warnings=(
            *warnings,
            *weight_mean.remarks(options.trainings, averaged),
            *remarks(options.base_share, mixture.share),
            *doubts(run, options, mixture.wer),
        ),
        best_epoch=None
        if averaged > 1 or not run.best.epoch
        else run.best.epoch + len(finished.history) - len(run.history),
        valid_utterances=len(validation),
        valid_groups=tuple(sorted({row.group for row in validation})) if options.valid_group else (),
        added=() if options.vocabulary == "keep" else built.added,
        precision=options.precision,
        base_share=mixture.share,
        averaged=averaged,
        curve=run.loss_history.whole(),
        identity=identity,
        calibration=None if calibration is None else asdict(calibration),
    )


def _unfinished(found: resume.Interrupted) -> resume.UnfinishedRun:
    """Rather than throw work away where a statement says nothing of it, it is refused with the offer."""
    return resume.UnfinishedRun(
        f"The same statement was interrupted before: {found.step:,} of its {found.steps:,} steps are done.",
        hint="Resume it with resume=True, or start over with resume=False.",
    )


def _take_up(
    saved: resume.SavedState | None, options: TrainOptions, unfinished: resume.Interrupted | None, ranks: Ranks
) -> tuple[resume.State | None, list[str]]:
    """The state to resume from, None to begin anew, and what is to be said of it."""
    if saved is None:
        return None, []
    if not options.resume:
        other = saved.other() if options.resume is None else None
        if not ranks.rank:
            saved.clear()
        if other is None:
            return None, []
        said = f"Discarded an unfinished training of another statement ({other.step:,} of {other.steps:,} steps)."
        return None, [said]
    found = saved.load()
    if found is None:
        return None, ["There was no unfinished training to resume: this one started from the beginning."]
    if unfinished is None:
        return found, []
    return found, [
        f"Resumed the unfinished training of this statement after {unfinished.step:,} of {unfinished.steps:,} steps; "
        "resume=False starts over."
    ]


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
        raise ThanoSQLResourceError(
            "There is not enough memory for one forward and backward pass.",
            hint=f"Choose a max_seconds below {options.max_seconds:g}: the same steps are computed in smaller parts.",
        ) from error
