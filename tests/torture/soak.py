"""Mixed statements for a while; what the process, the server and the disk hold at the end is what they held before."""

from __future__ import annotations

import gc
import os
import random
import resource
import threading
import time
from pathlib import Path

import psycopg2

from tests.torture.acts import run
from tests.torture.findings import Findings
from tests.torture.world import World

MEMORY = 100 << 20  # bytes that a process may have grown by: its allocator keeps what it was lent
WRONG = (
    "PREDICT USING nothing AS SELECT 1",
    "SELECT 1/0",
    "PREDICT USING Wav2Vec2Tiny AS SELECT '/nowhere.wav' AS audio_path",
    "EVALUATE USING Wav2Vec2Tiny AS SELECT * FROM nothing",
    "BUILD MODEL b USING Wav2Vec2Tiny AS SELECT * FROM clips WHERE false",
    "COPY copied FROM '/nowhere.csv'",
)
RIGHT = (
    "SELECT * FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM clips WHERE id < 3) p",
    "ALIGN USING Wav2Vec2Tiny AS SELECT * FROM clips WHERE id < 3",
    "LIST MODEL",
    "EXPLAIN PREDICT USING Wav2Vec2Tiny AS SELECT * FROM clips",
    "SELECT count(*) FROM clips",
)


def soak(url: str, home: Path, folder: Path, seconds: float, seed: int = 0) -> Findings:
    """For `seconds`, in one session; a third is for warming up, since caches fill once."""
    findings = Findings(f"{seconds / 60:.1f} minutes of mixed statements in one session")
    draw = random.Random(seed)
    world = World(home, folder, url)
    world.make()
    begun = time.monotonic()
    before: dict[str, int] = {}
    while (passed := time.monotonic() - begun) < seconds and findings.going_on():
        if not before and passed > seconds / 3:
            before = _held(world)
        deed = draw.choice(world.deeds)
        variant = draw.randrange(2)
        for statement in filter(None, (deed.ready[variant], deed.variants[variant], draw.choice((*WRONG, *RIGHT)))):
            ending = run(world.session, statement)
            kind = "right" if ending == "done" else "refused"
            findings.counts[f"statements {kind}"] += 1
            wrong = ending != "done" and statement not in WRONG
            findings.check(not wrong and "InternalError" not in ending, f"{statement}: {ending}")
    for deed in world.deeds:  # one state to end in
        for variant in (1, 0):
            for statement in filter(None, (deed.ready[variant], deed.variants[variant])):
                world.session.execute(statement, fetch=False)
    after = _held(world)
    before = before or after  # stopped while it was warming up
    for name, value in after.items():
        findings.counts[f"{name}, before"], findings.counts[f"{name}, after"] = before[name], value
        more = {"memory (bytes)": MEMORY, "disk (bytes)": before["disk (bytes)"] // 2, "handles": 3, "threads": 1}.get(
            name, 0
        )
        findings.check(value <= before[name] + more, f"{name}: {before[name]:,} before, {value:,} after")
    findings.check(not (left := world.leftovers()), f"left behind {left}")
    world.session.close()
    return findings.done()


def _held(world: World) -> dict[str, int]:
    gc.collect()
    raw = psycopg2.connect(world.url)
    with raw.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),"
            " (SELECT count(*) FROM pg_class WHERE relpersistence = 't'), (SELECT count(*) FROM pg_class)"
        )
        connections, temporary, relations = cursor.fetchone() or (0, 0, 0)
    raw.close()
    return {
        "memory (bytes)": int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize(),
        "handles": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "connections": connections,
        "temporary tables": temporary,
        "relations": relations,
        "disk (bytes)": sum(path.stat().st_size for path in world.home.rglob("*") if path.is_file()),
    }
