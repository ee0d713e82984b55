"""Many short clips through the small model: PREDICT table to table against transformers' pipeline at its best batch size.

    python benchmarks/short_utterances.py [--clips 400] [--seconds 0.5] [--rounds 5] [--threads 2] [--profile]

Clips of half a second, cut from spoken_numbers, heard by Wav2Vec2Tiny. Both sides run in this process, in turn, as in
`predict.py`, the pipeline with each of the batch sizes 1, 4, 16 and 64, of which the fastest in the median counts. Printed are
the median over the rounds of theirs by ours, in seconds of the clock and of this process's processor time, the shares of
the bare forward pass's speed (`shares of the bare model`: the recognizer given the same waveforms, and the folded forward
alone), and how many transcripts differ. With --profile, where our time goes instead.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import sqlalchemy
import torch

# The directory of this file is on the path of a script.
from predict import PRECISIONS, fill, make_pipeline, make_utterances, ours, processor, theirs

import thanosql
from thanosql.engine.postgres import embedded
from thanosql.models import registry
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.bases import BASES
from thanosql.models.datasets import DATASETS
from thanosql.models.options import TranscribeOptions

BATCHES = (1, 4, 16, 64)
GOAL, SHARE_GOAL = 3.0, 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        url = embedded.start(parent / "postgres")
        with tempfile.TemporaryDirectory() as home, thanosql.connect(url, home=home) as session:
            clips = short_clips(given.clips, given.seconds)
            fill(session, clips)
            print(
                f"{processor()}; {given.threads} threads; torch {torch.__version__}; {len(clips)} clips of "
                f"{given.seconds:g} s; {given.rounds} rounds; load {os.getloadavg()[0]:.0f}",
                flush=True,
            )
            folder = Path(str(BASES["Wav2Vec2Tiny"].checkpoint))
            mine = partial(ours, session, folder, "float32")
            if given.profile:
                profile(mine)
            else:
                compare(mine, url, session.settings.workspace, folder, clips, given.rounds)
    finally:
        embedded.stop(parent / "postgres")


def short_clips(count: int, seconds: float) -> list[np.ndarray]:
    """float32 waveforms `(samples,)` at 16,000 Hz, one after the other out of the data set's longer ones."""
    size = int(seconds * SAMPLING_RATE)
    whole = np.concatenate(make_utterances(DATASETS["spoken_numbers"].folder, 1 + int(count * seconds / 1.5)))
    return [whole[number * size : (number + 1) * size] for number in range(count)]


def profile(run: Callable[[], object]) -> None:
    run()
    watch = cProfile.Profile()
    watch.runcall(run)
    pstats.Stats(watch).sort_stats("tottime").print_stats(40)


def compare(
    mine: Callable[[], list[str]], url: str, workspace: Path, folder: Path, clips: list[np.ndarray], rounds: int
) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    pipeline = make_pipeline(folder, PRECISIONS["float32"])
    options = TranscribeOptions(precision="float32", device="cpu")
    recognizer = registry.family("wav2vec2").load(str(folder), options)
    prepared = [recognizer.prepare(clip) for clip in clips]
    runs: dict[str, Callable[[], object]] = {"ours": mine}
    runs |= {f"pipeline {batch}": partial(theirs, engine, pipeline, workspace, batch) for batch in BATCHES}
    runs["recognizer"] = lambda: recognizer.transcribe(clips, options)
    runs["forward"] = lambda: [recognizer.forward(prepared[i : i + 16]) for i in range(0, len(prepared), 16)]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    heard = {}
    for number in range(rounds + 1):
        for name, run in runs.items():
            wall, busy = time.perf_counter(), time.process_time()
            heard[name] = run()
            if number:  # the first makes what the others find made
                taken[name].append((time.perf_counter() - wall, time.process_time() - busy))
    for name, found in taken.items():
        wall, busy = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:<12} {wall:7.2f} s of the clock {busy:7.2f} s of the processor")
    for kind, number in (("clock", 0), ("processor time", 1)):
        middle = {name: statistics.median(one[number] for one in found) for name, found in taken.items()}
        best = min((name for name in runs if name.startswith("pipeline")), key=lambda name: middle[name])
        pairs = [other[number] / own[number] for other, own in zip(taken[best], taken["ours"], strict=True)]
        share = statistics.median(
            bare[number] / own[number] for bare, own in zip(taken["forward"], taken["ours"], strict=True)
        )
        print(
            f"{kind}: ours against {best}, its best: x {statistics.median(pairs):.2f} (goal {GOAL:g}); "
            f"{share:.0%} of the bare forward's speed (goal {SHARE_GOAL:.0%})"
        )
    differ = sum(a != b for a, b in zip(heard["ours"], heard["pipeline 1"], strict=True))
    print(f"transcripts that differ from the pipeline's one by one: {differ} of {len(clips)}")


if __name__ == "__main__":
    main()
