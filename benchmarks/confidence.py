"""How well a word's confidence tells right words from wrong: AUROC and calibration error, with intervals.

    python benchmarks/confidence.py [--model FOLDER | --epochs 10 --keep FOLDER] [--words 2000] [--seed 1] [--fsdd FOLDER]
    python benchmarks/confidence.py --model FOLDER --calibrated

over noisy connected digits (`connected_digits.py`) that the model was not trained on. Beside the definition that
PREDICT uses, the mean of the characters' peaks (geometric), stand others that a user might expect. A word is right where the
alignment with the reference (jiwer) makes it a hit; substituted and inserted words are wrong. The intervals are 95%, by
bootstrap over utterances. AUROC is the chance that a right word is surer than a wrong one; the expected calibration
error is the mean distance, over ten bins of as many words, of the mean confidence from the share of right words.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import jiwer
import numpy as np
from connected_digits import HALF, Heard, Spoken, arguments, hear, prepared, utterances

from thanosql.models.ctc import calibration
from thanosql.models.ctc.alignment import Span, spans
from thanosql.models.ctc.timestamps import timed
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.training import augmentation_config
from thanosql.models.training.augmentation import augment
from thanosql.models.training.confidence import MOST_ROWS, NOISY, SIGNAL_TO_NOISE

CALIBRATED = 8  # recordings of each digit and speaker that the calibration is measured on, of 25
DRAWS = 1000
BINS = 10


def least_peak(word: Sequence[Span], _: np.ndarray) -> float:
    return float(np.exp(min(span.peak for span in word)))


def mean_peak(word: Sequence[Span], _: np.ndarray) -> float:
    return float(np.exp(np.mean([span.peak for span in word])))


def product_of_peaks(word: Sequence[Span], _: np.ndarray) -> float:
    return float(np.exp(sum(span.peak for span in word)))


def least_mean(word: Sequence[Span], _: np.ndarray) -> float:
    return float(np.exp(min(span.mean for span in word)))


def best_of_frames(word: Sequence[Span], logs: np.ndarray) -> float:
    """The geometric mean of the best probability of every frame from the word's first to its last, blanks counted."""
    return float(np.exp(logs[word[0].start : word[-1].end].max(axis=1).mean()))


def least_of_frames(word: Sequence[Span], logs: np.ndarray) -> float:
    """The best probability of the least sure frame of the word, blanks counted."""
    return float(np.exp(logs[word[0].start : word[-1].end].max(axis=1).min()))


def least_entropy(word: Sequence[Span], logs: np.ndarray) -> float:
    """1 less the normalized entropy of the least sure frame that holds a label (Laptev and Ginsburg 2022, Gibbs)."""
    found = []
    for span in word:
        inside = logs[span.start : span.end]
        entropy = -(np.exp(inside) * inside).sum(axis=1) / np.log(logs.shape[1])
        found.append(1 - float(entropy.min()))
    return min(found)


DEFINITIONS: tuple[Callable[[Sequence[Span], np.ndarray], float], ...] = (
    least_peak,
    mean_peak,
    product_of_peaks,
    least_mean,
    best_of_frames,
    least_of_frames,
    least_entropy,
)


def words_of(found: Sequence[Span], vocabulary: Vocabulary) -> list[list[Span]]:
    words: list[list[Span]] = [[]]
    for span in found:
        if vocabulary.tokens[span.label] == vocabulary.delimiter:
            words.append([])
        else:
            words[-1].append(span)
    return [word for word in words if word]


