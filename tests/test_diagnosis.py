"""`thanosql.doctor()`: what is wrong with an installation is found, with its cure, and nothing is raised."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import thanosql
from thanosql import __main__ as program
from thanosql import config
from thanosql.diagnosis import installation, surroundings
from thanosql.diagnosis.findings import Diagnosis, Finding
from thanosql.engine.postgres.address import without_password

ROOT = Path(__file__).resolve().parents[1]


def installed(folder: Path, name: str, version: str, summary: str = "", requires: tuple[str, ...] = ()) -> None:
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Summary: {summary}"]
    (about / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {line}" for line in requires)]) + "\n")


def test_a_sound_installation_is_called_so(database_url: str, tmp_path: Path) -> None:
    found = thanosql.doctor(database_url, home=tmp_path / "home")
    assert found.ok, found
    assert {"python", "packages", "torch", "home", "disk", "database", "hub"} <= {
        finding.subject for finding in found.findings
    } | {"packages"}  # not known where it runs from its sources
    assert all(finding.cure for finding in found.findings if finding.severity in ("warning", "error"))
    assert str(found).count("\n") >= len(found.findings) - 1


def test_the_extras_are_those_that_the_page_on_installing_names() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\| `\[(\w+)\]`", page, re.MULTILINE)} == installation.EXTRAS.keys()


def test_a_database_that_does_not_answer_is_an_error_with_a_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://ann:planted-secret@127.0.0.1:1/calls"
    status = program.main(["doctor", "--database", url, "--home", str(tmp_path), "--format", "json"])
    assert status == 1
    printed = capsys.readouterr().out
    assert "planted-secret" not in printed
    found = {row["subject"]: row for row in json.loads(printed)}
    assert found["database"]["severity"] == "error"
    assert found["database"]["message"].startswith("postgresql://ann@127.0.0.1")


def test_a_settings_file_that_cannot_be_read_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thanosql.toml").write_text("nonsense = 1\n")
    monkeypatch.setenv("THANOSQL_CONFIG", str(tmp_path / "thanosql.toml"))
    found = thanosql.doctor()
    assert not found.ok
    assert found.findings[-1].subject == "settings"


def test_the_other_project_of_this_name_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "thanosql", "9.9", "Something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = [finding for finding in installation.distributions() if finding.subject == "namesake"]
    assert found.severity == "error"
    assert "thanosql 9.9" in found.message
    assert 'pip install "thanosql-speech[embedded]"' in found.cure


def test_files_that_the_other_project_overwrote_are_named_at_the_first_import(tmp_path: Path) -> None:
    package = tmp_path / "thanosql"
    package.mkdir()
    for name in ("__init__.py", "version.py"):
        shutil.copy(ROOT / "thanosql" / name, package / name)
    (package / "errors.py").write_text("class SomethingElse(Exception): pass\n")
    done = subprocess.run(
        [sys.executable, "-c", "import thanosql"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "pip install thanosql-speech" in done.stderr.splitlines()[-1]


def test_a_package_that_is_too_old_or_missing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ("lark>=99", "no-such-package-at-all", "numpy>=1", "absent; extra == 'files'")
    installed(tmp_path, "thanosql-speech", "0.1", requires=needs)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = list(installation.requirements())
    assert [finding.subject for finding in found] == ["lark", "no-such-package-at-all"]
    assert metadata.version("lark") in found[0].message
    assert found[0].cure == 'pip install "lark>=99"'


@pytest.mark.parametrize(("package", "check"), [("torch", installation.torch), ("torchaudio", installation.torchaudio)])
def test_a_library_that_does_not_load_is_found(
    package: str, check: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise OSError('libother.so: undefined symbol')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = check()  # type: ignore[operator]
    assert found.severity in ("warning", "error")
    assert "libother.so: undefined symbol" in found.message
    assert "pip" in found.cure


@pytest.mark.parametrize("package", installation.AUDIO)
@pytest.mark.parametrize("fault", ["raise OSError('libother.so: no such file')", "import os; os.abort()"])
def test_a_library_of_audio_that_does_not_load_is_found(
    package: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{package}.py").write_text(fault)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = installation.audio()
    assert (found.severity, found.message.split()[0]) == ("error", package)
    assert "libother.so: no such file" in found.message or "ended with -6" in found.message
    assert f"pip install --force-reinstall {package}" in found.cure


def test_audios_libraries_load_here() -> None:
    assert [found.severity for found in installation.audio()] == ["ok"]


def test_rights_on_the_home_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir(mode=0o755)
    tmp_path.chmod(0o757)
    found = list(surroundings.home(config.load(home=tmp_path)))
    assert [finding.severity for finding in found] == ["ok", "warning", "warning"]
    assert "models" in found[2].message

    (tmp_path / "file").write_text("")
    (found,) = surroundings.home(config.load(home=tmp_path / "file" / "home"))  # type: ignore[assignment]
    assert found.severity == "error"  # type: ignore[attr-defined]


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "LEAST_DISK", 1e12)
    found = list(surroundings.disk(config.load(home=tmp_path)))
    assert [finding.severity for finding in found] == ["error", "error"]
    assert [finding.cure.split()[-1] for finding in found] == ["THANOSQL_HOME.", "TMPDIR."]


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A hub that nothing forbids to ask: a port that takes what comes and says nothing."""
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://ann:planted-secret@127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(surroundings, "HUB_SECONDS", 30)
        yield silent


