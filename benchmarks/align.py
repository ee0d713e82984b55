"""ALIGN against known places: one hour glued of clips, whole and damaged, beside ctc-segmentation and forced_align.

    python benchmarks/align.py [--model FOLDER | --epochs 5 --keep FOLDER] [--clips 400] [--seed 1] [--costs] [--fsdd FOLDER]

A clip is about twelve digits of one speaker (Free Spoken Digit Dataset, `connected_digits.py`: recordings that the model was
not trained on), 0 to 0.25 s between them, 0.3 to 1.5 s behind it, under faint noise. Each recording is cut to its sound, what
is within 40 dB of its loudest 5 ms, so that the places are known; a click or a breath a tenth of a second before or behind
the word, which one recording in twelve has, is no part of it. Then a tenth of the words, one to five in a
row, is deleted from the text, and a tenth is spelled in digits, which the model's vocabulary lacks.

A deleted word is marked where an item with a problem covers half of it, one in digits where it has a problem. Other words are
sound; one that is marked is a false alarm. `--costs` prints what a word that is in its place costs, of which `Costs` was
chosen. The other aligners are used where they are installed: `pip install ctc-segmentation ctc-forced-aligner`, or torchaudio
in the place of the latter.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from connected_digits import DIGITS, FSDD, HALF, arguments, train_on

from thanosql.models.audio import read
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.checked_alignment import NO_TEXT, check_alignment
from thanosql.models.ctc.gapped_alignment import align_gapped
from thanosql.models.ctc.timestamps import Timed
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.ctc.word_bounds import WordBounds
from thanosql.models.families import waveform_ctc
from thanosql.models.options import AlignmentOptions, TranscribeOptions

WORDS = 12  # in a clip, on average
RANGE_DB = 40.0
BLOCK = 80  # samples of 5 ms
QUIET_BLOCKS, CLOSURE_BLOCKS = 12, 30  # what ends a piece of sound, and a plosive's longest silence
CLOSED = {"six": 10, "eight": 1}  # digits that have one, and how many blocks the sound behind it lasts at least
NOISE = 10 ** (-45 / 20)  # of the speech's own level
DAMAGED = 0.1


@dataclass(frozen=True)
class Hour:
    """A recording, float32 `(samples,)` at 16,000 Hz; its words, and from when to when each is said."""

    waveform: np.ndarray
    words: tuple[str, ...]
    places: np.ndarray  # (words, 2), seconds


def glue(folder: Path, clips: int, seed: int, first: int = 0) -> Hour:
    """So many clips, each of the next speaker, from that of the number `first` on."""
    random = np.random.default_rng(seed)
    speakers: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.wav")):
        _, speaker, index = path.stem.split("_")
        if int(index) < HALF:
            speakers.setdefault(speaker, []).append(path)
    parts: list[np.ndarray] = [np.zeros(SAMPLING_RATE // 2, np.float32)]
    words, places, length = [], [], len(parts[0])
    for clip in range(first, first + clips):
        paths = list(speakers.values())[clip % len(speakers)]
        for path in random.choice(np.array(paths, dtype=object), int(random.integers(WORDS - 4, WORDS + 5))):
            word = DIGITS[int(path.stem.split("_")[0])]
            sound = sound_of(read(str(path)), word)
            pause = np.zeros(int(random.uniform(0, 0.25) * SAMPLING_RATE), np.float32)
            words.append(word)
            places.append((length, length + len(sound)))
            parts += [sound, pause]
            length += len(sound) + len(pause)
        parts.append(np.zeros(int(random.uniform(0.3, 1.5) * SAMPLING_RATE), np.float32))
        length += len(parts[-1])
    waveform = np.concatenate(parts)
    level = np.sqrt((waveform**2).mean()) * NOISE
    waveform += random.normal(0, level, len(waveform)).astype(np.float32)
    return Hour(waveform, tuple(words), np.array(places) / SAMPLING_RATE)


def sound_of(waveform: np.ndarray, word: str) -> np.ndarray:
    """What is said in a recording of a digit, without the clicks and breaths before and behind it.

    The loudest piece of what is within 40 dB of its loudest 5 ms, where a quiet of 60 ms ends a piece; of "six" and "eight",
    which fall silent before their last sound, also the pieces that follow within 150 ms.
    """
    blocks = waveform[: len(waveform) // BLOCK * BLOCK].reshape(-1, BLOCK)
    power = (blocks**2).mean(axis=1)
    level = 10 * np.log10(power + 1e-12)
    loud = np.flatnonzero(level > level.max() - RANGE_DB)
    cuts = np.flatnonzero(np.diff(loud) > QUIET_BLOCKS) + 1
    pieces = [(int(piece[0]), int(piece[-1]) + 1) for piece in np.split(loud, cuts)]
    number = max(range(len(pieces)), key=lambda one: float(power[slice(*pieces[one])].sum()))
    begin, end = pieces[number]
    for start, stop in pieces[number + 1 :]:
        if stop - start < CLOSED.get(word, len(blocks)) or start - end > CLOSURE_BLOCKS:
            break
        end = stop
    return waveform[begin * BLOCK : end * BLOCK]


def damage(words: Sequence[str], seed: int) -> list[str]:
    """'' for a word that is deleted, digits for one that is spelled so; the others as they are."""
    random = np.random.default_rng(seed)
    found = list(words)
    for kind in ("", "digits"):
        wanted = DAMAGED * len(words)
        while wanted > 0:
            begin, count = int(random.integers(len(words))), int(random.integers(1, 6))
            for number in range(begin, min(begin + count, len(words))):
                if found[number] == words[number]:
                    found[number] = str(DIGITS.index(words[number])) if kind else ""
                    wanted -= 1
    return found


def quantiles(name: str, differences: np.ndarray) -> str:
    size = np.abs(differences)
    low, middle, high = 1000 * np.percentile(differences, [5, 50, 95])
    return (
        f"{name}: {low:.0f} to {high:.0f} ms (5% to 95%), median {middle:.0f}; size median {1000 * np.median(size):.0f}, "
        f"95% {1000 * np.percentile(size, 95):.0f} ms; within 50 ms {(size <= 0.05).mean():.1%}"
    )


def report(hour: Hour, written: Sequence[str], found: Sequence[Timed], seconds: float) -> None:
    said = [word for word in found if word.problem != NO_TEXT]
    marked = [(word.start, word.end) for word in found if word.problem is not None]
    kept = [number for number, word in enumerate(written) if word]
    assert len(said) == len(kept)
    sound = [place for place, number in enumerate(kept) if written[number] == hour.words[number]]
    clean = [place for place in sound if said[place].problem is None]
    print(f"  aligned in {seconds:.1f} s; sound words marked {1 - len(clean) / len(sound):.2%} of {len(sound):,}")
    for edge, name in enumerate(("starts", "ends")):
        times = np.array([(said[place].start, said[place].end)[edge] for place in sound])
        print("  " + quantiles(name, times - hour.places[[kept[place] for place in sound], edge]))
    both = [
        max(abs(said[place].start - hour.places[kept[place], 0]), abs(said[place].end - hour.places[kept[place], 1]))
        for place in sound
    ]
    starts = np.array([abs(said[place].start - hour.places[kept[place], 0]) for place in clean])
    print(f"  starts within 50 ms of sound words that are not marked: {(starts <= 0.05).mean():.1%}")
    close = dict(zip(sound, (one <= 0.05 for one in both)))
    print(
        f"  both boundaries within 50 ms: {np.mean(list(close.values())):.1%} of sound words, "
        f"{np.mean([close[place] for place in clean]):.1%} of those that are not marked"
    )
    deleted = [hour.places[number] for number, word in enumerate(written) if not word]
    covered = [
        sum(max(0.0, min(end, stop) - max(start, begin)) for begin, stop in marked) >= (end - start) / 2
        for start, end in deleted
    ]
    digits = [said[place].problem is not None for place in range(len(kept)) if place not in set(sound)]
    if deleted:
        print(
            f"  marked: {np.mean(covered):.1%} of {len(covered)} deleted, {np.mean(digits):.1%} of {len(digits)} in digits"
        )


def in_its_place(logs: np.ndarray, hour: Hour, vocabulary: Vocabulary) -> None:
    """What words that are in their place cost, and how long they take, a letter."""
    delimiter = vocabulary.ids[vocabulary.delimiter or ""]
    spelled = [vocabulary.encode(word) for word in hour.words]
    places = align_gapped(logs, spelled, vocabulary.blank, delimiter, None)
    excess = np.array([place.excess for place in places])
    letters = np.array([len(place.labels) for place in places])
    seconds = np.array([place.end - place.start for place in places]) * 0.02
    for name, values in (
        ("excess a word", excess),
        ("excess a letter", excess / letters),
        ("seconds a letter", seconds / (letters + 1)),
    ):
        print(name, {q: round(float(np.percentile(values, q)), 3) for q in (50, 90, 95, 98, 99, 99.5)})


def by_ctc_segmentation(logs: np.ndarray, words: Sequence[str], vocabulary: Vocabulary) -> list[tuple[float, float]]:
    """The words' seconds as ctc-segmentation has them, each word an utterance."""
    import ctc_segmentation as other

    settings = other.CtcSegmentationParameters(char_list=list(vocabulary.tokens), index_duration=0.02)
    settings.blank = vocabulary.blank
    tokens = [np.array(vocabulary.encode(word)) for word in words]
    matrix, begins = other.prepare_token_list(settings, tokens)
    timings, chars, _ = other.ctc_segmentation(settings, logs, matrix)
    segments = other.determine_utterance_segments(settings, begins, chars, timings, list(words))
    return [(start, end) for start, end, _ in segments]


