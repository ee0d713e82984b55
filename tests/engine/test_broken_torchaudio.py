"""Every kind of statement beside a torchaudio that does not fit the torch next to it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
import thanosql

FEW = "SELECT * FROM calls ORDER BY audio_path LIMIT 4"
with thanosql.connect(sys.argv[1], home=sys.argv[2]) as session:
    for statement in (
        "GET THANOSQL DATASET spoken_numbers",
        "COPY calls FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'",
        f"BUILD MODEL first USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS {FEW}",
        f"FIT MODEL second USING first OPTIONS (max_epochs=1) AS {FEW}",
        f"PREDICT USING second OPTIONS (timestamps='word', decoder='beam', beam_width=5, table_name='heard') AS {FEW}",
        f"EVALUATE USING second OPTIONS (against='first') AS {FEW}",
        f"ALIGN USING second AS {FEW}",
        f"EXPLAIN PREDICT USING second AS {FEW}",
        f"CHECK PREDICT USING second AS {FEW}",
        f"SELECT count(*) FROM (PREDICT USING second AS {FEW}) q",
        f"PRINT AUDIO AS {FEW}",
        "LIST MODEL",
        "DESCRIBE MODEL second",
        "LIST MODEL VERSIONS second",
        "DROP MODEL second",
    ):
        session.execute(statement)
        print("done", *statement.split()[:2])
try:
    import torchaudio
except (OSError, RuntimeError, ImportError) as error:
    print("does not load:", error)
"""
BROKEN = "raise OSError('libtorchaudio.abi3.so: undefined symbol: torch_from_blob_v2')"


def test_every_kind_of_statement_works_beside_a_torchaudio_that_does_not_load(
    database_url: str, tmp_path: Path
) -> None:
    package = tmp_path / "site" / "torchaudio"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BROKEN)
    about = tmp_path / "site" / "torchaudio-2.11.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: torchaudio\nVersion: 2.11.0\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, database_url, str(tmp_path / "home")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len([line for line in said if line.startswith("done")]) == 15
    assert said[-1] == "does not load: libtorchaudio.abi3.so: undefined symbol: torch_from_blob_v2"
    assert "Traceback" not in done.stderr
