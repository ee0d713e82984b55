"""Measure a bundled model on its tutorial data set: as it is, and fine-tuned on the training set.

python scripts/measure_spoken_numbers.py --epochs 8 --rate 1e-3
python scripts/measure_spoken_numbers.py --language ko
"""

import argparse
import csv
import time
from pathlib import Path

import jiwer
import soundfile
import soxr
import torch
from fine_tune import fine_tune
from languages import LANGUAGES, Language
from measure_fsdd import Recording, load
from train_tiny import ASSETS, SAMPLE_RATE, transcribe
from transformers import Wav2Vec2ForCTC


def read_part(language: Language, part: str) -> list[Recording]:
    """The recordings of "train" or "test", resampled to 16 kHz."""
    folder, recordings = ASSETS / language.dataset, []
    with open(folder / f"{language.dataset}_{part}.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            samples, rate = soundfile.read(folder / part / Path(row["audio_path"]).name, dtype="float32")
            samples = soxr.resample(samples, rate, SAMPLE_RATE)
            recordings.append(Recording(samples, row["text"], row["speaker"], part == "test"))
    return recordings


def rates(model: Wav2Vec2ForCTC, language: Language, recordings: list[Recording]) -> str:
    """Word and character error rate."""
    heard = transcribe(model, [recording.samples for recording in recordings], language=language)
    said = [recording.text for recording in recordings]
    return f"WER {jiwer.wer(said, heard):.2%}, CER {jiwer.cer(said, heard):.2%}"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--language", choices=LANGUAGES, default="en")
    arguments.add_argument("--model", type=Path, help="instead of the language's bundled model")
    arguments.add_argument("--epochs", type=int, default=0, help="0 measures the model as it is")
    arguments.add_argument("--rate", type=float, default=1e-3)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--strength", type=float, default=0.5, help="of the augmentation")
    arguments.add_argument("--freeze", action="store_true", help="freeze the feature encoder")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    language = LANGUAGES[options.language]
    train, test = read_part(language, "train"), read_part(language, "test")
    model = load(options.model or ASSETS / language.model)
    print(f"as it is: {rates(model, language, test)}", flush=True)
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
            language=language,
        )
        seconds = time.monotonic() - started
        print(f"fine-tuned: {rates(model, language, test)}, loss {loss:.3f}, {seconds:.0f} s", flush=True)
    for speaker in sorted({recording.speaker for recording in test}):
        theirs = [recording for recording in test if recording.speaker == speaker]
        print(f"  {speaker}: {rates(model, language, theirs)}")
