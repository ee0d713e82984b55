"""A base, rows and what both are told in; the loss of each step and the seconds of each epoch, ours and the Trainer's, out.

transformers' Trainer is handed our batches in our order, our learning rate of each step, and AdamW over our groups of
parameters (its own would be the same, fused as well, but for one vector of 128 numbers that decays in its). The rest is
as either does it by itself: clipping to a norm of 1, the forward and backward pass, attention by scaled_dot_product_attention.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import numpy as np
import torch
from in_memory import InMemory
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, Wav2Vec2ForCTC
from transformers.utils import logging

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.cancellation import Cancellation
from thanosql.models.ctc.vocabulary import read_vocabulary
from thanosql.models.families import waveform_ctc
from thanosql.models.families.waveform_ctc import checkpoint
from thanosql.models.model import Model
from thanosql.models.options import TrainOptions
from thanosql.models.results import TrainingProgress, TrainingUtterance
from thanosql.models.tasks import TrainTask
from thanosql.models.text import Normalizer
from thanosql.models.training import batches, loop, schedule
from thanosql.models.training.seeding import generator
from thanosql.models.training.steps import step_size

Rows = Sequence[tuple[np.ndarray, str]]


def told(epochs: int, **options: Any) -> TrainOptions:
    """What both sides are told: no sound varied, no step split."""
    return TrainOptions(max_epochs=epochs, augment=False, max_seconds=1e4, **options)


class Turns:
    """One of several processes' place in their round: it works for an epoch when its turn has come, then the next does."""

    def __init__(self, mine: Semaphore, following: Semaphore) -> None:
        self._mine, self._following = mine, following

    def take(self) -> None:
        self._mine.acquire()

    def hand_on(self) -> None:
        self._following.release()


@dataclass
class Measured:
    """Wall and processor seconds of each epoch, and the loss of each step; without `turns` nobody else works."""

    epochs: int
    turns: Turns | None = None
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    began: tuple[float, float] | None = None

    def begin(self) -> None:
        if self.began is None:
            if self.turns is not None:
                self.turns.take()
            self.began = time.perf_counter(), time.process_time()

    def end(self) -> None:
        """An epoch is over; behind the last one the turn is kept until the run has ended."""
        assert self.began is not None
        self.wall.append(time.perf_counter() - self.began[0])
        self.processor.append(time.process_time() - self.began[1])
        self.began = None
        if self.turns is not None and len(self.wall) < self.epochs:
            self.turns.hand_on()

    def by_epoch(self) -> np.ndarray:
        """The losses, `(epochs, steps)`."""
        return np.reshape(self.losses, (self.epochs, -1))


def run_ours(base: Path, rows: Rows, options: TrainOptions, measured: Measured, folder: Path | None = None) -> None:
    utterances = [
        TrainingUtterance(number, str(number), text, len(waveform) / SAMPLING_RATE)
        for number, (waveform, text) in enumerate(rows)
    ]

    def read(number: str | bytes) -> np.ndarray:
        if not measured.wall:  # read ahead, in a thread of its own: later epochs begin in `progress` alone
            measured.begin()
        return rows[int(number)][0]

    def progress(step: TrainingProgress) -> None:
        measured.losses.append(step.loss)
        if step.step % (step.steps // step.epochs) == 0:
            measured.end()
            if step.step < step.steps:
                measured.begin()

    with tempfile.TemporaryDirectory() as draft:
        task = TrainTask(
            model=Model(base.name, str(base), "wav2vec2", base.name),
            options=options,
            utterances=tuple(utterances),
            audio=InMemory(roots=(), waveform=read),
            folder=folder or Path(draft) / "model",
        )
        report = waveform_ctc.train(task, progress, Cancellation())
    assert not report.skipped, report.skipped


def run_trainer(base: Path, rows: Rows, options: TrainOptions, measured: Measured, folder: Path | None = None) -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = Wav2Vec2ForCTC.from_pretrained(base)
    if options.freeze_feature_encoder:
        model.freeze_feature_encoder()
    vocabulary = read_vocabulary(base)
    data = [
        {
            "input_values": (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7),
            "labels": vocabulary.encode(text),
        }
        for waveform, text in rows
    ]
    order = Order(rows, options)
    steps = options.max_epochs * -(-len(rows) // step_size(options))
    optimizer = schedule.adamw(model, options)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: schedule.learning_rate(step, steps, options) / options.learning_rate
    )
    with tempfile.TemporaryDirectory() as output:
        trainer = InOrder(
            order,
            model=model,
            args=TrainingArguments(
                output_dir=output,
                per_device_train_batch_size=options.batch_size,
                gradient_accumulation_steps=options.gradient_accumulation,
                num_train_epochs=options.max_epochs,
                max_grad_norm=loop.CLIP,
                seed=options.seed,
                bf16=options.precision == "bfloat16",
                use_cpu=not torch.cuda.is_available(),
                dataloader_pin_memory=torch.cuda.is_available(),
                remove_unused_columns=False,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=data,
            data_collator=collate,
            optimizers=(optimizer, rate),
            callbacks=[Clock(measured)],
        )
        trainer.remove_callback(PrinterCallback)
        # It takes the model for one that divides by the rows of a step by itself, and would add up the passes' means.
        trainer.model_accepts_loss_kwargs = False
        trainer.train()
    if folder is not None:
        normalizer = Normalizer.read(base, vocabulary)
        checkpoint.save(folder, model.float().cpu(), vocabulary, normalizer, checkpoint.read_features(base))


class Order(torch.utils.data.Sampler[int]):
    """The rows in the order in which our training takes them: each time it is asked, the next epoch's."""

    def __init__(self, rows: Rows, options: TrainOptions) -> None:
        self._seconds = [len(waveform) / SAMPLING_RATE for waveform, _ in rows]
        self._options = options
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._seconds)

    def __iter__(self) -> Iterator[int]:
        self._epoch += 1
        draw = generator("order", self._options.seed, self._epoch)
        return chain.from_iterable(batches.steps(self._seconds, step_size(self._options), draw))


class InOrder(Trainer):
    def __init__(self, order: Order, **arguments: Any) -> None:
        self._order = order
        super().__init__(**arguments)

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return self._order


class Clock(TrainerCallback):
    def __init__(self, found: Measured) -> None:
        self.found = found

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.found.begin()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.found.end()

    def on_log(self, _: Any, __: Any, ___: Any, logs: dict[str, float] | None = None, **____: Any) -> None:
        if logs and "loss" in logs:
            self.found.losses.append(logs["loss"])


def collate(batch: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    sound = [torch.from_numpy(row["input_values"]) for row in batch]
    labels = [torch.tensor(row["labels"]) for row in batch]
    present = [torch.ones(len(waveform), dtype=torch.long) for waveform in sound]
    padded = torch.nn.utils.rnn.pad_sequence
    return {
        "input_values": padded(sound, batch_first=True),
        "attention_mask": padded(present, batch_first=True),
        "labels": padded(labels, batch_first=True, padding_value=-100),
    }
