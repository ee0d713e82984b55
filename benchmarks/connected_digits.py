"""Recordings of single digits in, noisy utterances of several with a model's log-probabilities out.

Recordings of the Free Spoken Digit Dataset, those of one speaker, stand end to end under noise of a level drawn for each
utterance. Of each digit and speaker the first half (index 0 to 24) is heard, each recording at most twice; the model is
trained on the second half, as BUILD trains.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from in_memory import InMemory

from thanosql.models.audio import read
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.bases import BASES
from thanosql.models.cancellation import Cancellation
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.families import waveform_ctc
from thanosql.models.model import Model
from thanosql.models.options import TrainOptions, TranscribeOptions
from thanosql.models.results import TrainingUtterance
from thanosql.models.tasks import TrainTask
from thanosql.models.text import Normalizer

FSDD = Path(__file__).resolve().parents[2] / "shared" / "data" / "fsdd"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
HALF = 25  # recordings of each digit and speaker that are heard, of 50
LONGEST = 6  # words in an utterance
NOISE_DB = (0.0, 20.0)  # signal over noise, drawn evenly


@dataclass(frozen=True)
class Spoken:
    """One utterance: float32 `(samples,)` at 16,000 Hz, what is said, and by whom."""

    waveform: np.ndarray
    text: str
    speaker: str


@dataclass(frozen=True)
class Heard:
    """What a model makes of one utterance: natural log-probabilities float32 `(frames, vocab)`, and the reference."""

    log_probabilities: np.ndarray
    text: str
    speaker: str
    seconds: float


def utterances(
    folder: Path,
    words: int,
    seed: int,
    *,
    training: bool = False,
    indices: range = range(HALF),
    noisy: bool = True,
) -> Iterator[Spoken]:
    """Utterances of one to six digits with at least `words` words in all, or of all the recordings there are, twice.

    They are of the recordings with these `indices`; those for `training` of the second half, and without noise.
    """
    random = np.random.default_rng(seed)
    speakers: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.wav")):
        _, speaker, index = path.stem.split("_")
        if int(index) >= HALF if training else int(index) in indices:
            speakers.setdefault(speaker, []).append(path)
    for speaker, paths in speakers.items():
        speakers[speaker] = [paths[number] for _ in range(2) for number in random.permutation(len(paths))]
    said = 0
    while said < words and (left := [speaker for speaker, paths in speakers.items() if paths]):
        speaker = left[int(random.integers(len(left)))]
        taken = [
            speakers[speaker].pop() for _ in range(min(len(speakers[speaker]), int(random.integers(1, LONGEST + 1))))
        ]
        said += len(taken)
        parts: list[np.ndarray] = []
        for path in taken:
            parts += [read(str(path)), np.zeros(int(random.integers(0, SAMPLING_RATE // 5)), dtype=np.float32)]
        text = " ".join(DIGITS[int(path.stem.split("_")[0])] for path in taken)
        waveform = np.concatenate(parts)
        yield Spoken(_noisy(waveform, random) if noisy and not training else waveform, text, speaker)


def train_on(data: Path, epochs: int, folder: Path) -> str:
    """Wav2Vec2Tiny trained on the second half of the recordings, into `folder`; where it lies."""
    base = BASES["Wav2Vec2Tiny"]
    folder.mkdir(parents=True, exist_ok=True)
    spoken = {str(number): one for number, one in enumerate(utterances(data, 10**6, 0, training=True))}
    rows = [
        TrainingUtterance(int(key) + 1, key, one.text, len(one.waveform) / SAMPLING_RATE) for key, one in spoken.items()
    ]
    options = TrainOptions(max_epochs=epochs, **base.train_defaults)
    task = TrainTask(
        model=Model(base.name, base.checkpoint, base.family, base.name),
        options=options,
        utterances=tuple(rows),
        audio=InMemory(roots=(), waveform=lambda key: spoken[str(key)].waveform),
        folder=folder,
    )
    report = waveform_ctc.train(task, lambda _: None, Cancellation())
    print(
        f"trained {epochs} epochs on {sum(len(row.text.split()) for row in rows):,} words, loss {report.loss:.3f}",
        flush=True,
    )
    return str(folder)


def _noisy(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The waveform under noise whose power falls with its frequency by a slope drawn between white and red."""
    spectrum = np.fft.rfft(random.normal(size=len(waveform)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** random.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, len(waveform))
    ratio = 10 ** (random.uniform(*NOISE_DB) / 20)
    scale = np.sqrt((waveform**2).mean()) / (np.sqrt((noise**2).mean()) * ratio + 1e-12)
    return (waveform + scale * noise).astype(np.float32)


def hear(checkpoint: str, spoken: Sequence[Spoken]) -> tuple[list[Heard], Vocabulary, Normalizer]:
    """The log-probabilities of a model of the family wav2vec2 for each utterance; texts are normalized as the model's."""
    recognizer = waveform_ctc.load(checkpoint, TranscribeOptions(device="cpu"))
    normalizer = waveform_ctc.normalizer(checkpoint)
    found = recognizer.log_probabilities([one.waveform for one in spoken])
    heard = [
        Heard(logs.numpy(), normalizer.normalize(one.text), one.speaker, len(one.waveform) / SAMPLING_RATE)
        for one, logs in zip(spoken, found, strict=True)
    ]
    return heard, recognizer.vocabulary, normalizer


def arguments(description: str | None) -> argparse.ArgumentParser:
    """What both benchmarks are told."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--model", help="a folder; Wav2Vec2Tiny trained on the spot otherwise")
    found.add_argument("--epochs", type=int, default=10, help="of that training")
    found.add_argument("--keep", type=Path, help="a folder for that model")
    found.add_argument("--words", type=int, default=2000)
    found.add_argument("--seed", type=int, default=1)
    found.add_argument("--fsdd", type=Path, default=FSDD)
    return found


def prepared(given: argparse.Namespace) -> tuple[list[Heard], Vocabulary, Normalizer]:
    """What a model hears in the utterances asked for. Leaves with a plain word where there are no recordings."""
    if not given.fsdd.is_dir():
        raise SystemExit(f"There is no {given.fsdd}: this benchmark needs the Free Spoken Digit Dataset.")
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or train_on(given.fsdd, given.epochs, given.keep or Path(folder))
        return hear(model, list(utterances(given.fsdd, given.words, given.seed)))
