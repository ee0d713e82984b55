"""What the machine refuses is an error of its own, with the cure; a defect stays one; no message repeats a megabyte."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLError, ThanoSQLInternalError, ThanoSQLResourceError
from thanosql.unexpected import as_error


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "Free the disk"),
        (errno.EDQUOT, "Free the disk"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "ulimit -n"),
        (errno.ENOMEM, "batch_size"),
        (errno.EROFS, "read only"),
        (errno.EIO, "disk or its connection fails"),
        (errno.ENAMETOOLONG, "shorter"),
        (errno.EACCES, "right"),
    ],
)
def test_what_the_operating_system_refuses_has_its_words_and_a_cure(number: int, cure: str) -> None:
    error = as_error(OSError(number, os.strerror(number), "/a/file"))
    assert isinstance(error, ThanoSQLResourceError)
    assert os.strerror(number) in error.message
    assert "/a/file" in error.message
    assert cure in str(error)
    assert isinstance(as_error(RuntimeError(f"IoError: no (os error {number})")), ThanoSQLResourceError)


def test_torchs_words_for_a_lack_of_memory_are_known() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    error = as_error(caught.value)
    assert isinstance(error, ThanoSQLResourceError)
    assert "batch_size" in str(error)
    gpu = as_error(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    assert isinstance(gpu, ThanoSQLResourceError)
    assert "GPU" in gpu.message
    assert isinstance(as_error(MemoryError()), ThanoSQLResourceError)


def test_a_defect_stays_a_defect() -> None:
    for error in (
        KeyError("a"),
        ValueError("b"),
        OSError("nothing known"),
        OSError(errno.ENOENT, "no"),
        RuntimeError(),
    ):
        assert isinstance(as_error(error), ThanoSQLInternalError)


def test_a_disk_that_is_full_is_said_so_by_a_statement(session: Session) -> None:
    """/dev/full is a real full disk: what is told of the statement's progress goes there."""
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    session.execute("GET THANOSQL DATASET spoken_numbers")

    def progress(_: Any) -> None:
        with open("/dev/full", "w") as full:
            full.write("x")

    with pytest.raises(ThanoSQLResourceError, match="No space left"):
        session.run(
            "PREDICT USING Wav2Vec2Tiny AS SELECT 'thanosql-dataset/spoken_numbers/test/0001.flac' AS audio_path",
            progress=progress,
        )


@pytest.mark.parametrize(
    "sql",
    [
        "PREDICT USING '{}' AS SELECT 1",
        "EVALUATE USING Wav2Vec2Tiny OPTIONS (against='{}') AS SELECT 'x' AS audio_path, 'y' AS text",
        "DROP MODEL {}",
        "PREDICT USING Wav2Vec2Tiny OPTIONS (audio_col='{}') AS SELECT 1",
        "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='{}') AS SELECT 'x' AS audio_path",
        "PREDICT USING Wav2Vec2Tiny OPTIONS ({}=1) AS SELECT 1",
        "BUILD MODEL {} USING Wav2Vec2Tiny AS SELECT 1",
        "BUILD MODEL m USING '{}' AS SELECT 1",
        "UPLOAD MODEL m FROM '{}'",
        "COPY t FROM '{}'",
        "COPY {} FROM 'a.csv'",
        "PREDICT USING Wav2Vec2Tiny AS SELECT '{}' AS audio_path",
        "SELECT {}",
        "SELECT '{}'::int",
        'SELECT * FROM "{}"',
        "GET THANOSQL DATASET {}",
        "DESCRIBE MODEL {}",
    ],
)
@pytest.mark.parametrize("value", ["a" * 300, "a" * 5000, "b c " * 100_000], ids=["300", "5000", "words"])
def test_no_message_repeats_a_long_value(session: Session, sql: str, value: str) -> None:
    with pytest.raises(ThanoSQLError) as caught:
        session.execute(sql.format(value))
    said = str(caught.value)
    assert not isinstance(caught.value, ThanoSQLInternalError), said[:300]
    assert len(said) < 6000
    if " " not in value:  # a value with blanks and no quotes is cut with the whole message
        assert value[:299] not in said


