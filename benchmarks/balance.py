"""How evenly PREDICT's batches divide ten million utterances among a thousand workers, and what planning them costs.

    python benchmarks/balance.py [--rows 10000000] [--workers 1000] [--folder …] [--picture docs/balance.svg]

The planner is the real one (engine.prediction.batching), from rows to batches and from outcomes to rows; the workers are
simulated in a time of their own. As on a cluster, a worker has two batches, one in the model and one being read, and the
next batch goes to the worker that has fewest; some machines are faster than others. Durations are drawn log-normal (seed 0),
with the mean and the spread of the logarithms of the recordings in `--folder` (wav; the Free Spoken Digit Dataset), as they
are and `--longer` times as long. Goals: the busiest worker within 2% of the mean, for ten million rows less than 60 s of
the planner's processor time and 1 GB of memory, for a million less than 10 s.
"""

from __future__ import annotations

import argparse
import heapq
import math
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from thanosql.engine.executors.base import Workers
from thanosql.engine.executors.ray_pool import AHEAD
from thanosql.engine.prediction.batching import recognize
from thanosql.models.audio.access import AudioAccess
from thanosql.models.cancellation import Cancellation
from thanosql.models.options import TranscribeOptions
from thanosql.models.tasks import AudioRow, Outcome, Output, TranscribeTask

FSDD = Path(__file__).resolve().parents[2] / "shared" / "data" / "fsdd"
CHUNK = 1 << 16
RTFX = 12.0  # seconds of audio a worker recognizes in one second: docs/performance.md, base size, two cores, float32
SPREAD = 0.2  # the slowest worker is so much slower than the middle one, the fastest so much faster
BALANCE, SECONDS, MEGABYTES = 1.02, 60.0, 1000.0
# It has a ground of its own, so that it is read on pages of either kind.
STYLE = (
    "rect{fill:#fff}text{fill:#222}.grid{stroke:#ddd}.goal{stroke:#d62728;stroke-dasharray:5 4}"
    ".a{fill:none;stroke:#1f77b4;stroke-width:2}.b{fill:none;stroke:#ff7f0e;stroke-width:2}"
    "@media(prefers-color-scheme:dark){rect{fill:#1c1f26}text{fill:#ddd}.grid{stroke:#3a3f4a}.a{stroke:#6cb6ff}"
    ".b{stroke:#ffb066}}"
)


class SimulatedWorkers:
    """An executor whose batches take as long as their audio says; `busy` are the seconds that each worker was at work."""

    def __init__(self, count: int) -> None:
        self._speeds = (RTFX * np.random.default_rng(1).uniform(1 - SPREAD, 1 + SPREAD, count)).tolist()
        self.busy = [0.0] * count
        self.batches = 0
        self.planning = 0.0  # processor seconds in which the next batch was made

    def workers(self, how: TranscribeOptions) -> Workers:
        return Workers(len(self.busy), 1.0, 0.0, "simulated")

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        room = [worker for _ in range(AHEAD) for worker in reversed(range(len(self.busy)))]
        under_way: list[tuple[float, int, int, tuple[AudioRow, ...]]] = []  # by when it is done
        for batch in self._timed(iter(batches)):
            if not batch:
                yield ()
                continue
            if not room:
                _, _, worker, done = heapq.heappop(under_way)
                room.append(worker)
                yield _heard(done)
            worker = room.pop()
            self.batches += 1
            self.busy[worker] += sum(row.seconds for row in batch) / self._speeds[worker]  # one batch after the other
            heapq.heappush(under_way, (self.busy[worker], self.batches, worker, batch))
        while under_way:
            yield _heard(heapq.heappop(under_way)[-1])

    def _timed(self, batches: Iterator[tuple[AudioRow, ...]]) -> Iterator[tuple[AudioRow, ...]]:
        while True:
            begun = time.process_time()
            batch = next(batches, None)
            self.planning += time.process_time() - begun
            if batch is None:
                return
            yield batch


def _heard(batch: tuple[AudioRow, ...]) -> tuple[Outcome, ...]:
    return tuple(Outcome(row.row, None, row.seconds) for row in batch)


@dataclass(frozen=True)
class Found:
    """Processor seconds of `planning`, and of the whole way there and back; what drawing the durations took is in neither."""

    rows: int
    batches: int
    hours: float
    planning: float
    whole: float
    busy: list[float]  # seconds, in order

    @property
    def mean(self) -> float:
        return sum(self.busy) / len(self.busy)

    @property
    def balance(self) -> float:
        """The busiest worker's share of the mean."""
        return self.busy[-1] / self.mean


def utterances(count: int, mean: float, spread: float) -> Iterator[AudioRow]:
    draw = np.random.default_rng(0)
    row = 0
    for first in range(0, count, CHUNK):
        for seconds in draw.lognormal(mean, spread, min(CHUNK, count - first)).tolist():
            row += 1
            yield AudioRow(row, f"/calls/{row:08d}.wav", seconds)


