"""The worst rows of an evaluation: named by a key that stays, and corrected by the UPDATE that stands beside them."""

from __future__ import annotations

import pytest

from thanosql.engine.evaluation.corrections import Correction, correction
from thanosql.engine.parser import parse
from thanosql.engine.session import Session
from thanosql.engine.statements import Evaluate

KEYED = Correction("calls", "text", "id")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT * FROM calls", KEYED),
        ("SELECT id, audio_path, text FROM calls WHERE day = :day ORDER BY random() LIMIT 5", KEYED),
        ('SELECT id, "text", lower(text) AS more FROM s."My calls" -- all', Correction('s."My calls"', "text", "id")),
        ("SELECT id, upper(text) AS text FROM calls", None),
        ("SELECT audio_path, text FROM calls", None),
        ("SELECT * FROM calls c", None),
        ("SELECT * FROM calls, speakers", None),
        ("SELECT * FROM calls JOIN speakers USING (id)", None),
        ("SELECT id, text FROM calls UNION ALL SELECT id, text FROM others", None),
        ("SELECT id, text FROM (SELECT * FROM calls) q", None),
        ("SELECT id, text FROM (PREDICT USING m OPTIONS (result_col='text') AS SELECT * FROM calls) p", None),
        ("WITH c AS (SELECT * FROM calls) SELECT id, text FROM c", None),
        ("TABLE calls", None),
    ],
)
def test_a_label_is_corrected_where_one_table_holds_it(query: str, found: Correction | None) -> None:
    statement = parse(f"EVALUATE USING m AS {query}")
    assert isinstance(statement, Evaluate)
    assert correction(statement.query, "text", "id") == found


AWKWARD = [
    "it's wrong",
    "[noise] wrong words",
    "two\nlines \t \\n",
    "at :five {six} %s $1",
    "그것은 '숫자'",
    "zero\u200bwidth \ufeff\u202e",
]


def labelled(numbers: Session, text: str = "text") -> None:
    numbers.execute(
        f"DROP TABLE IF EXISTS labelled; CREATE TABLE labelled AS SELECT id, audio_path, {text} AS text "
        "FROM (SELECT row_number() OVER () + 100 AS id, * FROM librispeech_test LIMIT 6) q",
    )


EVALUATE = "EVALUATE USING Wav2Vec2Tiny OPTIONS ({}) AS SELECT * FROM labelled"


@pytest.mark.parametrize("label", AWKWARD)
def test_the_update_beside_a_worst_row_holds_its_label_as_it_is(numbers: Session, label: str) -> None:
    labelled(numbers)
    numbers.execute("UPDATE labelled SET text = :label WHERE id = 103", params={"label": label})
    worst = numbers.run(EVALUATE.format("row_key='id'")).display["utterances"]
    (wrong,) = (one for one in worst if one["key"] == 103)
    assert wrong["update"].isprintable()
    before = numbers.execute("SELECT * FROM labelled ORDER BY id")
    numbers.execute(wrong["update"])  # pasted and run as it stands: a right label must survive that
    after = numbers.execute("SELECT * FROM labelled ORDER BY id")
    assert before.equals(after)


def test_the_worst_rows_have_file_key_and_an_update_that_is_edited_and_run(numbers: Session) -> None:
    labelled(numbers, "CASE id WHEN 103 THEN 'it''s wrong' ELSE text END")
    keyed = numbers.run(EVALUATE.format("row_key='id'")).display["utterances"]
    (wrong,) = (one for one in keyed if one["key"] == 103)
    assert wrong["file"].endswith(".flac")
    numbers.execute(wrong["update"].replace("it''s wrong", wrong["hypothesis"]))
    # The row is another one by its number now: PostgreSQL has put it at the table's end.
    again = {one["key"]: one for one in numbers.run(EVALUATE.format("row_key='id'")).display["utterances"]}
    assert again[103]["errors"] == 0
    assert again[103]["row"] != wrong["row"]
    by_path = numbers.run(EVALUATE.format("")).display["utterances"]
    assert all(f"WHERE audio_path = '{one['audio']}'" in one["update"] for one in by_path)


def test_rows_that_share_a_key_have_no_update_that_would_give_them_one_label(numbers: Session) -> None:
    labelled(numbers)
    numbers.execute("INSERT INTO labelled SELECT * FROM labelled WHERE id = 101")
    for options in ("", "row_key='id'"):
        worst = numbers.run(EVALUATE.format(options)).display["utterances"]
        shared = [one for one in worst if not one["update"]]
        assert len(worst) == 7
        assert len(shared) == 2
        assert shared[0]["audio"] == shared[1]["audio"]
