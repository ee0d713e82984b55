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


def test_the_worst_rows_have_file_key_and_an_update_that_does_what_it_says(numbers: Session) -> None:
    numbers.execute(
        "CREATE TABLE labelled AS SELECT id, audio_path, CASE id WHEN 103 THEN 'it''s wrong' ELSE text END AS text "
        "FROM (SELECT row_number() OVER () + 100 AS id, * FROM librispeech_test LIMIT 6) q"
    )
    evaluate = "EVALUATE USING Wav2Vec2Tiny OPTIONS ({}) AS SELECT * FROM labelled"
    keyed = numbers.run(evaluate.format("row_key='id'")).display["utterances"]
    (wrong,) = (one for one in keyed if one["key"] == 103)
    assert wrong["file"].endswith(".flac")
    numbers.execute(wrong["update"])
    # The row is another one by its number now: PostgreSQL has put it at the table's end.
    again = {one["key"]: one for one in numbers.run(evaluate.format("row_key='id'")).display["utterances"]}
    assert again[103]["errors"] == 0
    assert again[103]["row"] != wrong["row"]
    by_path = numbers.run(evaluate.format("")).display["utterances"]
    assert all(f"WHERE audio_path = '{one['audio']}'" in one["update"] for one in by_path)