@pytest.mark.parametrize(("name", "fault"), [("a\0b", "NUL"), ("\ud800", "surrogate")])
@pytest.mark.parametrize(
    "sql",
    [
        "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name=:n) AS SELECT 'x' AS audio_path",
        "PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table=:n) AS SELECT 'x' AS audio_path",
        "PREDICT USING Wav2Vec2Tiny OPTIONS (result_col=:n) AS SELECT 'x' AS audio_path",
        "EVALUATE USING Wav2Vec2Tiny OPTIONS (confusions_table=:n) AS SELECT 'x' AS audio_path, 'a' AS text",
        "COPY t OPTIONS (columns=:names) FROM :file",
    ],
)
def test_a_name_that_the_server_cannot_take_is_refused(
    session: Session, tmp_path: Path, sql: str, name: str, fault: str
) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    given = {
        "names": [name, "b"],
        "file": str(tmp_path / "a.csv"),
    }
    with pytest.raises(ThanoSQLError, match=fault) as caught:
        session.execute(sql, {"n": name, **given})
    assert not isinstance(caught.value, ThanoSQLInternalError)


def test_a_hint_that_lists_what_there_is_stays_whole() -> None:
    listed = "Its columns: " + ", ".join(f"column_{number}" for number in range(200))
    assert ThanoSQLError(listed, hint=listed).hint == listed
    quoted = "There are: " + ", ".join(f"'column {number}'" for number in range(200))
    assert str(ThanoSQLError(quoted)) == quoted


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
@pytest.mark.parametrize(
    ("limit", "least"),
    [("RLIMIT_AS", "int(open('/proc/self/statm').read().split()[0]) * 4096"), ("RLIMIT_NOFILE", "3")],
)
def test_what_the_machine_lacks_for_the_first_statement_is_told(limit: str, least: str) -> None:
    code = (
        "import resource, thanosql; session = thanosql.connect('postgresql://nowhere')\n"
        f"resource.setrlimit(resource.{limit}, ({least}, resource.getrlimit(resource.{limit})[1]))\n"
        "try: session.execute('SELECT 1')\n"
        "except thanosql.ThanoSQLResourceError: print('told')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stdout == "told\n", done.stderr


# Kilobytes beyond what the process has when its first statement begins; each stops another of the parts that it loads:
# Python's own parser and extensions, psycopg2, and the libraries that psycopg2 brings.
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
@pytest.mark.parametrize("left", [0, 1_000, 2_100, 2_800, 3_500, 8_000, 14_000, 15_400, 18_200, 25_200, 32_900, 41_300])
def test_memory_that_ends_while_a_library_is_loaded_is_told_as_memory(left: int) -> None:
    code = (
        "import resource, thanosql; session = thanosql.connect('postgresql://nowhere')\n"
        f"least = int(open('/proc/self/statm').read().split()[0]) * 4096 + {left} * 1024\n"
        "resource.setrlimit(resource.RLIMIT_AS, (least, resource.getrlimit(resource.RLIMIT_AS)[1]))\n"
        "try: session.execute('SELECT 1')\n"
        "except thanosql.ThanoSQLResourceError as error: print('memory' in str(error))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stdout == "True\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_a_machine_without_a_temporary_folder_is_told(database_url: str, tmp_path: Path) -> None:
    """No file can grow here, as on a machine whose only disk is full: tempfile then finds none of its folders."""
    code = """
import resource, sys, tempfile, thanosql
from thanosql import config
from thanosql.diagnosis import surroundings
url, home, audio = sys.argv[1:]
session = thanosql.connect(url, home=home)
statement = f"PREDICT USING Wav2Vec2Tiny AS SELECT '{audio}' AS audio_path"
session.execute(statement)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
tempfile.tempdir = None
try:
    session.execute(statement)
except thanosql.ThanoSQLResourceError as error:
    print(error)
print(*[finding for finding in surroundings.disk(config.load(home=home)) if finding.severity == "error"])
"""
    audio = Path(__file__).parents[2] / "thanosql/models/assets/spoken_numbers/test/0001.flac"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, database_url, str(tmp_path / "home"), str(audio)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    refused, cure, found = done.stdout.splitlines()
    assert refused.startswith("No temporary folder can be written to: '/"), done.stderr
    assert "TMPDIR" in cure
    assert "No temporary folder can be written to" in found
