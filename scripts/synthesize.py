"""Synthesize the training corpus: a seed goes in, int16 waveforms with texts and voices come out.

    python scripts/synthesize.py --out FOLDER --language en --seed 1

FOLDER/waveforms.i16 holds the utterances end to end (int16, 16 kHz, trimmed of silence); FOLDER/utterances.csv holds
start and length in samples, text, engine and voice of each. The same seed and engines give the same samples.
"""

import argparse
import csv
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kokoro
import numpy as np
from languages import LANGUAGES, Language
from voices import (
    FLITE_VOICES,
    HELD_OUT_VARIANTS,
    MOTHER_TONGUES,
    PIPER_VOICES,
    SAMPLE_RATE,
    VARIANTS,
    Voice,
    engines_installed,
    speak,
)

CHUNK = 250  # utterances that one process makes from one seed


@dataclass(frozen=True)
class Corpus:
    """A synthesized corpus opened for reading.

    waveforms: int16, shape = (n_samples_in_all,), in memory; starts, lengths: int64, shape = (n_utterances,).
    """

    waveforms: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    texts: list[str]
    voices: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def samples(self, index: int) -> np.ndarray:
        """Utterance `index`; int16, shape = (n_samples,)."""
        return self.waveforms[self.starts[index] : self.starts[index] + self.lengths[index]]


def trimmed(samples: np.ndarray, floor: float = 0.015) -> np.ndarray:
    """`samples` from the first to the last 10 ms whose RMS exceeds `floor` of the loudest 10 ms."""
    frame = SAMPLE_RATE // 100
    n = len(samples) // frame
    if n < 3:
        return samples
    rms = np.sqrt((samples[: n * frame].reshape(n, frame) ** 2).mean(axis=1))
    loud = np.flatnonzero(rms > floor * rms.max())
    return samples[loud[0] * frame : (loud[-1] + 1) * frame]


def random_voice(engine: str, language: Language, rng: np.random.Generator) -> Voice:
    """One of the engine's voices that may be trained on, with random rate, pitch and vocal-tract length."""
    if engine in ("espeak", "learners"):
        name = f"{rng.choice(language.accents)}+{rng.choice(VARIANTS)}"
        formants = float(np.exp(rng.normal(0, 0.06)))
    elif engine == "kokoro":
        name = kokoro.random_speaker(rng)
        formants = float(np.exp(rng.normal(0, 0.06)))
    else:
        name = str(rng.choice(FLITE_VOICES if engine == "flite" else PIPER_VOICES))
        formants = float(np.exp(rng.uniform(np.log(0.82), np.log(1.22))))
    return Voice(
        "espeak" if engine == "learners" else engine,
        name,
        rate=float(np.exp(rng.normal(0.05, 0.22))),
        pitch=float(np.exp(rng.normal(0, 0.18))),
        formants=float(np.clip(formants, 0.8, 1.25)),
        liveliness=float(rng.uniform(0.3, 1.6)),
        mother_tongue=str(rng.choice(tuple(MOTHER_TONGUES))) if engine == "learners" else "",
    )


def synthesize_chunk(job: tuple[str, str, bool, int, int]) -> list[tuple[np.ndarray, str, str]]:
    """(language, engine, several words?, count, seed) to `count` triples of int16 samples, text and voice."""
    code, engine, several, count, seed = job
    language = LANGUAGES[code]
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        text = language.some_words(rng) if several else language.one_word(rng)
        voice = random_voice(engine, language, rng)
        samples = trimmed(speak(language.said(text), voice, int(rng.integers(1, 2**31))))
        made.append(((samples * 32767).astype(np.int16), text, f"{engine}:{voice.name}"))
    return made


def jobs(
    language: Language, engines: tuple[str, ...], seed: int, scale: float
) -> Iterator[tuple[str, str, bool, int, int]]:
    """What to synthesize, chunk by chunk, each chunk with a seed of its own drawn from `seed`."""
    sequence = np.random.SeedSequence(seed)
    for engine, sizes in language.sizes.items():
        for several, size in enumerate(sizes):
            n_chunks = max(1, round(size * scale / CHUNK))
            seeds = sequence.spawn(n_chunks)
            if engine in (*engines, "learners"):
                for chunk in seeds:
                    yield language.code, engine, bool(several), CHUNK, int(chunk.generate_state(1)[0])


def synthesize(folder: Path, language: Language, seed: int, scale: float = 1.0, processes: int = 2) -> None:
    """Write the corpus to `folder`. `scale` 0.1 makes a tenth of it."""
    assert not set(VARIANTS) & set(HELD_OUT_VARIANTS), "a test voice is among the training voices"
    engines = engines_installed()
    print(f"engines: {', '.join(engines)}" + ("" if len(engines) == 4 else " (others are not installed)"), flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    start = 0
    with (
        multiprocessing.get_context("spawn").Pool(processes) as pool,
        open(folder / "waveforms.i16.part", "wb") as waveforms,
        open(folder / "utterances.csv", "w", newline="") as table,
    ):
        rows = csv.writer(table)
        rows.writerow(("start", "length", "text", "voice"))
        for chunk in pool.imap(synthesize_chunk, jobs(language, engines, seed, scale)):
            for samples, text, voice in chunk:
                waveforms.write(samples.tobytes())
                rows.writerow((start, len(samples), text, voice))
                start += len(samples)
    (folder / "waveforms.i16.part").rename(folder / "waveforms.i16")
    print(f"{start / SAMPLE_RATE / 3600:.2f} hours in {folder}", flush=True)


def read_corpus(folder: Path) -> Corpus:
    """Open what `synthesize` wrote."""
    with open(folder / "utterances.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return Corpus(
        np.fromfile(folder / "waveforms.i16", np.int16),
        np.array([int(row["start"]) for row in rows]),
        np.array([int(row["length"]) for row in rows]),
        [row["text"] for row in rows],
        [row["voice"] for row in rows],
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--language", choices=LANGUAGES, default="en")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--scale", type=float, default=1.0)
    arguments.add_argument("--processes", type=int, default=2)
    options = arguments.parse_args()
    synthesize(options.out, LANGUAGES[options.language], options.seed, options.scale, options.processes)
