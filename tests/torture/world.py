"""A home and a database in; statements that change them, and a check that nothing is ever half done, out.

A deed is a statement in two variants, whose results differ. What each leaves is learned from runs that nobody disturbs;
then, however a run ends, each thing that it may change is as it was or as the variant leaves it, and all else as it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

import thanosql
from tests.torture.findings import Findings
from thanosql.models import datasets

FOLDER = datasets.DATASETS["spoken_numbers"].folder / "train"
TINY = Path(thanosql.__file__).parent / "models" / "assets" / "Wav2Vec2Tiny"
TABLES = ("heard", "grown", "current", "scores", "confused", "copied")
MODELS = ("built", "fitted", "uploaded", "dropped")
LIVE_STAGING = "SELECT relname FROM pg_class WHERE relname LIKE 'thanosql\\_%' AND relpersistence <> 't'"

State = Mapping[str, str | None]  # of each thing, a digest; None where it is not there


@dataclass(frozen=True)
class Deed:
    """`variants` are statements that leave `things` in two states; `ready` are what makes the state before each."""

    kind: str
    variants: tuple[str, str]
    things: tuple[str, ...]
    ready: tuple[str, str] = ("", "")
    resumes: bool = False
    after: dict[int, State] = field(default_factory=dict, compare=False)  # learned
    seconds: list[float] = field(default_factory=list, compare=False)  # that it took, undisturbed


def deeds(folder: Path) -> list[Deed]:
    """Every statement that changes a table, a model or a file; `folder` holds what COPY and UPLOAD read."""

    def clips(count: int) -> str:
        return f"SELECT * FROM clips WHERE id <= {count} ORDER BY id"

    def predict(options: str, query: str) -> str:
        return f"PREDICT USING Wav2Vec2Tiny OPTIONS (save_seconds=1, batch_size=1, {options}) AS {query}"

    def pair(make: Callable[[int], str]) -> tuple[str, str]:
        return make(0), make(1)

    train = "max_epochs=2, batch_size=2, learning_rate=1e-3, overwrite=True"
    return [
        Deed("PREDICT", pair(lambda v: predict("table_name='heard'", clips(3 + v))), ("heard",)),
        Deed(
            "PREDICT over the table that it reads",
            pair(lambda v: predict("table_name='grown'", f"SELECT id, audio_path, id + {v} AS n FROM grown")),
            ("grown",),
        ),
        Deed(
            "PREDICT mode='update'",
            pair(lambda v: predict("table_name='current', mode='update', row_key='id'", clips(4 + v))),
            ("current",),
            pair(lambda v: "DELETE FROM current WHERE id > 2"),
        ),
        Deed(
            "EVALUATE with tables",
            pair(
                lambda v: (
                    "EVALUATE USING Wav2Vec2Tiny OPTIONS (table_name='scores', confusions_table='confused', "
                    f"save_seconds=1) AS {clips(3 + v)}"
                )
            ),
            ("scores", "confused"),
        ),
        Deed(
            "COPY",
            pair(lambda v: f"COPY copied OPTIONS (if_exists='replace') FROM '{folder}/rows{v}.csv'"),
            ("copied",),
        ),
        Deed(
            "COPY append",
            pair(lambda v: f"COPY copied OPTIONS (if_exists='append') FROM '{folder}/rows{v}.csv'"),
            ("copied",),
            pair(lambda v: f"COPY copied OPTIONS (if_exists='replace') FROM '{folder}/rows0.csv'"),
        ),
        Deed(
            "BUILD",
            pair(lambda v: f"BUILD MODEL built USING Wav2Vec2Tiny OPTIONS ({train}, seed={v}) AS {clips(4)}"),
            ("built",),
            resumes=True,
        ),
        Deed(
            "FIT",
            pair(lambda v: f"FIT MODEL fitted USING Wav2Vec2Tiny OPTIONS ({train}, seed={v}) AS {clips(4)}"),
            ("fitted",),
            resumes=True,
        ),
        Deed(
            "UPLOAD",
            pair(lambda v: f"UPLOAD MODEL uploaded OPTIONS (overwrite=True) FROM '{folder}/model{v}'"),
            ("uploaded",),
        ),
        Deed(
            "DROP",
            pair(lambda v: "DROP MODEL IF EXISTS dropped"),
            ("dropped",),
            pair(lambda v: f"UPLOAD MODEL dropped OPTIONS (overwrite=True) FROM '{folder}/model{v}'"),
        ),
        Deed(
            "GET",
            pair(lambda v: "GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)"),
            ("workspace",),
        ),
    ]


class World:
    """`url` None is the embedded server of the home."""

    def __init__(self, home: Path, folder: Path, url: str | None = None) -> None:
        self.home, self.folder, self.url = home, folder, url
        self.deeds = deeds(folder)
        self.session = thanosql.connect(url, home=home)

    def make(self) -> None:
        """Tables, files and models to begin with, and what each deed leaves."""
        self._files()
        rows = ", ".join(f"({n}, '{FOLDER}/{n:04}.flac', '{text}')" for n, text in enumerate(_texts(6), start=1))
        self.session.execute(
            "CREATE TABLE clips (id int PRIMARY KEY, audio_path text, text text);"
            f"INSERT INTO clips VALUES {rows}; CREATE TABLE grown AS SELECT id, audio_path, 0 AS n FROM clips WHERE id < 5"
        )
        self.session.execute("CREATE TABLE copied (a int, b text)")
        self.session.execute(self.deeds[2].variants[0])  # the table that is kept current, made by it as well
        for variant in (1, 0):
            for deed in self.deeds:
                if deed.ready[variant]:
                    self.session.execute(deed.ready[variant])
                begun = time.monotonic()
                self.session.execute(deed.variants[variant])
                deed.seconds.append(time.monotonic() - begun)
                deed.after[variant] = self.state(deed.things)

    def _files(self) -> None:
        self.folder.mkdir(exist_ok=True)
        for variant in (0, 1):
            lines = "".join(f"{n},row {n}\n" for n in range(20_000 + variant))
            (self.folder / f"rows{variant}.csv").write_text("a,b\n" + lines)
            model = self.folder / f"model{variant}"
            shutil.copytree(TINY, model, dirs_exist_ok=True)
            config = json.loads((model / "config.json").read_text())
            (model / "config.json").write_text(json.dumps({**config, "torture_variant": variant}))

    def state(self, things: tuple[str, ...] = (*TABLES, *MODELS, "workspace")) -> State:
        """A digest of each thing: of a table's columns and rows, of a model's files but its card, of a folder's files."""
        return {thing: self._digest(thing) for thing in things}

    def _digest(self, thing: str) -> str | None:
        if thing in TABLES:
            if not self.rows("SELECT 1 FROM pg_class WHERE oid = to_regclass(%s)", thing):
                return None
            ((digest,),) = self.rows(
                f"SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) || count(*) FROM {thing} t"
            )
            return str(digest)
        if thing in MODELS:
            if not self.session.store.exists(thing):
                return None
            return _files_digest(self.session.store.get(thing).folder, but=("thanosql.json",))
        return _files_digest(self.home / "workspace" / "thanosql-dataset" / "spoken_numbers")

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What another connection sees; the server may have to be started first."""
        from thanosql.engine.postgres import embedded

        raw = psycopg2.connect(self.url or embedded.start(self.home / "postgres"))
        try:
            raw.autocommit = True
            with raw.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall()
        finally:
            raw.close()

    def renew(self) -> None:
        """A new session, as the next one to start would be."""
        self.session.close()
        self.session = thanosql.connect(self.url, home=self.home)

    def prepare(self, deed: Deed, variant: int) -> State:
        """Make ready for a deed; the state before it."""
        if deed.ready[variant]:
            self.session.execute(deed.ready[variant])
        return self.state()

    def judge(self, deed: Deed, variant: int, before: State, what: str, findings: Findings) -> None:
        """A deed has ended somehow: all is as before or as it leaves it, and run again (by a new session) it ends well."""
        try:
            self.renew()
            now = self.state()
            for thing in now:
                if thing not in deed.things:
                    findings.check(now[thing] == before[thing], f"{what}: {thing} changed, which it does not write")
            old = all(now[thing] == before[thing] for thing in deed.things)
            new = all(now[thing] == deed.after[variant][thing] for thing in deed.things)
            findings.counts["as before"] += old
            findings.counts["complete"] += new and not old
            findings.check(old or new, f"{what}: {deed.things} neither as before nor complete")
            if deed.ready[variant] and new and not old:
                return  # done twice, it would append twice
            statement = deed.variants[variant]
            if deed.resumes:
                statement = statement.replace("OPTIONS (", "OPTIONS (resume=True, ", 1)
            self.session.execute(statement, fetch=False)
            again = self.state(deed.things)
            findings.check(again == deed.after[variant], f"{what}: run again, it ends with another result")
            left = self.leftovers()
            findings.check(not left, f"{what}: left behind {left}")
        except Exception as error:
            findings.fail(f"{what}: afterwards, {type(error).__name__}: {error}")
            self.renew()

    def leftovers(self) -> list[str]:
        """What statements that are over have left behind."""
        self.session.store.names()  # opening the store sweeps
        left = [str(path.relative_to(self.home)) for path in (self.home / "models").glob("*/.draft-*")]
        dataset = self.home / "workspace" / "thanosql-dataset"
        left += [path.name for path in dataset.iterdir() if path.name not in ("spoken_numbers", ".locks")]
        return left + [str(name) for (name,) in self.rows(LIVE_STAGING)]


def _texts(count: int) -> list[str]:
    import csv

    with (FOLDER.parent / "spoken_numbers_train.csv").open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["audio_path"])
    return [row["text"].replace("'", "''") for row in rows[:count]]


def _files_digest(folder: Path, but: tuple[str, ...] = ()) -> str:
    found = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in but:
            found.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return found.hexdigest()
