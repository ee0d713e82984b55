"""Rows a second of writing predictions, against pandas' `to_sql`; and what a row costs from query to table.

    python benchmarks/write_predictions.py [--rows 1000000] [--rounds 3] [--url postgresql://…]

Both write the same table (id, path, transcript), in turn; medians are compared. Ours is all that PREDICT … table_name
does but the recognizing: the query's snapshot, its stream, COPY of the predictions and the table put in place. On a
machine that does other work as well, look at the processor seconds of client and server, which are printed beside.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy

from thanosql.engine.language.syntax import SQL, Text
from thanosql.engine.postgres import embedded
from thanosql.engine.postgres.database import Column, Database

PREDICTION = Column("predict_result", "text")
SOURCE = "bench_source"
GOAL_RATIO, GOAL_MICROSECONDS = 8.0, 20.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--url", default=os.environ.get("THANOSQL_DATABASE_URL"))
    options = arguments.parse_args()
    if options.url:
        measure(options.url, options.rows, options.rounds)
        return
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        measure(embedded.start(parent / "postgres"), options.rows, options.rounds)
    finally:
        embedded.stop(parent / "postgres")


def measure(url: str, rows: int, rounds: int) -> None:
    with Database(url) as database:
        for statement in (
            f"DROP TABLE IF EXISTS {SOURCE}, bench_ours, bench_theirs",
            f"CREATE TABLE {SOURCE} AS SELECT i AS id, 'calls/2026/' || md5(i::text) || '.wav' AS path"
            f" FROM generate_series(1, {rows}) i",
            f"VACUUM ANALYZE {SOURCE}",
        ):
            database.run(said(statement))
        engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
        frame = database.run(said(f"SELECT id, path, {TRANSCRIPT} AS predict_result FROM {SOURCE}"))
        copying, writing, whole, theirs = [], [], [], []
        busy_ours, busy_theirs = [], []
        for _ in range(rounds):
            begun = time.perf_counter()
            with database.snapshot(said(f"SELECT * FROM {SOURCE}")) as snapshot:
                target = snapshot.check_target("bench_ours")
                pairs = list(predictions(snapshot.stream(snapshot.columns[1])))
                gc.freeze()  # a real statement has no such list, for the collector to go through again and again
                ready = time.perf_counter()
                (server,) = database.run(said("SELECT pg_backend_pid() AS pid")).pid
                busy = processor_seconds(server)
                snapshot.write([PREDICTION], pairs)
                copied = time.perf_counter()
                snapshot.replace(target)
                done = time.perf_counter()
                busy_ours.append(processor_seconds(server) - busy)
            copying.append(copied - ready)
            writing.append(done - ready)
            whole.append(time.perf_counter() - begun)
            with engine.begin() as connection:
                server = connection.scalar(sqlalchemy.text("SELECT pg_backend_pid()"))
                busy = processor_seconds(server)
                begun = time.perf_counter()
                frame.to_sql("bench_theirs", connection, if_exists="replace", index=False, chunksize=10_000)
                connection.commit()
                theirs.append(time.perf_counter() - begun)
                busy_theirs.append(processor_seconds(server) - busy)
            del pairs
        database.run(said(f"DROP TABLE {SOURCE}, bench_ours, bench_theirs"))
        engine.dispose()
    copied, ours, peer = statistics.median(copying), statistics.median(writing), statistics.median(theirs)
    each = statistics.median(whole) / rows * 1e6
    print(f"{rows:,} rows, {rounds} rounds in turn, medians")
    print(f"pandas to_sql             {peer:8.2f} s  {rows / peer:12,.0f} rows/s")
    print(f"write alone (COPY)        {copied:8.2f} s  {rows / copied:12,.0f} rows/s, ratio {peer / copied:.1f}")
    print(f"write and replace         {ours:8.2f} s  {rows / ours:12,.0f} rows/s")
    print(f"ratio                     {peer / ours:8.1f}    (goal: at least {GOAL_RATIO:g})")
    busy, busy_peer = statistics.median(busy_ours), statistics.median(busy_theirs)
    if busy == busy and busy_peer == busy_peer:
        print(f"processor seconds         {busy:8.2f} s against {busy_peer:.2f} s: ratio {busy_peer / busy:.1f}")
    print(f"query to table, a row     {each:8.1f} µs (goal: at most {GOAL_MICROSECONDS:g})")


TRANSCRIPT = "'seven three one ' || md5(id::text)"


def predictions(rows: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """What a recognizer that takes no time would say."""
    for row, path in rows:
        yield row, f"seven three one {path[11:43]}"


def processor_seconds(server: int) -> float:
    """What this process and a server process of this machine have had of the processors; NaN where it is elsewhere."""
    try:
        import psutil

        times = psutil.Process(server).cpu_times()
    except (ImportError, psutil.Error):
        return math.nan
    return time.process_time() + times.user + times.system


def said(sql: str) -> SQL:
    return SQL((Text(sql, 0),), sql)


if __name__ == "__main__":
    main()
