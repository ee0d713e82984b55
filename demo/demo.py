"""Runs demo.sql, shows every statement and what it gives, and asserts what the README says of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import thanosql
from thanosql.__main__ import show
from thanosql.engine.parser import parse_with_texts
from thanosql.notebook.progress import ProgressBar

MAX_WER = 0.10  # on voices and random seeds that no training data holds


def main() -> int:
    started = time.perf_counter()
    word_error_rates = []
    with thanosql.connect() as session:
        for _, statement in parse_with_texts((Path(__file__).parent / "demo.sql").read_text(encoding="utf-8")):
            print(f"\n{statement};\n")
            with ProgressBar() as bar:
                result = session.run(statement, progress=bar.update)
            show(result)
            if result.status.startswith("EVALUATE"):
                word_error_rates.append(float(result.value.wer.iloc[0]))
    before, built, fitted = word_error_rates
    print(f"\nWER on unheard voices: {before:.1%} before, {built:.1%} after BUILD, {fitted:.1%} after FIT;", end=" ")
    print(f"{time.perf_counter() - started:.0f} s in all.")
    if not (built < before and fitted < MAX_WER):
        print(f"BUILD must lower the WER, and it must end under {MAX_WER:.0%}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
