"""The short form of `make torture`: some of each part, and nothing found. docs/reliability.md has the long form's counts."""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

import thanosql
from tests.torture import (
    audio_files,
    checkpoints,
    concurrency,
    faults,
    injection,
    kills,
    secrets,
    soak,
    statements,
)
from tests.torture.concurrency import Event
from tests.torture.findings import Findings

REPLACED = "There is no model one of version 1 any more: another statement has replaced or dropped it."

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits and counts are those of Linux")


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    """An empty database for one test."""
    name = f"torture_{uuid.uuid4().hex[:12]}"
    server = sqlalchemy.create_engine(
        sqlalchemy.make_url(postgres_url).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT"
    )
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sqlalchemy.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.dispose()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded server's own user may enter, as root it has one."""
    with tempfile.TemporaryDirectory(prefix="torture-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None) as made:
        Path(made).chmod(0o755)
        yield Path(made)


def nothing_in(findings: Findings, at_least: int = 1) -> None:
    assert findings.failures == []
    assert sum(findings.counts.values()) >= at_least


def test_a_killed_statement_leaves_all_as_it_was_and_ends_when_it_is_run_again(folder: Path) -> None:
    found = kills.kill(folder / "home", folder / "files", kills=6)
    nothing_in(found)
    assert sum(count for what, count in found.counts.items() if what.endswith("killed")) == 6


def test_a_fault_of_the_machine_or_the_database_is_told_and_loses_nothing(url: str, folder: Path) -> None:
    nothing_in(faults.injure(url, folder / "home", folder / "files", faults=8), at_least=8)


def test_processes_at_the_same_names_see_only_what_some_order_allows(url: str, folder: Path) -> None:
    nothing_in(concurrency.together(url, folder / "home", folder / "files", processes=3, seconds=8), at_least=15)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([Event("predict", "one", 3, 4, "There is no model one.")], "missing while it was there"),
        ([Event("fit", "one", 3, 4, REPLACED)], "while nobody wrote it"),
        ([Event("drop", "one", 3, 4, "done"), Event("predict", "one", 5, 6, "done")], "used while it was gone"),
        ([Event("drop", "one", 3, 4, "done"), Event("create", "one", 5, 6, "one exists already")], "it was gone"),
        ([Event("read", "one", 3, 4, "rows 19999 19999")], "the table of COPY"),
        ([Event("list", "one", 3, 4, "ThanoSQLModelError: damaged")], "damaged"),
    ],
)
def test_the_check_of_outcomes_finds_what_no_order_allows(events: list[Event], said: str) -> None:
    found = list(concurrency.contradictions([Event("build", "one", 1, 2, "done"), *events]))
    assert len(found) == 1
    assert said in found[0]


def test_the_check_of_outcomes_allows_what_some_order_does() -> None:
    events = [Event("build", "one", 1, 2, "done"), Event("drop", "one", 3, 5, "done")]
    events += [Event("predict", "one", 4, 6, ending) for ending in ("done", "There is no model one.")]
    events += [Event("fit", "two", 4, 6, REPLACED), Event("upload", "two", 3, 5, "done")]
    assert list(concurrency.contradictions(events)) == []


def test_random_statements_parse_or_are_refused(url: str, tmp_path: Path) -> None:
    with thanosql.connect(url, home=tmp_path) as session:
        nothing_in(statements.fuzz(session, 2000), at_least=2000)


def test_hostile_names_are_names(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(set(injection.corpus())) >= 200
    monkeypatch.chdir(tmp_path)
    with thanosql.connect(url, home=tmp_path / "home") as session:
        nothing_in(injection.inject(session, url, tmp_path / "files", names=4), at_least=100)


def test_damaged_audio_is_read_or_told(tmp_path: Path) -> None:
    found = audio_files.damage(tmp_path, files=20)
    nothing_in(found)
    assert sum(found.counts.values()) == 20 * len(audio_files.FORMATS)


def test_hostile_models_are_refused_or_work(tmp_path: Path) -> None:
    nothing_in(checkpoints.deceive(tmp_path, models=15), at_least=15)


def test_a_planted_password_comes_out_nowhere(url: str, folder: Path) -> None:
    nothing_in(secrets.plant(url, folder / "home"), at_least=40)


def test_mixed_statements_leave_nothing_behind(url: str, folder: Path) -> None:
    nothing_in(soak.soak(url, folder / "home", folder / "files", seconds=8), at_least=5)
