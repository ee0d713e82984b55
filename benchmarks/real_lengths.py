"""BUILD against the Trainer on utterances as long as people's: how much of a batch is padding, how fast, how good.

Called by `build.py --real`. Lengths are log-normal (median 5 s, from 1 to 20 s). The Trainer groups them by length, as with
`train_sampling_strategy='group_by_length'`, and takes as many of them at a time as is fastest for it, adding up gradients:
a step learns from the same eight utterances on both sides. Each step of a large table has utterances of nearly one length.
So that few rows have steps like that, they are drawn as whole steps of a table of fifty.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from taking_turns import in_turns
from transformers.trainer_pt_utils import get_length_grouped_indices
from two_trainers import Measured, Rows, run_ours, run_trainer, told

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.options import TrainOptions

STEP = 8  # utterances that a step learns from
STEPS_SORTED = 50  # that both sides sort together
SIZES = (8, 4, 2, 1)  # of the Trainer's forward pass, of which the fastest counts
GOALS = (1.3, 1.8)  # first epoch, later ones
TABLE = 2_000  # rows whose padding is counted


def lengths(count: int, draw: np.random.Generator) -> np.ndarray:
    """Seconds."""
    return np.clip(draw.lognormal(np.log(5.0), 0.6, count), 1.0, 20.0)


def show_padding() -> None:
    """How much of the Trainer's frames is padding, at each size of its forward pass."""
    draw = np.random.default_rng(0)
    seconds = lengths(TABLE, draw)
    torch.manual_seed(0)
    for size in (1, 2, 4, 8, 16, 32):
        grouped = get_length_grouped_indices(seconds.tolist(), max(size, STEP))
        print(
            f"passes of {size}: {padding(seconds[grouped], size):.1%} of the frames are padding where rows are grouped by "
            f"length, {padding(seconds[draw.permutation(TABLE)], size):.1%} where not"
        )


def padding(seconds: np.ndarray, size: int) -> float:
    """The share of frames that are padding when so many rows, in this order, go through together."""
    padded = sum(len(part) * part.max() for part in np.split(seconds, range(size, len(seconds), size)))
    return max(0.0, float(1 - seconds.sum() / padded))


def make_rows(count: int) -> list[tuple[np.ndarray, str]]:
    """Noise, and about 14 letters a second: whole steps of a table whose rows are sorted by length."""
    draw = np.random.default_rng(0)
    table = np.sort(lengths(STEP * STEPS_SORTED, draw)).reshape(-1, STEP)
    rows = []
    for seconds in table[draw.choice(STEPS_SORTED, count // STEP, replace=False)].flat:
        letters = "".join(draw.choice(list("ETAOIN SHRDLU "), max(2, int(14 * seconds))))
        waveform = draw.standard_normal(int(seconds * SAMPLING_RATE), dtype=np.float32) / 10
        rows.append((waveform, " ".join(letters.split())))
    return rows


def passes_of(size: int, epochs: int, precision: str) -> TrainOptions:
    return told(
        epochs,
        batch_size=size,
        gradient_accumulation=STEP // size,
        learning_rate=1e-4,
        precision=precision,
    )


def compare_speed(base: Path, rows: Rows, epochs: int, precision: str, title: str) -> None:
    show_padding()
    seconds = sum(len(waveform) for waveform, _ in rows) / SAMPLING_RATE
    print(
        f"{title}; {precision}; {len(rows)} utterances, {seconds:.0f} s of audio, {STEP} a step, {epochs} epochs",
        flush=True,
    )
    names = [f"the Trainer, passes of {size}" for size in SIZES] + ["ours"]
    sizes = [*SIZES, STEP]
    trainings: list[Callable[[Measured], None]] = [
        partial(run_ours if name == "ours" else run_trainer, base, rows, passes_of(size, epochs, precision))
        for name, size in zip(names, sizes, strict=True)
    ]
    found = dict(zip(names, in_turns(trainings, epochs), strict=True))
    for name, measured in found.items():
        said = ", ".join(f"{work:.1f}" for work in measured.processor)
        wall = ", ".join(f"{clock:.1f}" for clock in measured.wall)
        losses = ", ".join(f"{loss:.3f}" for loss in measured.by_epoch().mean(1))
        print(f"{name}: processor seconds by epoch {said}; on the clock {wall}; losses {losses}")
    ours = found.pop("ours")
    for place, (epoch, goal) in enumerate(zip(("first epoch", "later epochs"), GOALS, strict=True)):

        def of(taken: Sequence[float], place: int = place) -> float:
            return statistics.median(taken[1:]) if place else taken[0]

        best = min(found, key=lambda name: of(found[name].processor))
        peer = found[best]
        print(
            f"{epoch}, ours against {best}, its best: × {of(peer.processor) / of(ours.processor):.2f} in processor time, "
            f"× {of(peer.wall) / of(ours.wall):.2f} on the clock (goal {goal})"
        )


def joined(rows: Rows, draw: np.random.Generator) -> list[tuple[np.ndarray, str]]:
    """Recordings put end to end, each once and in a drawn order, to utterances of real lengths."""
    found: list[tuple[np.ndarray, str]] = []
    parts: list[tuple[np.ndarray, str]] = []
    wanted = float(lengths(1, draw)[0])
    for place in draw.permutation(len(rows)):
        parts.append(rows[int(place)])
        if sum(len(waveform) for waveform, _ in parts) >= wanted * SAMPLING_RATE:
            found.append((np.concatenate([waveform for waveform, _ in parts]), " ".join(text for _, text in parts)))
            parts, wanted = [], float(lengths(1, draw)[0])
    return found
