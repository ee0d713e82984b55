"""Alignment of texts that do not fit: held against alignment without gaps, and against all ways to leave words out."""

from __future__ import annotations

import tracemalloc
from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.models.ctc import alignment, gapped_alignment
from thanosql.models.ctc.alignment import AlignmentError, align
from thanosql.models.ctc.gapped_alignment import Costs, Place, align_gapped

BLANK, BREAK, A, B = range(4)
STAR = 4


def logs(frames: int, seed: int, scale: float = 3.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(frames, 4), scale=scale)
    found: np.ndarray = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return found


def sure(labels: list[int], probability: float = 0.97) -> np.ndarray:
    found = np.full((len(labels), 4), np.log((1 - probability) / 3))
    found[np.arange(len(labels)), labels] = np.log(probability)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.lists(st.sampled_from([A, B]), min_size=1, max_size=3), min_size=1, max_size=4),
    st.integers(0, 12),
)
def test_without_gaps_the_words_stand_where_alignment_has_them(seed: int, words: list[list[int]], more: int) -> None:
    labels = [label for number, word in enumerate(words) for label in ([BREAK] if number else []) + word]
    frames = 2 * len(labels) + more
    found = align_gapped(logs(frames, seed), words, BLANK, BREAK, None)
    expected = [span for span in align(logs(frames, seed), labels, BLANK) if span.label != BREAK]
    assert [span for place in found for span in place.labels] == expected
    assert [place.word for place in found] == list(range(len(words)))


def cost(emitted: np.ndarray, words: list[list[int]], costs: Costs) -> float:
    """The best log-probability of all ways: each frame has a label or the star, and stars stand between words only.

    What is silent around a gap is a part of it: no blank stands before the first word's gap, or behind a gap.
    """
    best = -np.inf
    for path in product(range(5), repeat=len(emitted)):
        order = [one for one, _ in groupby(path)]
        if (STAR, BLANK) in zip(order, order[1:]) or order[:2] == [BLANK, STAR]:
            continue
        score = sum(row.max() - costs.frame if one == STAR else row[one] for row, one in zip(emitted, path))
        for left_out in _readings(path, words):
            letters = sum(len(words[number]) for number in left_out)
            stars = sum(one == STAR for one, _ in groupby(path))
            best = max(best, score - costs.gap * stars - costs.letter * letters)
    return best


def _readings(path: tuple[int, ...], words: list[list[int]]) -> list[list[int]]:
    """The words that are left out, in each way to read a path: words between which no star stands follow each other."""
    pieces: list[list[list[int]]] = [[]]
    for one, run in groupby(path):
        if one == STAR:
            pieces.append([])
        else:
            pieces[-1].append([one] * len(list(run)))
    texts = []
    for piece in pieces:
        labels = [run[0] for run in piece if run[0] != BLANK]
        texts.append(labels)
    found = []
    for cut in product(*[range(len(words) + 1) for _ in range(2 * len(texts))]):
        begins, ends = cut[::2], cut[1::2]
        bounds = [bound for pair in zip(begins, ends) for bound in pair]
        if bounds != sorted(bounds) or (begins[0] != 0 and texts[0]) or (ends[-1] != len(words) and texts[-1]):
            continue
        if (len(texts) == 1) and (begins[0], ends[0]) != (0, len(words)):
            continue
        spoken = [
            [label for number in range(begin, end) for label in ([BREAK] if number > begin else []) + words[number]]
            for begin, end in zip(begins, ends)
        ]
        # What a path says beside a star begins and ends with a word; the first piece begins with the first word.
        if all(text == labels for text, labels in zip(spoken, texts)) and all(
            begin < end or not labels for begin, end, labels in zip(begins, ends, texts)
        ):
            taken = {number for begin, end in zip(begins, ends) for number in range(begin, end)}
            found.append([number for number in range(len(words)) if number not in taken])
    return found


@pytest.mark.parametrize("block", [1, 2**26])
def test_a_word_in_the_audio_that_the_text_lacks_is_a_gap(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "HELD", block)  # memory of the square root, or all at once
    emitted = sure([A, BLANK, A, BREAK, B, BLANK, B, BLANK, A, BREAK, BLANK, A, B])
    found = align_gapped(emitted, [[A, A], [A, B]], BLANK, BREAK, Costs())
    assert [(place.word, place.start, place.end) for place in found] == [(0, 0, 3), (None, 4, 9), (1, 11, 13)]


@pytest.mark.parametrize("text", [[[A, B]], [[B, B, B], [A, B]]])
def test_so_is_one_at_the_very_beginning(text: list[list[int]]) -> None:
    found = align_gapped(sure([B, A, BLANK, A, BREAK, A, BREAK, BLANK, A, B]), text, BLANK, BREAK, Costs(letter=1.0))
    heard = [(place.word, place.start, place.end) for place in found if place.end > place.start]
    assert heard == [(None, 0, 6), (len(text) - 1, 8, 10)]


