"""Tags that annotators write beside the words: left out of the texts, kept, or refused, as the option says."""

from __future__ import annotations

from typing import Any

import pytest

from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLDataError

QUERY = "SELECT 'one.flac' AS audio_path, :text AS text"


def words_of(session: Session, text: str, option: str = "") -> int:
    options = f"OPTIONS ({option})" if option else ""
    frame = session.execute(f"EVALUATE USING Wav2Vec2Tiny {options} AS {QUERY}", {"text": text})
    return int(frame.words[0])


@pytest.mark.parametrize(
    "text",
    [
        "seven nine [noise]",
        "seven (inaudible) nine",
        "{laughter} seven nine",
        "seven <unk> nine",
        "%hesitation seven nine",
    ],
)
def test_what_is_not_said_counts_as_no_word(spoken: Session, text: str) -> None:
    assert words_of(spoken, text) == 2
    with pytest.raises(ThanoSQLDataError, match=r"1 of 1 row has tags in 'text'(.|\n)*tags='drop' removes them"):
        words_of(spoken, text, "tags='error'")


def test_kept_tags_are_words_and_other_brackets_are_no_tags(spoken: Session) -> None:
    assert words_of(spoken, "seven [noise] nine", "tags='keep'") == 3
    assert words_of(spoken, "seven nine", "tags='error'") == 2


@pytest.mark.parametrize("statement", ["EVALUATE", "ALIGN"])
def test_how_many_texts_had_tags_is_said(spoken: Session, statement: str) -> None:
    rows = "SELECT 'one.flac' AS audio_path, unnest(array['seven [noise] nine', 'seven <unk>', 'seven']) AS text"

    def note(option: str, query: str = rows) -> str:
        return spoken.run(f"{statement} USING Wav2Vec2Tiny OPTIONS ({option}) AS {query}").note

    assert "Tags were left out of 2 of 3 texts (tags='drop')." in note("tags='drop'")
    assert "Tags count as spoken words in 2 of 3 texts (tags='keep')." in note("tags='keep'")
    assert "Tags" not in note("tags='drop'", f"SELECT * FROM ({rows}) q WHERE text = 'seven'")


def test_alignment_has_no_word_for_a_tag(spoken: Session) -> None:
    def aligned(option: str) -> list[str]:
        sql = f"ALIGN USING Wav2Vec2Tiny OPTIONS ({option}) AS {QUERY}"
        frame = spoken.execute(sql, {"text": "seven [noise] nine seven eight six zero"})
        words: list[dict[str, Any]] = frame.align_result[0]
        return [word["word"].lower() for word in words if word["word"]]

    assert aligned("tags='drop'") == "seven nine seven eight six zero".split()
    assert "noise" in aligned("tags='keep'")


@pytest.mark.parametrize(("tags", "learned"), [("drop", "seven nine"), ("keep", "seven nine [noise]")])
def test_training_learns_no_tag(spoken: Session, tags: str, learned: str) -> None:
    sql = (
        f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1, overwrite=True, augment=False, tags='{tags}') AS "
        "SELECT 'one.flac' AS audio_path, 'seven nine [noise]' AS text"
    )
    result = spoken.run(sql)
    assert "1 tags" in result.note
    again = f"EVALUATE USING m OPTIONS (tags='keep') AS {QUERY}"
    assert "trained on" in spoken.run(again, {"text": learned}).note
    with pytest.raises(ThanoSQLDataError, match="1 of 1 row has tags"):
        spoken.execute(sql.replace(f"tags='{tags}'", "tags='error'"))