def asked(home: Path) -> Finding:
    """What is said of the hub itself; of the bases comes before."""
    return list(surroundings.hub(config.load(home=home)))[-1]


def test_a_hub_that_does_not_answer_is_a_warning_with_a_cure(
    asking: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr(surroundings, "HUB_SECONDS", 0.2)
        found = asked(tmp_path)
    assert (found.severity, found.message.partition(" cannot be reached: ")[2]) == (
        "warning",
        "it did not answer within 0.2 s",
    )
    assert "planted-secret" not in str(found)
    asking.close()
    found = asked(tmp_path)
    assert (found.severity, "Connection refused" in found.message) == ("warning", True)
    assert "HF_ENDPOINT" in found.cure
    assert "planted-secret" not in str(found)


@pytest.mark.parametrize(("status", "severity"), [(200, "ok"), (401, "ok"), (407, "warning"), (503, "warning")])
def test_a_hub_that_answers_is_reached(asking: socket.socket, tmp_path: Path, status: int, severity: str) -> None:
    def answer() -> None:
        connection, _ = asking.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(f"HTTP/1.1 {status} .\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    answering = threading.Thread(target=answer)
    answering.start()
    found = asked(tmp_path)
    answering.join()
    assert found.severity == severity, found


def test_a_hub_that_is_switched_off_is_not_asked(
    asking: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = asked(tmp_path)
    assert (found.severity, "HF_HUB_OFFLINE" in found.message) == ("note", True)
    asking.setblocking(False)
    with pytest.raises(BlockingIOError):
        asking.accept()


def test_statements_are_logged_with_fields_and_without_their_text(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "thanosql"), thanosql.connect(database_url, home=tmp_path) as session:
        session.execute("SELECT 'planted-secret' AS a WHERE :value = 'x'", {"value": "planted-value"})
        with pytest.raises(thanosql.ThanoSQLError):
            session.execute("SELECT 'planted-secret' FROM no_such_table")
    said = [record for record in caplog.records if record.name == "thanosql.engine.session"]
    assert [record.__dict__["outcome"] for record in said] == ["done", "ThanoSQLDatabaseError"]
    assert all(record.__dict__["statement_kind"] == "PlainSQL" for record in said)
    assert "planted" not in caplog.text


def test_nothing_is_printed_where_nobody_asked_for_logs() -> None:
    code = "import logging, thanosql; logging.getLogger('thanosql.models').warning('planted')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_what_is_found_is_text_with_the_cure_below() -> None:
    found = Diagnosis((Finding("torch", "ok", "2.0"), Finding("home", "error", "is full", "Free some.")))
    assert str(found).splitlines() == [
        "ok       torch         2.0",
        "ERROR    home          is full",
        "                       → Free some.",
        "1 error.",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter2/calls",
        "postgresql://ann:hunter2/x@127.0.0.1:1/calls",
        "postgresql://ann:1/hunter2@127.0.0.1:1/calls",
        "postgresql://ann:hunter2@[::1/calls",
        "postgresql://ann@127.0.0.1:1/calls?sslpassword=hunter2",
        "postgresql://127.0.0.1:1/calls?options=-c%20my.secret%3Dhunter2",
        "host=127.0.0.1 port=1 password=hunter2",
    ],
)
def test_no_part_of_a_url_that_may_be_a_secret_is_shown(url: str, tmp_path: Path) -> None:
    assert "hunter2" not in without_password(url)
    with thanosql.connect(url, home=tmp_path) as session, pytest.raises(thanosql.ThanoSQLError) as caught:
        session.execute("SELECT 1")
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in f"{error!r} {error} {error.args}"
        error = error.__cause__ or error.__context__
