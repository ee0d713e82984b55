"""An installation in, what is wrong with it out, each finding with its cure: `thanosql.doctor()`.

    python -m thanosql doctor

Nothing is changed, but that a home and its embedded PostgreSQL are made where there are none yet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict

from thanosql import config
from thanosql.diagnosis import installation, surroundings
from thanosql.diagnosis.findings import Diagnosis, Finding
from thanosql.errors import ThanoSQLError

__all__ = ["Diagnosis", "Finding", "diagnose"]


def diagnose(database_url: str | None = None, *, home: str | os.PathLike[str] | None = None) -> Diagnosis:
    """Check packages, torch, audio's libraries, the database, the home, the disk, the GPU and the hub's cache; some seconds.

    Raises nothing: what fails is a finding.
    """
    found: list[Finding] = []
    for check in (installation.python, installation.distributions, installation.requirements, installation.extras):
        found += _findings(check)
    found += _findings(installation.torch)
    found += _findings(installation.torchaudio)
    found += _findings(installation.audio)
    try:
        settings = config.load(database_url=database_url, home=home)
    except ThanoSQLError as error:
        return Diagnosis((*found, Finding("settings", "error", error.message, error.hint or "Correct the file.")))
    for look in (
        surroundings.home,
        surroundings.processor,
        surroundings.disk,
        surroundings.database,
        surroundings.hub,
    ):
        found += _findings(lambda look=look: look(settings))  # type: ignore[misc]
    return Diagnosis(tuple(found))


def as_rows(diagnosis: Diagnosis) -> list[dict[str, str]]:
    """The findings as plain data."""
    return [asdict(finding) for finding in diagnosis.findings]


def _findings(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # a check that fails is a finding, and the others still run
        name = getattr(check, "__name__", "check").strip("<>")
        return [Finding(name, "error", f"cannot be checked: {type(error).__name__}: {error}", "Please report this.")]
