"""What a result looks like: the right figures stand in it, and nothing that a row says becomes markup."""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.engine.dispatcher import Result
from thanosql.engine.language.statement_syntax import View
from thanosql.engine.postgres.audio_columns import AudioColumns
from thanosql.engine.postgres.naming import Column
from thanosql.models.audio.access import AudioAccess
from thanosql.notebook import diff, result_text, views
from thanosql.notebook.markup import element
from thanosql.notebook.players import Players, playable
from thanosql.notebook.terminal import as_text
from thanosql.notebook.views import Showing, as_html

PATHS = AudioColumns(Column("audio_path", "text"))
ANYWHERE = AudioAccess(roots=())
HOSTILE = "<img src=x onerror=alert(1)>\"'><script>"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    soundfile.write(path, (0.3 * np.sin(np.arange(16_000) / 10)).astype(np.float32), 16_000)
    return path


def words(page: str) -> str:
    """The text of a page: its tags and its style sheet left out."""
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<style>.*?</style>", "", page)))


def tags(page: str) -> set[str]:
    return set(re.findall(r"<([a-z0-9]+)", page))


def test_a_transcript_stands_beside_its_player_with_its_confidence(recording: Path) -> None:
    columns = {"audio_path": [str(recording)], "predict_result": ["one two"], "predict_result_confidence": [0.6]}
    frame = pd.DataFrame(columns)
    result = Result(
        status="PREDICT 1",
        view="transcripts",
        table=frame,
        audio=PATHS,
        display={"result_column": "predict_result"},
    )
    page = as_html(result, Showing())
    assert page is not None
    assert 'src="data:audio/wav;base64,' in page
    assert 'aria-label="row 1, 1.0 seconds"' in page
    assert "one two (confidence 60%)" in words(page)


@pytest.mark.parametrize("column", ["predict_result_words", "align_result"])
def test_words_with_their_times_are_read_as_words(recording: Path, column: str) -> None:
    said = [{"word": HOSTILE, "start": 0.14, "end": 0.5, "confidence": 0.9}, {"word": "two", "start": 0.62, "end": 1.0}]
    columns = {"audio_path": [str(recording)], "predict_result": ["one two"], column: [said]}
    if column == "align_result":
        columns = {"audio_path": [str(recording)], column: [said], "align_result_confidence": [0.9]}
    page = as_html(Result(status="PREDICT 1", view="transcripts", table=pd.DataFrame(columns), audio=PATHS), Showing())
    assert page is not None
    assert "img" not in tags(page)
    assert f"{HOSTILE}0.1 two0.6" in words(page)
    assert 'title="0.14 s to 0.5 s, confidence 90.0%"' in page


@pytest.mark.parametrize("view", sorted(views.VIEWS))
def test_nothing_that_a_row_says_becomes_markup(view: View) -> None:
    frame = pd.DataFrame({HOSTILE: [HOSTILE], "audio_path": [HOSTILE], "predict_result": [HOSTILE]})
    page = as_html(Result(status="DONE 1", view=view, table=frame, audio=PATHS), Showing(), note=HOSTILE)
    assert page is not None
    assert not tags(page) & {"img", "script"}
    assert words(page).count(HOSTILE) >= 4


def test_nothing_that_an_evaluation_or_a_card_says_becomes_markup() -> None:
    frame = pd.DataFrame([{HOSTILE: HOSTILE, "words": 3, "wer": 0.5}, {HOSTILE: None, "words": 3, "wer": 0.5}])
    wrong = {"row": 1, "audio": HOSTILE, "reference": HOSTILE, "hypothesis": HOSTILE + " more", "errors": 1}
    pages = [
        as_html(
            Result(status="EVALUATE 1", view="evaluation", table=frame, display={"utterances": [wrong]}), Showing()
        ),
        as_html(
            Result(
                status="DESCRIBE MODEL m",
                view="card",
                table=frame,
                display={
                    "card": {"name": HOSTILE, "statement": HOSTILE, "options": {HOSTILE: HOSTILE}, "base": HOSTILE}
                },
            ),
            Showing(),
        ),
    ]
    for page in pages:
        assert page is not None
        assert not tags(page) & {"img", "script"}
        assert HOSTILE in words(page)