def simulate(count: int, workers: int, mean: float, spread: float) -> Found:
    begun = time.process_time()
    audio = sum(row.seconds for row in utterances(count, mean, spread))
    drawing = time.process_time() - begun
    task = TranscribeTask(output=Output.TRANSCRIPT, audio=AudioAccess(roots=()))
    executor: Any = SimulatedWorkers(workers)
    begun = time.process_time()
    heard = sum(
        1 for _ in recognize(task, utterances(count, mean, spread), executor, Cancellation(), total_seconds=audio)
    )
    seconds = time.process_time() - begun
    assert heard == count
    return Found(
        count, executor.batches, audio / 3600, executor.planning - drawing, seconds - drawing, sorted(executor.busy)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--longer", type=float, default=15.0)
    parser.add_argument("--folder", type=Path, default=FSDD)
    parser.add_argument("--picture", type=Path, help="docs/balance.svg")
    given = parser.parse_args()
    files = sorted(given.folder.glob("*.wav"))
    if not files:
        raise SystemExit(f"there are no recordings (wav) in {given.folder}")
    logs = np.log([soundfile.info(file).duration for file in files])
    mean, spread = float(logs.mean()), float(logs.std())
    print(f"{len(files):,} recordings: median {math.exp(mean):.2f} s, spread of the logarithm {spread:.2f}")
    drawn = []
    for rows in given.rows:
        for longer in (1.0, given.longer):
            found = simulate(rows, given.workers, mean + math.log(longer), spread)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{rows:,} rows, {found.hours:,.0f} hours, {found.batches:,} batches, {given.workers:,} workers: planned in "
                f"{found.planning:.1f} s ({found.whole:.1f} s with outcomes back to rows), {peak:.0f} MB; "
                f"busiest {found.balance - 1:+.2%}, idlest {found.busy[0] / found.mean - 1:+.2%} of the mean, "
                f"{found.mean / 3600:.2f} hours",
                flush=True,
            )
            if rows == max(given.rows):
                drawn.append((f"{found.hours:,.0f} hours", found))
    worst = max(found.balance for _, found in drawn)
    slowest = max(found.planning for _, found in drawn)
    print(
        f"goals: busiest {worst - 1:+.2%} of {BALANCE - 1:.0%}; {slowest:.1f} of {SECONDS:.0f} s; "
        f"{peak:.0f} of {MEGABYTES:.0f} MB"
    )
    if given.picture:
        given.picture.write_text(picture(drawn), encoding="utf-8")


def picture(drawn: Sequence[tuple[str, Found]]) -> str:
    """How long each worker was busy, of the mean: a curve each, the workers in order."""
    left, top, width, height, most = 70, 50, 620, 210, 2.5

    def at(share: float, percent: float) -> str:
        return f"{left + share * width:.1f},{top + height / 2 - percent / most * height / 2:.1f}"

    parts = [f'<text x="{left}" y="28" font-size="14">How long each worker is busy, of the mean of all</text>']
    for percent in (-2, -1, 0, 1, 2):
        kind = "goal" if abs(percent) == 2 else "grid"
        parts.append(f'<polyline points="{at(0, percent)} {at(1, percent)}" class="{kind}"/>')
        y = at(0, percent).split(",")[1]
        parts.append(f'<text x="{left - 8}" y="{float(y) + 4:.1f}" text-anchor="end">{percent:+d}%</text>')
    for number, (label, found) in enumerate(drawn):
        shares = [index / (len(found.busy) - 1) for index in range(len(found.busy))]
        points = " ".join(
            at(share, (busy / found.mean - 1) * 100) for share, busy in zip(shares, found.busy, strict=True)
        )
        parts.append(f'<polyline points="{points}" class="{"ab"[number % 2]}"/>')
        parts.append(
            f'<polyline points="{at(0.02 + number * 0.4, -2.3)} {at(0.07 + number * 0.4, -2.3)}" class="{"ab"[number % 2]}"/>'
        )
        x, y = at(0.08 + number * 0.4, -2.3).split(",")
        parts.append(f'<text x="{x}" y="{float(y) + 4:.1f}">{label} of audio</text>')
    count = len(drawn[0][1].busy)
    below = f'x="{left + width / 2}" y="{top + height + 24}" text-anchor="middle"'
    parts.append(f"<text {below}>{count:,} workers, the least busy first</text>")
    inside = "\n".join(parts)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300" font-family="sans-serif" font-size="12">\n'
        f'<style>{STYLE}</style>\n<rect width="720" height="300" rx="6"/>\n{inside}\n</svg>\n'
    )


if __name__ == "__main__":
    main()
