"""Runs demo.sql, shows every statement and what it gives, and asserts what the README says of it.

It uses a separate home, the folder `demo` in the usual one, and a separate schema if the settings name a database, so
that none of your models and tables changes. If BUILD or FIT is interrupted, the next run resumes it.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import thanosql
from thanosql import config
from thanosql.__main__ import show
from thanosql.engine.parser import parse_with_texts
from thanosql.engine.session import Session
from thanosql.engine.statements.build_model import BuildModel
from thanosql.notebook.progress import ProgressBar

MAX_WER = 0.10  # on voices and random seeds that no training data holds
SCRIPT = Path(__file__).parent / "demo.sql"
SCHEMA = "thanosql_demo"


def main() -> int:
    settings = config.load()
    started = time.perf_counter()
    word_error_rates = []
    with thanosql.connect(home=settings.home / "demo") as session:
        if settings.database_url:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; SET search_path TO {SCHEMA}")
        for parsed, statement in parse_with_texts(SCRIPT.read_text(encoding="utf-8")):
            print(f"\n{statement};\n", flush=True)
            if isinstance(parsed, BuildModel) and is_built(parsed.name.text, statement, session):
                print("Done already, by a run that was interrupted later.")
                continue
            with ProgressBar() as bar:
                result = session.run(statement, interactive=True, progress=bar.update)
            show(result, width=shutil.get_terminal_size().columns if sys.stdout.isatty() else 0)
            if result.status.startswith("EVALUATE"):
                word_error_rates.append(float(result.value.wer.iloc[0]))
    before, built, fitted = word_error_rates
    print(f"\nWER on unheard voices: {before:.1%} before, {built:.1%} after BUILD, {fitted:.1%} after FIT;", end=" ")
    print(f"{time.perf_counter() - started:.0f} s in all.")
    if not (built < before and fitted < MAX_WER):
        print(f"BUILD must lower the WER, and it must end under {MAX_WER:.0%}.", file=sys.stderr)
        return 1
    return 0


def is_built(name: str, statement: str, session: Session) -> bool:
    """Whether this statement, by this version of the package, has made the model: FIT, at the demo's end, makes another."""
    if not session.store.exists(name):
        return False
    card = session.store.get(name).card
    return (card.get("statement"), card.get("versions", {}).get("thanosql")) == (statement, thanosql.__version__)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt as stop:
        print(f"\nInterrupted. {stop}".rstrip(), file=sys.stderr)
        print(
            "Run the demo again: it starts from the top, and an interrupted BUILD or FIT is resumed.", file=sys.stderr
        )
        sys.exit(130)