def judged(heard: Sequence[Heard], vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each word that was heard: its confidences `(words, definitions)`, whether it is right, and its utterance."""
    confidences, right, places = [], [], []
    for place, one in enumerate(heard):
        logs = one.log_probabilities
        found = spans(logs, logs.argmax(axis=-1), vocabulary.blank)
        words = words_of(found, vocabulary)
        texts = [word.text for word in timed(found, vocabulary, "word")]
        assert len(texts) == len(words)
        if not texts:
            continue
        hits = set()
        for chunk in jiwer.process_words(one.text, " ".join(texts)).alignments[0]:
            if chunk.type == "equal":
                hits.update(range(chunk.hyp_start_idx, chunk.hyp_end_idx))
        for number, word in enumerate(words):
            confidences.append([definition(word, logs) for definition in DEFINITIONS])
            right.append(number in hits)
            places.append(place)
    return np.array(confidences), np.array(right), np.array(places)


def auroc(sure: np.ndarray, right: np.ndarray) -> float:
    """The area under the curve by ranks (Mann and Whitney), ties counted half."""
    _, inverse, counts = np.unique(sure, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive, negative = int(right.sum()), int((~right).sum())
    return float((ranks[right].sum() - positive * (positive + 1) / 2) / (positive * negative))


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    order = np.argsort(sure, kind="stable")
    parts = np.array_split(order, BINS)
    return float(sum(len(part) * abs(sure[part].mean() - right[part].mean()) for part in parts) / len(sure))


def interval(
    figure: Callable[[np.ndarray, np.ndarray], float], sure: np.ndarray, right: np.ndarray, places: np.ndarray
) -> tuple[float, float]:
    random = np.random.default_rng(0)
    members = [np.flatnonzero(places == place) for place in np.unique(places)]
    found = []
    for _ in range(DRAWS):
        drawn = np.concatenate([members[number] for number in random.integers(len(members), size=len(members))])
        found.append(figure(sure[drawn], right[drawn]))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def calibrated(model: str, given: argparse.Namespace) -> None:
    """The confidence of PREDICT, calibrated on a third of the recordings as the end of BUILD does it (as they are, and
    twice under the noise of its augmentation), judged on the noisy words of the others."""
    clean = [*utterances(given.fsdd, 10**6, given.seed + 1, indices=range(CALIBRATED), noisy=False)][:MOST_ROWS]
    random = np.random.default_rng(given.seed)
    noise = augmentation_config.chosen(["noise"])
    assert noise is not None
    noise = replace(noise, noise_share=1.0, signal_to_noise=SIGNAL_TO_NOISE)
    noisy = [Spoken(augment(one.waveform, random, noise), one.text, one.speaker) for one in clean for _ in range(NOISY)]
    heard, vocabulary, _ = hear(model, clean + noisy)
    confidences, right, _ = judged(heard, vocabulary)
    column = DEFINITIONS.index(mean_peak)
    found = calibration.fit(confidences[:, column], right)
    if found is None:
        raise SystemExit("too few words to calibrate on")
    never_seen = list(utterances(given.fsdd, given.words, given.seed, indices=range(CALIBRATED, HALF)))
    heard, vocabulary, _ = hear(model, never_seen)
    confidences, right, places = judged(heard, vocabulary)
    before = confidences[:, column]
    after = np.array([found.chance(one) for one in before.tolist()])
    print(f"calibrated on {found.words:,} words; {len(right):,} others, {right.mean():.1%} of them right")
    for name, sure in (("mean_peak", before), ("calibrated", after)):
        low, high = interval(calibration_error, sure, right, places)
        print(
            f"{name:<20} AUROC {auroc(sure, right):.3f}, ECE {calibration_error(sure, right):.3f} {low:.3f}-{high:.3f}"
        )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibrated", action="store_true", help="a --model's confidence before and after calibration")
    given = parser.parse_args()
    if given.calibrated:
        calibrated(given.model or parser.error("--calibrated needs a --model, as --keep leaves one"), given)
        return
    heard, vocabulary, _ = prepared(given)
    confidences, right, places = judged(heard, vocabulary)
    print(
        f"{sum(len(one.text.split()) for one in heard):,} words in {len(heard):,} utterances; {len(right):,} heard,",
        end=" ",
    )
    print(f"{right.mean():.1%} of them right")
    print(f"{'confidence of a word':<20} {'AUROC':>7} {'95%':>15} {'ECE':>7} {'95%':>15}")
    for number, definition in enumerate(DEFINITIONS):
        sure = confidences[:, number]
        figures = []
        for figure in (auroc, calibration_error):
            low, high = interval(figure, sure, right, places)
            figures.append(f"{figure(sure, right):7.3f} {low:7.3f}-{high:.3f}  ")
        print(f"{definition.__name__:<20} {' '.join(figures)}", flush=True)


if __name__ == "__main__":
    main()
