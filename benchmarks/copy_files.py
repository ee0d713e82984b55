"""Peak memory and time of COPY against the size of the file: csv, tsv, json lines and parquet, 10 MB and `--megabytes`.

    python benchmarks/copy_files.py [--megabytes 100] [--formats csv tsv jsonl parquet] [--url postgresql://…]

Each file is written here and copied by a process of its own, whose peak is printed: the process's own, not
PostgreSQL's. While a csv is copied it takes about four times its size on disk: the file, its lines staged, the table and
the log. The goal is a peak that does not grow with the file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import thanosql
from thanosql.engine.postgres import embedded

SMALL = 10  # MB
GROWTH_MEGABYTES = 50.0  # that a peak may differ by, of allocators' chance
BLOCK = 50_000  # rows written at a time
WORDS = "the caller asked for a refund of {} and was told to wait for a letter"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=100)
    arguments.add_argument("--formats", nargs="+", default=list(WRITERS), choices=list(WRITERS))
    arguments.add_argument("--url", default=os.environ.get("THANOSQL_DATABASE_URL"))
    arguments.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        print(json.dumps(measure(given.url, given.one)))
        return
    # Open to all, and not under /tmp: as root the server runs as another user, and /tmp may be memory.
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    url = given.url or embedded.start(parent / "postgres")
    try:
        print(f"{'':10}{'file':>10}{'rows':>12}{'seconds':>10}{'MB a s':>10}{'peak':>10}")
        for kind in given.formats:
            peaks = [_measured(kind, size, parent, url) for size in (SMALL, given.megabytes)]
            if peaks[1] - peaks[0] > GROWTH_MEGABYTES:
                sys.exit(f"{kind}: the peak grows with the file by {peaks[1] - peaks[0]:.0f} MB")
    finally:
        if not given.url:
            embedded.stop(parent / "postgres")
        shutil.rmtree(parent, ignore_errors=True)


def _measured(kind: str, megabytes: int, parent: Path, url: str) -> float:
    """Write a file, copy it and print its line; the peak in MB."""
    file = parent / f"calls.{kind}"
    WRITERS[kind](file, megabytes * 1_000_000)
    size = file.stat().st_size / 1e6
    command = [sys.executable, __file__, "--one", str(file), "--url", url]
    rows, seconds, peak = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    file.unlink()
    print(f"{kind:10}{size:7.0f} MB{rows:12,}{seconds:10.1f}{size / seconds:10.1f}{peak:7.0f} MB", flush=True)
    return float(peak)


def measure(url: str, file: Path) -> tuple[int, float, float]:
    """Copy one file into a table, check what came in, drop it: rows, seconds, and this process's peak in MB."""
    with thanosql.connect(url, home=file.parent / "home") as session:
        session.execute("DROP TABLE IF EXISTS bench_copy")
        begun = time.perf_counter()
        status = session.execute("COPY bench_copy FROM :file", params={"file": str(file)})
        seconds = time.perf_counter() - begun
        peak = _peak()  # before pandas is loaded for what follows
        counted = session.execute("SELECT count(*) AS rows, max(id) AS last FROM bench_copy")
        rows = int(counted["rows"][0])
        assert status == f"COPY {rows}", status
        assert counted["last"][0] == rows - 1
        session.execute("DROP TABLE bench_copy")
    return rows, seconds, peak


def _peak() -> float:
    """This process's peak memory in MB. Linux's ru_maxrss would begin with that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def calls(begin: int) -> Iterator[dict[str, Any]]:
    """A block of rows as the tables of users have them."""
    for number in range(begin, begin + BLOCK):
        yield {
            "id": number,
            "audio_path": f"calls/{number % 1000:03}/{number}.wav",
            "text": WORDS.format(number),
            "seconds": number % 3000 / 100,
            "day": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}",
        }


def write_delimited(file: Path, size: int) -> None:
    mark = "," if file.suffix == ".csv" else "\t"
    with file.open("w", encoding="utf-8") as out:
        out.write(mark.join(next(calls(0))) + "\n")
        begin = 0
        while out.tell() < size:
            out.write("".join(mark.join(map(str, row.values())) + "\n" for row in calls(begin)))
            begin += BLOCK


def write_jsonl(file: Path, size: int) -> None:
    with file.open("w", encoding="utf-8") as out:
        begin = 0
        while out.tell() < size:
            out.write("".join(json.dumps(row) + "\n" for row in calls(begin)))
            begin += BLOCK


def write_parquet(file: Path, size: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    begin = 0
    schema = pa.Table.from_pylist(list(calls(0))).schema
    # Plain values: what is compressed well is small on disk, and no smaller on its way.
    with pq.ParquetWriter(file, schema, compression="none", use_dictionary=False) as out:
        while begin == 0 or file.stat().st_size < size:
            out.write_table(pa.Table.from_pylist(list(calls(begin)), schema=schema))
            begin += BLOCK


WRITERS = {"csv": write_delimited, "tsv": write_delimited, "jsonl": write_jsonl, "parquet": write_parquet}


if __name__ == "__main__":
    main()
