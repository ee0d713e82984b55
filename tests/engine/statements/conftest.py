"""What several tests of statements ask for."""

from __future__ import annotations

import shutil

import pytest

from thanosql.engine.session import Session
from thanosql.models.bases import ASSETS


@pytest.fixture
def spoken(session: Session) -> Session:
    """A recording of six figures in the workspace, one.flac."""
    session.settings.workspace.mkdir(parents=True)
    shutil.copy(ASSETS / "spoken_numbers" / "test" / "0030.flac", session.settings.workspace / "one.flac")
    return session
