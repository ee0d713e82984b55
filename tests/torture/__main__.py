"""Torture from the command line: how much of what in, `docs/reliability.md` out.

    python -m tests.torture --kills 300 --faults 200 --processes 8 --minutes 10 --statements 1000000 --audio 10000
    python -m tests.torture --only kills,soak --soak 120

Run by `make torture`. Each part has a database and a home of its own; a part whose amount is 0 is left out.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg2
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
from tests.torture.findings import STOP, Findings
from tests.torture.page import said, with_counts
from thanosql.engine.postgres import embedded

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def parts(
    amounts: argparse.Namespace, url: Callable[[str], str], home: Callable[[str], Path]
) -> dict[str, Callable[[], Findings]]:
    """Every part of the torture by its name."""
    seed = amounts.seed

    def fuzz() -> Findings:
        with thanosql.connect(url("fuzz"), home=home("fuzz") / "home") as session:
            return statements.fuzz(session, amounts.statements, seed)

    def inject() -> Findings:
        address = url("injection")
        with thanosql.connect(address, home=home("injection") / "home") as session:
            return injection.inject(session, address, home("injection") / "files", amounts.names, seed)

    def both(name: str) -> tuple[str, Path, Path]:
        return url(name), home(name) / "home", home(name) / "files"

    return {
        "kills": lambda: kills.kill(*both("kills")[1:], amounts.kills, seed),
        "faults": lambda: faults.injure(*both("faults"), amounts.faults, seed),
        "concurrency": lambda: concurrency.together(
            *both("concurrency"), amounts.processes, 60 * amounts.minutes, seed
        ),
        "statements": fuzz,
        "names": inject,
        "audio": lambda: audio_files.damage(home("audio"), amounts.audio, seed),
        "models": lambda: checkpoints.deceive(home("models"), amounts.models, seed),
        "secrets": lambda: secrets.plant(url("secrets"), home("secrets") / "home"),
        "soak": lambda: soak.soak(*both("soak"), 60 * amounts.soak, seed),
    }


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, amount, words in (
        ("kills", 300, "statements that are killed"),
        ("faults", 200, "statements under a fault"),
        ("processes", 8, "processes at the same names"),
        ("minutes", 10, "of those processes"),
        ("statements", 1_000_000, "random statements"),
        ("names", 229, "hostile names, of those there are"),
        ("audio", 10_000, "damaged files in each format"),
        ("models", 1_000, "hostile models"),
        ("soak", 120, "minutes of mixed statements"),
        ("seed", 0, "of all that is drawn"),
    ):
        asked.add_argument(f"--{name}", type=float if name in ("minutes", "soak") else int, default=amount, help=words)
    asked.add_argument("--only", default="", help="the parts that are run, with commas between them")
    asked.add_argument("--to", type=Path, default=PAGE, help="the page whose counts of these parts are replaced")
    amounts = asked.parse_args()

    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    folder.chmod(0o755)  # as root, the server runs as another user
    server = embedded.start(folder / "postgres")

    def url(name: str) -> str:
        raw = psycopg2.connect(server)
        raw.autocommit = True
        with raw.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE torture_{name}")
        raw.close()
        return sqlalchemy.make_url(server).set(database=f"torture_{name}").render_as_string(hide_password=False)

    def home(name: str) -> Path:
        (folder / name).mkdir(exist_ok=True)
        return folder / name

    wanted = [name for name in amounts.only.split(",") if name]
    done: list[Findings] = []
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(number, _stop)
    try:
        for name, run in parts(amounts, url, home).items():
            if (wanted and name not in wanted) or not getattr(amounts, name, 1) or STOP.is_set():
                continue
            print(f"{name} …", flush=True)
            done.append(run())
            print(said(done[-1]), flush=True)
            _write(amounts.to, name, done[-1])
    finally:
        embedded.stop(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if any(one.failures for one in done) else 0


def _write(page: Path, part: str, findings: Findings) -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    command = " ".join(["python", "-m", "tests.torture", *sys.argv[1:]])
    about = (
        f"`{command}`, {datetime.date.today().isoformat()}, commit {commit.stdout.strip() or 'unknown'}, Python "
        f"{platform.python_version()}, {platform.machine()} {platform.system()}, {os.cpu_count()} cores."
    )
    text = page.read_text(encoding="utf-8") if page.exists() else "# Reliability\n"
    page.write_text(with_counts(text, part, findings, about), encoding="utf-8")


def _stop(_signal: int, _frame: object) -> None:
    """What was done by now is judged and written down."""
    STOP.set()


if __name__ == "__main__":
    sys.exit(main())
