"""EXPLAIN's time against what the statement then takes, on this machine, after one statement of each kind: their ratio.

    python benchmarks/estimates.py [--epochs 1] [--url postgresql://…]

The first statement of a kind keeps the speed that it reached (`speeds.json` in the home); those that follow are of other
sizes, each explained before it is run. What is compared is what EXPLAIN counts: recognizing or training, importing torch and
loading the model apart. Goal: within a factor of two.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from pathlib import Path

from select_rows import processor

import thanosql

FOLDER = "thanosql-dataset/spoken_numbers/spoken_numbers_train.csv"
FIRST = 60  # rows


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--epochs", type=int, default=1)
    arguments.add_argument("--url")
    options = arguments.parse_args()
    parent = Path(tempfile.mkdtemp(prefix="thanosql-bench-", dir="/var/tmp" if Path("/var/tmp").is_dir() else None))
    parent.chmod(0o755)
    kinds = {
        "PREDICT": "PREDICT USING Wav2Vec2Tiny OPTIONS (save_seconds=NULL) AS ",
        "PREDICT, beam": "PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', save_seconds=NULL) AS ",
        "EVALUATE": "EVALUATE USING Wav2Vec2Tiny OPTIONS (save_seconds=NULL) AS ",
        "ALIGN": "ALIGN USING Wav2Vec2Tiny OPTIONS (save_seconds=NULL) AS ",
        "BUILD": f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs={options.epochs}, overwrite=True) AS ",
        "FIT": f"FIT MODEL f USING m OPTIONS (max_epochs={options.epochs}, overwrite=True) AS ",
    }
    try:
        with thanosql.connect(options.url, home=parent / "home") as session:
            session.execute(f"GET THANOSQL DATASET spoken_numbers; COPY numbers FROM '{FOLDER}'")
            print(f"{processor()}; EXPLAIN's seconds, those that passed, and the ratio of the first to the second")
            for kind, head in kinds.items():
                session.execute(f"{head}SELECT * FROM numbers LIMIT {FIRST}")
                for rows in (120, 360):
                    compare(session, kind, f"{head}SELECT * FROM numbers LIMIT {rows}", rows)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def compare(session: thanosql.Session, kind: str, sql: str, rows: int) -> None:
    """One statement explained, then run; one line of the table."""
    explained = session.execute(f"EXPLAIN {sql}").set_index("item")["value"]
    expected = seconds(str(explained["time"]))
    before = session.loaded.loading_seconds
    begun = time.monotonic()
    session.execute(sql)
    took = time.monotonic() - begun - (session.loaded.loading_seconds - before)
    print(f"{kind:<14} {rows:>5} rows  {expected:7.1f} {took:7.1f} {expected / took:6.2f}", flush=True)


def seconds(said: str) -> float:
    """The seconds of '… 22 GFLOP at 26.6 GFLOP/s, as such statements took here': what is shown is rounded."""
    found = re.search(r"([\d,]+) GFLOP at ([\d.]+) GFLOP/s, as such", said)
    if found is None:
        raise ValueError(f"no speed was kept for {said!r}")
    return float(found[1].replace(",", "")) / float(found[2])


if __name__ == "__main__":
    main()
