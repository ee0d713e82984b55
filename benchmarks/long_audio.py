"""Peak memory of PREDICT over one recording, against its length: ten minutes, an hour, ten hours.

    python benchmarks/long_audio.py [--minutes 10 60 600] [--model Wav2Vec2Tiny] [--threads 1] [--url postgresql://…]

The recording is a FLAC of spoken_numbers put end to end. Each length runs in a process of its own, from query to table;
the peak is the process's own, not PostgreSQL's. A long recording is decoded into a file without a name, 230 MB an
hour, in the folder for temporary files (TMPDIR), and heard in windows from there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import thanosql
from thanosql.engine.postgres import embedded
from thanosql.models import audio
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.datasets import DATASETS

RECORDINGS = 40
GOAL_MEGABYTES = 200.0  # of growth from the shortest to the longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[10, 60, 600])
    parser.add_argument("--model", default="Wav2Vec2Tiny")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--url", default=os.environ.get("THANOSQL_DATABASE_URL"))
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.url, given.model, given.one, given.threads)))
        return
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        url = given.url or embedded.start(parent / "postgres")
        peaks = []
        print(f"{'minutes':>8} {'seconds':>9} {'RTFx':>6} {'words':>8} {'peak MB':>8}")
        for minutes in given.minutes:
            command = [sys.executable, __file__, "--one", str(minutes), "--url", url, "--model", given.model]
            done = subprocess.run(
                [*command, "--threads", str(given.threads)], stdout=subprocess.PIPE, check=True, text=True
            )
            seconds, words, peak = json.loads(done.stdout.splitlines()[-1])
            peaks.append(peak)
            print(f"{minutes:8g} {seconds:9.1f} {60 * minutes / seconds:6.0f} {words:8,} {peak:8.0f}", flush=True)
    finally:
        embedded.stop(parent / "postgres")
    print(f"growth of the peak {peaks[-1] - peaks[0]:.0f} MB (goal: at most {GOAL_MEGABYTES:g})")


def measure(url: str, model: str, minutes: float, threads: int) -> tuple[float, int, float]:
    """Seconds of the statement, words heard, and the process's peak in megabytes."""
    with tempfile.TemporaryDirectory() as home, thanosql.connect(url, home=home) as session:
        session.settings.workspace.mkdir()
        write(session.settings.workspace / "long.flac", minutes)
        import torch

        torch.set_num_threads(threads)
        begun = time.perf_counter()
        frame = session.execute(f"PREDICT USING {model} AS SELECT 'long.flac' AS audio_path")
        seconds = time.perf_counter() - begun
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return seconds, len(frame.predict_result[0].split()), peak


def write(path: Path, minutes: float) -> None:
    """A FLAC of at least so many minutes, written block by block."""
    source = DATASETS["spoken_numbers"].folder
    paths = sorted(file for ending in ("wav", "flac") for file in source.rglob(f"*.{ending}"))
    pause = np.zeros(SAMPLING_RATE // 4, dtype=np.float32)
    blocks = [np.concatenate([audio.read(str(one)), pause]) for one in paths[:: len(paths) // RECORDINGS]]
    left = int(minutes * 60 * SAMPLING_RATE)
    with soundfile.SoundFile(path, "w", SAMPLING_RATE, 1, "PCM_16") as file:
        while left > 0:
            for block in blocks:
                file.write(block[:left])
                left = max(0, left - len(block))


if __name__ == "__main__":
    main()
