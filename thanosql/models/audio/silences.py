"""A waveform in, the long silences in it out: stretches that hold no speech, so that no model need hear them.

Speech changes from one hundredth of a second to the next; what a room or a recorder adds is even. A silence is a stretch
that stays at the recording's own quiet, in all that is above a rumble and in what is high, well below the loudest
sound. Where that is not sure there is none: quiet speech, a noise that comes and goes, and a recording that is even
throughout are left as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thanosql.models.audio.waveform import Waveform

LEAST_SECONDS = 6.0  # no shorter silence is left out
# Of a silence, beside the sound at either end: words begin and end softly, and a model has learned them so.
# How much of it they need is measured (benchmarks/silence.py): a second cost the bundled base two points of WER.
KEPT_SECONDS = 2.5
STEP_SAMPLES = 320
STEP_SECONDS = STEP_SAMPLES / SAMPLING_RATE
BELOW_DB = 12.0  # how far below the loudest sound silence is
MARGIN_DB = (2.0, 6.0)  # above the quiet that silence stays within: of an even noise, and at most
SPREADS = 5.0  # the margin, in spreads of the quiet itself
CLICK_STEPS = 2  # a louder moment that is no longer than this is no sound: a word is longer
QUIETEST, LOWER = 0.10, 0.02  # of the steps around a moment: these are the quiet, and how far below it others lie
AROUND_STEPS = 250  # before and after a moment
EVERY_STEPS = 25  # from one moment to the next
DIGITAL_DB = -99.0  # below this the samples do not change

_RUMBLE = 80  # samples, 5 ms: what is slower than this is no speech
_FLOOR = 1e-10  # added to the mean square: digital silence is −100 dB
_GLANCE = SAMPLING_RATE // 2  # samples; a silence has three such blocks, whole
_BLOCK = 120 * _GLANCE  # samples that are looked at together, a minute


def long_silences(waveform: Waveform) -> list[tuple[int, int]]:
    """(from, to) in samples of each part that may be left out, in order; KEPT_SECONDS of each silence stay at its ends.

    In a recording that is even throughout, nothing is a silence but that of samples which do not change.

    >>> quiet, tone = np.zeros(128_000, np.float32), np.sin(np.arange(16_000)).astype(np.float32)
    >>> long_silences(np.concatenate([tone, quiet, tone]))
    [(56320, 104000)]
    >>> long_silences(np.concatenate([tone, quiet[:80_000], tone]))
    []
    """
    if not _worth_a_look(waveform):
        return []
    found = _levels(waveform)
    quiet = _is_quiet(found)
    least, kept = round(LEAST_SECONDS / STEP_SECONDS), round(KEPT_SECONDS / STEP_SECONDS)
    silences = []
    for begin, end in _runs(_without_clicks(quiet)):
        if end - begin < least:
            continue
        # At the recording's own ends there is no sound to keep a distance from; something is always left.
        first = begin + kept if begin else 0 if end < len(quiet) else 2 * kept
        last = (end - kept) * STEP_SAMPLES if end < len(quiet) else len(waveform)
        silences.append((first * STEP_SAMPLES, last))
    return silences


def _worth_a_look(waveform: Waveform) -> bool:
    """Whether any stretch is weak enough for so long; that costs a tenth of what `_levels` does."""
    blocks = len(waveform) // _GLANCE
    if blocks < LEAST_SECONDS * SAMPLING_RATE // _GLANCE:
        return False
    energy = np.empty(blocks, dtype=np.float32)
    for begin in range(0, blocks * _GLANCE, _BLOCK):
        part = np.asarray(waveform[begin : min(begin + _BLOCK, blocks * _GLANCE)]).reshape(-1, _GLANCE)
        squares, constant = np.einsum("ij,ij->i", part, part), part.sum(axis=1) ** 2 / _GLANCE
        varying = np.where(squares - constant > 1e-5 * squares, squares - constant, 0.0)  # the rest is rounding
        energy[begin // _GLANCE : begin // _GLANCE + len(part)] = varying
    # A block of speech is stronger than its mean for moments only: half of BELOW_DB is left for them.
    weak = energy <= energy.max() * 10 ** (-BELOW_DB / 20)
    return bool((weak[:-2] & weak[1:-1] & weak[2:]).any())


def _levels(waveform: Waveform) -> NDArray[np.float32]:
    """The level of each whole 20 ms in dB of full scale, `(2, steps)`: without what is slower than 5 ms, and of the
    differences between samples, in which what is high stands out."""
    steps = len(waveform) // STEP_SAMPLES
    found = np.empty((2, steps), dtype=np.float32)
    for begin in range(0, steps, _BLOCK // STEP_SAMPLES):
        end = min(begin + _BLOCK // STEP_SAMPLES, steps)
        samples = np.asarray(waveform[begin * STEP_SAMPLES : end * STEP_SAMPLES], dtype=np.float64)
        fast = samples.reshape(end - begin, -1, _RUMBLE)
        fast = fast - fast.mean(axis=2, keepdims=True)
        high = np.diff(samples, prepend=samples[:1])
        for row, signal in enumerate((fast, high)):
            steady = signal.reshape(end - begin, STEP_SAMPLES)
            found[row, begin:end] = 10 * np.log10(np.einsum("ij,ij->i", steady, steady) / STEP_SAMPLES + _FLOOR)
    return found


def _is_quiet(found: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each step is no louder than the quiet around it, `(steps,)`, of levels `(2, steps)` in dB."""
    floor, margin = _floor(found)
    moments = np.minimum(np.arange(found.shape[1]) // EVERY_STEPS, floor.shape[1] - 1)
    even = (found <= (floor + margin)[:, moments]).all(axis=0)
    below: NDArray[np.bool_] = found[0] <= found[0].max() - BELOW_DB
    return (even & below) | (found <= DIGITAL_DB).all(axis=0)


def _floor(found: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How loud the quiet is at each moment, and how much louder silence may be, both `(2, moments)`."""
    low, lower = [], []
    for at in range(0, found.shape[1], EVERY_STEPS):
        around = found[:, max(0, at + EVERY_STEPS // 2 - AROUND_STEPS) : at + EVERY_STEPS // 2 + AROUND_STEPS]
        places = [int(share * (around.shape[1] - 1)) for share in (QUIETEST, LOWER)]
        parted = np.partition(around, places, axis=1)
        low.append(parted[:, places[0]])
        lower.append(parted[:, places[1]])
    quiet, below = np.stack(low, axis=1), np.stack(lower, axis=1)
    return quiet, np.clip(SPREADS * (quiet - below), *MARGIN_DB)


def _without_clicks(quiet: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The same, moments of sound that are too short for any word counted as quiet."""
    found = quiet.copy()
    for begin, end in _runs(~quiet):
        if end - begin <= CLICK_STEPS:
            found[begin:end] = True
    return found


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where the mask is true, from and to (exclusive)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(one), int(other)) for one, other in edges.reshape(-1, 2)]