@given(st.text(), st.text(min_size=1))
@settings(max_examples=100, deadline=None)
def test_any_text_comes_back_from_markup_as_what_is_seen_of_it(content: str, name: str) -> None:
    page = element("td", content, title=name)
    assert page.count("<") == 2
    assert page.count('"') == 2


def test_an_evaluation_shows_its_worst_rows_first_with_the_words_that_differ(recording: Path) -> None:
    frame = pd.DataFrame([{"utterances": 2, "words": 5, "wer": 0.6, "cer": 0.3}])
    utterances = [
        {"row": 1, "audio": str(recording), "reference": "one two", "hypothesis": "one too", "errors": 1},
        {"row": 2, "audio": str(recording), "reference": "a b c", "hypothesis": "x", "errors": 3},
        {"row": 3, "audio": str(recording), "reference": "same", "hypothesis": "same", "errors": 0},
    ]
    page = as_html(
        Result(status="EVALUATE 2", view="evaluation", table=frame, display={"utterances": utterances}), Showing()
    )
    assert page is not None
    assert "60.00%" in page
    assert page.index("row 2") < page.index("row 1")
    assert "<del" in page
    assert "<ins" in page
    assert "2 rows with errors, worst first" in page
    assert 'data-column="said (struck through) and heard"' in page, "a phone has no head to say it"


def test_an_evaluation_in_a_terminal_has_its_worst_rows_below() -> None:
    frame = pd.DataFrame([{"utterances": 2, "words": 5, "wer": 0.6}])
    utterances = [
        {"row": 1, "audio": None, "reference": "one two", "hypothesis": "one \x1b[2Jtoo", "errors": 1},
        {"row": 2, "audio": None, "reference": "a b c", "hypothesis": "a", "errors": 2},
        {"row": 3, "audio": None, "reference": "same", "hypothesis": "same", "errors": 0},
    ]
    lines = result_text.as_text(
        Result(status="EVALUATE 3", table=frame, display={"utterances": utterances}), 0
    ).splitlines()
    assert lines[-2:] == ["row 2: a [-b-] [-c-]", "row 1: one [-two-]{+␛[2Jtoo+}"]
    assert result_text.as_text(
        Result(status="EVALUATE 3", table=frame, display={"utterances": utterances[2:]}), 0
    ) == "\n".join(lines[:3])


def test_the_label_to_edit_stands_with_what_to_do_with_it() -> None:
    frame = pd.DataFrame([{"utterances": 1, "words": 2, "wer": 0.5}])
    update = "UPDATE calls SET text = 'one two' WHERE id = 7"
    wrong = {"row": 1, "key": 7, "audio": None, "reference": "one two", "hypothesis": "one too", "errors": 1}
    result = Result(
        status="EVALUATE 1", view="evaluation", table=frame, display={"utterances": [{**wrong, "update": update}]}
    )
    said = "The label of row 7 as it is now. If it is not what is said, edit it here and run the statement:"
    assert result_text.as_text(result, 0).splitlines()[-2:] == [said, update]
    page = words(as_html(result, Showing()) or "")
    assert page.index(said) < page.index(f"%%thanosql\n{update}")


@given(st.lists(st.sampled_from(["one", "two", "three"])), st.lists(st.sampled_from(["one", "two", "four"])))
@settings(max_examples=60, deadline=None)
def test_both_texts_can_be_read_off_their_alignment(reference: list[str], hypothesis: list[str]) -> None:
    steps = diff.align(" ".join(reference), " ".join(hypothesis))
    assert [step.reference for step in steps if step.reference] == reference
    assert [step.hypothesis for step in steps if step.hypothesis] == hypothesis


