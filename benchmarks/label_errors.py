"""How well EVALUATE finds wrong labels: 5% of FSDD's training labels are swapped, and its `suspicion` ranks the rows.

    python benchmarks/label_errors.py [--folds 3] [--epochs 5]

Cross-fitting: a model never scores rows that it was trained on. Goal: at least 80% of the swapped rows are within the 10%
most suspicious. Chance would find 10%.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

import pandas as pd

import thanosql

FSDD = Path(__file__).resolve().parents[2] / "shared" / "data" / "fsdd"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SWAPPED, LOOKED_AT = 0.05, 0.10


def labelled(folds: int, seed: int) -> pd.DataFrame:
    """FSDD's training split: audio_path, text (5% of them another digit), swapped, fold."""
    draw = random.Random(seed)
    paths = sorted(path for path in FSDD.glob("*.wav") if int(path.stem.split("_")[2]) >= 5)
    swapped = set(draw.sample(range(len(paths)), round(SWAPPED * len(paths))))
    rows = []
    for number, path in enumerate(paths):
        digit = int(path.stem[0])
        shown = draw.choice([other for other in range(10) if other != digit]) if number in swapped else digit
        rows.append((str(path), DIGITS[shown], number in swapped, draw.randrange(folds)))
    return pd.DataFrame(rows, columns=["audio_path", "text", "swapped", "fold"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not FSDD.is_dir():
        raise SystemExit("the recordings of the Free Spoken Digit Dataset are not at ../shared/data/fsdd")
    with tempfile.TemporaryDirectory() as folder, thanosql.connect() as session:
        table = Path(folder) / "labels.csv"
        labelled(options.folds, options.seed).to_csv(table, index=False)
        session.execute("COPY benchmark_labels OPTIONS (if_exists='replace') FROM :file", {"file": str(table)})
        for fold in range(options.folds):
            params = {"fold": fold, "epochs": options.epochs, "seed": options.seed}
            session.execute(
                "BUILD MODEL benchmark_labels USING Wav2Vec2Tiny "
                "OPTIONS (overwrite=True, max_epochs=:epochs, seed=:seed) AS "
                "SELECT * FROM benchmark_labels WHERE fold <> :fold",
                params,
            )
            session.execute(
                f"EVALUATE USING benchmark_labels OPTIONS (table_name='benchmark_scored_{fold}') AS "
                "SELECT * FROM benchmark_labels WHERE fold = :fold",
                params,
            )
        scored = " UNION ALL ".join(f"SELECT * FROM benchmark_scored_{fold}" for fold in range(options.folds))
        found = session.execute(
            "SELECT count(*) FILTER (WHERE swapped) AS swapped, "
            f"count(*) FILTER (WHERE swapped AND place <= {LOOKED_AT}) AS found FROM "
            f"(SELECT swapped, percent_rank() OVER (ORDER BY suspicion DESC) AS place FROM ({scored}) s) ranked"
        ).iloc[0]
        share = found.found / found.swapped
        print(
            f"{found.found} of {found.swapped} swapped labels ({share:.1%}) are within the {LOOKED_AT:.0%} "
            "most suspicious rows"
        )
        session.execute("DROP MODEL benchmark_labels")
        for name in ("benchmark_labels", *(f"benchmark_scored_{fold}" for fold in range(options.folds))):
            session.execute(f"DROP TABLE {name}")


if __name__ == "__main__":
    main()
