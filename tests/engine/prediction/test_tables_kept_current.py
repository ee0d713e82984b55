"""PREDICT with mode='update' recognizes what is new or changed, once, and leaves the rest of the table as it is."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thanosql
from tests.engine.databases import Peer
from tests.engine.prediction.test_cache import Counting, Loaded, run_apart, times_heard
from tests.models.recordings import wav
from thanosql import ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLOptionError
from thanosql.config import Settings
from thanosql.engine.dispatcher import Result
from thanosql.engine.postgres import table_update
from thanosql.engine.prediction import row_comparison
from thanosql.engine.prediction.cache_key import result_fingerprint
from thanosql.engine.prediction.predict_options import PredictOptions
from thanosql.engine.session import Session
from thanosql.models import registry
from thanosql.models.audio import file_states
from thanosql.models.audio.origins import AudioOrigins, digest
from thanosql.models.options import TranscribeOptions

OPTIONS = "table_name='heard', mode='update', row_key='id'"
UPDATE = f"PREDICT USING Wav2Vec2Tiny OPTIONS ({OPTIONS}) AS SELECT * FROM calls ORDER BY id"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "heard.txt"


def record(session: Session, name: str, loudness: float) -> None:
    session.settings.workspace.mkdir(parents=True, exist_ok=True)
    (session.settings.workspace / name).write_bytes(wav(np.full((1600, 1), loudness), 8000, 16))


@pytest.fixture
def calls(session: Session, log: Path) -> Session:
    """20 recordings, each of its own loudness, the first ten in `calls`; a recognizer that is counted."""
    for number in range(1, 21):
        record(session, f"{number}.wav", number / 100)
    session.execute(
        "DROP TABLE IF EXISTS calls, heard, said CASCADE; CREATE TABLE calls AS SELECT i AS id, i || '.wav' AS audio_path"
        " FROM generate_series(1, 10) i"
    )
    session.__dict__["loaded"] = Loaded(Counting(log))
    return session


@pytest.fixture
def update(calls: Session, log: Path) -> Callable[..., Result]:
    """Run the update with other options or another query, and say what was recognized."""

    def run(more: str = "", sql: str = UPDATE, hears: int | None = None) -> Result:
        before = sum(times_heard(log).values())
        result = calls.run(sql.replace("row_key='id'", f"row_key='id'{more}"))
        if hears is not None:
            assert sum(times_heard(log).values()) - before == hears, result.note
        return result

    return run


def recognize_with(session: Session, recognizer: Counting) -> None:
    """From now on; the executor keeps the models that it was opened with."""
    session.__dict__["loaded"] = Loaded(recognizer)
    session._executors.clear()


def add(session: Session, first: int, last: int) -> None:
    session.execute(f"INSERT INTO calls SELECT i, i || '.wav' FROM generate_series({first}, {last}) i")


def heard(session: Session, columns: str = "id, predict_result") -> list[tuple[Any, ...]]:
    return list(session.execute(f"SELECT {columns} FROM heard ORDER BY id").itertuples(index=False, name=None))


def said(numbers: list[int]) -> list[tuple[int, str]]:
    return [(number, f"{number / 100:.3f}") for number in numbers]


def test_the_first_run_makes_the_table_and_the_second_does_nothing(
    calls: Session, update: Callable[..., Result]
) -> None:
    first = update(hears=10)
    assert first.status == "PREDICT 10"
    assert "10 of 10 rows: 10 new" in first.note
    assert heard(calls) == said([*range(1, 11)])
    stamps = calls.execute("SELECT sum(xmin::text::bigint) AS s, max(ctid::text) AS c FROM heard")
    second = update(hears=0)
    assert second.status == "PREDICT 0"
    assert second.note == "0 of 10 rows; nothing was to be done: table public.heard is current"
    assert second.rows is not None
    assert list(second.rows.columns) == ["id", "audio_path", "predict_result", "predict_result_by"]
    assert calls.execute("SELECT sum(xmin::text::bigint) AS s, max(ctid::text) AS c FROM heard").equals(stamps)


def test_what_is_new_is_recognized_and_all_else_keeps_what_it_has(
    calls: Session, update: Callable[..., Result]
) -> None:
    update()
    calls.execute("UPDATE heard SET predict_result = 'put right by hand' WHERE id = 4; ALTER TABLE heard ADD note text")
    calls.execute("UPDATE heard SET note = 'mine'; DELETE FROM calls WHERE id < 3")
    add(calls, 11, 13)
    result = update(hears=3)
    assert list(result.rows.id) == [11, 12, 13]  # type: ignore[union-attr]
    expected = dict(said([*range(1, 14)])) | {4: "put right by hand"}
    assert dict(heard(calls)) == expected  # 1 and 2 stay
    assert [note for _, note in heard(calls, "id, note")[:10]] == ["mine"] * 10
    assert "in table public.heard: 11 kept, 2 deleted" in update(", prune=True", hears=0).note
    assert [row for row, _ in heard(calls)] == [*range(3, 14)]
    assert "nothing was to be done" in update(", prune=True", hears=0).note


def test_a_row_without_an_origin_is_recognized_again(calls: Session, update: Callable[..., Result]) -> None:
    update()
    calls.execute("UPDATE heard SET predict_result_by = NULL WHERE id IN (2, 5)")
    assert "2 without a result or its origin" in update(hears=2).note


def test_a_recording_that_has_changed_is_recognized_again(calls: Session, update: Callable[..., Result]) -> None:
    update()
    record(calls, "7.wav", 0.5)
    assert "1 of 10 rows: 1 with other audio" in update(hears=1).note
    assert dict(heard(calls))[7] == "0.500"
    calls.execute("UPDATE calls SET audio_path = '20.wav' WHERE id = 3")
    assert "1 with other audio" in update(hears=1).note
    assert (3, "20.wav", "0.200") in heard(calls, "id, audio_path, predict_result")
    update(hears=0)


def test_another_part_or_channel_is_recognized_again(calls: Session, update: Callable[..., Result]) -> None:
    calls.execute('ALTER TABLE calls ADD start float, ADD "end" float, ADD channel int')
    more = ", start_col='start', end_col='end', channel_col='channel'"
    update(more, hears=10)
    update(hears=0)  # all of a recording is the same without the columns
    calls.execute('UPDATE calls SET "end" = 0.1 WHERE id = 2; UPDATE calls SET channel = 1 WHERE id = 3')
    assert "2 with other audio" in update(more, hears=2).note
    calls.execute("UPDATE calls SET start = 0.05 WHERE id = 2")
    update(more, hears=1)
    update(more, hears=0)
    assert heard(calls, 'id, start, "end"')[1] == (2, 0.05, 0.1)


def test_bytes_that_have_changed_are_recognized_again(calls: Session, update: Callable[..., Result]) -> None:
    calls.execute("ALTER TABLE calls ADD audio bytea")
    for number in range(1, 11):
        content = wav(np.full((1600, 1), number / 100), 8000, 16)
        calls.execute("UPDATE calls SET audio = :content WHERE id = :number", {"content": content, "number": number})
    sql = UPDATE.replace("row_key", "audio_col='audio', row_key").replace("SELECT *", "SELECT id, audio")
    update(sql=sql, hears=10)
    update(sql=sql, hears=0)
    calls.execute("UPDATE calls SET audio = :content WHERE id = 4", {"content": wav(np.full((1600, 1), 0.3), 8000, 16)})
    update(sql=sql, hears=1)
    assert dict(heard(calls))[4] == "0.300"


@pytest.mark.parametrize("at_once", [True, False])
def test_files_with_whole_paths_are_current_until_they_change(
    calls: Session, update: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """With pyarrow, which asks for many files at once, and without it."""
    if at_once:
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setattr(file_states, "_local_files", lambda: None)
    folder = calls.settings.workspace
    calls.execute(f"UPDATE calls SET audio_path = '{folder}/' || audio_path")
    update(hears=10)
    asked: list[str] = []
    one_by_one = AudioOrigins.states

    def states(self: AudioOrigins, references: Iterable[str | None]) -> Iterator[str | None]:
        references = list(references)
        asked.extend(reference for reference in references if reference)
        return one_by_one(self, references)

    monkeypatch.setattr(AudioOrigins, "states", states)
    update(hears=0)
    assert len(asked) == (0 if at_once else 10)
    asked.clear()
    record(calls, "3.wav", 0.5)
    whole = (folder / "4.wav").stat()
    os.utime(folder / "4.wav", ns=(0, whole.st_mtime_ns + 1))
    (folder / "5.wav").unlink()
    result = update(", on_error='null'", hears=2)
    assert "2 with other audio" in str(result.note)
    assert "1 keep their result" in str(result.note)
    assert {Path(name).name for name in asked} >= {"3.wav", "4.wav", "5.wav"}
    assert len(asked) == (3 if at_once else 10)


def test_a_folder_that_has_moved_makes_nothing_stale(calls: Session, update: Callable[..., Result]) -> None:
    update()
    old = calls.settings.workspace
    moved = old.parent / "elsewhere"
    shutil.copytree(old, moved)  # keeps the times, as rsync and cp -p do
    shutil.rmtree(old)
    calls.settings = Settings(home=calls.settings.home, database_url=calls.settings.database_url, audio_roots=(moved,))
    update(hears=0)


def test_options_that_change_the_result_make_rows_stale_and_others_do_not(
    calls: Session, update: Callable[..., Result]
) -> None:
    update(hears=10)
    for same in (", batch_size=2", ", save_seconds=5", ", on_error='null'", ", window_seconds=30.0", ", device='cpu'"):
        update(same, hears=0)
    assert "10 by another model or other options" in update(", window_seconds=20", hears=10).note
    update(", window_seconds=20", hears=0)
    update(hears=10)


def save_model(session: Session, note: str) -> None:
    """A version of `mine` that is Wav2Vec2Tiny but for one file."""
    tiny = registry.resolve("Wav2Vec2Tiny", False, session.store, session.settings)
    with session.store.writing("mine", overwrite=True) as draft:
        shutil.copytree(tiny.checkpoint, draft.folder, dirs_exist_ok=True)
        (draft.folder / "note.txt").write_text(note)
        draft.commit({"family": "wav2vec2", "base": "Wav2Vec2Tiny", "created": "2026-11-26T00:00:00+00:00"})


def origins(session: Session) -> set[str]:
    return {by.partition(" ")[0] for (by,) in heard(session, "predict_result_by")}


def test_another_version_makes_rows_stale_and_a_rollback_too(calls: Session, update: Callable[..., Result]) -> None:
    sql = UPDATE.replace("Wav2Vec2Tiny", "mine")
    save_model(calls, "first")
    update(sql=sql, hears=10)
    save_model(calls, "second")
    assert "10 by another model" in update(sql=sql, hears=10).note
    assert origins(calls) == {"mine@2"}
    calls.execute("ROLLBACK MODEL mine")
    update(sql=sql, hears=10)
    assert origins(calls) == {"mine@1"}
    calls.execute("ROLLBACK MODEL mine TO 2")
    add(calls, 11, 11)
    update(sql=sql, hears=11)
    # Numbers begin anew, and it is another model.
    calls.execute("DROP MODEL mine")
    save_model(calls, "third")
    update(sql=sql, hears=11)
    assert origins(calls) == {"mine@1"}
    update(sql=sql, hears=0)
    # The same model once more, under the next number: nothing would come out otherwise.
    save_model(calls, "third")
    update(sql=sql, hears=0)


def test_grants_indexes_triggers_and_views_stay(
    calls: Session, update: Callable[..., Result], peer: Peer, role: Callable[[str], str]
) -> None:
    update()
    role("thanosql_reader")
    peer("GRANT SELECT ON heard TO thanosql_reader; ALTER TABLE heard ADD PRIMARY KEY (id)")
    peer("CREATE VIEW said AS SELECT id, predict_result FROM heard; COMMENT ON TABLE heard IS 'what was said'")
    peer("CREATE TABLE changes (id int)")
    peer(
        "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO changes VALUES (new.id); RETURN new;"
        " END $$; CREATE TRIGGER noted AFTER INSERT OR UPDATE ON heard FOR EACH ROW EXECUTE FUNCTION noted()"
    )
    about = "SELECT oid::bigint, relacl::text, relhasindex, obj_description(oid) FROM pg_class WHERE relname = 'heard'"
    before = calls.execute(about)
    add(calls, 11, 12)
    record(calls, "5.wav", 0.9)
    update(hears=3)
    assert calls.execute(about).equals(before)
    assert calls.execute("SELECT count(*) AS n FROM said").n[0] == 12
    assert sorted(calls.execute("SELECT id FROM changes").id) == [5, 11, 12]
    peer("DROP TABLE heard, changes CASCADE; DROP FUNCTION noted")


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT least(id, 9) AS id, audio_path FROM calls ORDER BY audio_path", 2),
        ("SELECT nullif(id, 4) AS id, audio_path FROM calls ORDER BY calls.id", 1),
        ("SELECT * FROM calls, generate_series(1, 2) ORDER BY id", 20),
    ],
)
def test_a_key_that_is_doubled_or_null_is_refused_with_the_rows(
    calls: Session, update: Callable[..., Result], query: str, rows: int
) -> None:
    with pytest.raises(ThanoSQLDataError, match=r"cannot be told apart by 'id' \(row_key\)") as refused:
        update(sql=UPDATE.partition(" AS SELECT")[0] + f" AS {query}")
    assert len(refused.value.rows) == rows
    assert {"row", "id"} == refused.value.rows[0].keys()
    assert calls.execute("SELECT to_regclass('heard') IS NULL AS none").none[0]


def test_a_key_that_is_doubled_in_the_table_is_refused_with_the_rows(
    calls: Session, update: Callable[..., Result], log: Path
) -> None:
    update()
    calls.execute("INSERT INTO heard SELECT * FROM heard WHERE id IN (3, 8); INSERT INTO heard DEFAULT VALUES")
    with pytest.raises(ThanoSQLDataError, match=r"the table public\.heard cannot be told apart") as refused:
        update()
    assert refused.value.rows == [{"id": "3", "rows": 2}, {"id": "8", "rows": 2}]
    assert sum(times_heard(log).values()) == 10


def test_a_table_made_by_hand_is_filled(calls: Session, update: Callable[..., Result]) -> None:
    calls.execute("CREATE TABLE heard (predict_result varchar(40), id bigint PRIMARY KEY, note text DEFAULT 'new')")
    calls.execute("INSERT INTO heard VALUES ('by ear', 3, 'old'), ('of no call', 99, 'old')")
    result = update(hears=10)
    assert "9 new, 1 without a result or its origin" in result.note
    assert "columns added: audio_path, predict_result_by" in result.note
    found = heard(calls, "id, predict_result, note, audio_path")
    assert found[2] == (3, "0.030", "old", "3.wav")
    assert found[3] == (4, "0.040", "new", "4.wav")
    assert found[-1][:3] == (99, "of no call", "old")
    update(hears=0)


def test_columns_that_the_query_has_got_are_added_and_filled(calls: Session, update: Callable[..., Result]) -> None:
    update()
    add(calls, 11, 11)
    sql = UPDATE.replace("SELECT *", "SELECT *, id * 2 AS twice, 'x'::varchar(3) COLLATE \"C\" AS x")
    assert "columns added: twice, x" in update(sql=sql, hears=1).note
    assert heard(calls, "id, twice, x") == [(number, number * 2, "x") for number in range(1, 12)]
    assert "nothing was to be done" in update(sql=sql, hears=0).note


def test_a_column_of_results_that_comes_later_is_filled_in_every_row(
    calls: Session, update: Callable[..., Result]
) -> None:
    update()
    assert "10 without a result" in update(", confidence=True", hears=10).note
    assert [one for _, one in heard(calls, "id, predict_result_confidence")] == [1.0] * 10
    update(", confidence=True", hears=0)
    add(calls, 11, 11)
    update(hears=1)  # without it
    update(", confidence=True", hears=1)  # that one


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        ("heard (name text)", ThanoSQLDataError, r"has no column 'id' \(row_key\)"),
        ("heard (id date, predict_result text)", ThanoSQLDatabaseError, "id"),
        ("heard (id int, predict_result jsonb)", ThanoSQLDatabaseError, "predict_result"),
        ("heard (id int, audio_path int)", ThanoSQLDatabaseError, "audio_path"),
    ],
)
def test_what_could_not_be_written_is_refused_before_any_work(
    calls: Session, update: Callable[..., Result], table: str, error: type[Exception], match: str, log: Path
) -> None:
    calls.execute(f"CREATE TABLE {table}")
    with pytest.raises(error, match=match):
        update()
    with pytest.raises(error, match=match):
        update(sql=f"EXPLAIN {UPDATE}")
    assert not times_heard(log)


@pytest.mark.parametrize("made", ["VIEW heard AS SELECT 1 AS id", "MATERIALIZED VIEW heard AS SELECT 1 AS id"])
def test_what_is_no_table_is_refused(calls: Session, update: Callable[..., Result], made: str, peer: Peer) -> None:
    peer(f"CREATE {made}")
    try:
        with pytest.raises(ThanoSQLDatabaseError, match="cannot be kept current: it is a"):
            update()
    finally:
        peer(f"DROP {made.partition(' heard')[0]} heard")


def test_rights_are_asked_for_before_any_work_and_no_more_than_needed(
    calls: Session, update: Callable[..., Result], peer: Peer, role: Callable[[str], str], log: Path
) -> None:
    update()
    url = role("thanosql_updater")
    peer("GRANT SELECT ON calls, heard TO thanosql_updater; GRANT INSERT ON heard TO thanosql_updater")
    add(calls, 11, 11)
    with thanosql.connect(url, home=calls.settings.home) as other:
        other.__dict__["loaded"] = Loaded(Counting(log))
        with pytest.raises(ThanoSQLDatabaseError, match="permission denied for table heard"):
            other.execute(UPDATE)
        peer("GRANT UPDATE ON heard TO thanosql_updater")
        with pytest.raises(ThanoSQLDatabaseError, match="must be owner of table heard"):
            other.execute(UPDATE.replace("SELECT *", "SELECT *, 1 AS one"))
        assert sum(times_heard(log).values()) == 10
        with pytest.raises(ThanoSQLDatabaseError, match="permission denied for table heard"):
            other.execute(UPDATE.replace("row_key", "prune=True, row_key"))
        assert other.execute(UPDATE.replace(" ORDER BY id", ""), fetch=False) == "PREDICT 1"
    assert len(heard(calls)) == 11


def test_generated_and_identity_columns_and_partitions_are_written_as_they_can_be(
    calls: Session, update: Callable[..., Result]
) -> None:
    calls.execute(
        "CREATE TABLE heard (id int GENERATED ALWAYS AS IDENTITY, predict_result text, predict_result_by text,"
        " audio_path text, long int GENERATED ALWAYS AS (length(audio_path)) STORED) PARTITION BY RANGE (id);"
        " CREATE TABLE heard_1 PARTITION OF heard FOR VALUES FROM (0) TO (6);"
        " CREATE TABLE heard_2 PARTITION OF heard DEFAULT"
    )
    sql = UPDATE.replace("SELECT *", "SELECT *, 7 AS long")
    update(sql=sql, hears=10)
    record(calls, "7.wav", 0.9)
    add(calls, 11, 11)
    update(sql=sql, hears=2)
    assert (7, "0.900", 5) in heard(calls, "id, predict_result, long")
    assert calls.execute("SELECT count(*) AS n FROM heard_1").n[0] == 5


def test_the_table_that_is_read_may_be_the_one_that_is_kept_current(
    calls: Session, update: Callable[..., Result], log: Path, database_url: str
) -> None:
    sql = UPDATE.replace("'heard'", "'calls'")
    calls.execute("ALTER TABLE calls ADD status text; UPDATE calls SET status = 'open'")
    update(sql=sql, hears=10)
    record(calls, "7.wav", 0.9)
    record(calls, "8.wav", 0.8)
    add(calls, 11, 12)
    with thanosql.connect(database_url, home=calls.settings.home) as other:

        class Meanwhile(Counting):
            def transcribe(self, waveforms: list[np.ndarray], options: TranscribeOptions, *rest: Any) -> Any:
                other.execute("UPDATE calls SET status = 'closed' WHERE id = 7; DELETE FROM calls WHERE id IN (8, 12)")
                return super().transcribe(waveforms, options, *rest)

        recognize_with(calls, Meanwhile(log))
        result = update(sql=sql, hears=4)
    assert "in table public.calls: 2 changed, 2 not written: deleted by another session" in result.note
    assert result.note.splitlines()[0].endswith(", 8 kept")
    found = {row.id: (row.status, row.predict_result) for row in calls.execute("SELECT * FROM calls").itertuples()}
    assert found[7] == ("closed", "0.900")  # what another session wrote meanwhile is not taken back
    assert 8 not in found  # nor is a row put back that another one deleted
    assert found[11][1] == "0.110"
    recognize_with(calls, Counting(log))
    update(sql=sql, hears=0)


def test_a_row_that_another_session_put_there_meanwhile_is_not_doubled(
    calls: Session, update: Callable[..., Result], log: Path, database_url: str
) -> None:
    update()
    add(calls, 11, 12)
    with thanosql.connect(database_url, home=calls.settings.home) as other:

        class Meanwhile(Counting):
            def transcribe(self, waveforms: list[np.ndarray], options: TranscribeOptions, *rest: Any) -> Any:
                other.execute("INSERT INTO heard (id, predict_result) VALUES (11, 'before')")
                return super().transcribe(waveforms, options, *rest)

        recognize_with(calls, Meanwhile(log))
        result = update(hears=2)
    assert "in table public.heard: 1 new, 1 changed, 10 kept" in result.note  # 11 was there by then
    assert heard(calls)[-2:] == said([11, 12])


def test_two_that_make_the_table_at_once_make_one(
    calls: Session, update: Callable[..., Result], log: Path, database_url: str
) -> None:
    with thanosql.connect(database_url, home=calls.settings.home) as other:
        other.__dict__["loaded"] = Loaded(Counting(log))

        class Meanwhile(Counting):
            def transcribe(self, waveforms: list[np.ndarray], options: TranscribeOptions, *rest: Any) -> Any:
                other.execute(UPDATE)
                return super().transcribe(waveforms, options, *rest)

        recognize_with(calls, Meanwhile(log))
        update(hears=20)
    assert heard(calls) == said([*range(1, 11)])


def test_after_a_kill_the_table_is_as_it_was_and_the_next_run_resumes(
    calls: Session, update: Callable[..., Result], database_url: str, log: Path
) -> None:
    update()
    before = heard(calls, "*")
    add(calls, 11, 20)
    sql = UPDATE.replace("row_key", "batch_size=2, save_seconds=0.4, row_key")
    killed = run_apart(database_url, calls.settings.home, log, sql, calls=4)
    assert killed.returncode == -signal.SIGKILL
    assert heard(calls, "*") == before
    result = update(sql=sql)
    assert "predictions resumed from the cache" in result.note
    assert heard(calls) == said([*range(1, 21)])


def test_the_note_counts_what_was_written(calls: Session, update: Callable[..., Result], log: Path) -> None:
    (calls.settings.workspace / "4.wav").write_bytes(b"RIFF")
    (calls.settings.workspace / "5.wav").unlink()
    first = update(", on_error='null'", hears=8)
    assert "in table public.heard: 10 new, 2 of them without a result" in first.note
    record(calls, "7.wav", 0.5)
    add(calls, 11, 12)
    calls.execute("DELETE FROM calls WHERE id = 1; ALTER TABLE calls ADD speaker text")
    second = update(", on_error='null', prune=True", hears=3)
    assert "columns added: speaker" in second.note
    assert "in table public.heard: 2 new, 1 changed, 8 kept, 1 deleted" in second.note
    calls.execute(
        "CREATE OR REPLACE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER none BEFORE INSERT ON heard FOR EACH ROW WHEN (new.id = 13) EXECUTE FUNCTION keep_out()"
    )
    (calls.settings.workspace / "8.wav").write_bytes(b"RIFF")
    add(calls, 13, 14)
    third = update(", on_error='null'", hears=2)
    assert "1 new, 1 changed, 1 of them without a result, 1 not written: " in third.note
    assert third.note.splitlines()[0].endswith(", 10 kept")
    assert calls.execute("SELECT count(*) AS n FROM heard").n[0] == 12


def test_a_constraint_that_refuses_a_row_leaves_the_table_as_it_was(
    calls: Session, update: Callable[..., Result]
) -> None:
    update()
    calls.execute("ALTER TABLE heard ADD CHECK (id <> 12)")
    before = heard(calls, "*")
    add(calls, 11, 12)
    with pytest.raises(ThanoSQLDatabaseError, match="A constraint of the table public.heard refuses the new rows"):
        update(", prune=True")
    assert heard(calls, "*") == before


def test_audio_that_is_gone_takes_no_result_along(calls: Session, update: Callable[..., Result]) -> None:
    update()
    (calls.settings.workspace / "4.wav").unlink()
    assert "1 keep their result, as their audio is not to be found" in update(hears=0).note
    assert "9 by another model" in update(", window_seconds=20, on_error='null'", hears=9).note
    assert dict(heard(calls))[4] == "0.040"
    with pytest.raises(ThanoSQLDataError, match=r"1 of 1 row has audio in 'audio_path'") as refused:
        update(", window_seconds=20")
    assert refused.value.rows[0]["row"] == 4  # its number in the query


def test_rows_that_cannot_be_read_are_tried_again_when_their_file_is_another(
    calls: Session, update: Callable[..., Result]
) -> None:
    (calls.settings.workspace / "4.wav").write_bytes(b"RIFF")
    (calls.settings.workspace / "5.wav").unlink()
    calls.execute("UPDATE calls SET audio_path = NULL WHERE id = 6")
    update(", on_error='null'", hears=7)
    found = heard(calls, "id, predict_result IS NULL, predict_result_error IS NOT NULL")
    assert [row for row, *none in found if none == [True, True]] == [4, 5, 6]
    assert "nothing was to be done" in update(", on_error='null'", hears=0).note
    for number in (4, 5):
        record(calls, f"{number}.wav", 0.5)
    calls.execute("UPDATE calls SET audio_path = '16.wav' WHERE id = 6")
    update(", on_error='null'", hears=3)
    assert heard(calls)[3:6] == [(4, "0.500"), (5, "0.500"), (6, "0.160")]
    assert heard(calls, "predict_result_error IS NULL") == [(True,)] * 10


def test_explain_says_how_many_are_to_be_recognized_and_check_looks_at_them(
    calls: Session, update: Callable[..., Result]
) -> None:
    update()
    add(calls, 11, 12)
    record(calls, "3.wav", 0.7)
    (calls.settings.workspace / "12.wav").write_bytes(b"RIFF")
    items = dict(calls.execute(f"EXPLAIN {UPDATE}").itertuples(index=False, name=None))
    assert items["rows"] == "12"
    assert items["to recognize"] == "3 of 12 rows: 2 new, 1 with other audio"
    assert items["writes"] == "table public.heard (updated)"
    assert {by.startswith(f"{items['results by']}-") for (by,) in heard(calls, "predict_result_by")} == {True}
    others = dict(calls.execute(f"EXPLAIN {UPDATE.replace('row_key', 'window_seconds=20, row_key')}").values.tolist())
    assert others["results by"] != items["results by"]
    assert items["hours of audio"].endswith("(all 3 headers read)")
    checked = calls.run(f"CHECK {UPDATE}")
    assert "3 rows checked" in checked.note
    assert [(row.row, row.path) for row in checked.rows.itertuples()] == [(12, "12.wav")]  # type: ignore[union-attr]


def test_the_words_of_a_row_that_is_recognized_again_are_replaced(session: Session) -> None:
    session.execute("DROP TABLE IF EXISTS heard, spoken; GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)")
    folder = "thanosql-dataset/spoken_numbers/spoken_numbers_test.csv"
    session.execute(f"COPY numbers OPTIONS (if_exists='replace') FROM '{folder}'")
    sql = (
        "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard', words_table='spoken', mode='update', row_key='id') AS"
        " SELECT row_number() OVER (ORDER BY audio_path) AS id, audio_path FROM numbers ORDER BY 1 LIMIT {}"
    )
    session.execute(sql.format(4))
    whole = (
        "SELECT id, string_agg(word, ' ' ORDER BY position) AS words, count(*) AS n FROM spoken GROUP BY 1 ORDER BY 1"
    )
    first = session.execute(whole)
    assert list(first.id) == [1, 2, 3, 4]
    assert list(first.words) == list(session.execute("SELECT predict_result FROM heard ORDER BY id").predict_result)
    session.execute("UPDATE heard SET predict_result_by = NULL WHERE id = 2; UPDATE spoken SET word = 'x' WHERE id < 3")
    session.execute(sql.format(5))
    then = session.execute(whole)
    assert list(then.n[:4]) == list(first.n)
    assert list(then.words[1:4]) == list(first.words[1:])
    assert set(then.words[0].split()) == {"x"}
    assert len(then) == 5
    session.execute(sql.format(3).replace("row_key", "prune=True, row_key"))
    assert list(session.execute(whole).id) == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ("mode='update', row_key='id'", "mode='update' needs table_name"),
        ("mode='update', table_name='heard'", "mode='update' needs row_key"),
        ("prune=True, table_name='heard'", "Write mode='update' as well"),
        ("mode='updates', table_name='heard', row_key='id'", "update"),
    ],
)
def test_options_that_do_not_fit_are_refused(calls: Session, options: str, match: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match=match):
        calls.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS ({options}) AS SELECT * FROM calls")


def test_keys_of_types_that_cannot_be_compared_are_refused(calls: Session, update: Callable[..., Result]) -> None:
    for kind in ("json", "point"):
        value = {"json": "'1'", "point": "'(1,1)'"}[kind]
        with pytest.raises(ThanoSQLDataError, match=rf"'id' \({kind}\) cannot be a row_key"):
            update(
                sql=UPDATE.replace("SELECT *", f"SELECT {value}::{kind} AS id, audio_path").replace(" ORDER BY id", "")
            )


@pytest.mark.parametrize(
    ("kept", "key", "said"),
    [
        ("integer", "id + 0.5", r"numeric in the query and integer(.|\n)*row 1, id 1.5, in the table 2"),
        (
            "integer",
            "(id + 0.5)::float8",
            r"double precision in the query and integer(.|\n)*row 1, id 1.5, in the table 2",
        ),
        (
            "text",
            "id",
            r"is integer in the query and text in the table public.heard, which PostgreSQL does not(.|\n)*\(id::text AS id\)",
        ),
        ("integer", "id + 10000000000", "does not hold all its values: integer out of range"),
        ("date", "timestamp '2026-01-01 10:00' + id * interval '1 hour'", r"in the table 2026-01-01"),
        ("numeric(5,1)", "id + 0.25", r"row 2, id 2.25, in the table 2.3"),
        ("varchar(3)", "'abc' || id", r"row 1, id abc1, in the table abc"),
        ("real", "id + 0.1::float8", r"double precision in the query and real"),
    ],
)
def test_a_key_that_the_table_would_hold_as_another_is_refused_before_any_work(
    calls: Session, update: Callable[..., Result], kept: str, key: str, said: str, log: Path
) -> None:
    calls.execute(f"CREATE TABLE heard (id {kept}, audio_path text)")
    sql = UPDATE.replace("SELECT *", f"SELECT {key} AS id, audio_path").replace("ORDER BY id", "ORDER BY calls.id")
    with pytest.raises(ThanoSQLDataError, match=said):
        update(sql=sql)
    assert not times_heard(log)
    assert calls.execute("SELECT count(*) FROM heard").iloc[0, 0] == 0


@pytest.mark.parametrize(
    ("kept", "key"),
    [("integer", "id + 0.0"), ("bigint", "id::smallint"), ("numeric(5,1)", "id + 0.5"), ("text", "id::text::char(9)")],
)
def test_a_key_of_another_type_that_is_held_as_it_is_finds_its_row(
    calls: Session, update: Callable[..., Result], kept: str, key: str
) -> None:
    calls.execute(f"CREATE TABLE heard (id {kept}, audio_path text)")
    sql = UPDATE.replace("SELECT *", f"SELECT {key} AS id, audio_path").replace("ORDER BY id", "ORDER BY calls.id")
    update(sql=sql, hears=10)
    update(sql=sql, hears=0)


def test_the_fingerprint_of_options_counts_what_differs_from_the_defaults() -> None:
    plain = result_fingerprint("wav2vec2", "c", PredictOptions(), TranscribeOptions())
    assert plain == result_fingerprint("wav2vec2", "c")  # so an option that is added later changes nothing
    assert plain == result_fingerprint("wav2vec2", "c", PredictOptions(result_col="x", confidence=True))
    others = {
        result_fingerprint("wav2vec2", "d"),
        result_fingerprint("hubert", "c"),
        result_fingerprint("wav2vec2", "c", PredictOptions(decoder="beam")),
        result_fingerprint("wav2vec2", "c", PredictOptions(decoder="beam", hotwords=["a"])),
        result_fingerprint("wav2vec2", "c", TranscribeOptions(precision="bfloat16")),
        result_fingerprint("wav2vec2", "c", more=["word"]),
    }
    assert len({plain, *others}) == 7


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, audio_path FROM calls",
        "SELECT id, {home} || audio_path AS audio_path FROM calls",
        "SELECT id, 'file://' || {home} || audio_path AS audio_path FROM calls",
        "SELECT id, upper(audio_path)::varchar(80) AS audio_path FROM calls",  # nearly right
        "SELECT id, audio_path, 0.0 AS start, NULL::numeric AS end, id % 2 + 1 AS channel FROM calls",
        "SELECT id, audio_path, id / 100.0 AS start, 0.1999::float4 AS end, NULL::int AS channel FROM calls",
        "SELECT id, decode(md5(id::text), 'hex') AS audio_path FROM calls",
    ],
)
def test_most_of_what_is_current_is_proven_by_the_server(
    calls: Session, update: Callable[..., Result], query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = query.replace("{home}", f"'{calls.settings.workspace}/'")
    more = ", start_col='start', end_col='end', channel_col='channel'" if "start" in query else ""
    sql = UPDATE.partition(" AS SELECT")[0] + f" AS {query}"
    for number in range(1, 11):
        stereo = wav(np.full((1600, 2), number / 100), 8000, 16)
        (calls.settings.workspace / f"{number}.wav").write_bytes(stereo)
    update(f", on_error='null'{more}", sql=sql)
    digested: list[bytes] = []
    monkeypatch.setattr(row_comparison, "digest", lambda content: digested.append(content) or digest(content))
    result = update(f", on_error='null'{more}", sql=sql, hears=0)
    assert result.note.startswith("0 of 10 rows; nothing was to be done"), result.note
    assert not digested
    calls.execute("UPDATE calls SET id = 21 WHERE id = 7")
    result = update(f", on_error='null'{more}", sql=sql)
    assert result.note.startswith("1 of 10 rows: 1 new"), result.note


@pytest.mark.parametrize(
    "path",
    [
        "'https://localhost:1/' || id || '.wav'",
        "'data:audio/wav;base64,' || encode(id::text::bytea, 'base64')",
        "audio_path::char(20)",
        "NULL::text",
        "'nowhere/' || id",
    ],
)
def test_what_has_no_file_is_current_the_second_time(calls: Session, update: Callable[..., Result], path: str) -> None:
    sql = UPDATE.partition(" AS SELECT")[0] + f" AS SELECT id, {path} AS audio_path FROM calls"
    update(", on_error='null', allow_remote=True", sql=sql)
    result = update(", on_error='null', allow_remote=True", sql=sql, hears=0)
    assert result.note.startswith("0 of 10 rows; nothing was to be done"), result.note


@pytest.mark.parametrize(
    "key",
    [
        "md5(id::text)::uuid",
        "(id * 1.50)::numeric",
        "date '2026-11-01' + id",
        "repeat(md5(id::text), 200)",  # too long for an index, even when it is compressed
        "(SELECT string_agg(md5((id * n)::text), '') FROM generate_series(1, 300) n)",
        "ARRAY[id, 1]",
        "id::text::xid",  # has no order
        "(id, 'x')::text",
    ],
)
def test_rows_are_told_apart_by_keys_of_any_type(calls: Session, update: Callable[..., Result], key: str) -> None:
    sql = UPDATE.partition(" AS SELECT")[0] + f" AS SELECT {key} AS id, audio_path FROM calls"
    update(sql=sql, hears=10)
    add(calls, 11, 12)
    record(calls, "3.wav", 0.9)
    assert "2 new, 1 with other audio" in update(sql=sql, hears=3).note
    update(sql=sql, hears=0)
    with pytest.raises(ThanoSQLDataError, match=r"cannot be told apart by 'id' \(row_key\)") as refused:
        update(sql=sql.replace("FROM calls", "FROM (SELECT least(id, 11) AS id, audio_path FROM calls) c"))
    assert [row["row"] for row in refused.value.rows] == [11, 12]
    with pytest.raises(ThanoSQLDataError, match=r"cannot be told apart by 'id' \(row_key\)") as refused:
        update(sql=sql.replace(f"{key} AS id", f"CASE WHEN id <> 4 THEN {key} END AS id"))
    assert [row["row"] for row in refused.value.rows] == [4]


def test_errors_name_rows_in_the_query_s_order(calls: Session, update: Callable[..., Result]) -> None:
    """The server gives the rows in the order of their keys, which is not that of the query."""
    sql = UPDATE.replace("ORDER BY id", "ORDER BY id DESC")
    update(sql=sql, hears=10)
    for number in (2, 8):
        (calls.settings.workspace / f"{number}.wav").write_bytes(b"RIFF")
    with pytest.raises(ThanoSQLDataError) as refused:
        update(sql=sql)
    assert [(row["row"], row["path"]) for row in refused.value.rows] == [(3, "8.wav"), (9, "2.wav")]


def test_a_quiet_first_day_makes_the_empty_tables(calls: Session, update: Callable[..., Result]) -> None:
    calls.execute("DROP TABLE IF EXISTS spoken, cuts")
    more = ", words_table='spoken', segments_table='cuts', confidence=True"
    quiet = UPDATE.replace("FROM calls", "FROM calls WHERE false")
    result = update(more, sql=quiet, hears=0)
    assert "nothing was to be done" not in result.note
    columns = list(calls.execute("SELECT * FROM heard").columns)
    assert columns[:3] == ["id", "audio_path", "predict_result"]
    assert {"predict_result_words", "predict_result_confidence", "predict_result_by"} <= set(columns)
    assert calls.execute("SELECT (SELECT count(*) FROM spoken) + (SELECT count(*) FROM cuts) AS n").n[0] == 0
    assert "nothing was to be done: table public.heard is current" in update(more, sql=quiet, hears=0).note


def test_columns_that_another_session_adds_while_this_one_waits_are_no_reason_to_stop(
    calls: Session, update: Callable[..., Result], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that share the work both find that a table made by hand lacks columns."""
    calls.execute("CREATE TABLE heard (id int, note text)")
    seen = table_update.stored_columns
    asked: list[object] = []
    with thanosql.connect(database_url, home=calls.settings.home) as other:

        def stored_columns(*given: Any) -> Any:
            found = seen(*given)
            asked.append(given)
            if calls.database.connection.in_transaction and "predict_result_by" not in found:
                monkeypatch.setattr(table_update, "stored_columns", seen)
                other.execute(
                    "ALTER TABLE heard ADD predict_result_by text, ADD audio_path text, ADD predict_result text"
                )
            return found

        monkeypatch.setattr(table_update, "stored_columns", stored_columns)
        update(hears=10)
    assert asked
    assert heard(calls) == said([*range(1, 11)])
    assert heard(calls, "audio_path, predict_result_by IS NOT NULL") == [(f"{i}.wav", True) for i in range(1, 11)]