def by_forced_align(logs: np.ndarray, words: Sequence[str], vocabulary: Vocabulary, *, stars: bool) -> np.ndarray:
    """The words' seconds `(words, 2)` as forced_align has them; with `stars` anything may stand between them, at no cost."""
    try:
        from ctc_forced_aligner import forced_align  # torchaudio's, without torchaudio
    except ImportError:
        import torch
        from torchaudio.functional import forced_align as theirs

        def forced_align(logs: np.ndarray, targets: np.ndarray, blank: int) -> tuple[np.ndarray, np.ndarray]:
            path, scores = theirs(torch.from_numpy(logs), torch.from_numpy(targets), blank=blank)
            return path.numpy(), scores.numpy()

    if stars:
        logs = np.concatenate([logs, np.zeros((len(logs), 1), logs.dtype)], axis=1)
    between = logs.shape[1] - 1 if stars else vocabulary.ids[vocabulary.delimiter or ""]
    targets, owners = [], []
    for number, word in enumerate(words):
        labels = ([between] if number else []) + list(vocabulary.encode(word))
        targets += labels
        owners += ([-1] if number else []) + [number] * (len(labels) - bool(number))
    path, _ = forced_align(logs[None], np.array([targets], dtype=np.int64), blank=vocabulary.blank)
    found = np.full((len(words), 2), np.nan)
    at, last = -1, vocabulary.blank
    for frame, label in enumerate(np.asarray(path).reshape(-1)):
        if label != vocabulary.blank:
            at += label != last
            if owners[at] >= 0:
                found[owners[at]] = np.nanmin([found[owners[at], 0], frame]), frame + 1
        last = label
    return found * 0.02


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--costs", action="store_true", help="what words in their place cost")
    given = parser.parse_args()
    if not given.fsdd.is_dir():
        raise SystemExit(f"There is no {FSDD}: this benchmark needs the Free Spoken Digit Dataset.")
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or train_on(given.fsdd, given.epochs, given.keep or Path(folder))
        recognizer = waveform_ctc.load(model, TranscribeOptions(device="cpu"))
        vocabulary, normalize = recognizer.vocabulary, waveform_ctc.normalizer(model).normalize
    hour = glue(given.fsdd, given.clips, given.seed)
    other = glue(given.fsdd, given.clips // 10, given.seed + 1)
    started = time.perf_counter()
    logs = recognizer.log_probabilities([hour.waveform])[0].numpy()
    print(
        f"{len(hour.waveform) / SAMPLING_RATE / 60:.1f} minutes, {len(hour.words):,} words, recognized in "
        f"{time.perf_counter() - started:.0f} s",
        flush=True,
    )
    hour = Hour(hour.waveform, tuple(normalize(word) for word in hour.words), hour.places)
    if given.costs:
        in_its_place(logs, hour, vocabulary)
    bounds = WordBounds(hour.waveform)
    for name, seed in (("whole", None), ("damaged", given.seed)):
        written = (
            list(hour.words)
            if seed is None
            else [normalize(word) for word in damage([word.lower() for word in hour.words], seed)]
        )
        text = " ".join(word for word in written if word)
        for gaps in (True, False):
            started = time.perf_counter()
            found = check_alignment(logs, text, vocabulary, AlignmentOptions(gaps=gaps), bounds=bounds)
            print(f"{name} text, gaps={gaps}: confidence {found.confidence:.2f}; problem: {found.problem}")
            report(hour, written, found.words, time.perf_counter() - started)
        try:
            # Digits, which it cannot spell, are left out of its text.
            numbers = [number for number, word in enumerate(written) if word == hour.words[number]]
            started = time.perf_counter()
            theirs = np.array(by_ctc_segmentation(logs, [hour.words[number] for number in numbers], vocabulary))
        except ImportError:
            print("ctc-segmentation is not installed")
        else:
            print(f"{name} text, ctc-segmentation: aligned in {time.perf_counter() - started:.1f} s")
            for edge, end in enumerate(("starts", "ends")):
                print("  " + quantiles(end, theirs[:, edge] - hour.places[numbers, edge]))
        for stars in (False, True):
            numbers = [number for number, word in enumerate(written) if word == hour.words[number]]
            started = time.perf_counter()
            try:
                theirs = by_forced_align(logs, [hour.words[number] for number in numbers], vocabulary, stars=stars)
            except (ImportError, OSError):
                print("neither ctc-forced-aligner nor torchaudio is installed")
                break
            print(f"{name} text, forced_align, stars={stars}: aligned in {time.perf_counter() - started:.1f} s")
            for edge, end in enumerate(("starts", "ends")):
                print("  " + quantiles(end, theirs[:, edge] - hour.places[numbers, edge]))
    text = " ".join(normalize(word) for word in other.words)
    found = check_alignment(
        logs[: int(other.places[-1, 1] / 0.02)], text, vocabulary, AlignmentOptions(), bounds=WordBounds(hour.waveform)
    )
    print(f"the text of another recording: confidence {found.confidence:.2f}; problem: {found.problem}")


if __name__ == "__main__":
    main()
