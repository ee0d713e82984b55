"""ThanoSQL: a SQL dialect for speech recognition.

>>> import thanosql
>>> df = thanosql.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls")  # doctest: +SKIP

Importing this imports nothing heavy: pandas, SQLAlchemy, lark, torch and transformers come when a statement needs them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    from thanosql.errors import (
        ThanoSQLCancelledError,
        ThanoSQLConnectionError,
        ThanoSQLDatabaseError,
        ThanoSQLDataError,
        ThanoSQLError,
        ThanoSQLInternalError,
        ThanoSQLModelError,
        ThanoSQLOptionError,
        ThanoSQLResourceError,
        ThanoSQLSyntaxError,
    )
    from thanosql.version import __version__
except ImportError as error:  # our files and another project's, one over the other
    raise ImportError(
        "The files of the package thanosql do not fit together. The distribution `thanosql` on the package index is another "
        "project with the same import package; this one is `thanosql-speech`. If both are installed: "
        "pip uninstall --yes thanosql thanosql-speech, then pip install thanosql-speech."
    ) from error

# Quiet unless a program asks: logging.getLogger("thanosql") takes its handlers and its level.
logging.getLogger(__name__).addHandler(logging.NullHandler())

if TYPE_CHECKING:
    import os

    import pandas as pd

    from thanosql.diagnosis.findings import Diagnosis
    from thanosql.engine.session import Session

__all__ = [
    "Session",
    "ThanoSQLCancelledError",
    "ThanoSQLConnectionError",
    "ThanoSQLDataError",
    "ThanoSQLDatabaseError",
    "ThanoSQLError",
    "ThanoSQLInternalError",
    "ThanoSQLModelError",
    "ThanoSQLOptionError",
    "ThanoSQLResourceError",
    "ThanoSQLSyntaxError",
    "__version__",
    "captions",
    "connect",
    "doctor",
    "execute",
    "load_ipython_extension",
    "unload_ipython_extension",
]


def execute(sql: str, params: Mapping[str, Any] | None = None) -> Any:
    """Run one or more statements in the default session and return the last one's result.

    A `pandas.DataFrame` for whatever has rows, a report for BUILD and FIT, a short status (`str`) for the rest.
    `params` are the values of the `:name` parameters; they reach PostgreSQL through the driver, never as SQL.
    Raises a `ThanoSQLError`; `thanosql.errors` draws their tree.
    """
    from thanosql.default_session import default_session

    return default_session().execute(sql, params)


def connect(
    database_url: str | None = None,
    *,
    home: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    executor: str | None = None,
) -> Session:
    """A session of its own, as a context manager: `with thanosql.connect("postgresql://…") as session: …`

    Without a URL it is the configured database, or the embedded PostgreSQL under the home. `store` is the folder of
    saved models, where it is not to be under the home. Nothing is connected until a statement needs it.
    """
    from thanosql.engine.session import Session

    return Session(database_url, home=home, store=store, executor=executor)


def captions(frame: pd.DataFrame, form: str = "srt", *, audio_col: str = "audio_path") -> str:
    """The text of a caption file in `form`: 'srt', 'vtt' or 'ctm'.

    `frame` is what a PREDICT with `timestamps` or an ALIGN gave, or a table with the columns `start` and `end` (seconds) and
    `predict_result`, `text` or `word`; `speaker` and `channel` are taken where they are there. Raises ThanoSQLDataError for
    rows without times, for several recordings in srt or vtt, and for ctm where a time is not that of one word.
    """
    from thanosql.notebook.formats import as_captions

    return as_captions(frame, form, audio_col=audio_col) + "\n"


def doctor(database_url: str | None = None, *, home: str | os.PathLike[str] | None = None) -> Diagnosis:
    """Check the installation, the database, the home, the GPU and the hub's cache; each finding comes with its cure.

    Printed it is a report; `ok` says whether nothing keeps statements from working, `findings` has the parts. Takes
    some seconds, and raises nothing. `python -m thanosql doctor` is the same.
    """
    from thanosql.diagnosis import diagnose

    return diagnose(database_url, home=home)


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext thanosql` calls."""
    from thanosql.magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """What `%unload_ext thanosql` calls."""
    from thanosql.magic import unload

    unload(shell)


def __getattr__(name: str) -> Any:
    if name == "Session":
        from thanosql.engine.session import Session

        return Session
    # IPython's autoreload empties a module before it loads it again, and with it the names of what lies in the package.
    if (module := sys.modules.get(f"{__name__}.{name}")) is not None:
        return module
    raise AttributeError(f"module 'thanosql' has no attribute '{name}'")
