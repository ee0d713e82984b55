"""normalizer='english' and 'korean': texts in figures are measured, learned and checked as they are spoken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLDataError

SAID = "seven nine seven eight six zero"
QUERY = "SELECT 'one.flac' AS audio_path, :text AS text"


def test_a_reference_in_figures_is_heard_right_with_the_option_alone(spoken: Session) -> None:
    sql = f"EVALUATE USING Wav2Vec2Tiny OPTIONS (normalizer='{{}}', table_name='heard') AS {QUERY}"
    measured = {}
    for name in ("model", "words", "english"):
        frame = spoken.execute(sql.format(name), {"text": "797860"})
        measured[name] = (int(frame.words[0]), float(frame.wer[0]))
    assert measured["english"] == (6, 0.0)
    assert measured["model"][1] > 0
    assert measured["words"][1] > 0
    (row,) = spoken.execute("SELECT reference, hypothesis FROM heard").to_dict("records")
    assert row == {"reference": SAID, "hypothesis": SAID}
    # The other way round: what is in words is left in words.
    assert float(spoken.execute(sql.format("english"), {"text": SAID}).wer[0]) == 0


def test_check_counts_figures_and_signs_apart_from_other_characters(spoken: Session) -> None:
    query = "SELECT 'one.flac' AS audio_path, text FROM (VALUES ('room 12 for $5'), ('größe'), ('7 größen'), ('nine')) v(text)"
    result = spoken.run(f"CHECK EVALUATE USING Wav2Vec2Tiny AS {query}")
    assert result.rows is not None
    found = result.rows[~result.rows.problem.isin(["duplicate"])]
    assert list(zip(found.row, found.problem)) == [
        (1, "unknown figures and signs"),
        (2, "unknown characters"),
        (3, "unknown figures and signs"),
        (3, "unknown characters"),
    ]
    first = found.reason.iloc[0]
    assert "12 $5 (2 of 4 words)" in first
    assert "the vocabulary lacks 1 2 $ 5, so that they count as errors, whatever is recognized" in first
    assert "normalizer='english' puts them into words" in first
    assert "ö ß" in found.reason.iloc[1]
    counts, _, total = (result.note or "").partition("; figures and signs are in ")
    assert counts == "4 rows checked: 3 duplicate, 2 unknown figures and signs, 2 unknown characters"
    assert total.startswith("3 of 8 words, in 2 rows; the vocabulary lacks 1 (1×), ")
    spelled = spoken.execute(f"CHECK EVALUATE USING Wav2Vec2Tiny OPTIONS (normalizer='english') AS {query}")
    assert "unknown figures and signs" not in set(spelled.problem)
    assert list(spelled.problem).count("unknown characters") == 2


def test_check_of_a_training_says_what_figures_cost_it(spoken: Session) -> None:
    def problems(options: str) -> dict[str, str]:
        sql = f"CHECK BUILD MODEL m USING Wav2Vec2Tiny OPTIONS ({options}) AS {QUERY}"
        frame = spoken.execute(sql, {"text": "797860"})
        return dict(zip(frame.problem, frame.reason))

    assert "the row cannot be learned" in problems("")["unknown figures and signs"]
    assert "the text does not tell how they are said" in problems("vocabulary='rebuild'")["figures"]
    assert problems("normalizer='english'") == {}


def test_a_model_learns_figures_as_words_and_is_measured_so_from_then_on(spoken: Session) -> None:
    texts = "SELECT 'one.flac' AS audio_path, text FROM (VALUES ('797860 [noise]'), ('seven 97860')) v(text)"
    plain = "BUILD MODEL numbers USING Wav2Vec2Tiny OPTIONS ({}max_epochs=1, batch_size=1, augment=False) AS " + texts
    with pytest.raises(ThanoSQLDataError, match=r"normalizer='english' or 'korean' does it"):
        spoken.execute(plain.format(""))
    spoken.execute(plain.format("normalizer='english', learning_rate=0.0000001, "))
    described = spoken.execute("DESCRIBE MODEL numbers")
    facts = {(row["section"], row["name"]): row["value"] for row in described.to_dict("records")}
    assert facts["texts", "tags"] == "'drop': left out of the texts of 1 of 2 rows"
    assert facts["texts", "normalizer"] == "english"
    assert facts["normalizer", "spoken"] == "english"
    measured = spoken.execute(f"EVALUATE USING numbers AS {QUERY}", {"text": "797860"})
    assert (int(measured.words[0]), float(measured.wer[0])) == (6, 0.0)
    assert "unknown figures and signs" not in set(
        spoken.execute(f"CHECK EVALUATE USING numbers AS {QUERY}", {"text": "797860"}).problem
    )


def test_explain_says_what_becomes_of_texts(spoken: Session) -> None:
    def texts(statement: str) -> str:
        frame = spoken.execute(f"EXPLAIN {statement} AS {QUERY}", {"text": "797860"})
        return dict(zip(frame.item, frame.value))["texts"]

    said = "normalizer 'english' (numbers, money, times, signs and abbreviations in words), tags 'drop'"
    assert texts("EVALUATE USING Wav2Vec2Tiny OPTIONS (normalizer='english')") == said
    assert texts("BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (normalizer='english')") == said
    assert texts("EVALUATE USING Wav2Vec2Tiny") == "normalizer 'model', tags 'drop'"


def test_the_card_of_a_model_of_an_older_version_still_reads(spoken: Session) -> None:
    """A normalizer that spells nothing is written as it was before there was the choice."""
    texts = f"SELECT 'one.flac' AS audio_path, '{SAID}' AS text"
    report = spoken.execute(
        f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1, batch_size=1, augment=False) AS {texts}"
    )
    written = json.loads((Path(report.folder) / "normalizer.json").read_text())
    assert sorted(written) == ["case", "form", "keep", "punctuation"]


def test_check_of_a_training_says_where_a_text_leaves_a_choice_of_words(spoken: Session) -> None:
    query = "SELECT 'one.flac' AS audio_path, text FROM (VALUES ('room 1984'), ('nine'), ('at 7:30'), ('7%')) v(text)"
    options = "normalizer='english'"
    told = spoken.run(f"CHECK BUILD MODEL m USING Wav2Vec2Tiny OPTIONS ({options}) AS {query}").note or ""
    assert "figures and signs of 2 rows may be said in other words than the usual ones, which are learned: " in told
    assert "'nineteen eighty four', where 'one thousand nine hundred eighty four' may have been said" in told
    assert "other words" not in (
        spoken.run(f"CHECK EVALUATE USING Wav2Vec2Tiny OPTIONS ({options}) AS {query}").note or ""
    )
    assert "other words" not in (spoken.run(f"CHECK BUILD MODEL m USING Wav2Vec2Tiny AS {query}").note or "")
