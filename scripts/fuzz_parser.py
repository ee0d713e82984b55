"""Coverage-guided fuzzing of the parser: seconds in, a text that breaks it out, or the number of texts tried.

    pip install atheris
    python scripts/fuzz_parser.py --seconds 600

Any text must parse or raise a ThanoSQLError, within a second. Not part of the suite: atheris has no wheel for every
Python. Seeds are the texts of tests/fixtures/statements.sql.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["thanosql.engine"]):
    from thanosql.engine import parser
    from thanosql.errors import Position, ThanoSQLError

FIXTURE = Path(__file__).parents[1] / "tests" / "fixtures" / "statements.sql"
WORDS = """SELECT FROM WITH RECURSIVE AS MATERIALIZED PREDICT USING EVALUATE BUILD FIT MODEL MODELS OPTIONS LIST TABLE
THANOSQL DATASET DESCRIBE DROP DELETE IF EXISTS PRINT AUDIO COPY GET UPLOAD EXPLAIN CHECK CREATE VIEW FUNCTION BEGIN
ATOMIC CASE END LATERAL SEARCH CYCLE JSON_OBJECT NULL True /* */ -- $$ $t$ E' U&' '' :: := :n (PREDICT"""


def read(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        parser.parse_script(text)
    except ThanoSQLError as error:
        if not isinstance(error.position, Position) or not str(error).strip():
            raise AssertionError(f"an error without a place or a message: {error!r}") from error


def seeds() -> list[str]:
    text = FIXTURE.read_text(encoding="utf-8").split("\n\n", 1)[1]
    return [re.split(r"\n--[>!] ", pair)[0].partition("\n")[2] for pair in text.split("\n\n-- ")]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=600)
    seconds = arguments.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(folder) / "corpus", Path(folder) / "words"
        corpus.mkdir()
        for number, seed in enumerate(seeds()):
            (corpus / f"{number:03}").write_text(seed, encoding="utf-8")
        escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in WORDS.split())
        words.write_text("".join(f'"{word}"\n' for word in escaped), encoding="utf-8")
        limits = [f"-max_total_time={seconds}", "-timeout=5", "-max_len=400", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], str(corpus), f"-dict={words}", *limits], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
