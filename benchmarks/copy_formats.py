"""Ways of putting predictions into a temporary table, side by side: which one `thanosql.engine.postgres.copying` should go.

    python benchmarks/copy_formats.py [--rows 200000] [--rounds 5] [--url postgresql://…]

The rows are those that PREDICT writes: a row number and a transcript; and the same with words (jsonb), a confidence and
an error (NULL mostly). All go through in chunks of 10,000, from Python tuples to rows that the server has, in turn
within each round; medians are compared. psycopg 3 and ADBC are measured where they are installed
(`pip install "psycopg[binary]" adbc-driver-postgresql pyarrow`). On a machine that does other work as well, look at the
processor seconds of client and server; a client that encodes while the server takes needs only the larger of the two.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import io
import os
import shutil
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg2

from thanosql.engine.postgres import embedded
from thanosql.engine.postgres.copying import chunks

CHUNK_ROWS = 10_000
KINDS = {"text": ("bigint", "text"), "all": ("bigint", "text", "jsonb", "double precision", "text")}
Rows = Sequence[tuple[Any, ...]]


class Taken(NamedTuple):
    seconds: float
    client: float  # processor seconds
    server: float


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=200_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--url", default=os.environ.get("THANOSQL_DATABASE_URL"))
    options = arguments.parse_args()
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    try:
        url = options.url or embedded.start(parent / "postgres")
        for kind, types in KINDS.items():
            compare(url, kind, types, predictions(options.rows, types), options.rounds)
    finally:
        embedded.stop(parent / "postgres")
        shutil.rmtree(parent, ignore_errors=True)


def predictions(rows: int, types: Sequence[str]) -> Rows:
    words = '[{"word": "seven", "start": 0.1, "end": 0.52, "confidence": 0.987654}]'
    made = ((n, f"seven three one {n * 2654435761 % 2**32:032x}", words, n / rows, None) for n in range(1, rows + 1))
    return [row[: len(types)] for row in made]


def compare(url: str, kind: str, types: Sequence[str], rows: Rows, rounds: int) -> None:
    taken: dict[str, list[Taken]] = {}
    ways = [way for way, package in WAYS.items() if importlib.util.find_spec(package)]
    for way in ways:
        taken[way.__name__] = []
    gc.collect()
    gc.freeze()  # the collector would go through all of these rows again and again
    for _ in range(rounds):
        for way in ways:
            taken[way.__name__].append(way(url, types, rows))
    print(f"\n{len(rows):,} rows of {', '.join(types)}; {rounds} rounds in turn, medians, µs a row")
    print(f"{'':20} {'wall':>7} {'client':>7} {'server':>7}")
    for name, several in taken.items():
        figures = (statistics.median(one[place] for one in several) / len(rows) * 1e6 for place in range(3))
        print(f"{name:20} " + " ".join(f"{figure:7.2f}" for figure in figures), flush=True)


def columns(types: Sequence[str]) -> str:
    return ", ".join(f"c{place} {name}" for place, name in enumerate(types))


def batches(rows: Rows) -> Iterator[list[tuple[Any, ...]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, CHUNK_ROWS)):
        yield batch


def measured(backend: int, work: Callable[[], object]) -> Taken:
    server = psutil.Process(backend)
    before, client, begun = server.cpu_times(), time.process_time(), time.perf_counter()
    work()
    seconds, client, after = time.perf_counter() - begun, time.process_time() - client, server.cpu_times()
    return Taken(seconds, client, after.user + after.system - before.user - before.system)


def over_psycopg2(url: str, types: Sequence[str], data: Iterable[bytes], form: str) -> Taken:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE w ({columns(types)})")

        def work() -> None:
            for piece in data:
                cursor.copy_expert(f"COPY w FROM STDIN ({form})", io.BytesIO(piece), 1 << 16)

        taken = measured(connection.info.backend_pid, work)
    connection.close()
    return taken


def ours(url: str, types: Sequence[str], rows: Rows) -> Taken:
    """What `Snapshot.write` sends, without its thread."""
    return over_psycopg2(url, types, chunks(rows, types), "ENCODING 'UTF8'")


def binary_by_struct(url: str, types: Sequence[str], rows: Rows) -> Taken:
    return over_psycopg2(url, types, map(binary, batches(rows)), "FORMAT binary")


def binary(batch: Iterable[tuple[Any, ...]]) -> bytes:
    """COPY's binary format, of these columns alone."""
    number = struct.Struct("!hiqi").pack
    more, fraction, length, null = b"\1", struct.Struct("!id").pack, struct.Struct("!i").pack, struct.pack("!i", -1)
    parts = [b"PGCOPY\n\xff\r\n\0" + bytes(8)]
    add = parts.append
    for row in batch:
        text = row[1].encode()
        add(number(len(row), 8, row[0], len(text)))
        add(text)
        if len(row) > 2:
            words, error = row[2].encode(), row[4]
            add(length(len(words) + 1) + more + words + fraction(8, row[3]))
            add(null if error is None else length(len(error.encode())) + error.encode())
    parts.append(b"\xff\xff")
    return b"".join(parts)


