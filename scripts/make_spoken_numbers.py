"""Make the tutorial data sets: numbers and amounts as heard over a telephone, in English or in Korean.

    python scripts/make_spoken_numbers.py --language en
    python scripts/make_spoken_numbers.py --language ko

Out: thanosql/models/assets/spoken_numbers (spoken_numbers_ko) with train/*.flac and test/*.flac (8 kHz, telephone
band, line noise), NAME_train.csv and NAME_test.csv (audio_path, text, speaker) and README.md. Needs eSpeak NG only.

The test set's voices are `HELD_OUT_VARIANTS` of voices.py and its seeds are its own: neither occurs in the training
set, nor in what the bundled model of the language was trained on. "and", "dollars", "percent" and "minus" are words
that Wav2Vec2Tiny does not know: BUILD teaches them.
"""

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
import soundfile
import soxr
from augmentation import random_noise
from languages import LANGUAGES, Language
from synthesize import jobs, trimmed
from voices import HELD_OUT_VARIANTS, SAMPLE_RATE, VARIANTS, Voice, speak

ASSETS = Path(__file__).parents[1] / "thanosql" / "models" / "assets"
FOLDER = ASSETS / "spoken_numbers"
WORKSPACE = "thanosql-dataset"  # where GET THANOSQL DATASET puts it
TELEPHONE_RATE = 8_000  # Hz
TRAIN_SEED, TEST_SEED = 20_001, 30_001


def train_voices(language: Language) -> tuple[str, ...]:
    accents = language.accents
    return tuple(f"{accents[index % len(accents)]}+{variant}" for index, variant in enumerate(VARIANTS))


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


def make(folder: Path, language: Language, part: str, voices: tuple[str, ...], count: int, seed: int) -> None:
    """Write `count` utterances of `part` ("train" or "test") and its csv."""
    rng = np.random.default_rng(seed)
    (folder / part).mkdir(parents=True)
    with open(folder / f"{language.dataset}_{part}.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("audio_path", "text", "speaker"))
        for index in range(count):
            text, name = language.over_the_telephone(rng), voices[index % len(voices)]
            speech = trimmed(speak(language.said(text), random_voice(name, rng), int(rng.integers(1, 2**31))))
            path = f"{part}/{index + 1:04}.flac"
            soundfile.write(folder / path, telephone(speech, rng), TELEPHONE_RATE, compression_level=1.0)
            table.writerow((f"{WORKSPACE}/{language.dataset}/{path}", text, name.lower()))


def check_test_is_unheard(language: Language, model_seed: int) -> None:
    """Assert that the test set's voices and seeds occur in no training data."""
    heard = {name.split("+")[1] for name in train_voices(language)} | set(VARIANTS)
    tested = {name.split("+")[1] for name in language.test_voices}
    assert tested <= set(HELD_OUT_VARIANTS), f"test voices that are not held out: {tested - set(HELD_OUT_VARIANTS)}"
    assert not tested & heard, f"voices on both sides: {tested & heard}"
    chunk_seeds = {seed for *_, seed in jobs(language, ("espeak", "flite", "piper"), model_seed, 1.0)}
    assert TEST_SEED not in {TRAIN_SEED, model_seed, *chunk_seeds}, "a seed is on both sides"


README = """\
# {dataset}

Spoken {contents} as heard over a telephone: {n_train} utterances to
train on and {n_test} to test on, 8 kHz mono FLAC, {minutes:.1f} minutes. The `speaker` of the test set never speaks in
the training set, nor in what `{model}` was trained on.

- `{dataset}_train.csv`, `{dataset}_test.csv`: `audio_path` (relative to the workspace), `text`, `speaker`.
- Made by `{command}` with eSpeak NG {version}; seeds {train_seed} (train) and {test_seed}
  (test). It is synthesized speech: no recording of a person is in it.
- Licence: CC0 1.0 (public domain).
"""


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--language", choices=LANGUAGES, default="en")
    arguments.add_argument("--out", type=Path, help="instead of the package's folder")
    arguments.add_argument("--model-seed", type=int, default=1, help="the seed that the model's corpus was made with")
    options = arguments.parse_args()
    language = LANGUAGES[options.language]
    out = options.out or ASSETS / language.dataset
    check_test_is_unheard(language, options.model_seed)
    shutil.rmtree(out, ignore_errors=True)
    n_train, n_test = language.dataset_sizes
    make(out, language, "train", train_voices(language), n_train, TRAIN_SEED)
    make(out, language, "test", language.test_voices, n_test, TEST_SEED)
    files = sorted(out.rglob("*.flac"))
    minutes = sum(soundfile.info(file).duration for file in files) / 60
    text = README.format(
        dataset=language.dataset,
        contents=language.dataset_contents,
        model=language.model,
        command="python scripts/make_spoken_numbers.py"
        + ("" if language.code == "en" else f" --language {language.code}"),
        n_train=n_train,
        n_test=n_test,
        minutes=minutes,
        version="1.52",
        train_seed=TRAIN_SEED,
        test_seed=TEST_SEED,
    )
    (out / "README.md").write_text(text, encoding="utf-8")
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{len(files)} utterances, {minutes:.1f} minutes, {size / 1e6:.2f} MB")
