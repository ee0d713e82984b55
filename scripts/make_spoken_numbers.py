"""Make the tutorial data set spoken_numbers: numbers and amounts as heard over a telephone.

    python scripts/make_spoken_numbers.py

Out: thanosql/models/assets/spoken_numbers with train/*.flac and test/*.flac (8 kHz, telephone band, line noise),
spoken_numbers_train.csv and spoken_numbers_test.csv (audio_path, text, speaker) and README.md. Needs eSpeak NG only.

The test set's voices are `HELD_OUT_VARIANTS` of voices.py and its seeds are its own: neither occurs in the training
set, nor in what Wav2Vec2Tiny was trained on. "and", "dollars", "percent" and "minus" are words that
Wav2Vec2Tiny does not know: BUILD teaches them.
"""

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
import soundfile
import soxr
from augmentation import random_noise
from spoken_texts import DIGITS, number
from synthesize import jobs, trimmed
from voices import ACCENTS, HELD_OUT_VARIANTS, SAMPLE_RATE, VARIANTS, Voice, speak

FOLDER = Path(__file__).parents[1] / "thanosql" / "models" / "assets" / "spoken_numbers"
WORKSPACE = "thanosql-dataset/spoken_numbers"  # where GET THANOSQL DATASET puts it
TELEPHONE_RATE = 8_000  # Hz
TRAIN_SEED, TEST_SEED = 20_001, 30_001
N_TRAIN, N_TEST = 360, 90

TRAIN_VOICES = tuple(f"{ACCENTS[index % len(ACCENTS)]}+{variant}" for index, variant in enumerate(VARIANTS))
TEST_VOICES = ("en-us+m8", "en+f5", "en-us+belinda", "en-gb-x-rp+Andy", "en-us+linda", "en-gb-scotland+quincy")


def british(n: int) -> str:
    """The name of n < 1,000,000 with "and" after the hundreds.

    >>> british(342)
    'three hundred and forty two'
    """
    if n < 100:
        return number(n)
    if n < 1000:
        return number(n - n % 100) + (f" and {number(n % 100)}" if n % 100 else "")
    rest = n % 1000
    return f"{british(n // 1000)} thousand" + (f"{' and' if rest < 100 else ''} {british(rest)}" if rest else "")


def random_text(rng: np.random.Generator) -> str:
    """A telephone number, an amount, a price, a percentage."""
    kind = rng.random()
    if kind < 0.40:
        return " ".join(rng.choice(DIGITS, rng.integers(3, 7)))
    if kind < 0.52:
        return number(int(rng.integers(21, 100)))
    if kind < 0.68:
        return british(int(rng.integers(100, 1000)))
    if kind < 0.78:
        return f"{number(int(rng.integers(2, 100)))} dollars"
    if kind < 0.90:
        return f"{number(int(rng.integers(2, 100)))} percent"
    return f"minus {number(int(rng.integers(10, 100)))}"


