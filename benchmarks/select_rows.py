"""A SELECT through a session against the driver and pandas alone, both in one run, in turn: what our types cost.

    python benchmarks/select_rows.py [--rounds 9] [--url postgresql://…]

Many rows: 100,000 of ten columns (two bigint, two double precision, two text, boolean, numeric and two timestamptz). One
row: `SELECT 1 AS n`, `SELECT 2 AS n` and so on, 300 a round. The peer is `cursor.execute`, `fetchall` and
`pandas.DataFrame`. Client processor seconds, medians over the rounds; the server's are the same for both. Goals: 1.2 and 1.5
times the peer's.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

import thanosql
from thanosql.engine.postgres import embedded

MANY = """
SELECT i AS a, i * 3 AS b, i / 7.0::float8 AS c, sqrt(i) AS d, 'call ' || i AS e, md5(i::text) AS f, i % 2 = 0 AS g,
    (i / 100.0)::numeric(12, 2) AS h, timestamptz '2026-01-01' + i * interval '1 minute' AS j,
    timestamptz '2026-01-01 12:00' + i * interval '1.5 second' AS k
FROM generate_series(1::bigint, 100000) i
"""
SINGLE, TIMES = "SELECT {number} AS n", 300


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--url", default=os.environ.get("THANOSQL_DATABASE_URL"))
    options = arguments.parse_args()
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        url = options.url or embedded.start(parent / "postgres")
        with thanosql.connect(url, home=parent / "home") as session:
            print(f"{processor()}, {os.cpu_count()} cores; client processor time, medians of {options.rounds} rounds")
            compare(session, "100,000 rows of ten columns", MANY, 1, options.rounds)
            compare(session, "one row", SINGLE, TIMES, options.rounds)
    finally:
        embedded.stop(parent / "postgres")
        shutil.rmtree(parent, ignore_errors=True)


def compare(session: thanosql.Session, what: str, sql: str, times: int, rounds: int) -> None:
    """Both in turn within each round, after one that is not counted."""
    raw = session.database.connection.raw
    numbers = itertools.count(1)

    def ours() -> pd.DataFrame:
        return session.execute(sql.replace("{number}", str(next(numbers))))

    def peer() -> pd.DataFrame:
        with raw.cursor() as cursor:
            cursor.execute(sql.replace("{number}", str(next(numbers))))
            return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])

    assert ours().shape == peer().shape
    spent: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(rounds):
        spent["ours"].append(seconds(ours, times))
        spent["peer"].append(seconds(peer, times))
    mine, theirs = statistics.median(spent["ours"]), statistics.median(spent["peer"])
    print(
        f"{what}: {1000 * mine / times:.2f} ms, driver and pandas {1000 * theirs / times:.2f} ms, ratio {mine / theirs:.2f}"
    )


def seconds(work: Callable[[], Any], times: int) -> float:
    """Processor seconds of this process, all threads of it."""
    begun = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - begun


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
