"""Statements under faults of the machine and of the database; each ends in a message of its own, and nothing is lost."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2

from tests.torture import system_faults
from tests.torture.acts import DEFECT, REFUSED, act, act_in_a_fork, act_in_threads, children
from tests.torture.findings import Findings
from tests.torture.world import World

DISK = 150 << 20  # bytes of the small disk that holds a home
LIMITS = ("file size", "open files", "memory", "full disk", "full temporary folder", "read-only disk")
SYSTEM = ("input/output error in the home", "input/output error in the temporary folder", "clock")
SERVERS_DISK = "full disk of the database"
PROCESSES = {"fork": act_in_a_fork, "threads": act_in_threads}
DISKS = ("full disk", "full temporary folder", "read-only disk")
SETTINGS = (
    "statement_timeout",
    "lock_timeout",
    "transaction_timeout",
    "default_transaction_read_only",
    "temp_file_limit",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "default_transaction_isolation",
)
OF_SETTINGS = {
    "default_transaction_read_only": "on",
    "temp_file_limit": "0",
    "default_transaction_isolation": "serializable",
}
CLOCKS = ("jumping", str(366 * 24 * 3600), str(-366 * 24 * 3600))
UNLIMITED = (
    "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 "
    "-c idle_in_transaction_session_timeout=0"
)
BACKENDS = ("pg_terminate_backend", "pg_cancel_backend")


def limit_file_size(size: int) -> None:
    _limit(resource.RLIMIT_FSIZE, size)


def limit_open_files(more: int) -> None:
    _limit(resource.RLIMIT_NOFILE, len(os.listdir("/proc/self/fd")) + more)


def limit_memory(more: int) -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, taken + more)


def _limit(what: int, value: int) -> None:
    resource.setrlimit(what, (value, resource.getrlimit(what)[1]))


def use_temporary_folder(folder: Path) -> None:
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), None


@dataclass(frozen=True)
class Disk:
    """A small disk (tmpfs), to be filled but for some bytes; None where this user may mount none."""

    path: Path

    @classmethod
    def mount(cls, path: Path, size: int) -> Disk | None:
        path.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
        with suppress(OSError):
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return cls(path)
        return None

    def fill(self, but: int) -> None:
        free = shutil.disk_usage(self.path).free - but
        if free > 0:
            with (self.path / "ballast").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, free)

    def empty(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)

    def write_protect(self, on: bool) -> None:
        """Let the kernel refuse every write to it (EROFS), or no longer."""
        subprocess.run(["mount", "-o", f"remount,{'ro' if on else 'rw'}", str(self.path)], check=True)

    def lend(self, url: str) -> bool:
        """Have the temporary tables of a database lie on it from now on; whether its server can reach it."""
        try:
            ((folder,),) = _run(url, "SELECT current_setting('data_directory')")
            owner = Path(folder).stat()
            os.chown(self.path, owner.st_uid, owner.st_gid)
            _run(url, f"CREATE TABLESPACE torture LOCATION '{self.path}'")
        except (OSError, psycopg2.Error):
            return False
        return True

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=False)


def injure(url: str, home: Path, folder: Path, faults: int, seed: int = 0, only: Sequence[str] = ()) -> Findings:
    """`faults` statements, every kind of them and of faults; `url` names a database of their own."""
    findings = Findings(f"{faults} faults of the machine and of the database")
    draw = random.Random(seed)
    disk, temporary = Disk.mount(home, DISK), Disk.mount(folder / "tmp", 4 << 20)
    servers = Disk.mount(Path(tempfile.mkdtemp(prefix="torture-", dir="/var/tmp")), 16 << 20)
    lent = servers is not None and servers.lend(url)
    try:
        world = World(home, folder, url)
        world.make()
        kinds = [kind for kind in LIMITS if kind not in DISKS or (disk and temporary)]
        kinds += [*SETTINGS, *BACKENDS, *PROCESSES, *(SYSTEM if system_faults.library() else ())]
        kinds += [SERVERS_DISK] * lent
        kinds = [kind for kind in kinds if not only or kind in only]
        for number in range(faults):
            if not findings.going_on():
                break
            deed = world.deeds[number % len(world.deeds)]
            if number % len(kinds) == 0:
                draw.shuffle(kinds)  # each of them before any comes again
            fault = kinds[number % len(kinds)]
            variant = draw.randrange(2)
            before = world.prepare(deed, variant)
            world.session.close()
            limit, hurt, heal = _fault(fault, draw, world, servers if fault == SERVERS_DISK else disk, temporary)
            run = PROCESSES.get(fault, act)
            child = children().Process(target=run, args=(url, home, deed.variants[variant], limit), daemon=True)
            try:
                if fault not in BACKENDS:
                    hurt()
                child.start()
                if fault in BACKENDS:
                    while child.is_alive() and draw.random() < 0.9:
                        child.join(draw.uniform(0, 0.4))
                        hurt()
                child.join(180)
            finally:
                heal()
            what = f"{deed.kind}, {fault}"
            if child.is_alive():
                findings.fail(f"{what}: still running after three minutes")
                child.kill()
                child.join()
            ending = {0: "done", REFUSED: "refused", DEFECT: "defect"}.get(child.exitcode or 0, "died")
            findings.counts[f"{fault}: {ending}"] += 1
            # A library that is refused memory may end the process; what it was at is as it was then, too.
            said = f"{what}: {ending} (exit code {child.exitcode})"
            findings.check(ending in ("done", "refused") or (ending, fault) == ("died", "memory"), said)
            world.judge(deed, variant, before, what, findings)
        world.session.close()
    finally:
        if lent:
            _run(url, "DROP TABLESPACE torture")
        for mounted in (disk, temporary, servers):
            if mounted is not None:
                mounted.unmount()
        if servers is not None:
            servers.path.rmdir()
    return findings.done()


def _nothing() -> None: ...


def _fault(
    fault: str, draw: random.Random, world: World, disk: Disk | None, temporary: Disk | None
) -> tuple[Callable[[], None] | None, Callable[[], None], Callable[[], None]]:
    """What the child does to itself first; what is done to it; and how that is undone."""
    url = world.url or ""
    if fault == "file size":
        return partial(limit_file_size, draw.choice((0, 1_000, 30_000, 1_000_000))), _nothing, _nothing
    if fault == "open files":
        return partial(limit_open_files, draw.randrange(12)), _nothing, _nothing
    if fault == "memory":
        return partial(limit_memory, draw.randrange(1 << 20, 256 << 20)), _nothing, _nothing
    if fault == "full disk":
        assert disk is not None
        return None, partial(disk.fill, draw.choice((0, 1_000, 100_000, 3_000_000, 8_000_000))), disk.empty
    if fault == SERVERS_DISK:
        assert disk is not None
        return (
            None,
            partial(_fill_servers, disk, url, draw.choice((0, 30_000, 1_000_000))),
            partial(_empty_servers, disk, url),
        )
    if fault == "read-only disk":
        assert disk is not None
        return None, partial(disk.write_protect, True), partial(disk.write_protect, False)
    if fault == "full temporary folder":
        assert temporary is not None
        return partial(use_temporary_folder, temporary.path), partial(temporary.fill, 0), temporary.empty
    if fault in PROCESSES:
        return None, _nothing, _nothing
    if fault == "clock":
        return partial(system_faults.set_clock, draw.choice(CLOCKS)), _nothing, _nothing
    if fault in SYSTEM:
        folder = world.home if "home" in fault else Path(tempfile.gettempdir())
        calls = draw.choice((0, 3, 30, 300, 3_000))
        return partial(system_faults.fail_reading_and_writing, folder, calls), _nothing, _nothing
    if fault in BACKENDS:
        return None, partial(_on_others, url, fault), _nothing
    value = OF_SETTINGS.get(fault, f"{draw.choice((2, 20, 100))}ms")
    return None, partial(_set, url, fault, value), partial(_set, url, fault, None)


def _fill_servers(disk: Disk, url: str, but: int) -> None:
    _set(url, "temp_tablespaces", "torture")
    disk.fill(but)


def _empty_servers(disk: Disk, url: str) -> None:
    disk.empty()
    _set(url, "temp_tablespaces", None)


def _on_others(url: str, function: str) -> None:
    _run(
        url,
        f"SELECT {function}(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def _set(url: str, setting: str, value: str | None) -> None:
    database = psycopg2.extensions.parse_dsn(url)["dbname"]
    with suppress(psycopg2.errors.UndefinedObject):  # a setting of newer servers
        _run(url, f'ALTER DATABASE "{database}" ' + (f"SET {setting} = '{value}'" if value else f"RESET {setting}"))


def _run(url: str, sql: str) -> list[tuple[Any, ...]]:
    raw = psycopg2.connect(url, options=UNLIMITED)
    try:
        raw.autocommit = True
        with raw.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        raw.close()
