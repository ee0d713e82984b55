"""Long silence left out of the transformer, beside the whole recording: words, and processor time.

    python benchmarks/silence.py [--model FOLDER | --epochs 5 --keep FOLDER] [--words 400] [--rounds 3] [--fsdd FOLDER]

A recording is six utterances of connected digits (Free Spoken Digit Dataset, `connected_digits.py`: recordings that the model
was not trained on) with silences of equal length before, between and behind them, as much as makes their share of the whole:
digital silence, or the noise of a room, whose power falls with its frequency, under all of it. The same recognizer hears
each recording with and without its silences, in turn; the time is that of the processor.

Goals: at most 0.2 points of WER, and time saved in proportion to what is left out.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from connected_digits import FSDD, arguments, train_on, utterances

from thanosql.models.audio.silences import long_silences
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.recognizer import FrameRecognizer
from thanosql.models.families import waveform_ctc
from thanosql.models.metrics import score
from thanosql.models.options import TranscribeOptions

UTTERANCES = 6  # in a recording
SHARES = (0.0, 0.6, 0.8, 0.9)  # of silence
ROOMS = {"digital silence": None, "a room 30 dB below": -30.0}
GOAL_POINTS = 0.2


@dataclass(frozen=True)
class Recording:
    waveform: np.ndarray  # float32 `(samples,)` at 16,000 Hz
    text: str


def recordings(folder: Path, words: int, seed: int, share: float, room: float | None) -> list[Recording]:
    random = np.random.default_rng(seed)
    found = []
    spoken = list(utterances(folder, words, seed, noisy=False))
    for at in range(0, len(spoken), UTTERANCES):
        group = spoken[at : at + UTTERANCES]
        said = [one.waveform for one in group]
        total = sum(map(len, said)) * share / (1 - share)
        pause = np.zeros(int(total / (len(said) + 1)), dtype=np.float32)
        parts = [pause]
        for one in said:
            parts += [one, pause]
        waveform = np.concatenate(parts)
        if room is not None:
            level = np.sqrt((np.concatenate(said) ** 2).mean()) * 10 ** (room / 20)
            waveform = waveform + level * _noise(len(waveform), random)
        found.append(Recording(waveform, " ".join(one.text for one in group)))
    return found


def _noise(samples: int, random: np.random.Generator) -> np.ndarray:
    """Pink noise, float32 `(samples,)`, of power 1."""
    spectrum = np.fft.rfft(random.normal(size=samples))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20 * samples / SAMPLING_RATE))
    noise = np.fft.irfft(spectrum, samples)
    return (noise / noise.std()).astype(np.float32)


def hear(recognizer: FrameRecognizer, spoken: Sequence[Recording]) -> tuple[list[str], float]:
    """Texts, and the processor's seconds."""
    begun = time.process_time()
    found = recognizer.transcribe([one.waveform for one in spoken], TranscribeOptions(device="cpu"))
    return [one.text for one in found], time.process_time() - begun


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.set_defaults(words=400)
    given = parser.parse_args()
    if not given.fsdd.is_dir():
        raise SystemExit(f"There is no {FSDD}: this benchmark needs the Free Spoken Digit Dataset.")
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or train_on(given.fsdd, given.epochs, given.keep or Path(folder))
        recognizer = waveform_ctc.load(model, TranscribeOptions(device="cpu"))
        normalize = waveform_ctc.normalizer(model).normalize
    whole = FrameRecognizer(recognizer.forward, recognizer.vocabulary, recognizer.prepare, silences=lambda _: ())
    print(f"{'silence':>22} {'share':>6} {'left out':>9} {'time':>6} {'WER whole':>10} {'without':>8} {'points':>7}")
    for room, level in ROOMS.items():
        for share in SHARES:
            spoken = recordings(given.fsdd, given.words, given.seed, share, level)
            texts = [normalize(one.text) for one in spoken]
            seconds: dict[str, list[float]] = {"whole": [], "without": []}
            heard: dict[str, list[str]] = {}
            for _ in range(given.rounds):
                for name, one in (("whole", whole), ("without", recognizer)):
                    heard[name], spent = hear(one, spoken)
                    seconds[name].append(spent)
            rates = {name: 100 * score(texts, found).wer for name, found in heard.items()}
            samples = sum(len(one.waveform) for one in spoken)
            left_out = sum(end - begin for one in spoken for begin, end in long_silences(one.waveform)) / samples
            time_left = statistics.median(seconds["without"]) / statistics.median(seconds["whole"])
            points = rates["without"] - rates["whole"]
            said = " MISSED" if points > GOAL_POINTS else ""
            print(
                f"{room:>22} {share:6.0%} {left_out:9.1%} {time_left:6.2f} {rates['whole']:9.1f}% {rates['without']:7.1f}% "
                f"{points:+7.2f}{said}",
                flush=True,
            )


if __name__ == "__main__":
    main()
