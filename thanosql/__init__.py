"""ThanoSQL: a SQL dialect for speech recognition.

>>> import thanosql
>>> df = thanosql.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls")  # doctest: +SKIP

`import thanosql` is quick: pandas, SQLAlchemy, lark, torch and transformers are imported when a statement needs them.
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
    """Run one or more statements, divided by `;`, in the default session, and return the result of the last one.

    The result is a `pandas.DataFrame` if the statement gives rows, a report for BUILD and FIT, otherwise a short status
    (`str`). `params` holds the values of the `:name` parameters; the driver sends them to PostgreSQL as values, never as
    SQL. Raises a `ThanoSQLError`; `thanosql.errors` lists its subclasses.
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
    """Return a new session, also for `with`: `with thanosql.connect("postgresql://…") as session: …`

    Arguments that are None come from the settings. `database_url` is the PostgreSQL to work on (default: the embedded one
    under the home), `home` the folder for models, data sets and the embedded database, `store` the folder for saved models
    (default: `models` under the home), and `executor` says where recognition and training run: 'local', 'ray' or
    'ray://host:10001'. The session connects to the database when a statement first needs it.
    """
    from thanosql.engine.session import Session

    return Session(database_url, home=home, store=store, executor=executor)


def captions(frame: pd.DataFrame, form: str = "srt", *, audio_col: str = "audio_path") -> str:
    """Return the text of a caption file in `form`: 'srt', 'vtt' or 'ctm'.

    `frame` is the result of a PREDICT with `timestamps` or of an ALIGN, or a table with the columns `start` and `end`
    (seconds) and `predict_result`, `text` or `word`; columns `speaker` and `channel` are used if it has them. Raises
    ThanoSQLDataError if rows have no times, if srt or vtt would hold several recordings, and if a time of ctm is not that
    of one word.
    """
    from thanosql.notebook.formats import as_captions

    return as_captions(frame, form, audio_col=audio_col) + "\n"


def doctor(database_url: str | None = None, *, home: str | os.PathLike[str] | None = None) -> Diagnosis:
    """Check the installation, the database, the home, the disk, the GPU and the hub; each problem comes with its cure.

    Print the result to read the report. Its `ok` is True if statements can work, and `findings` lists the single findings.
    It takes some seconds and raises no error. `python -m thanosql doctor` does the same in a terminal.
    """
    from thanosql.diagnosis import diagnose

    return diagnose(database_url, home=home)


def load_ipython_extension(shell: Any) -> None:
    """Load the extension into IPython; `%load_ext thanosql` calls this."""
    from thanosql.magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Remove the extension from IPython; `%unload_ext thanosql` calls this."""
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
