"""The beam: equal to the sum over every path at full width, and turned by language models and hot words."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.models.ctc.beam import _Beam, search
from thanosql.models.ctc.greedy import greedy
from thanosql.models.ctc.ngram import NGram
from thanosql.models.ctc.shallow_fusion import UNKNOWN_COST, ShallowFusion
from thanosql.models.ctc.vocabulary import Vocabulary

SMALL = Vocabulary(("<pad>", "|", "A", "B"))
LETTERS = Vocabulary(("<pad>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


def log_probabilities(seed: int, frames: int, vocabulary: int, scale: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=scale, size=(frames, vocabulary))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def spoken(text: str, doubts: dict[int, str] | None = None, doubt: float = 0.45) -> np.ndarray:
    """Log-probabilities of a model that hears `text`, but at some of its letters another with probability `doubt`."""
    rows = []
    for place, letter in enumerate(text):
        for label, sure in ((LETTERS.ids["|" if letter == " " else letter], 0.999), (LETTERS.blank, 0.999)):
            row = np.full(len(LETTERS.tokens), (1 - sure) / (len(LETTERS.tokens) - 1))
            row[label] = sure
            if label != LETTERS.blank and doubts and place in doubts:
                row[LETTERS.ids[doubts[place]]] = doubt
                row[label] = sure - doubt
            rows.append(np.log(row))
    return np.array(rows)


def text_of(labels: tuple[int, ...]) -> str:
    return " ".join(SMALL.spell(labels).split())


def by_every_path(logs: np.ndarray) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for path in product(range(logs.shape[1]), repeat=len(logs)):
        labels = tuple(label for label, _ in groupby(path) if label != 0)
        sums[text_of(labels)] += math.exp(logs[np.arange(len(logs)), path].sum())
    return sums


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_at_full_width_it_sums_every_path(seed: int, frames: int) -> None:
    logs = log_probabilities(seed, frames, 4)
    sums = by_every_path(logs)
    found = search(logs, SMALL, width=10**6, min_log=-math.inf, margin=math.inf)
    assert {one.text: math.exp(one.log_probability) for one in found} == pytest.approx(sums)
    assert found[0].text == max(sums, key=lambda text: sums[text])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_at_full_width_the_guided_best_is_the_best_of_every_text(seed: int, frames: int) -> None:
    logs = log_probabilities(seed, frames, 4)
    model = NGram.of_texts([("A B", 3), ("AB A", 2), ("B", 1)])
    guidance = ShallowFusion(model, {word: word for word in model.words}, ["BA", "A B"], weight=0.8, hot_weight=3.0)

    def worth(text: str) -> float:
        context, earned = model.start(), 0.0
        words = text.split()
        for word in words:
            log, context = model.score(context, word)
            known = word in model.words or word == "BA"
            earned += 0.8 * log + 1.5 + 3.0 * (word == "BA") - (0.0 if known else UNKNOWN_COST)
        pairs = sum(pair == ("A", "B") for pair in zip(words, words[1:]))
        return earned + 3.0 * pairs + 0.8 * model.end(context)

    expected = {text: math.log(total) + worth(text) for text, total in by_every_path(logs).items()}
    found = search(logs, SMALL, guidance, width=10**6, min_log=-math.inf, margin=math.inf)
    assert {one.text: one.score for one in found} == pytest.approx(expected)
    assert found[0].text == max(expected, key=lambda text: expected[text])


@pytest.mark.parametrize("seed", range(5))
def test_a_narrow_beam_finds_what_a_wide_one_finds_where_frames_are_sure(seed: int) -> None:
    logs = log_probabilities(seed, 20, 4, scale=8.0)
    wide = search(logs, SMALL, width=400, min_log=-math.inf, margin=math.inf)[0]
    narrow = search(logs, SMALL, width=40)[0]
    assert narrow.text == wide.text
    assert wide.log_probability - 0.1 < narrow.log_probability <= wide.log_probability + 1e-9


def test_no_frames_are_an_empty_text() -> None:
    (found,) = search(np.empty((0, 4)), SMALL)
    assert (found.text, found.labels, found.log_probability) == ("", (), 0.0)


def test_labels_spell_the_text() -> None:
    (best, *_) = search(spoken("CALL ME"), LETTERS)
    assert best.text == LETTERS.spell(best.labels) == "CALL ME"


def test_a_word_list_mends_a_slip_of_spelling() -> None:
    logs = spoken("THRES ONE", {4: "E"}, doubt=0.2)
    assert greedy(logs, LETTERS).text == search(logs, LETTERS)[0].text == "THRES ONE"
    model = NGram.of_texts([("THREE", 1), ("ONE", 1), ("TWO", 1)])
    guidance = ShallowFusion(model, {word: word for word in model.words})
    assert search(logs, LETTERS, guidance)[0].text == "THREE ONE"


CLOSED = {"THREE": "three", "ONE": "one", "TWO": "two"}


def closed(hot_words: Sequence[str] = ()) -> ShallowFusion:
    model = NGram.of_texts([(word, 1) for word in CLOSED.values()])
    return ShallowFusion(model, CLOSED, hot_words, closed=True)


@pytest.mark.parametrize("said", ["THRES ONE", "XXXX", "ONEX", "TW", "ONE TW", "THREEONE TWO", "A"])
def test_a_closed_list_of_words_lets_no_other_word_be_heard(said: str) -> None:
    for width in (1, 3, 100):
        for found in search(spoken(said), LETTERS, closed(), width=width):
            assert set(found.text.split()) <= CLOSED.keys()
            assert LETTERS.spell(found.labels).split() == found.text.split()
            assert math.isfinite(found.log_probability)


def test_noise_is_words_of_the_closed_list_too() -> None:
    draws = np.random.default_rng(0)
    for _ in range(20):
        logs = log_probabilities(int(draws.integers(1 << 30)), 40, len(LETTERS.tokens), scale=3)
        texts = [found.text for found in search(logs, LETTERS, closed(["FOUR FIVE"]), width=20)]
        assert {word for text in texts for word in text.split()} <= {*CLOSED, "FOUR", "FIVE"}


def test_a_closed_list_mends_what_an_open_one_lets_stand() -> None:
    logs = spoken("THRES ONE")
    opened = ShallowFusion(NGram.of_texts([(word, 1) for word in CLOSED.values()]), CLOSED)
    assert "THRES" in search(logs, LETTERS, opened)[0].text
    assert search(logs, LETTERS, closed())[0].text.split()[-1] == "ONE"
    assert search(spoken("ONE TWO THREE"), LETTERS, closed())[0].text == "ONE TWO THREE"


def test_hot_words_are_words_of_a_closed_list() -> None:
    logs = spoken("ONE REFUND")
    assert search(logs, LETTERS, closed(["REFUND"]))[0].text == "ONE REFUND"
    assert "REFUND" not in search(logs, LETTERS, closed())[0].text
    assert search(logs, LETTERS, ShallowFusion(hot_words=["REFUND"], closed=True))[0].text == "REFUND"


def test_pairs_choose_between_words_that_sound_alike() -> None:
    logs = spoken("FOR ME", {2: "X"}, doubt=0.4)
    texts = [("FOX RUNS", 5), ("FOR ME", 5)]
    model = NGram.of_texts(texts)
    guidance = ShallowFusion(model, {word: word for word in model.words}, weight=1.0)
    assert search(spoken("FOX ME", {2: "R"}), LETTERS)[0].text == "FOX ME"
    assert search(spoken("FOX ME", {2: "R"}), LETTERS, guidance)[0].text == "FOR ME"
    assert search(logs, LETTERS, guidance)[0].text == "FOR ME"


@pytest.mark.parametrize("hot", ["REFUND", "A REFUND"])
def test_a_hot_word_is_heard_where_the_sound_allows_it(hot: str) -> None:
    logs = spoken("A REFOND", {5: "U"}, doubt=0.05)
    assert search(logs, LETTERS)[0].text == "A REFOND"
    assert search(logs, LETTERS, ShallowFusion(hot_words=[hot]))[0].text == "A REFUND"
    assert search(spoken("A MELON"), LETTERS, ShallowFusion(hot_words=[hot]))[0].text == "A MELON"


def test_a_hot_word_counts_as_a_whole_word_only() -> None:
    guidance = ShallowFusion(hot_words=["FUND"], hot_weight=4.0)
    inside, whole = (search(spoken(text), LETTERS, guidance)[0] for text in ("REFUND", "RE FUND"))
    assert inside.score == pytest.approx(inside.log_probability)
    assert whole.score == pytest.approx(whole.log_probability + 4.0)


def test_a_hot_word_is_no_unknown_word() -> None:
    model = NGram.of_texts([("ONE", 1)])
    plain = ShallowFusion(model, {"ONE": "ONE"})
    hot = ShallowFusion(model, {"ONE": "ONE"}, ["SUPERB"], hot_weight=0.0)
    cost = search(spoken("SUPERB"), LETTERS, hot)[0].score - search(spoken("SUPERB"), LETTERS, plain)[0].score
    assert cost == pytest.approx(UNKNOWN_COST, abs=0.01)


def test_memory_does_not_grow_with_the_audio() -> None:
    beam = _Beam(LETTERS, ShallowFusion(), width=20, margin=25.0)
    for frame in log_probabilities(0, 200, len(LETTERS.tokens), scale=1.0):
        beam.advance(list(enumerate(frame.tolist()))[:8])
    root = beam.prefixes[0]
    while root.parent is not None:
        root = root.parent
    waiting, alive = [root], 0
    while waiting:
        alive += 1
        waiting.extend(waiting.pop().after.values())
    assert alive < 1000  # not all 200 · 20 · 8 that were ever made
