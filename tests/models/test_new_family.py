"""A new family is its folder and one line: the recipe of docs/architecture.md, followed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.models.recordings import wav
from tests.recipes import append, block, copy_package, run

PROGRAM = """
import pytest
import thanosql

with thanosql.connect() as session:
    session.execute("UPLOAD MODEL ear FROM 'checkpoint'")
    rows = "SELECT p AS audio_path, p AS text FROM unnest(ARRAY['0.1.wav', '0.9.wav']) p"
    heard = session.execute(f"PREDICT USING ear AS {rows}")
    assert heard.predict_result.tolist() == ["quiet", "loud"], heard
    assert session.execute("SELECT family FROM (SELECT value AS family FROM (DESCRIBE MODEL ear) d WHERE name = 'family') f"
                           ).family[0] == "loudness"
    for statement, needs in [
        (f"ALIGN USING ear AS {rows}", "a CTC model"),
        (f"PREDICT USING ear OPTIONS (decoder='beam') AS {rows}", "a CTC model"),
        (f"PREDICT USING ear OPTIONS (timestamps='word') AS {rows}", "a CTC model"),
        (f"BUILD MODEL other USING ear AS {rows}", "a model that can be trained"),
        (f"CHECK FIT MODEL other USING ear AS {rows}", "a model that can be trained"),
    ]:
        with pytest.raises(thanosql.ThanoSQLModelError, match=f"needs {needs}; ear is a loudness model"):
            session.execute(statement)
"""


def test_the_family_of_the_recipe_transcribes_and_what_it_cannot_do_is_refused(
    tmp_path: Path, postgres_url: str
) -> None:
    import numpy as np

    copy = copy_package(tmp_path)
    families = copy / "thanosql" / "models" / "families"
    (families / "loudness").mkdir()
    (families / "loudness" / "__init__.py").write_text(block("class LoudnessRecognizer") + "\n", encoding="utf-8")
    append(copy / "thanosql" / "models" / "registry.py", block('FAMILIES["loudness"]'))
    (copy / "checkpoint").mkdir()
    (copy / "checkpoint" / "config.json").write_text(json.dumps({"model_type": "loudness", "threshold": 0.5}))
    for level in (0.1, 0.9):
        (copy / f"{level}.wav").write_bytes(wav(np.full((8000, 1), level), 8000, 16))
    run(copy, PROGRAM, THANOSQL_DATABASE_URL=postgres_url)
