"""How true a trained model's confidence is on noisy words of voices it never heard: by statements, as a user does it.

    python benchmarks/calibration.py [--words 2000] [--seed 40001] [--again]

BUILD trains on `spoken_numbers` with `valid_split=0.1`, which calibrates the confidence. Then other utterances are
synthesized: eSpeak NG's voices that no training data holds, texts, rates and pitches of seeds of their own, over a
telephone as the data set is. They come as three sets: as they are; under noise of 0 to 20 dB; and in a room of up to
0.5 s, under the same noise. PREDICT transcribes each set with the confidence of every word. A word is right where the
alignment with what was said (jiwer) makes it a hit. "not calibrated" is the same model's own confidence. `confidence.py`
says what the figures are; the intervals are 95%, by bootstrap over utterances.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np
import pandas as pd
import soundfile
from confidence import auroc, calibration_error, interval

import thanosql
from thanosql.models.ctc.calibration import Calibration

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from augmentation import random_noise, random_room
from languages import ENGLISH
from make_spoken_numbers import TELEPHONE_RATE, TEST_SEED, TRAIN_SEED, random_voice, telephone
from synthesize import jobs, trimmed
from voices import speak

NOISE_DB = (0.0, 20.0)  # signal over noise, drawn evenly
SETS = ("noise", "room and noise", "as recorded")
ROWS = (
    "COPY calibration_rows OPTIONS (if_exists='replace') "
    "FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_train.csv'"
)
TRAINING = (
    "BUILD MODEL calibration USING Wav2Vec2Tiny OPTIONS (valid_split=0.1, overwrite=True) "
    "AS SELECT * FROM calibration_rows"
)
TRANSCRIBING = (
    "PREDICT USING calibration OPTIONS (audio_col='audio', confidence=True, timestamps='word') AS SELECT * FROM :spoken"
)


def spoken(words: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Texts of at least `words` words in all, each with its float32 samples at 16 kHz."""
    trained = {chunk_seed for *_, chunk_seed in jobs(ENGLISH, ("espeak", "flite", "piper", "kokoro"), 1, 1.0)}
    assert seed not in {TRAIN_SEED, TEST_SEED, *trained}, "this seed is one of the training's"
    random = np.random.default_rng(seed)
    said = 0
    while said < words:
        text = ENGLISH.over_the_telephone(random)
        said += len(text.split())
        voice = random_voice(str(random.choice(ENGLISH.test_voices)), random)
        yield text, trimmed(speak(text, voice, int(random.integers(1, 2**31))))


def spoilt(samples: np.ndarray, what: str, random: np.random.Generator) -> np.ndarray:
    if what == "room and noise":
        n_fft = 1 << (len(samples) + 8_000 - 1).bit_length()
        heard = np.fft.irfft(np.fft.rfft(samples, n_fft) * random_room(n_fft, random), n_fft)
        samples = heard[: len(samples) + 8_000].astype(np.float32)
    if what != "as recorded":
        noise = random_noise(len(samples), random, np.zeros(0, np.float32))
        samples = samples + noise * samples.std() * 10 ** (-random.uniform(*NOISE_DB) / 20)
    return telephone(samples, random)


def written(folder: Path, utterances: list[tuple[str, np.ndarray]], what: str, seed: int) -> pd.DataFrame:
    """A table with the columns audio (a path) and said."""
    random = np.random.default_rng([seed, SETS.index(what)])
    rows = []
    for number, (text, samples) in enumerate(utterances):
        path = folder / f"{what} {number:05}.flac"
        soundfile.write(path, spoilt(samples, what, random), TELEPHONE_RATE)
        rows.append((number, str(path), text))
    return pd.DataFrame(rows, columns=["number", "audio", "said"])


def judged(transcribed: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each word that was heard: its confidence, whether it is right, and its utterance."""
    sure, right, places = [], [], []
    for row in transcribed.itertuples():
        words = row.predict_result_words
        if not words:
            continue
        hits: set[int] = set()
        for chunk in jiwer.process_words(row.said, " ".join(word["word"] for word in words)).alignments[0]:
            if chunk.type == "equal":
                hits.update(range(chunk.hyp_start_idx, chunk.hyp_end_idx))
        sure += [word["confidence"] for word in words]
        right += [place in hits for place in range(len(words))]
        places += [row.number] * len(words)
    return np.array(sure), np.array(right), np.array(places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=40_001)
    parser.add_argument("--again", action="store_true", help="with the model of the last run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, thanosql.connect() as session:
        session.execute("GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)")
        session.execute(ROWS)
        if not given.again:
            print(session.execute(TRAINING), flush=True)
        utterances = list(spoken(given.words, given.seed))
        seconds = sum(len(samples) for _, samples in utterances) / 16_000
        print(
            f"{sum(len(text.split()) for text, _ in utterances):,} words in {len(utterances)} utterances, {seconds:.0f} s"
        )
        calibration = Calibration.of_card(session.store.get("calibration").card)
        if calibration is None:
            raise SystemExit("BUILD found too few words to calibrate on")
        print(f"calibrated on {calibration.words:,} words, error there {calibration.error:.3f}", flush=True)
        grid = 1 / (1 + np.exp(-np.linspace(-14, 14, 200_001)))
        chances = np.array([calibration.chance(one) for one in grid.tolist()])
        for what in SETS:
            heard = session.execute(TRANSCRIBING, {"spoken": written(Path(folder), utterances, what, given.seed)})
            sure, right, places = judged(heard)
            print(f"{what}: {len(right):,} words, {right.mean():.1%} of them right", flush=True)
            for name, values in (("not calibrated", np.interp(sure, chances, grid)), ("calibrated", sure)):
                low, high = interval(calibration_error, values, right, places)
                least, most = interval(auroc, values, right, places)
                print(
                    f"  {name:<15} ECE {calibration_error(values, right):.3f} ({low:.3f} to {high:.3f}), "
                    f"AUROC {auroc(values, right):.3f} ({least:.3f} to {most:.3f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
