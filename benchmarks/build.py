"""BUILD's training against transformers' Trainer: the same rows, objective and steps, start-up left out on both sides.

    python benchmarks/build.py [--model base|small] [--utterances 12] [--epochs 4]   # how fast, about 8 minutes
    python benchmarks/build.py --wer [--seeds 3] [--epochs 4]                        # how good in the end, about as long
    python benchmarks/build.py --profile [--precision bfloat16]                      # what an epoch of ours is spent on

The Trainer needs accelerate: pip install "thanosql[bench]". How fast: a random Wav2Vec2ForCTC of the facebook/wav2vec2-base
architecture (`small` has fewer layers), its feature encoder frozen, AdamW, utterances of like length together, no
augmentation and no dropout on either side, so that losses can be compared. Four runs, the Trainer's and ours in float32 and
in bfloat16, take turns epoch by epoch, so that what else the machine does falls on all alike; each has the processor to
itself in its turn. Ratios are of the first epoch, and of the medians of the later ones, in wall time and in processor time.
How good: Wav2Vec2Tiny on spoken_numbers with both, WER on its test rows, whose voices are in neither's training.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import multiprocessing
import queue
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

from thanosql.models import audio, metrics
from thanosql.models.base import TrainingProgress, TrainingUtterance, TrainOptions, TranscribeOptions
from thanosql.models.ctc import Vocabulary
from thanosql.models.registry import ASSETS, BASES
from thanosql.models.text import Normalizer
from thanosql.models.wav2vec2 import checkpoint, recognizer
from thanosql.models.wav2vec2.trainer import train

TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'")
SIZES: dict[str, dict[str, Any]] = {
    "small": {"hidden_size": 384, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 1536},
    "base": {},
}
DROPOUTS = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout")
QUIET = dict.fromkeys((*DROPOUTS, "layerdrop", "mask_time_prob", "mask_feature_prob"), 0.0)
GOALS = (  # ours, the Trainer's, first epoch, later epochs
    ("float32", "float32", 1.3, 1.6),
    ("bfloat16", "bfloat16", 1.3, 1.6),
    ("bfloat16", "float32", 1.8, 2.5),
)
Rows = Sequence[tuple[np.ndarray, str]]


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
    """Wall and processor seconds of each epoch, and its mean loss; without `turns` nobody else works."""

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


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", choices=SIZES, default="base")
    arguments.add_argument("--utterances", type=int, default=12)
    arguments.add_argument("--epochs", type=int, default=4)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments.add_argument("--wer", action="store_true")
    arguments.add_argument("--profile", action="store_true")
    options = arguments.parse_args()
    if importlib.util.find_spec("accelerate") is None and not options.profile:
        raise SystemExit('The Trainer needs accelerate: pip install "thanosql[bench]"')
    with tempfile.TemporaryDirectory() as folder:
        if options.wer:
            compare_errors(Path(folder), options.epochs, options.seeds)
            return
        base = make_base(Path(folder) / "base", SIZES[options.model])
        rows = make_rows(options.utterances)
        if options.profile:
            show_profile(base, rows, options.precision)
        else:
            compare_speed(base, rows, options.epochs, options.model)


def compare_speed(base: Path, rows: Rows, epochs: int, model: str) -> None:
    seconds = sum(len(waveform) for waveform, _ in rows) / 16_000
    print(f"{len(rows)} utterances, {seconds:.0f} s of audio, {epochs} epochs, model {model}", flush=True)
    sides = [(side, precision) for precision in ("float32", "bfloat16") for side in ("Trainer", "ours")]
    found = in_turns(sides, base, len(rows), epochs)
    for side, measured in found.items():
        speeds = ", ".join(f"{seconds / wall:.1f}" for wall in measured.wall)
        losses = ", ".join(f"{loss:.3f}" for loss in measured.losses)
        print(f"{', '.join(side):18} audio seconds a second by epoch: {speeds}; losses {losses}")
    for ours, theirs, *goals in GOALS:
        mine, peer = found["ours", ours], found["Trainer", theirs]
        ratios = [
            (peer.wall[0] / mine.wall[0], peer.processor[0] / mine.processor[0]),
            (later(peer.wall) / later(mine.wall), later(peer.processor) / later(mine.processor)),
        ]
        said = ", ".join(
            f"{name} × {wall:.2f} (processor time × {processor:.2f}; goal {goal})"
            for name, (wall, processor), goal in zip(("first epoch", "later"), ratios, goals)
        )
        print(f"ours in {ours} against the Trainer in {theirs}: {said}")


def in_turns(
    sides: Sequence[tuple[str, str]], base: Path, utterances: int, epochs: int
) -> dict[tuple[str, str], Measured]:
    """Each side in a process of its own, since accelerate knows one precision a process; one works at a time."""
    context = multiprocessing.get_context("spawn")
    places = [context.Semaphore(0) for _ in sides]
    answers = context.Queue()
    children = [
        context.Process(
            target=one_side,
            args=(side, base, utterances, epochs, places[place], places[(place + 1) % len(places)], answers),
            daemon=True,
        )
        for place, side in enumerate(sides)
    ]
    for child in children:
        child.start()
    for _ in children:  # all have loaded what they need
        wait_for(answers, children)
    places[0].release()
    found = dict(wait_for(answers, children) for _ in children)
    return {side: found[side] for side in sides}


def wait_for(answers: Any, children: Sequence[Any]) -> Any:
    while True:
        try:
            return answers.get(timeout=1)
        except queue.Empty:
            if any(child.exitcode for child in children):
                raise SystemExit("One of the runs failed.") from None


def one_side(
    side: tuple[str, str], base: Path, utterances: int, epochs: int, mine: Semaphore, following: Semaphore, answers: Any
) -> None:
    rows = make_rows(utterances)
    measured = Measured(epochs, Turns(mine, following))
    answers.put((side, None))
    (run_trainer if side[0] == "Trainer" else run_ours)(base, rows, Training(side[1]), measured)
    following.release()
    measured.turns = None
    answers.put((side, measured))


def later(seconds: Sequence[float]) -> float:
    return statistics.median(seconds[1:])


@dataclass(frozen=True)
class Training:
    """What both sides are told."""

    precision: str
    batch: int = 4
    rate: float = 1e-4
    seed: int = 0
    frozen: bool = True


def make_rows(count: int) -> list[tuple[np.ndarray, str]]:
    """Utterances of 1.5 to 20 s, 7.8 s on average, with about 14 letters a second."""
    draw = np.random.default_rng(0)
    rows = []
    for seconds in np.clip(draw.gamma(2.6, 3.0, count), 1.5, 20.0):
        letters = "".join(draw.choice(list("ETAOIN SHRDLU "), max(2, int(14 * seconds))))
        waveform = draw.standard_normal(int(seconds * 16_000), dtype=np.float32) / 10
        rows.append((waveform, " ".join(letters.split())))
    return rows


def make_base(folder: Path, size: dict[str, Any]) -> Path:
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(TOKENS), pad_token_id=0, ctc_loss_reduction="mean", ctc_zero_infinity=True, **QUIET, **size
    )
    vocabulary = Vocabulary(TOKENS)
    normalizer = Normalizer.for_vocabulary(vocabulary)
    checkpoint.save(folder, Wav2Vec2ForCTC(config), vocabulary, normalizer, checkpoint.Features())
    return folder


def run_ours(base: Path, rows: Rows, how: Training, measured: Measured, folder: Path | None = None) -> None:
    utterances = [
        TrainingUtterance(number, str(number), text, len(waveform) / 16_000)
        for number, (waveform, text) in enumerate(rows)
    ]
    options = TrainOptions(
        batch_size=how.batch,
        max_epochs=measured.epochs,
        learning_rate=how.rate,
        precision=how.precision,
        freeze_feature_encoder=how.frozen,
        seed=how.seed,
        augment=False,
        max_seconds=1e4,
    )

    def read(number: str | bytes) -> np.ndarray:
        if not measured.wall:  # read ahead, in a thread of its own: later epochs begin in `progress` alone
            measured.begin()
        return rows[int(number)][0]

    def progress(step: TrainingProgress) -> None:
        if step.step % (step.steps // step.epochs) == 0:
            measured.end()
            if step.step < step.steps:
                measured.begin()

    with tempfile.TemporaryDirectory() as draft:
        report = train(str(base), None, utterances, options, folder or Path(draft) / "model", progress, read=read)
        measured.losses += [epoch.loss for epoch in report.history]


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


def run_trainer(base: Path, rows: Rows, how: Training, measured: Measured, folder: Path | None = None) -> None:
    """The Trainer as the speech examples of transformers set it up, sampling by length."""
    model = Wav2Vec2ForCTC.from_pretrained(base)
    if how.frozen:
        model.freeze_feature_encoder()
    vocabulary = checkpoint.read_vocabulary(base)
    data = [
        {
            "input_values": (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7),
            "labels": vocabulary.encode(text),
        }
        for waveform, text in rows
    ]
    with tempfile.TemporaryDirectory() as output:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=output,
                per_device_train_batch_size=how.batch,
                num_train_epochs=measured.epochs,
                learning_rate=how.rate,
                warmup_steps=0.1,
                lr_scheduler_type="cosine",
                weight_decay=0.01,
                seed=how.seed,
                bf16=how.precision == "bfloat16",
                use_cpu=not torch.cuda.is_available(),
                dataloader_pin_memory=torch.cuda.is_available(),
                train_sampling_strategy="group_by_length",
                remove_unused_columns=False,
                logging_strategy="epoch",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=data,  # type: ignore[arg-type]
            data_collator=collate,
            processing_class=Wav2Vec2FeatureExtractor.from_pretrained(base),
            callbacks=[Clock(measured)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    if folder is not None:
        normalizer = Normalizer.read(base, vocabulary)
        checkpoint.save(folder, model.float().cpu(), vocabulary, normalizer, checkpoint.read_features(base))


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


def compare_errors(folder: Path, epochs: int, seeds: int) -> None:
    """The WER of Wav2Vec2Tiny after as many epochs of each, in float32; without masks, which the Trainer cannot fit."""
    base = folder / "base"
    shutil.copytree(BASES["Wav2Vec2Tiny"].checkpoint, base)
    config = json.loads((base / "config.json").read_text()) | QUIET
    (base / "config.json").write_text(json.dumps(config))
    learned, asked = spoken_numbers("train"), spoken_numbers("test")
    print(
        f"{len(learned)} utterances to learn, {len(asked)} to hear, {epochs} epochs, seeds 0 to {seeds - 1}", flush=True
    )
    errors: dict[str, list[float]] = {"Trainer": [], "ours": []}
    runs: list[tuple[str, Callable[..., None]]] = [("Trainer", run_trainer), ("ours", run_ours)]
    for seed in range(seeds):
        for name, run in runs:
            how = Training(
                "float32", batch=16, rate=BASES["Wav2Vec2Tiny"].train_defaults["learning_rate"], seed=seed, frozen=False
            )
            measured = Measured(epochs)
            run(base, learned, how, measured, folder / f"{name}-{seed}")
            errors[name].append(wer(folder / f"{name}-{seed}", asked))
            print(f"seed {seed}, {name}: WER {errors[name][-1]:.2%}, last loss {measured.losses[-1]:.3f}", flush=True)
    for name, found in errors.items():
        print(f"{name}: WER {statistics.mean(found):.2%} on average, {min(found):.2%} to {max(found):.2%}")


def spoken_numbers(part: str) -> list[tuple[np.ndarray, str]]:
    folder = ASSETS / "spoken_numbers"
    normalizer = Normalizer.for_vocabulary(checkpoint.read_vocabulary(Path(BASES["Wav2Vec2Tiny"].checkpoint)))
    with open(folder / f"spoken_numbers_{part}.csv", encoding="utf-8") as file:
        return [
            (audio.read(str(folder / part / Path(row["audio_path"]).name)), normalizer.normalize(row["text"]))
            for row in csv.DictReader(file)
        ]


def wer(folder: Path, rows: Rows) -> float:
    heard = recognizer.load(str(folder), None, TranscribeOptions()).transcribe(  # type: ignore[arg-type]
        [waveform for waveform, _ in rows], TranscribeOptions()
    )
    return float(metrics.score([text for _, text in rows], [one.text for one in heard]).wer)


def show_profile(base: Path, rows: Rows, precision: str) -> None:
    """Where the processor's time of two epochs of ours goes, the first of which computes the frames that are kept."""
    measured = Measured(2)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run_ours(base, rows, Training(precision), measured)
    print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=20, max_name_column_width=60))
    print(f"processor seconds of the two epochs: {measured.processor[0]:.1f}, {measured.processor[1]:.1f}")


if __name__ == "__main__":
    main()
