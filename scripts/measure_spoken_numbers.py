"""Measure Wav2Vec2Tiny on spoken_numbers: as it is, and fine-tuned on the training set.

python scripts/measure_spoken_numbers.py --epochs 8 --rate 1e-3
"""

import argparse
import csv
import time
from pathlib import Path

import soundfile
import soxr
import torch
from fine_tune import fine_tune
from make_spoken_numbers import FOLDER
from measure_fsdd import Recording, load, word_error_rate
from train_tiny import ASSETS, SAMPLE_RATE


def read_part(folder: Path, part: str) -> list[Recording]:
    """The recordings of "train" or "test", resampled to 16 kHz."""
    recordings = []
    with open(folder / f"spoken_numbers_{part}.csv", newline="") as file:
        for row in csv.DictReader(file):
            samples, rate = soundfile.read(folder / part / Path(row["audio_path"]).name, dtype="float32")
            samples = soxr.resample(samples, rate, SAMPLE_RATE)
            recordings.append(Recording(samples, row["text"], row["speaker"], part == "test"))
    return recordings


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, default=FOLDER)
    arguments.add_argument("--model", type=Path, default=ASSETS / "Wav2Vec2Tiny")
    arguments.add_argument("--epochs", type=int, default=0, help="0 measures the model as it is")
    arguments.add_argument("--rate", type=float, default=1e-3)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--strength", type=float, default=0.5, help="of the augmentation")
    arguments.add_argument("--freeze", action="store_true", help="freeze the feature encoder")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    train, test = read_part(options.data, "train"), read_part(options.data, "test")
    model = load(options.model)
    print(f"as it is: WER {word_error_rate(model, test):.2%}", flush=True)
    if options.epochs:
        started = time.monotonic()
        loss = fine_tune(
            model,
            [recording.samples for recording in train],
            [recording.text for recording in train],
            epochs=options.epochs,
            rate=options.rate,
            batch_size=options.batch,
            strength=options.strength,
            freeze_feature_encoder=options.freeze,
        )
        seconds = time.monotonic() - started
        print(f"fine-tuned: WER {word_error_rate(model, test):.2%}, loss {loss:.3f}, {seconds:.0f} s", flush=True)
    for speaker in sorted({recording.speaker for recording in test}):
        theirs = [recording for recording in test if recording.speaker == speaker]
        print(f"  {speaker}: {word_error_rate(model, theirs):.1%}")
