"""What Ray costs beside the local executor on the same cores: PREDICT with both in turn, and the start of a statement.

    python benchmarks/executors.py [--model FOLDER] [--utterances 16] [--rounds 3] [--workers 2]

A cluster is started on this machine; `--workers` workers of one CPU each stand against the local executor with as many
threads, which do not spin while they wait for each other (on a crowded machine that would count as work). Counted is the
processor time of this process and of all that it started (Ray's own processes, decoders and workers among them), as on a
machine that does other things at the same time; PostgreSQL's is left out. Statements before every worker has loaded the
model are not counted. The start of a statement is the wall time of a PREDICT of one utterance of a second. At the end a
statement is interrupted at its work, and the time is taken until it has ended and until the cluster's CPUs are free.
Without `--model` it is a random model of the facebook/wav2vec2-base-960h shape. Goals: Ray takes at most 5% more, starts at
most a second later, and is free 5 s after an interrupt.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from predict import fill, make_model, make_utterances, processor

import thanosql
from thanosql.engine.planner import Progress
from thanosql.engine.postgres import embedded
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLCancelledError
from thanosql.models.datasets import DATASETS

TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--utterances", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.workers)
    os.environ["RAY_ADDRESS"] = "local"  # not in a cluster that is here already
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        url = embedded.start(parent / "postgres")
        with tempfile.TemporaryDirectory() as home, thanosql.connect(url, home=home) as session:
            folder = given.model or make_model(Path(home) / "random-base")
            waveforms = make_utterances(DATASETS["spoken_numbers"].folder, given.utterances)
            fill(session, [waveforms[0][:16_000], *waveforms])
            print(
                f"{processor()}; {sum(map(len, waveforms)) / 16_000:.0f} s of audio; load {os.getloadavg()[0]:.0f}",
                flush=True,
            )
            compare(session, folder, given.rounds, given.workers)
            for _ in range(given.rounds):
                interrupt(session, folder, given.workers)
    finally:
        embedded.stop(parent / "postgres")


def compare(session: Session, folder: Path, rounds: int, workers: int) -> None:
    executors = {"local": "local", "ray": f"ray?workers={workers}&cpus=1"}
    ratios, later = [], []
    loaded: list[object] = []
    while len(loaded) < workers:  # each worker has had a batch
        predict(session, folder, executors["ray"], "id > 0")
        (pool,) = session._executors[executors["ray"]]._pools.values()  # type: ignore[attr-defined]
        loaded = [member for member in pool.members if member.facts is not None]
    predict(session, folder, executors["ray"], "id > 0")
    for number in range(rounds + 1):
        taken = {name: predict(session, folder, executor, "id > 0") for name, executor in executors.items()}
        starts = {name: predict(session, folder, executor, "id = 0") for name, executor in executors.items()}
        if number:
            ratios.append(taken["ray"][0] / taken["local"][0])
            later.append(starts["ray"][1] - starts["local"][1])
            figures = "; ".join(f"{name} {taken[name][0]:.1f} s, starts {starts[name][1]:.2f} s" for name in executors)
            print(f"round {number}: {figures}; ratio {ratios[-1]:.3f}", flush=True)
    print(f"medians: Ray takes {statistics.median(ratios) - 1:+.1%} and starts {statistics.median(later):+.2f} s later")


def interrupt(session: Session, folder: Path, workers: int) -> None:
    """Cancel a statement in the middle, and print how long its end takes, and that the cluster's CPUs are free."""
    import ray

    asked: list[float] = []

    def stop(progress: Progress) -> None:
        if progress.what == "transcribing" and not asked:
            asked.append(time.perf_counter())
            session.cancel()

    with contextlib.suppress(ThanoSQLCancelledError):
        session.run(
            f"PREDICT USING '{folder}' OPTIONS (executor='ray?workers={workers}&cpus=1', batch_size=1) AS "
            "SELECT * FROM bench_calls",
            progress=stop,
        )
    ended = time.perf_counter()
    while ray.available_resources().get("CPU", 0) < ray.cluster_resources()["CPU"]:
        time.sleep(0.02)
    free = time.perf_counter()
    print(f"interrupt: ended after {ended - asked[0]:.2f} s, CPUs free after {free - asked[0]:.2f} s", flush=True)


def predict(session: Session, folder: Path, executor: str, which: str) -> tuple[float, float]:
    """Processor and wall seconds of one statement."""
    cpu, begun = tree_seconds(), time.perf_counter()
    session.execute(
        f"PREDICT USING '{folder}' OPTIONS (executor='{executor}', batch_size=2) AS "
        f"SELECT * FROM bench_calls WHERE {which}"
    )
    return tree_seconds() - cpu, time.perf_counter() - begun


def tree_seconds() -> float:
    """Processor seconds of this process and of those that it started, but for PostgreSQL's; Linux."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            said = (folder / "stat").read_text()
        except OSError:
            continue
        name, fields = said[said.index("(") + 1 : said.rindex(")")], said[said.rindex(")") + 2 :].split()
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        ticks[pid] = 0 if name == "postgres" else sum(map(int, fields[11:15]))  # with children that have ended
    counted = 0
    for pid, own in ticks.items():
        above = pid
        while above and above != os.getpid():
            above = parents.get(above, 0)
        counted += own if above else 0
    return counted / TICKS


if __name__ == "__main__":
    main()
