"""PREDICT and CHECK over compressed audio, decoded by processes of its own against decoded in the session.

    python benchmarks/decoding_processes.py [--rows 40] [--rounds 5] [--seconds 10] [--only predict,check]

In turn, in one session per setting; the processor's time is that of the session and of what decodes for it together.
What is decoded is the noise of a seed: the bundled model finds no words in it, and computes as for any other sound.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import thanosql
from thanosql.engine.postgres import embedded
from thanosql.models.audio.decoder_pool import POOL

FORMATS = {"flac": "FLAC", "mp3": "MP3", "ogg": "OGG"}


def processor_seconds() -> float:
    """Of this process and of those that decode for it."""
    mine = time.process_time()
    for process in POOL.processes:
        mine += int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
    return mine


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, amount in (("rows", 40), ("rounds", 5), ("seconds", 10)):
        asked.add_argument(f"--{name}", type=int, default=amount)
    asked.add_argument("--only", default="predict,check")
    amounts = asked.parse_args()

    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        folder = Path(made)
        folder.chmod(0o755)
        rng = np.random.default_rng(0)
        for kind, name in FORMATS.items():
            for row in range(amounts.rows):
                samples = rng.standard_normal(16_000 * amounts.seconds) * 0.05
                soundfile.write(folder / f"{row}.{kind}", samples, 16_000, format=name)
        url = embedded.start(folder / "postgres")
        try:
            sessions = {}
            for processes in (0, 4):
                os.environ["THANOSQL_DECODING_PROCESSES"] = str(processes)
                sessions[processes] = thanosql.connect(url, home=folder / f"home{processes}")
            for statement in amounts.only.split(","):
                head = {
                    "predict": "PREDICT USING Wav2Vec2Tiny OPTIONS (save_seconds=NULL) AS",
                    "check": "CHECK PREDICT USING Wav2Vec2Tiny AS",
                }[statement]
                for kind in FORMATS:
                    measure(
                        f"{head} SELECT '{folder}/' || n || '.{kind}' AS audio_path, '' AS text "
                        f"FROM generate_series(0, {amounts.rows - 1}) n",
                        f"{statement} {kind}",
                        sessions,
                        amounts.rounds,
                    )
            for session in sessions.values():
                session.close()
        finally:
            embedded.stop(folder / "postgres")


def measure(sql: str, what: str, sessions: dict[int, thanosql.Session], rounds: int) -> None:
    clock: dict[int, list[float]] = {processes: [] for processes in sessions}
    processor: dict[int, list[float]] = {processes: [] for processes in sessions}
    for session in sessions.values():  # loads what is loaded once
        session.execute(sql)
    for _ in range(rounds):
        for processes, session in sessions.items():
            begun, before = time.perf_counter(), processor_seconds()
            session.execute(sql)
            clock[processes].append(time.perf_counter() - begun)
            processor[processes].append(processor_seconds() - before)
    said = [
        f"{name} {statistics.median(times[0]):.2f} s and {statistics.median(times[4]):.2f} s, "
        f"{statistics.median(b / a for a, b in zip(times[0], times[4])) - 1:+.1%}"
        for name, times in (("by the clock", clock), ("of the processor", processor))
    ]
    print(f"{what}: in the session and in processes: {'; '.join(said)}", flush=True)


if __name__ == "__main__":
    main()
