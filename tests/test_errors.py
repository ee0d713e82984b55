"""Errors say what is wrong, where, and what to do."""

from __future__ import annotations

from thanosql.errors import Position, ThanoSQLDataError, ThanoSQLModelError, did_you_mean


def test_a_position_marks_the_word_in_its_own_line() -> None:
    source = "SELECT 1;\nPREDICT USNG m"
    position = Position.at(source, source.index("USNG"), 4)
    assert (position.line, position.column, position.text) == (2, 9, "PREDICT USNG m")
    line, caret = str(position).split("\n")
    assert line[caret.index("^") : caret.rindex("^") + 1] == "USNG"


def test_a_position_past_the_end_marks_the_end() -> None:
    position = Position.at("SELECT", 99)
    assert (position.line, position.column) == (1, 7)


def test_a_caret_stands_under_its_word_in_a_line_of_a_megabyte() -> None:
    source = "x" * 500_000 + " HERE " + "y" * 500_000
    line, caret = str(Position.at(source, 500_001, 4)).split("\n")
    assert len(line) < 300
    assert line[caret.index("^") : caret.rindex("^") + 1] == "HERE"


def test_tabs_do_not_move_the_caret() -> None:
    line, caret = str(Position.at("\t\tHERE", 2, 4)).split("\n")
    assert line[caret.index("^") :][:4] == "HERE"


def test_offending_rows_are_listed_up_to_ten_and_all_are_kept() -> None:
    error = ThanoSQLDataError("Bad rows.", rows=[{"row": n, "path": f"{n}.wav"} for n in range(1, 13)])
    assert "row 10, path 10.wav" in str(error)
    assert "row 11" not in str(error)
    assert "2 more" in str(error)
    assert len(error.rows) == 12


def test_a_reference_is_cut_to_80_characters_and_what_cannot_be_seen_is_escaped() -> None:
    """In the message; `rows` have it whole. An escape sequence in a path would else clear the reader's terminal."""
    long = "/calls/" + "x" * 300 + ".wav"
    rows = [{"row": 1, "path": long}, {"row": 2, "path": "a\x1b[2J\r.wav"}, {"row": 3, "text": "one\x1b[2J\ntwo"}]
    error = ThanoSQLDataError("Bad rows.", rows=rows)
    first, second, third = str(error).splitlines()[1:]
    assert len(first) == len("  row 1, path ") + 80
    assert first.startswith("  row 1, path /calls/xxx")
    assert first.endswith("x.wav")
    assert second == r"  row 2, path 'a\x1b[2J\r.wav'"
    assert third == r"  row 3, text one\x1b[2J\ntwo"
    assert error.rows[0]["path"] == long


def test_a_near_miss_is_suggested_whatever_its_case() -> None:
    assert did_you_mean("wav2vec2en", ["Wav2Vec2En", "Wav2Vec2Ko"]) == "Did you mean Wav2Vec2En?"
    assert did_you_mean("q", []) is None


def test_a_notebook_shows_the_message_alone() -> None:
    error = ThanoSQLModelError("There is no model 'm'.", hint="Did you mean n?")
    assert error._render_traceback_() == ["ThanoSQLModelError: There is no model 'm'.\nDid you mean n?"]
