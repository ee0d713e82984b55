"""Rows that a model was trained on are known by their audio's content: whatever the file is called, and the label says."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

import thanosql
from thanosql.engine.session import Session

BUILD = "BUILD MODEL {} USING Wav2Vec2Tiny OPTIONS (max_epochs=1{}) AS SELECT * FROM {}"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A model `learned` of the first six rows; `mixed` has copies of some of them, one of another label, and new rows."""
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        opened.execute("COPY numbers FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'")
        opened.execute("CREATE TABLE known AS SELECT audio_path, text FROM numbers ORDER BY audio_path LIMIT 6")
        opened.execute(BUILD.format("learned", "", "known"))
        rows = opened.execute("SELECT * FROM numbers ORDER BY audio_path LIMIT 9")
        opened.execute("CREATE TABLE mixed (audio_path text, text text)")
        for number, (path, text) in enumerate(zip(rows.audio_path, rows.text)):
            copy = f"copy-{number}.flac"
            shutil.copy(opened.settings.workspace / path, opened.settings.workspace / copy)
            label = "another" if number == 1 else text.upper() if number == 2 else text
            opened.execute("INSERT INTO mixed VALUES (:path, :text)", {"path": copy, "text": label})
        opened.execute("CREATE TABLE inside (sound bytea, text text)")
        content = (opened.settings.workspace / rows.audio_path[0]).read_bytes()
        opened.execute("INSERT INTO inside VALUES (:sound, :text)", {"sound": content, "text": rows.text[0]})
        yield opened


def test_check_names_copies_and_other_labels(session: Session) -> None:
    found = session.execute("CHECK EVALUATE USING learned AS SELECT * FROM mixed")
    assert Counter(found.problem) == {"trained on": 5, "trained on with another text": 1}
    assert found[found.problem == "trained on with another text"].row.tolist() == [2]
    bytes_ = session.execute("CHECK EVALUATE USING learned OPTIONS (audio_col='sound') AS SELECT * FROM inside")
    assert bytes_.problem.tolist() == ["trained on"]


def test_evaluate_says_so_and_leaves_them_out(session: Session) -> None:
    note = session.run("EVALUATE USING learned AS SELECT * FROM mixed").note
    assert "learned was trained on 6 of the 9 rows (1 of them with another text)" in note
    left = session.run("EVALUATE USING learned OPTIONS (exclude_trained=True) AS SELECT * FROM mixed")
    assert left.value.utterances[0] == 3


def test_a_part_or_a_channel_of_a_recording_is_audio_of_its_own(session: Session) -> None:
    session.execute("CREATE TABLE parts AS SELECT *, 0.0::float8 AS start, 0.9::float8 AS stop FROM known")
    session.execute(BUILD.format("parted", ", start_col='start', end_col='stop'", "parts"))
    check = (
        "CHECK EVALUATE USING parted OPTIONS (start_col='start', end_col='{}') AS SELECT *, 0.8 AS sooner FROM parts"
    )
    assert set(session.execute(check.format("stop")).problem) == {"trained on"}
    assert "trained on" not in set(session.execute("CHECK EVALUATE USING parted AS SELECT * FROM known").problem)


PARTS = "start_col='start', end_col='stop'"


@pytest.mark.parametrize(
    ("part", "options", "problems"),
    [
        ("0.0 AS start, 0.8 AS stop", PARTS, {"trained on in part": 6}),
        ("0.3 AS start, NULL::float8 AS stop", PARTS, {"trained on in part": 6}),
        ("0.4 AS start, 0.8 AS stop, 1 AS side", PARTS + ", channel_col='side'", {"trained on in part": 6}),
        ("0.8 AS start, 1.05 AS stop", PARTS, {}),  # a neighbour, with the same pause at its edge
        ("0.0 AS start", "batch_size=4", {"trained on in part": 6}),  # the whole recording
    ],
)
def test_a_part_that_overlaps_what_was_learned_is_named(
    session: Session, part: str, options: str, problems: dict[str, int]
) -> None:
    if "parted" not in set(session.execute("LIST MODEL").name):
        session.execute(
            "CREATE TABLE IF NOT EXISTS parts AS SELECT *, 0.0::float8 AS start, 0.9::float8 AS stop FROM known"
        )
        session.execute(BUILD.format("parted", f", {PARTS}", "parts"))
    rows = f"USING parted OPTIONS ({options}) AS SELECT audio_path, text, {part} FROM known"
    found = session.execute(f"CHECK EVALUATE {rows}")
    assert Counter(problem for problem in found.problem if "trained" in problem) == problems
    note = session.run(f"EVALUATE {rows}").note or ""
    assert ("parted was trained on 6 of the 6 rows (6 of them in part)" in note) == bool(problems)


def test_a_part_of_a_whole_recording_that_was_learned_is_named(session: Session) -> None:
    rows = f"EVALUATE USING learned OPTIONS ({PARTS}) AS SELECT *, 0.2 AS start, 1.0 AS stop FROM known"
    assert set(session.execute(f"CHECK {rows}").problem) == {"trained on in part"}


def test_what_the_base_learned_its_child_has_learned_and_an_older_versions_rows_count(session: Session) -> None:
    session.execute("FIT MODEL child USING learned OPTIONS (max_epochs=1) AS SELECT * FROM numbers OFFSET 20 LIMIT 6")
    assert "6 of the 9 rows" in session.run("EVALUATE USING child AS SELECT * FROM mixed").note


def test_a_copy_in_the_validation_set_is_said(session: Session) -> None:
    note = session.run(BUILD.format("leaking", ", valid_query='SELECT * FROM mixed'", "known")).note
    assert "In valid_query, 6 of 9 rows are training rows as well" in note
