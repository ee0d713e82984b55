"""Hostile names and values through every door of a statement; the database compared before and after.

A name may be taken as it is or refused. What it must never do is run: but for the one object that the statement makes
under that very name, the catalog and the canary's rows are what they were.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from tests.torture.findings import Findings
from tests.torture.world import FOLDER
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLError, ThanoSQLInternalError

ATTACKS = (
    "DROP TABLE canary",
    "DELETE FROM canary",
    "UPDATE canary SET word='dead'",
    "CREATE TABLE pwned (n int)",
    "DROP MODEL canary_model",
    "CREATE ROLE pwned SUPERUSER",
    "SELECT pg_terminate_backend(pg_backend_pid())",
    "COPY canary TO PROGRAM 'touch /tmp/pwned'",
)
FRAMES = (
    "'; {}; --",
    '"; {}; --',
    "x); {}; --",
    "x'); {}; --",
    "x; {}",
    "\\'; {}; --",
    "$$; {}; $$",
    "$q$; {}; $q$",
    "*/ {}; /*",
    "--\n{};\n--",
    "E'\\''; {}; --",
    "x' || (SELECT query_to_xml('{}', true, true, ''))::text || '",
    "\u2019; {}; --",
    "\uff07; {}; --",
    "x\r\n; {}; --",
    "(PREDICT USING Wav2Vec2Tiny AS {})",
    ":x; {}; --",
    "x\u2028{}\u2028",
    "{{}}; {}; %(x)s",
    "' UNION SELECT 1; {}; --",
)
WORDS = (
    *(
        "%s",
        "%(a)s",
        "%",
        "100%",
        "{0}",
        "{}",
        "$1",
        ":p",
        ":1",
        "?",
        "\\",
        "\\x",
        "\\N",
        "\\.",
        "E'",
        "U&'",
        "''",
        '""',
    ),
    *(
        "'",
        '"',
        "`",
        "[x]",
        "a.b.c",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "~",
        "*",
        "a b",
        "a\tb",
        "a\nb",
        "\x00",
        "a\x00b",
    ),
    *("NULL", "null", "select", "SELECT", "user", "ctid", "oid", "xmin", "tableoid", "predict_result", "thanosql_row"),
    *(
        "row_number",
        "x" * 63,
        "x" * 64,
        "x" * 200,
        "é" * 40,
        "한글",
        "\u202e",
        "\u200b",
        "\ufeff",
        "😀",
        "\ud7ff",
        "i\u0307",
    ),
    *("=1+1", "@SUM(A1)", "+1", "-1", "<script>", "&amp;", "`id`", "$(id)", "|id", "> /tmp/x", "pg_temp.x", "public.x"),
)


def corpus() -> list[str]:
    """At least 200 names: each attack in each frame, and words that some reader takes for more than a word."""
    return [frame.replace("{}", attack) for frame in FRAMES for attack in ATTACKS] + list(WORDS)


Door = Callable[[Session, str, Path], Any]


def doors() -> Iterator[tuple[str, Door]]:
    """Where a name or a value comes in: the name of the door, and how it is brought through it."""
    one = f"SELECT '{FOLDER}/0001.flac' AS audio_path, 'one' AS text"

    def string(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    def option(statement: str) -> Door:
        return lambda session, name, folder: session.execute(statement.format(string(name)))

    def raw(statement: str) -> Door:
        return lambda session, name, folder: session.execute(statement.format(quoted(name)))

    yield "parameter", lambda session, name, folder: session.execute("SELECT :x AS x", {"x": name})
    yield "parameter of a list", lambda session, name, folder: session.execute("SELECT :x AS x", {"x": [name, name]})
    yield (
        "audio",
        lambda session, name, folder: session.execute(
            "PREDICT USING Wav2Vec2Tiny OPTIONS (on_error='null') AS SELECT :x AS audio_path", {"x": name}
        ),
    )
    yield "alias", raw("SELECT 1 AS {}")
    yield "column of a query", raw(f"CHECK PREDICT USING Wav2Vec2Tiny AS SELECT q.*, 1 AS {{}} FROM ({one}) q")
    yield "table of COPY", raw("COPY {} FROM '" + str(FOLDER.parent / "spoken_numbers_test.csv") + "'")
    predict = f"PREDICT USING Wav2Vec2Tiny OPTIONS ({{}}) AS {one}"
    yield (
        "table of PREDICT",
        lambda session, name, folder: session.execute(
            predict.format(f"table_name={string(quoted(name))}"), fetch=False
        ),
    )
    yield (
        "result_col of PREDICT",
        lambda session, name, folder: session.execute(
            predict.format(f"table_name='loaded', result_col={string(name)}"), fetch=False
        ),
    )
    yield "model in quotes", option("PREDICT USING {} AS " + one)
    for name in ("audio_col", "result_col", "table_name", "hotwords", "device", "language"):
        yield f"option {name}", option(f"EXPLAIN PREDICT USING Wav2Vec2Tiny OPTIONS ({name}={{}}) AS {one}")
    for name in ("text_col", "group_by", "cluster_by", "against", "confusions_table", "table_name"):
        yield (
            f"option {name} of EVALUATE",
            option(f"EXPLAIN EVALUATE USING Wav2Vec2Tiny OPTIONS ({name}={{}}) AS {one}"),
        )
    yield "option lm", option(f"EXPLAIN PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', lm={{}}) AS {one}")
    yield (
        "option lm_query",
        option(f"EXPLAIN PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', lm_query={{}}) AS {one}"),
    )
    yield "path of COPY", option("COPY loaded FROM {}")
    yield "path of UPLOAD", option("UPLOAD MODEL loaded FROM {}")
    yield (
        "path of COPY TO",
        lambda session, name, folder: session.execute(f"COPY (SELECT 1 AS n) TO {string(f'{folder}/{name}.csv')}"),
    )
    yield "model's name", lambda session, name, folder: session.execute(f"DROP MODEL {name}")
    yield "data set's name", lambda session, name, folder: session.execute(f"GET THANOSQL DATASET {name}")
    for kind in ("csv", "json", "jsonl", "parquet", "xlsx"):
        yield f"header of {kind}", _loading(kind, header=True)
        yield f"value of {kind}", _loading(kind, header=False)
    yield "file name", _file_name


def _loading(kind: str, *, header: bool) -> Door:
    def load(session: Session, name: str, folder: Path) -> Any:
        path = folder / f"loaded.{kind}"
        column, value = (name, "v") if header else ("k", name)
        if kind == "csv":
            text = io.StringIO(newline="")
            csv.writer(text).writerows([["n", column], ["1", value]])
            path.write_text(text.getvalue(), encoding="utf-8", newline="")
        elif kind in ("json", "jsonl"):
            row = json.dumps({"n": 1, column: value})
            path.write_text(f"[{row}]" if kind == "json" else row + "\n", encoding="utf-8")
        elif kind == "parquet":
            import pyarrow
            from pyarrow import parquet

            parquet.write_table(pyarrow.table({"n": [1], column: [value]}), path)
        else:
            from openpyxl import Workbook
            from openpyxl.utils.exceptions import IllegalCharacterError

            book = Workbook()
            try:
                book.active.append(["n", column])
                book.active.append([1, value])
            except IllegalCharacterError:
                return None
            book.save(path)
        return session.execute(f"COPY loaded OPTIONS (if_exists='replace') FROM '{path}'")

    return load


def _file_name(session: Session, name: str, folder: Path) -> Any:
    import shutil

    place = folder / "named"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        shutil.copy(FOLDER / "0001.flac", place / f"{name}.flac")
    except (OSError, ValueError):
        return None
    return session.execute(f"COPY loaded OPTIONS (if_exists='replace') FROM '{place}'")


def inject(session: Session, url: str, folder: Path, names: int | None = None, seed: int = 0) -> Findings:
    """The corpus (or `names` of it at random) through every door; `url` is the session's database."""
    chosen = corpus() if names is None else random.Random(seed).sample(corpus(), names)
    findings = Findings(f"{len(chosen)} hostile names and values in {len(list(doors()))} places")
    folder.mkdir(exist_ok=True)
    watcher = psycopg2.connect(url)
    watcher.autocommit = True
    with watcher.cursor() as cursor:
        cursor.execute("CREATE TABLE canary (word text); INSERT INTO canary VALUES ('alive'), ('well')")
    before = _snapshot(watcher)
    for door, bring in doors():
        for name in chosen:
            if not findings.going_on():
                break
            try:
                bring(session, name, folder)
                ending = "taken"
            except ThanoSQLInternalError as error:
                ending = "defect"
                findings.fail(f"{door}, {name!r}: {error}")
            except ThanoSQLError as error:
                ending = "refused"
                findings.check(bool(str(error).strip()), f"{door}, {name!r}: no message")
            except UnicodeEncodeError:
                ending = "not to be written"
            except Exception as error:
                ending = "foreign error"
                findings.fail(f"{door}, {name!r}: {type(error).__name__}: {error}")
            findings.counts[f"{door}: {ending}"] += 1
            if ending == "taken":
                _remove(watcher, "loaded", name, name.encode("utf-8", "ignore")[:63].decode("utf-8", "ignore"))
            after = _snapshot(watcher)
            if after != before:
                findings.fail(f"{door}, {name!r}: the database changed: {sorted(set(after) ^ set(before))[:5]}")
                before = after
    findings.check(not Path("/tmp/pwned").exists(), "a program was run on the server")
    with watcher.cursor() as cursor:
        cursor.execute("DROP TABLE canary")
    watcher.close()
    return findings.done()


def _remove(watcher: Any, *names: str) -> None:
    with watcher.cursor() as cursor:
        for name in names:
            if name and "\0" not in name:
                cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))


def _snapshot(watcher: Any) -> list[tuple[Any, ...]]:
    """Everything of the catalog that a statement could have made or lost, and the canary's rows."""
    with watcher.cursor() as cursor:
        cursor.execute(
            "SELECT 'relation', n.nspname || '.' || c.relname || ' ' || c.relkind::text FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_(temp|toast)'"
            " UNION ALL SELECT 'function', p.oid::regprocedure::text FROM pg_proc p WHERE p.oid >= 16384"
            " UNION ALL SELECT 'role', rolname || rolsuper::text FROM pg_roles"
            " UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)'"
            " UNION ALL SELECT 'column', attrelid::regclass::text || '.' || attname FROM pg_attribute WHERE attrelid ="
            " to_regclass('canary') UNION ALL SELECT 'row', word FROM canary ORDER BY 1, 2"
        )
        return list(cursor.fetchall())
