"""PREDICT and CHECK over compressed audio, decoded by processes of its own against decoded in the session.

    python benchmarks/decoding_processes.py [--rows 40] [--rounds 5] [--seconds 10] [--only predict,check,facts]

`facts` is what CHECK asks for, without a statement around it: by four threads and by one, and by one process for one thread.

In turn, in one session per setting; the processor's time is that of the session and of what decodes for it together.
What is decoded is the noise of a seed: the bundled model finds no words in it, and computes as for any other sound.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

import thanosql
from thanosql.engine.postgres import embedded
from thanosql.models.audio.decoder_pool import POOL
from thanosql.models.audio.reading import facts

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
        statements = amounts.only.split(",")
        if "facts" in statements:
            statements.remove("facts")
            for kind in FORMATS:
                measure_facts([str(folder / f"{row}.{kind}") for row in range(amounts.rows)], kind, amounts.rounds)
        if not statements:
            return
        url = embedded.start(folder / "postgres")
        try:
            sessions = {}
            for processes in (0, 4):
                os.environ["THANOSQL_DECODING_PROCESSES"] = str(processes)
                sessions[processes] = thanosql.connect(url, home=folder / f"home{processes}")
            for statement in statements:
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


def measure_facts(paths: list[str], kind: str, rounds: int) -> None:
    """The processor's time of facts by (threads, processes), in turn."""
    ways = {"4 threads": (4, 0), "1 thread": (1, 0), "1 process": (1, 1)}
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, (threads, processes) in ways.items():
            with ThreadPoolExecutor(threads) as pool:
                before = processor_seconds()
                list(
                    pool.map(
                        lambda at, most=processes: facts(paths[at : at + 16], processes=most), range(0, len(paths), 16)
                    )
                )
                if turn:  # the first starts the process, and fills the memory of the disk
                    taken[way].append((processor_seconds() - before) / len(paths) * 1e3)
    cost = statistics.median(b / a for a, b in zip(taken["1 thread"], taken["1 process"])) - 1
    said = ", ".join(f"{way} {statistics.median(times):.2f}" for way, times in taken.items())
    print(f"facts of {kind}, milliseconds of the processor a file: {said} ({cost:+.1%})", flush=True)


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