def test_a_missing_recording_says_so_where_its_player_would_be() -> None:
    said = Players(ANYWHERE, 1_000_000).player("/no/such.wav", "row 1")
    assert "no such file" in said
    assert "<audio" not in said


def test_players_play_only_what_a_statement_may_read(recording: Path, tmp_path: Path) -> None:
    inside = tmp_path / "calls"
    inside.mkdir()
    (inside / "one.wav").write_bytes(recording.read_bytes())
    (inside / "link.wav").symlink_to(recording)
    players = Players(AudioAccess(roots=(inside,), confined=True), 1_000_000)
    assert "<audio" in players.player("one.wav", "row 1", waveform=True)
    for path in (str(recording), "link.wav", f"file://{recording}", "../tone.wav"):
        said = players.player(path, "row 1")
        assert "<audio" not in said
        assert "outside of the folders that audio may be read from" in said
    assert "is not fetched" in players.player("https://example.org/one.wav", "row 1")


def test_players_stop_at_the_size_an_output_may_have(recording: Path) -> None:
    players = Players(ANYWHERE, recording.stat().st_size + 10)
    assert "<audio" in players.player(str(recording), "row 1")
    assert "<audio" not in players.player(str(recording), "row 2")


def test_what_a_browser_cannot_play_is_put_in_as_mp3(tmp_path: Path) -> None:
    path = tmp_path / "tone.aiff"
    soundfile.write(path, (0.3 * np.sin(np.arange(16_000) / 10)).astype(np.float32), 16_000)
    assert playable(path.read_bytes()) is None
    assert "data:audio/mpeg;base64," in Players(ANYWHERE, 1_000_000).player(str(path), "row 1")


def test_a_file_that_is_no_audio_never_gets_into_the_page(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    assert "base64" not in Players(ANYWHERE, 1_000_000).player(str(secret), "row 1")


def test_a_terminals_table_shows_control_characters_instead_of_obeying_them() -> None:
    shown = as_text(pd.DataFrame({"a": ["\x1b[31mred\x07", "reversed\u202etxt"]}))
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown


def test_a_terminals_table_counts_hangul_as_two_columns() -> None:
    lines = as_text(pd.DataFrame({"a": ["한국", "ab"], "b": ["x", "y"]})).splitlines()
    assert lines[2] == "한국  x"
    assert lines[3] == "ab    y"


def page_of(frame: pd.DataFrame) -> str:
    page = as_html(Result(status="SELECT", table=frame), Showing())
    assert page is not None
    return re.sub(r"<style>.*?</style>", "", page)


def test_a_long_value_shows_its_first_lines_and_opens() -> None:
    long, lines = "word " * 60, "a\nb\nc\nd\ne"
    page = page_of(pd.DataFrame({"short": ["word"], "long": [long], "lines": [lines]}))
    assert page.count("<details") == 2
    assert long.strip() in words(page)
    assert page.count('class="thanosql-text"') == 2


def test_hangul_is_broken_between_words_alone() -> None:
    page = page_of(pd.DataFrame({"a": ["오늘 전화 주세요", "call today"]}))
    assert page.count('lang="ko"') == 1


def test_dates_and_times_stand_as_people_write_them() -> None:
    moments = pd.to_datetime(["2026-11-22T09:30:00Z", None], utc=True)
    page = page_of(pd.DataFrame({"at": moments, "length": pd.to_timedelta(["90s", None])}))
    assert "2026-11-22 09:30 UTC" in words(page)
    assert "00:01:30" in words(page).replace("0:01:30", "00:01:30")
    assert words(page).count("NULL") == 2


def test_a_transcript_and_texts_stand_before_the_path(recording: Path) -> None:
    columns = {"audio_path": [str(recording)], "text": ["one two"], "predict_result": ["one two"]}
    result = Result(status="PREDICT 1", view="transcripts", table=pd.DataFrame(columns), audio=PATHS)
    page = as_html(result, Showing()) or ""
    heads = [words(head) for head in re.findall(r"<th .*?</th>", page)]
    assert heads == ["audio", "predict_result", "text", "audio_path"]
    assert page.count('class="thanosql-path"') == 1


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({"wer": 0.0207, "wer_low": 0.0109, "wer_high": 0.0406}, "Hears 98 of 100 words; 95% sure of 96 to 99."),
        ({"wer": 0.001}, "Hears more than 99 of 100 words."),
        ({"wer": 0.0, "wer_low": 0.0, "wer_high": 0.0}, "Hears 100 of 100 words; 95% sure."),
    ],
)
def test_an_evaluation_leads_with_what_a_person_wants_to_know(measured: dict[str, float], said: str) -> None:
    frame = pd.DataFrame([{"utterances": 90, "words": 338, **measured}])
    result = Result(status="EVALUATE 90", view="evaluation", table=frame)
    page = words(as_html(result, Showing()) or "")
    assert page.strip().startswith(said)
    assert result_text.as_text(result, 10).startswith(said)


