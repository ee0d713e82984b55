"""A planted password: it goes in through every door, and is looked for in all that comes out and in all that stays."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg2

import thanosql
from tests.torture.findings import Findings
from tests.torture.world import FOLDER
from thanosql.engine.session import Session

PASSWORD = "hunter2-Pl4nted-%s"
ROLE = "planted"


def statements() -> Iterator[tuple[str, dict[str, object]]]:
    """Statements, some right and most wrong, with the password in parameters and URLs; never in the text itself, which is
    the user's own and is kept as such."""
    one = f"SELECT '{FOLDER}/0001.flac' AS audio_path, 'one' AS text"
    held = {
        "secret": PASSWORD,
        "url": f"https://me:{quote(PASSWORD)}@127.0.0.1:9/a.wav?X-Amz-Signature={quote(PASSWORD)}",
    }
    train = "OPTIONS (max_epochs=1, overwrite=True)"
    yield f"SELECT * FROM ({one}) q WHERE :secret = 'x'", held
    yield f"BUILD MODEL m USING Wav2Vec2Tiny {train} AS SELECT * FROM ({one}) q WHERE :secret <> 'x'", held
    yield f"EVALUATE USING m AS SELECT * FROM ({one}) q WHERE :secret <> 'x'", held
    yield f"PREDICT USING m OPTIONS (table_name='heard') AS SELECT * FROM ({one}) q WHERE :secret <> 'x'", held
    yield f"CREATE TABLE copied AS SELECT * FROM ({one}) q WHERE :secret <> 'x'", held
    for options in ("", "OPTIONS (allow_remote=True)", "OPTIONS (on_error='null', allow_remote=True)"):
        yield f"PREDICT USING m {options} AS SELECT :url AS audio_path", held
        yield f"CHECK PREDICT USING m {options} AS SELECT :url AS audio_path", held
    yield "SELECT 1 / (CASE WHEN :secret = 'x' THEN 1 ELSE 0 END) AS n", held
    yield "SELECT (:secret)::int AS n", {"secret": 5}
    yield "COPY t FROM :path", {"path": f"/nowhere/{'x' * 10}.csv"}
    yield "LIST PREDICTIONS; LIST MODEL; DESCRIBE MODEL m; LIST MODEL VERSIONS m", {}
    yield f"EXPLAIN PREDICT USING m AS SELECT * FROM ({one}) q WHERE :secret <> 'x'", held


def plant(url: str, home: Path) -> Findings:
    """`url` names a database whose role may make roles; the session's own role has the planted password."""
    findings = Findings("A planted password")
    with psycopg2.connect(url) as raw, raw.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD %s", (PASSWORD,))
    where = psycopg2.extensions.parse_dsn(url)
    place = f"?host={where['host']}" + (f"&port={where['port']}" if "port" in where else "")
    right = f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@/{where['dbname']}{place}"
    wrong = [
        f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@127.0.0.1:9/x",
        f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@/nowhere{place}",
        f"mysql://{ROLE}:{quote(PASSWORD, safe='')}@127.0.0.1:9/x",
        f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@127.0.0.1:notaport/x",
        f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@127.0.0.1:9/x?sslmode={quote('no such mode')}",
    ]
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    logging.getLogger().addHandler(handler)
    level = logging.getLogger("thanosql").level
    logging.getLogger("thanosql").setLevel(logging.DEBUG)
    try:
        for address in (*wrong, right):
            with thanosql.connect(address, home=home) as session:
                _look(findings, "repr of the session and its settings", f"{session!r} {session.settings!r}")
                for sql, params in statements() if address == right else [("SELECT 1", {})]:
                    _say(findings, session, sql, params)
                if address == right:
                    _look(findings, "repr of the connection", repr(vars(session.database)))
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger("thanosql").setLevel(level)
    _look(findings, "log", log.getvalue())
    for path in home.rglob("*"):
        if path.is_file() and "postgres" not in path.parts:
            _look(findings, f"file {path.name}", path.read_bytes().decode("latin-1"))
    with psycopg2.connect(url) as raw, raw.cursor() as cursor:
        cursor.execute(f"REASSIGN OWNED BY {ROLE} TO CURRENT_USER; DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")
    return findings.done()


def _say(findings: Findings, session: Session, sql: str, params: dict[str, object]) -> None:
    try:
        result = session.run(sql, params)
        findings.counts["statements that ended well"] += 1
        _look(findings, f"status of {sql[:60]}", f"{result.status} {result.note}")
    except thanosql.ThanoSQLInternalError as error:
        findings.fail(f"{sql}: {error}")
    except thanosql.ThanoSQLError as error:
        findings.counts["statements that were refused"] += 1
        _look(findings, f"message of {sql[:60]}", f"{error} {error!r} {error.hint} {vars(error)}")
        # What a program logs with logging.exception: every cause, without the values of locals.
        _look(findings, f"traceback of {sql[:60]}", "".join(traceback.format_exception(error)))


def _look(findings: Findings, where: str, text: str) -> None:
    findings.counts["places looked at"] += 1
    for form in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe="")):
        if form in text:
            at = text.index(form)
            findings.fail(f"{where}: …{text[max(0, at - 80) : at + 60]}…")
            return