def psycopg3(url: str, types: Sequence[str], rows: Rows, *, form: str = "") -> Taken:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TEMP TABLE w ({columns(types)})")

        def work() -> None:
            for batch in batches(rows):
                with connection.cursor().copy(f"COPY w FROM STDIN {form}") as copy:
                    if form:
                        copy.set_types(["int8", "text", "jsonb", "float8", "text"][: len(types)])
                    for row in batch:
                        copy.write_row(row)

        return measured(connection.info.backend_pid, work)


def psycopg3_binary(url: str, types: Sequence[str], rows: Rows) -> Taken:
    if "jsonb" not in types:
        return psycopg3(url, types, rows, form="(FORMAT binary)")
    from psycopg.types.json import Jsonb

    wrapped = [(*row[:2], Jsonb(row[2], dumps=str.encode), *row[3:]) for row in rows]
    return psycopg3(url, types, wrapped, form="(FORMAT binary)")


def adbc(url: str, types: Sequence[str], rows: Rows) -> Taken:
    """Arrow has no jsonb: the words go in as text, and would have to be cast in the join."""
    import pyarrow
    from adbc_driver_postgresql import dbapi

    arrow = {"bigint": pyarrow.int64(), "text": pyarrow.string(), "jsonb": pyarrow.string()}
    schema = pyarrow.schema([(f"c{place}", arrow.get(name, pyarrow.float64())) for place, name in enumerate(types)])
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()

        def work() -> None:
            for number, batch in enumerate(batches(rows)):
                made = [pyarrow.array(values, one.type) for values, one in zip(zip(*batch), schema)]
                table = pyarrow.Table.from_arrays(made, schema=schema)
                cursor.adbc_ingest("w", table, mode="append" if number else "create", temporary=True)

        return measured(backend, work)


def to_sql(url: str, types: Sequence[str], rows: Rows) -> Taken:
    """pandas, into a table, as who writes a notebook does it; the temporary ones are spared its log."""
    import pandas as pd
    import sqlalchemy

    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    frame = pd.DataFrame(rows, columns=[f"c{place}" for place in range(len(types))])
    with engine.begin() as connection:
        backend = connection.scalar(sqlalchemy.text("SELECT pg_backend_pid()"))
        taken = measured(
            backend, lambda: frame.to_sql("bench_w", connection, if_exists="replace", index=False, chunksize=CHUNK_ROWS)
        )
        connection.rollback()
    engine.dispose()
    return taken


WAYS: dict[Callable[[str, Sequence[str], Rows], Taken], str] = {
    ours: "psycopg2",
    binary_by_struct: "psycopg2",
    psycopg3: "psycopg",
    psycopg3_binary: "psycopg",
    adbc: "adbc_driver_postgresql",
    to_sql: "pandas",
}

if __name__ == "__main__":
    main()
