"""The recipes of docs/architecture.md, followed as they stand: the package is copied, blocks are put where they say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT, blocks

BLOCKS = [*blocks(ROOT / "docs" / "architecture.md")]


def copy_package(folder: Path) -> Path:
    """The package and its scripts, to be changed."""
    for name in ("thanosql", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def block(part: str) -> str:
    """The one code block of the page that holds these words."""
    (found,) = (one.text for one in BLOCKS if part in one.text)
    return found


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")


def run(folder: Path, code: str, **environment: str) -> str:
    """What a program says that imports the copy."""
    paths = os.pathsep.join((str(folder), str(folder / "scripts")))
    given = {**os.environ, "PYTHONPATH": paths, "THANOSQL_HOME": str(folder / "home"), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=given, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
