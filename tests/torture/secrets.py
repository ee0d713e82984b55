"""A planted password: it goes in through every door, and is looked for in all that comes out and in all that stays."""

from __future__ import annotations

import io
import logging
import os
import pickle
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    # As a table of calls has them: what is in it is the user's own, what is said of it is not.
    yield "CREATE TABLE calls AS SELECT :url AS audio_path, 'one' AS text", held
    for options in ("", "OPTIONS (allow_remote=True)", "OPTIONS (on_error='null', allow_remote=True)"):
        yield f"PREDICT USING m {options} AS TABLE calls", {}
    yield "EVALUATE USING m OPTIONS (allow_remote=True) AS TABLE calls", {}
    yield "BUILD MODEL n USING Wav2Vec2Tiny OPTIONS (allow_remote=True) AS TABLE calls", {}
    yield "EXPLAIN PREDICT USING m OPTIONS (allow_remote=True) AS TABLE calls", {}
    yield "PREDICT USING m OPTIONS (allow_remote=True) AS SELECT 's3://no-such-bucket/a.wav' AS audio_path", {}
    yield f"PREDICT USING 'nobody/nothing' AS {one}", {}
    yield "UPLOAD MODEL u FROM :url", held
    yield "COPY t FROM :url", held
    yield "COPY (SELECT 1 AS n) TO :url", held
    yield f"PREDICT USING m OPTIONS (decoder='beam', lm=:url) AS {one}", held
    yield "DROP TABLE calls", {}
    yield "COPY t FROM :path", {"path": f"/nowhere/{'x' * 10}.csv"}
    yield "LIST PREDICTIONS; LIST MODEL; DESCRIBE MODEL m; LIST MODEL VERSIONS m", {}
    yield f"EXPLAIN PREDICT USING m AS SELECT * FROM ({one}) q WHERE :secret <> 'x'", held


# What programs beside us read: keys of object stores, a token, a proxy and a mirror with passwords.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "planted",
    "AWS_SECRET_ACCESS_KEY": PASSWORD,
    "AWS_SESSION_TOKEN": PASSWORD,
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    "HF_TOKEN": PASSWORD,
    "HTTPS_PROXY": f"http://me:{quote(PASSWORD)}@127.0.0.1:9",
}


@contextmanager
def surrounded_by(environment: Mapping[str, str]) -> Iterator[None]:
    """These in the environment; where there are any, a hub that may be asked, at an address with a password."""
    from huggingface_hub import constants

    mirror = {"HF_HUB_OFFLINE": False, "ENDPOINT": f"http://me:{quote(PASSWORD)}@127.0.0.1:9"} if environment else {}
    before = {name: os.environ.get(name) for name in environment}
    constants_before = {name: getattr(constants, name) for name in mirror}
    os.environ.update(environment)
    vars(constants).update(mirror)
    try:
        yield
    finally:
        vars(constants).update(constants_before)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
        f"postgresql://{ROLE}@127.0.0.1:9/x?options={quote(f'-c my.secret={PASSWORD}')}",
        f"postgresql://{ROLE}@127.0.0.1:9/x?sslpassword={quote(PASSWORD)}&sslkey=/nowhere&sslcert=/nowhere&sslmode=require",
        f"postgresql://{ROLE}@127.0.0.1:9/x?no_such_word={quote(PASSWORD)}",
        f"host=127.0.0.1 port=9 user={ROLE} password='{PASSWORD}'",
    ]
    files = home.parent / "files"
    files.mkdir(parents=True, exist_ok=True)
    (files / "pass").write_text(f"*:*:*:{ROLE}:{PASSWORD.replace(':', chr(92) + ':')}\n")
    (files / "pass").chmod(0o600)
    named = "".join(f"{name}={value}\n" for name, value in where.items() if name in ("host", "port", "dbname"))
    (files / "service").write_text(f"[planted]\n{named}user={ROLE}\npassword={PASSWORD}\n")
    bare = f"postgresql://{ROLE}@/{where['dbname']}{place}"
    by_other_ways = [
        (bare, {"PGPASSWORD": PASSWORD}),
        (f"{bare}&passfile={files / 'pass'}", {}),
        ("postgresql:///?service=planted", {"PGSERVICEFILE": str(files / "service")}),
    ]
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    logging.getLogger().addHandler(handler)
    level = logging.getLogger("thanosql").level
    logging.getLogger("thanosql").setLevel(logging.DEBUG)
    try:
        for address, around in [*((one, {}) for one in wrong), *by_other_ways, (right, ENVIRONMENT)]:
            with surrounded_by(around), thanosql.connect(address, home=home) as session:
                if address == right:
                    _look(findings, "doctor", str(thanosql.doctor(address, home=home)))
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
        said: list[str] = []
        result = session.run(sql, params, progress=lambda progress: said.append(repr(progress)))
        findings.counts["statements that ended well"] += 1
        _look(findings, f"status of {sql[:60]}", f"{result.status} {result.note}")
        _look(findings, f"progress of {sql[:60]}", " ".join(said))
        if "EXPLAIN" in sql:
            _look(findings, f"plan of {sql[:60]}", result.rows.to_string())
    except thanosql.ThanoSQLInternalError as error:
        findings.fail(f"{sql}: {error}")
    except thanosql.ThanoSQLError as error:
        findings.counts["statements that were refused"] += 1
        _look(findings, f"message of {sql[:60]}", f"{error} {error!r} {error.hint} {vars(error)}")
        # What a program logs with logging.exception: every cause, without the values of locals.
        _look(findings, f"traceback of {sql[:60]}", "".join(traceback.format_exception(error)))
        _look(findings, f"pickle of {sql[:60]}", pickle.dumps(error).decode("latin-1"))
        shown = "".join(error._render_traceback_())
        _look(findings, f"cell of {sql[:60]}", shown)


def _look(findings: Findings, where: str, text: str) -> None:
    findings.counts["places looked at"] += 1
    for form in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe="")):
        if form in text:
            at = text.index(form)
            findings.fail(f"{where}: …{text[max(0, at - 80) : at + 60]}…")
            return
