"""What BUILD with no options makes of real speech: the Free Spoken Digit Dataset, three seeds, and speakers left out.

    python benchmarks/real_speech.py [--seeds 0 1 2] [--left-out]

The test split is the data set's own: of each speaker and digit the recordings 0 to 4. Left out, a speaker's recordings
are all test, and training hears the other speakers' training split alone. Goals: under 2% WER, and under 20% left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import pandas as pd

import thanosql

FSDD = Path(__file__).resolve().parents[2] / "shared" / "data" / "fsdd"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def recordings() -> pd.DataFrame:
    """audio_path, text, speaker, and whether it is of the test split."""
    rows = []
    for path in sorted(FSDD.glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        rows.append((str(path), DIGITS[int(digit)], speaker, int(index) < 5))
    return pd.DataFrame(rows, columns=["audio_path", "text", "speaker", "is_test"])


def measure(session: thanosql.Session, name: str, seed: int, train: str, test: str) -> float:
    """The WER after BUILD on the rows that `train` selects, over those that `test` does; it is printed too."""
    started = time.perf_counter()
    session.execute(
        f"BUILD MODEL real_speech USING Wav2Vec2Tiny OPTIONS (overwrite=True, seed=:seed) AS "
        f"SELECT * FROM real_speech WHERE {train}",
        {"seed": seed},
    )
    seconds = time.perf_counter() - started
    figures = session.execute(f"EVALUATE USING real_speech AS SELECT * FROM real_speech WHERE {test}").iloc[0]
    print(
        f"{name}, seed {seed}: WER {figures.wer:.1%} of {int(figures.words):,} words, BUILD {seconds:.0f} s", flush=True
    )
    return float(figures.wer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--left-out", action="store_true", help="each speaker in turn instead of the test split")
    options = parser.parse_args()
    if not FSDD.is_dir():
        raise SystemExit("the recordings of the Free Spoken Digit Dataset are not at ../shared/data/fsdd")
    rates = []
    with tempfile.TemporaryDirectory() as folder, thanosql.connect(home=folder) as session:
        table = Path(folder) / "recordings.csv"
        rows = recordings()
        rows.to_csv(table, index=False)
        session.execute("COPY real_speech FROM :file", {"file": str(table)})
        for seed in options.seeds:
            if not options.left_out:
                rates.append(measure(session, "test split", seed, "NOT is_test", "is_test"))
                continue
            for speaker in sorted(rows["speaker"].unique()):
                others = f"speaker <> '{speaker}' AND NOT is_test"
                rates.append(measure(session, f"without {speaker}", seed, others, f"speaker = '{speaker}'"))
    print(f"mean over {len(rates)}: WER {statistics.mean(rates):.1%}")


if __name__ == "__main__":
    main()
