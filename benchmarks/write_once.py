"""Two ways to write predictions into their table, in turn: joined there with the query's rows, or in one COPY with them.

    python benchmarks/write_once.py [--rows 300000] [--rounds 5] [--url postgresql://…]

Joined (what PREDICT does): the predictions are copied beside the snapshot, and the new table is made by a join. At once: the
snapshot's rows come as COPY writes them, each gets its prediction at its end, and they go to the new table as they are, so
that all types are kept. Processor seconds of client and server, medians; both tables are compared row by row.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from write_predictions import PREDICTION, SOURCE, predictions, processor_seconds, said

from thanosql.engine.postgres import embedded
from thanosql.engine.postgres.database import Database

DEFINED = "id int, path text, score double precision, at timestamptz, predict_result text"
QUERY = (
    f"CREATE TABLE {SOURCE} AS SELECT i AS id, 'calls/2026/' || md5(i::text) || '.wav' AS path,"
    " i / 7.0::double precision AS score, now() + i * interval '1 s' AS at FROM generate_series(1, {}) i"
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=300_000)
    arguments.add_argument("--rounds", type=int, default=5)
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
    joined, at_once = [], []
    with Database(url) as database:
        database.run(said(f"DROP TABLE IF EXISTS {SOURCE}, bench_joined, bench_at_once"))
        database.run(said(QUERY.format(rows)))
        database.run(said(f"VACUUM ANALYZE {SOURCE}"))
        for _ in range(rounds + 1):
            joined.append(write_joined(database))
            at_once.append(write_at_once(url))
        (differing,) = database.run(
            said("SELECT count(*) AS n FROM (TABLE bench_joined EXCEPT ALL TABLE bench_at_once) d")
        ).n
        database.run(said(f"DROP TABLE {SOURCE}, bench_joined, bench_at_once"))
    assert differing == 0, f"{differing} rows differ"
    # The first round makes what the others find made.
    one, other = (statistics.median(taken[1:]) for taken in (joined, at_once))
    print(
        f"{rows:,} rows of {DEFINED.count(',')} columns and a prediction, {rounds} rounds in turn, processor seconds, medians"
    )
    print(f"joined in the server   {one:8.2f} s")
    print(f"in one COPY            {other:8.2f} s, ratio {one / other:.2f}")


def write_joined(database: Database) -> float:
    """As PREDICT … table_name does it, from the snapshot on."""
    with database.snapshot(said(f"SELECT * FROM {SOURCE}")) as snapshot:
        target = snapshot.check_target("bench_joined")
        pairs = list(predictions(snapshot.stream(snapshot.columns[1])))
        (server,) = database.run(said("SELECT pg_backend_pid() AS pid")).pid
        begun = processor_seconds(server)
        snapshot.write([PREDICTION], pairs)
        snapshot.replace(target)
        return processor_seconds(server) - begun


def write_at_once(url: str) -> float:
    """The snapshot's rows and the predictions together, into a table that takes the old one's place."""
    with psycopg2.connect(url) as reading, psycopg2.connect(url) as writing:
        read, write = reading.cursor(), writing.cursor()
        servers = []
        for cursor in (read, write):
            cursor.execute("SELECT pg_backend_pid()")
            servers.append(cursor.fetchone()[0])
        read.execute(f"CREATE TEMP TABLE snapshot AS SELECT row_number() OVER () AS n, s.* FROM {SOURCE} s")
        read.execute("SELECT n, path FROM snapshot ORDER BY n")
        texts = [text.encode() for _, text in predictions(iter(read.fetchall()))]
        begun = [processor_seconds(server) for server in servers]
        client = time.process_time()
        write.execute(f"CREATE TABLE bench_staging ({DEFINED})")
        back, front = os.pipe()
        out, into = os.pipe()

        def copy_out() -> None:
            with open(front, "wb") as sink:
                read.copy_expert("COPY (SELECT id, path, score, at FROM snapshot ORDER BY n) TO STDOUT", sink, 1 << 16)

        def append() -> None:
            with open(back, "rb") as lines, open(into, "wb") as sink:
                sink.writelines(_with(lines, texts))

        threads = [threading.Thread(target=work) for work in (copy_out, append)]
        for thread in threads:
            thread.start()
        with open(out, "rb") as source:
            write.copy_expert("COPY bench_staging FROM STDIN", source, 1 << 16)
        for thread in threads:
            thread.join()
        write.execute("DROP TABLE IF EXISTS bench_at_once")
        write.execute("ALTER TABLE bench_staging RENAME TO bench_at_once")
        writing.commit()
        ours = time.process_time() - client
        # processor_seconds counts this process too; of the servers' sum it is counted twice.
        return sum(processor_seconds(server) for server in servers) - sum(begun) - ours


def _with(lines: Iterator[bytes], texts: list[bytes]) -> Iterator[bytes]:
    return (line[:-1] + b"\t" + text + b"\n" for line, text in zip(lines, texts, strict=True))


if __name__ == "__main__":
    main()
