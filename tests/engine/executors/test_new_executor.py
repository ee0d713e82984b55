"""A new executor is its file and one line: the recipe of docs/architecture.md, followed."""

from __future__ import annotations

from pathlib import Path

from tests.recipes import append, block, copy_package, run

PROGRAM = """
import thanosql
from thanosql.engine.executors import sequential

with thanosql.connect(executor="sequential") as session:
    session.execute("GET THANOSQL DATASET spoken_numbers; DROP TABLE IF EXISTS n;"
                    "COPY n FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'")
    rows = "SELECT * FROM n ORDER BY audio_path LIMIT 5"
    heard = session.execute(f"PREDICT USING Wav2Vec2Tiny AS {rows}")
    local = session.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS (executor='local') AS {rows}")
    assert heard.equals(local), (heard, local)
    assert list(session._executors) == ["sequential", "local"]
    assert type(session._executors["sequential"]) is sequential.SequentialExecutor
"""


def test_the_executor_of_the_recipe_does_what_the_local_one_does(tmp_path: Path, postgres_url: str) -> None:
    copy = copy_package(tmp_path)
    executors = copy / "thanosql" / "engine" / "executors"
    (executors / "sequential.py").write_text(block("class SequentialExecutor") + "\n", encoding="utf-8")
    append(executors / "base.py", block('EXECUTORS["sequential"]'))
    run(copy, PROGRAM, THANOSQL_DATABASE_URL=postgres_url)
