"""Measure Wav2Vec2Tiny on the Free Spoken Digit Dataset: as it is, fine-tuned, and on a speaker left out.

    python scripts/measure_fsdd.py ../shared/data/fsdd --epochs 10 --rate 7e-4 --left-out

The recordings are named DIGIT_SPEAKER_INDEX.wav; index 0 to 4 is the official test set, the others are for training.
They serve for measuring only: the shipped weights are not trained on them and were not chosen by them
(the dropout and the masks for fine-tuning were).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import soundfile
import soxr
import torch
from fine_tune import fine_tune
from spoken_texts import DIGITS
from tiny_model import use_channels_last
from train_tiny import ASSETS, SAMPLE_RATE, transcribe
from transformers import Wav2Vec2ForCTC


@dataclass(frozen=True)
class Recording:
    samples: np.ndarray  # float32, 16 kHz
    text: str
    speaker: str
    is_test: bool


def read_recordings(folder: Path) -> list[Recording]:
    """All recordings of the data set, resampled to 16 kHz."""
    recordings = []
    for path in sorted(folder.glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        samples, rate = soundfile.read(path, dtype="float32")
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
        recordings.append(Recording(samples, DIGITS[int(digit)], speaker, int(index) < 5))
    return recordings


def load(folder: Path) -> Wav2Vec2ForCTC:
    return use_channels_last(Wav2Vec2ForCTC.from_pretrained(folder))


def word_error_rate(model: Wav2Vec2ForCTC, recordings: list[Recording]) -> float:
    heard = transcribe(model, [recording.samples for recording in recordings])
    return jiwer.wer([recording.text for recording in recordings], heard)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--model", type=Path, default=ASSETS / "Wav2Vec2Tiny")
    arguments.add_argument("--epochs", type=int, default=0, help="0 measures the model as it is")
    arguments.add_argument("--rate", type=float, default=7e-4)
    arguments.add_argument("--batch", type=int, default=16)
    arguments.add_argument("--strength", type=float, default=0.5, help="of the augmentation")
    arguments.add_argument("--freeze", action="store_true", help="freeze the feature encoder")
    arguments.add_argument("--left-out", action="store_true", help="also train without each speaker in turn")
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    recordings = read_recordings(options.data)
    tests = [recording for recording in recordings if recording.is_test]
    as_it_is = load(options.model)
    print(f"as it is, test split: WER {word_error_rate(as_it_is, tests):.2%}", flush=True)
    for speaker in sorted({recording.speaker for recording in recordings}):
        theirs = [recording for recording in tests if recording.speaker == speaker]
        print(f"  {speaker}: {word_error_rate(as_it_is, theirs):.1%}", flush=True)

    def tuned(train: list[Recording], test: list[Recording], name: str) -> float:
        model, started = load(options.model), time.monotonic()
        fine_tune(
            model,
            [recording.samples for recording in train],
            [recording.text for recording in train],
            epochs=options.epochs,
            rate=options.rate,
            batch_size=options.batch,
            strength=options.strength,
            freeze_feature_encoder=options.freeze,
            seed=options.seed,
        )
        rate = word_error_rate(model, test)
        print(f"{name}: WER {rate:.2%} after {options.epochs} epochs, {time.monotonic() - started:.0f} s", flush=True)
        return rate

    if options.epochs:
        tuned([recording for recording in recordings if not recording.is_test], tests, "fine-tuned, test split")
    if options.epochs and options.left_out:
        rates = []
        for speaker in sorted({recording.speaker for recording in recordings}):
            train = [recording for recording in recordings if recording.speaker != speaker and not recording.is_test]
            test = [recording for recording in recordings if recording.speaker == speaker]
            rates.append(tuned(train, test, f"without {speaker}, on {speaker}"))
        print(f"mean over the speakers left out: WER {np.mean(rates):.2%}", flush=True)