def test_two_models_on_one_row_are_shown_without_an_interval() -> None:
    compared = {"wer": 0.5, "wer_against": 1.0, "difference": -0.5, "p_value": 1.0, "won": 1, "lost": 0, "tied": 0}
    unknown = {"difference_low": float("nan"), "difference_high": float("nan")}
    frame = pd.DataFrame([{"model": "mine", "against": "old", "utterances": 1, "words": 2, **compared, **unknown}])
    page = words(as_html(Result(status="EVALUATE 1", view="evaluation", table=frame), Showing()) or "")
    assert "-50.00 points" in page
    assert "nan" not in page.lower()
    assert "interval" not in page


def test_a_card_leads_with_the_last_evaluation_or_how_to_make_one() -> None:
    card = {"name": "mine", "created": "2026-11-22T09:00:00+00:00", "report": {"loss": 0.72, "epochs": 3}}
    empty = Result(status="DESCRIBE MODEL mine", view="card", table=pd.DataFrame(), display={"card": card})
    page = words(as_html(empty, Showing()) or "")
    assert "2026-11-22 09:00 UTC" in page
    assert page.index("EVALUATE USING mine AS SELECT …") < page.index("last loss")
    measured = {**card, "evaluations": [{"wer": 0.5}, {"wer": 0.02, "created": "2026-11-23T10:00:00+00:00"}]}
    shown = Result(status="DESCRIBE MODEL mine", view="card", table=pd.DataFrame(), display={"card": measured})
    assert "Hears 98 of 100 words (measured 2026-11-23 10:00 UTC)." in words(as_html(shown, Showing()) or "")
    measured["evaluations"].append({"wer": 0.0, "trained_on": 3})
    assert "Hears 98 of 100 words (measured" in words(as_html(shown, Showing()) or ""), "on new audio"


def test_a_card_without_an_evaluation_leads_with_what_its_validation_set_showed() -> None:
    history = [{"epoch": 1, "valid_wer": 0.4}, {"epoch": 2, "valid_wer": 0.25}, {"epoch": 3, "valid_wer": 0.3}]
    card = {"name": "mine", "report": {"loss": 0.72, "epochs": 3, "history": history}}
    shown = Result(status="DESCRIBE MODEL mine", view="card", table=pd.DataFrame(), display={"card": card})
    assert "Hears 75 of 100 words in the validation set." in words(as_html(shown, Showing()) or "")
    measured = {**card, "evaluations": [{"wer": 0.5}]}
    shown = Result(status="DESCRIBE MODEL mine", view="card", table=pd.DataFrame(), display={"card": measured})
    assert "Hears 50 of 100 words." in words(as_html(shown, Showing()) or "")


def test_a_long_path_shows_its_files_name_and_all_of_it_at_a_click() -> None:
    long, short = "calls/2026/11/a-long-folder/0001.wav", "calls/0001.wav"
    page = page_of(pd.DataFrame({"audio_path": [long, short, None]}))
    assert page.count("<details") == 1
    assert f'title="{long}"' in page
    assert long in words(page)
    assert short in words(page)
    assert "NULL" in words(page)