def test_all_speech_is_a_gap_where_the_text_is_empty() -> None:
    emitted = sure([BLANK, BLANK, A, BLANK, B, BREAK, A, BLANK, BLANK])
    assert align_gapped(emitted, [], BLANK, BREAK, Costs()) == (Place(None, 2, 7),)
    assert align_gapped(emitted, [], BLANK, BREAK, None) == ()
    for silence in (sure([BLANK] * 9), np.empty((0, 4))):
        assert align_gapped(silence, [], BLANK, BREAK, Costs()) == ()


def test_long_audio_takes_memory_of_the_square_root_of_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "HELD", 0)
    frames, words = 4_000, [[A, B]] * 300
    emitted = sure([*[A, B, BREAK] * 300, *[BLANK] * (frames - 900)])
    tracemalloc.start()
    align_gapped(emitted, words, BLANK, BREAK, Costs())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Columns of 8 bytes a state, one a block, and decisions of about 2 for each frame of a block: 7 where blocks are as long
    # as takes least, 10 where there are as many as frames in one; and what a step needs.
    states = 2 * (3 * 300) + 302
    assert peak < 9.5 * frames**0.5 * states


def test_words_of_the_text_that_the_audio_lacks_have_no_place() -> None:
    emitted = sure([A, BLANK, A, BREAK, BLANK, BLANK, A, B, BLANK])
    found = align_gapped(emitted, [[A, A], [B, B, B], [B, A, B], [A, B]], BLANK, BREAK, Costs())
    assert [(place.word, bool(place.labels)) for place in found] == [(0, True), (1, False), (2, False), (3, True)]
    assert all(place.start == place.end for place in found if not place.labels)


def test_a_word_that_cannot_be_spelled_takes_what_is_heard_in_its_place() -> None:
    emitted = sure([BLANK, A, A, BREAK, BLANK, B, BLANK, A, BREAK, BLANK, B, B])
    found = align_gapped(emitted, [[A], None, [B]], BLANK, BREAK, None)
    assert [(place.word, place.start, place.end) for place in found] == [(0, 1, 3), (1, 5, 8), (2, 10, 12)]


def test_a_text_that_fits_has_no_gap() -> None:
    emitted = sure([A, BLANK, A, BREAK, B, BLANK, BREAK, A, B, BLANK])
    found = align_gapped(emitted, [[A, A], [B], [A, B]], BLANK, BREAK, Costs())
    assert [(place.word, place.start, place.end) for place in found] == [(0, 0, 3), (1, 4, 5), (2, 7, 9)]
    assert all(place.excess == 0 for place in found)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.lists(st.sampled_from([A, B]), min_size=1, max_size=3), max_size=5),
    st.integers(0, 14),
    st.sampled_from([1, 2**26]),
)
def test_every_word_has_one_place_in_order_whatever_is_heard(
    seed: int, words: list[list[int]], frames: int, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment, "HELD", block)
        found = align_gapped(logs(frames, seed), words, BLANK, BREAK, Costs(gap=2.0, letter=0.5))
    assert [place.word for place in found if place.word is not None] == list(range(len(words)))
    edges = [edge for place in found for edge in (place.start, place.end)]
    assert edges == sorted(edges)
    assert all(edge <= frames for edge in edges)
    for place in found:
        assert [span.label for span in place.labels] == (words[place.word] if place.labels else [])  # type: ignore[index]


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.lists(st.sampled_from([A, B]), min_size=1, max_size=2), min_size=1, max_size=2),
    st.integers(2, 5),
)
def test_the_path_is_the_best_of_all_ways_to_leave_words_out(seed: int, words: list[list[int]], frames: int) -> None:
    emitted, costs = logs(frames, seed), Costs(gap=1.0, frame=0.05, letter=0.5)
    lattice = gapped_alignment._Lattice(emitted, words, BLANK, BREAK, costs)
    column = lattice._first()
    for frame in range(1, frames):
        column = lattice._step(column, frame)[0]
    assert column[lattice._last(column)] == pytest.approx(cost(emitted, words, costs))


def test_a_text_longer_than_its_audio_is_refused_without_gaps_and_left_out_with_them() -> None:
    emitted = sure([A, BREAK, BLANK])
    with pytest.raises(AlignmentError, match="needs 5 frames"):
        align_gapped(emitted, [[A], [B], [B]], BLANK, BREAK, None)
    found = align_gapped(emitted, [[A], [B, B, B], [B, A, B]], BLANK, BREAK, Costs())
    assert [bool(place.labels) for place in found] == [True, False, False]
    assert align_gapped(emitted[:0], [[A]], BLANK, BREAK, Costs()) == (Place(0, 0, 0),)
