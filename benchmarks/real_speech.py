"""What BUILD and FIT make of real speech: the Free Spoken Digit Dataset, three seeds, and speakers left out.

    python benchmarks/real_speech.py [--seeds 0 1 2] [--fit | --left-out] [--base Wav2Vec2Tiny]
        [--options "trainings=2, base_share=0.4"]

The test split is the data set's own: of each speaker and digit the recordings 0 to 4. FIT trains the bundled model on by 8
epochs of small batches; BUILD has no options but those that are given. Left out, a speaker's recordings are all test, and
training hears the other speakers' training split alone. Goals: under 2% WER (FIT: 3%), and under 20% left out, on average.
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
BOTH = "overwrite=True, seed=:seed{options}"
BUILD = f"BUILD MODEL real_speech USING {{base}} OPTIONS ({BOTH})"
FIT = f"FIT MODEL real_speech USING {{base}} OPTIONS (max_epochs=8, batch_size=8, {BOTH})"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def recordings() -> pd.DataFrame:
    """audio_path, text, speaker, and whether it is of the test split."""
    rows = []
    for path in sorted(FSDD.glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        rows.append((str(path), DIGITS[int(digit)], speaker, int(index) < 5))
    return pd.DataFrame(rows, columns=["audio_path", "text", "speaker", "is_test"])


def measure(session: thanosql.Session, training: str, name: str, seed: int, train: str, test: str) -> float:
    """The WER after `training` on the rows that `train` selects, over those that `test` does; it is printed too."""
    started = time.perf_counter()
    session.execute(f"{training} AS SELECT * FROM real_speech WHERE {train}", {"seed": seed})
    seconds = time.perf_counter() - started
    figures = session.execute(f"EVALUATE USING real_speech AS SELECT * FROM real_speech WHERE {test}").iloc[0]
    print(
        f"{name}, seed {seed}: WER {figures.wer:.1%} of {int(figures.words):,} words, {training.split()[0]} {seconds:.0f} s",
        flush=True,
    )
    return float(figures.wer)


def measured(session: thanosql.Session, table: Path, options: argparse.Namespace) -> list[float]:
    """The WER of each seed, or of each seed and speaker."""
    more = f", {options.options}" if options.options else ""
    build, fit = (statement.format(base=options.base, options=more) for statement in (BUILD, FIT))
    rows, rates = recordings(), []
    rows.to_csv(table, index=False)
    session.execute("COPY real_speech FROM :file", {"file": str(table)})
    for seed in options.seeds:
        if not options.left_out:
            training = fit if options.fit else build
            rates.append(measure(session, training, "test split", seed, "NOT is_test", "is_test"))
            continue
        for speaker in sorted(rows["speaker"].unique()):
            others = f"speaker <> '{speaker}' AND NOT is_test"
            rates.append(measure(session, build, f"without {speaker}", seed, others, f"speaker = '{speaker}'"))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--base", default="Wav2Vec2Tiny")
    parser.add_argument("--options", default="", help="more options of both statements")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--fit", action="store_true", help="FIT instead of BUILD")
    kind.add_argument("--left-out", action="store_true", help="each speaker in turn instead of the test split")
    options = parser.parse_args()
    if not FSDD.is_dir():
        raise SystemExit("the recordings of the Free Spoken Digit Dataset are not at ../shared/data/fsdd")
    # Open to all: as root the server runs as another user, who must reach its data.
    parent = "/var/tmp" if Path("/var/tmp").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="thanosql-bench-", dir=parent) as folder:
        Path(folder).chmod(0o755)
        with thanosql.connect(home=folder) as session:
            rates = measured(session, Path(folder) / "recordings.csv", options)
    print(f"mean over {len(rates)}: WER {statistics.mean(rates):.1%}")


if __name__ == "__main__":
    main()
