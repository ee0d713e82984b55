"""BUILD's training against transformers' Trainer: the same rows, objective and steps, start-up left out on both sides.

    python benchmarks/build.py [--model small|base] [--utterances 48] [--epochs 3] [--precision float32|bfloat16]

needs `pip install accelerate` for the Trainer. Both train a random Wav2Vec2ForCTC of the base architecture (`small` has
fewer layers) with its feature encoder frozen, AdamW in its fused form, batches of utterances of like length, the same
seeds for the weights; no augmentation and no dropout on either side, so that the losses can be compared. The Trainer is
measured in float32, its default, and in the precision asked for; ours in the latter. Epochs are timed one by one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    Trainer,
    TrainerCallback,
    TrainingArguments,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

from thanosql.models.base import TrainingUtterance, TrainOptions
from thanosql.models.ctc import Vocabulary
from thanosql.models.text import Normalizer
from thanosql.models.wav2vec2 import checkpoint
from thanosql.models.wav2vec2.trainer import train

TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'")
SIZES: dict[str, dict[str, Any]] = {
    "small": {"hidden_size": 384, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 1536},
    "base": {},
}
DROPOUTS = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout")
GOALS = {"same": (1.3, 1.6), "default": (1.8, 2.5)}
BATCH, RATE = 4, 1e-4


@dataclass
class Measured:
    """Seconds and mean loss of each epoch."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", choices=SIZES, default="small")
    arguments.add_argument("--utterances", type=int, default=48)
    arguments.add_argument("--epochs", type=int, default=3)
    arguments.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    options = arguments.parse_args()
    rows = make_rows(options.utterances)
    audio = sum(len(waveform) for waveform, _ in rows) / 16_000
    print(f"{len(rows)} utterances, {audio:.0f} s of audio, {options.epochs} epochs, model {options.model}")
    with tempfile.TemporaryDirectory() as folder:
        base = make_base(Path(folder) / "base", SIZES[options.model])
        ours = run_ours(base, rows, options.epochs, options.precision)
        same = run_trainer(base, rows, options.epochs, options.precision)
        default = same if options.precision == "float32" else run_trainer(base, rows, options.epochs, "float32")
    for name, found in ((f"ours, {options.precision}", ours), (f"Trainer, {options.precision}", same)):
        speeds = ", ".join(f"{audio / seconds:.1f}" for seconds in found.seconds)
        print(f"{name:20} audio s/s by epoch: {speeds}; last loss {found.losses[-1]:.3f}")
    peers = {options.precision: (same, GOALS["same"])} | (
        {"float32": (default, GOALS["default"])} if options.precision == "bfloat16" else {}
    )
    for precision, (peer, goals) in peers.items():
        first = peer.seconds[0] / ours.seconds[0]
        later = float(np.median(peer.seconds[1:])) / float(np.median(ours.seconds[1:]))
        print(
            f"against the Trainer in {precision}: "
            f"first epoch x {first:.2f} (goal {goals[0]}), later x {later:.2f} (goal {goals[1]})"
        )


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
    quiet = dict.fromkeys((*DROPOUTS, "layerdrop", "mask_time_prob", "mask_feature_prob"), 0.0)
    config = Wav2Vec2Config(
        vocab_size=len(TOKENS), pad_token_id=0, ctc_loss_reduction="mean", ctc_zero_infinity=True, **quiet, **size
    )
    vocabulary = Vocabulary(TOKENS)
    normalizer = Normalizer.for_vocabulary(vocabulary)
    checkpoint.save(folder, Wav2Vec2ForCTC(config), vocabulary, normalizer, checkpoint.Features())
    return folder


def run_ours(base: Path, rows: list[tuple[np.ndarray, str]], epochs: int, precision: str) -> Measured:
    utterances = [
        TrainingUtterance(number, str(number), text, len(waveform) / 16_000)
        for number, (waveform, text) in enumerate(rows)
    ]
    options = TrainOptions(
        batch_size=BATCH, max_epochs=epochs, learning_rate=RATE, precision=precision, augment=False, max_seconds=1e4
    )
    with tempfile.TemporaryDirectory() as folder:
        report = train(
            str(base),
            None,
            utterances,
            options,
            Path(folder) / "model",
            lambda step: None,
            read=lambda number: rows[int(number)][0],
        )
    return Measured([epoch.seconds for epoch in report.history], [epoch.loss for epoch in report.history])


class Clock(TrainerCallback):
    def __init__(self, found: Measured) -> None:
        self.found = found
        self.started = 0.0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.found.seconds.append(time.perf_counter() - self.started)

    def on_log(self, _: Any, __: Any, ___: Any, logs: dict[str, float] | None = None, **____: Any) -> None:
        if logs and "loss" in logs:
            self.found.losses.append(logs["loss"])


def run_trainer(base: Path, rows: list[tuple[np.ndarray, str]], epochs: int, precision: str) -> Measured:
    """The Trainer as the speech examples of transformers set it up, sampling by length."""
    model = Wav2Vec2ForCTC.from_pretrained(base)
    model.freeze_feature_encoder()
    vocabulary = checkpoint.read_vocabulary(base)
    data = [
        {
            "input_values": (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7),
            "labels": vocabulary.encode(text),
        }
        for waveform, text in rows
    ]

    def collate(batch: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        sound = [torch.from_numpy(row["input_values"]) for row in batch]
        labels = [torch.tensor(row["labels"]) for row in batch]
        return {
            "input_values": torch.nn.utils.rnn.pad_sequence(sound, batch_first=True),
            "attention_mask": torch.nn.utils.rnn.pad_sequence(
                [torch.ones(len(waveform), dtype=torch.long) for waveform in sound], batch_first=True
            ),
            "labels": torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100),
        }

    found = Measured()
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=BATCH,
                num_train_epochs=epochs,
                learning_rate=RATE,
                warmup_steps=0.1,
                lr_scheduler_type="cosine",
                weight_decay=0.01,
                bf16=precision == "bfloat16",
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
            callbacks=[Clock(found)],
        ).train()
    return found


if __name__ == "__main__":
    main()
