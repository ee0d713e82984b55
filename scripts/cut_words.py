"""Words cut out of connected speech: a seed goes in, a corpus of tight pieces in many throats comes out.

    python scripts/cut_words.py --out FOLDER --count 300 --engines kokoro
    python scripts/cut_words.py --out FOLDER --count 900 --engines flite piper learners

Synthesizers say words one by one with care and with silence around them; people run them into each other, and
recordings are cut close. Here five to seven words are said in one breath and cut where Wav2Vec2Tiny's own alignment
puts their bounds; each piece is also said by other throats (throats.py). The folder is laid out as synthesize.py does.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import spoken_texts
import torch
from languages import ENGLISH
from synthesize import random_voice, trimmed
from throats import other_throats
from train_tiny import ASSETS
from transformers import Wav2Vec2ForCTC
from voices import engines_installed, speak

from thanosql.models.ctc.alignment import AlignmentError, best_path

FRAME = 320  # samples
SHORTEST = 1_900  # samples: what is cut shorter was cut wrong
SURE = -0.35  # mean log-probability of a frame on the path: below it the model did not hear the words
BAR, BLANK = ENGLISH.vocabulary["|"], ENGLISH.vocabulary[ENGLISH.pad]


def some_words(rng: np.random.Generator) -> list[str]:
    """Five to seven different digits in half of all draws, else five words of any kind."""
    if rng.random() < 0.5:
        return [str(word) for word in rng.permutation(spoken_texts.DIGITS)[: rng.integers(5, 8)]]
    return [str(word) for word in rng.choice(spoken_texts.WORDS, 5)]


@torch.inference_mode()
def pieces(model: Wav2Vec2ForCTC, samples: np.ndarray, words: list[str]) -> list[np.ndarray] | None:
    """`samples` cut between its words where it is quietest; None where the model is not sure that it hears them."""
    normalized = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    logits = model(torch.from_numpy(normalized[np.newaxis])).logits[0]
    heard = logits.log_softmax(dim=-1).numpy()
    try:
        path = best_path(heard, ENGLISH.encode(" ".join(words)), BLANK)
    except AlignmentError:
        return None
    if heard[np.arange(len(path)), path].mean() < SURE:
        return None
    loudness = np.convolve(np.abs(samples), np.ones(FRAME // 2) / (FRAME // 2), "same")
    letters = np.flatnonzero((path != BLANK) & (path != BAR))
    bounds = [0]
    for bar in np.flatnonzero((path == BAR) & (np.r_[BLANK, path[:-1]] != BAR)):
        first = letters[letters < bar].max() * FRAME + 200  # the middle of what a frame hears is 200 samples on
        last = letters[letters > bar].min() * FRAME + 200
        bounds.append(first + int(loudness[first:last].argmin()))
    cut = [trimmed(samples[start:end]) for start, end in zip(bounds, [*bounds[1:], len(samples)], strict=True)]
    return cut if min(map(len, cut)) >= SHORTEST else None


def utterances(engine: str, count: int, seed: int) -> Iterator[tuple[np.ndarray, str, str]]:
    """int16 samples, text and voice of the pieces of `count` connected utterances, and of Kokoro's utterances whole."""
    rng = np.random.default_rng(seed)
    model = Wav2Vec2ForCTC.from_pretrained(ASSETS / "Wav2Vec2Tiny").eval()
    for _ in range(count):
        words, voice = some_words(rng), random_voice(engine, ENGLISH, rng)
        whole = trimmed(speak(" ".join(words), voice, int(rng.integers(1, 2**31))))
        if engine == "kokoro":
            yield _int16(whole), " ".join(words), f"{engine}:{voice.name}"
        for piece, word in zip(pieces(model, whole, words) or (), words, strict=False):
            yield _int16(piece), word, f"cut {engine}:{voice.name}"
            for other in other_throats(piece, 2, rng):
                yield _int16(trimmed(other)), word, f"throat {engine}:{voice.name}"


def _int16(samples: np.ndarray) -> np.ndarray:
    return (samples * (0.5 * 32767 / max(1e-4, float(np.abs(samples).max())))).astype(np.int16)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--engines", nargs="+", default=[*engines_installed(), "learners"])
    arguments.add_argument("--count", type=int, default=500, help="connected utterances of each engine")
    arguments.add_argument("--seed", type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    start = 0
    with (
        open(options.out / "waveforms.i16.part", "wb") as waveforms,
        open(options.out / "utterances.csv", "w", newline="") as table,
    ):
        rows = csv.writer(table)
        rows.writerow(("start", "length", "text", "voice"))
        for engine in options.engines:
            for samples, text, voice in utterances(engine, options.count, options.seed):
                waveforms.write(samples.tobytes())
                rows.writerow((start, len(samples), text, voice))
                start += len(samples)
            print(f"{engine}: {start / 16_000 / 60:.1f} minutes so far", flush=True)
    (options.out / "waveforms.i16.part").rename(options.out / "waveforms.i16")