def telephone(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """16 kHz speech as heard on a line: int16 at 8 kHz, 300 to 3,400 Hz, noise 20 to 32 dB below, 11 bits deep."""
    pauses = [np.zeros(int(rng.uniform(0.02, 0.15) * SAMPLE_RATE), np.float32) for _ in range(2)]
    samples = np.concatenate([pauses[0], samples, pauses[1]])
    noise = random_noise(len(samples), rng, np.zeros(0, np.float32))
    samples = samples + noise * samples.std() * 10 ** (-rng.uniform(20, 32) / 20)
    samples = soxr.resample(samples, SAMPLE_RATE, TELEPHONE_RATE)
    frequency = np.fft.rfftfreq(len(samples), 1 / TELEPHONE_RATE)
    band = 1 / (1 + (300 / np.maximum(frequency, 1)) ** 8) * (frequency < 3400)
    samples = np.fft.irfft(np.fft.rfft(samples) * band, len(samples))
    samples = samples * (rng.uniform(0.2, 0.5) / np.abs(samples).max())
    # Steps of 32: FLAC stores the low bits that are always zero for free.
    return (np.round(samples * 1024) * 32).clip(-32768, 32736).astype(np.int16)


def random_voice(name: str, rng: np.random.Generator) -> Voice:
    return Voice(
        "espeak",
        name,
        rate=float(rng.uniform(0.95, 1.25)),
        pitch=float(np.exp(rng.normal(0, 0.08))),
        liveliness=float(rng.uniform(0.5, 1.3)),
    )


def make(folder: Path, part: str, voices: tuple[str, ...], count: int, seed: int) -> None:
    """Write `count` utterances of `part` ("train" or "test") and its csv."""
    rng = np.random.default_rng(seed)
    (folder / part).mkdir(parents=True)
    with open(folder / f"spoken_numbers_{part}.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("audio_path", "text", "speaker"))
        for index in range(count):
            text, name = random_text(rng), voices[index % len(voices)]
            speech = trimmed(speak(text, random_voice(name, rng), int(rng.integers(1, 2**31))))
            path = f"{part}/{index + 1:04}.flac"
            soundfile.write(folder / path, telephone(speech, rng), TELEPHONE_RATE, compression_level=1.0)
            table.writerow((f"{WORKSPACE}/{path}", text, name.lower()))


def check_test_is_unheard(model_seed: int) -> None:
    """Assert that the test set's voices and seeds occur in no training data."""
    heard = {name.split("+")[1] for name in TRAIN_VOICES} | set(VARIANTS)
    tested = {name.split("+")[1] for name in TEST_VOICES}
    assert tested <= set(HELD_OUT_VARIANTS), f"test voices that are not held out: {tested - set(HELD_OUT_VARIANTS)}"
    assert not tested & heard, f"voices on both sides: {tested & heard}"
    chunk_seeds = {seed for *_, seed in jobs(("espeak", "flite", "piper"), model_seed, 1.0)}
    assert TEST_SEED not in {TRAIN_SEED, model_seed, *chunk_seeds}, "a seed is on both sides"


README = """\
# spoken_numbers

Spoken English numbers, prices, percentages and telephone numbers as heard over a telephone: {n_train} utterances to
train on and {n_test} to test on, 8 kHz mono FLAC, {minutes:.1f} minutes. The `speaker` of the test set never speaks in
the training set, nor in what `Wav2Vec2Tiny` was trained on.

- `spoken_numbers_train.csv`, `spoken_numbers_test.csv`: `audio_path` (relative to the workspace), `text`, `speaker`.
- Made by `python scripts/make_spoken_numbers.py` with eSpeak NG {version}; seeds {train_seed} (train) and {test_seed}
  (test). It is synthesized speech: no recording of a person is in it.
- Licence: CC0 1.0 (public domain).
"""


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=FOLDER)
    arguments.add_argument(
        "--model-seed", type=int, default=1, help="the seed that Wav2Vec2Tiny's corpus was made with"
    )
    options = arguments.parse_args()
    check_test_is_unheard(options.model_seed)
    shutil.rmtree(options.out, ignore_errors=True)
    make(options.out, "train", TRAIN_VOICES, N_TRAIN, TRAIN_SEED)
    make(options.out, "test", TEST_VOICES, N_TEST, TEST_SEED)
    files = sorted(options.out.rglob("*.flac"))
    minutes = sum(soundfile.info(file).duration for file in files) / 60
    text = README.format(
        n_train=N_TRAIN, n_test=N_TEST, minutes=minutes, version="1.52", train_seed=TRAIN_SEED, test_seed=TEST_SEED
    )
    (options.out / "README.md").write_text(text)
    size = sum(file.stat().st_size for file in options.out.rglob("*") if file.is_file())
    print(f"{len(files)} utterances, {minutes:.1f} minutes, {size / 1e6:.2f} MB")
