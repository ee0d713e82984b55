"""EVALUATE takes PREDICT's options of decoding, and keeps on a model's card which words bfloat16 changes."""

from __future__ import annotations

from collections.abc import Iterator

import jiwer
import numpy as np
import pandas as pd
import pytest
import soundfile

import thanosql
from thanosql import ThanoSQLOptionError
from thanosql.engine.session import Session
from thanosql.models import precision as precisions
from thanosql.models.audio import read
from thanosql.models.precision import PrecisionComparison, compared

FEW = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 12"
ALL = "SELECT audio_path, text FROM pairs UNION ALL SELECT audio_path, text FROM librispeech_train"
GUIDED = "decoder='beam', beam_width=10, lm_query='SELECT text FROM librispeech_train'"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        for part in ("train", "test"):
            opened.execute(f"COPY librispeech_{part} FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_{part}.csv'")
        join_pairs(opened)
        opened.execute(f"BUILD MODEL trained USING Wav2Vec2Tiny OPTIONS (max_epochs=1, learning_rate=1e-5) AS {FEW}")
        yield opened


def join_pairs(session: Session) -> None:
    """The table `pairs`: recordings of two utterances each, so that there are words enough."""
    frame = session.execute("SELECT audio_path, text FROM librispeech_train ORDER BY audio_path LIMIT 300")
    said = [read(str(session.settings.workspace / path)) for path in frame.audio_path]
    session.execute("CREATE TABLE pairs (audio_path text, text text)")
    for number in range(0, len(said), 2):
        soundfile.write(session.settings.workspace / f"{number}.wav", np.concatenate(said[number : number + 2]), 16_000)
        text = " ".join(frame.text[number : number + 2])
        session.execute("INSERT INTO pairs VALUES (:path, :text)", {"path": f"{number}.wav", "text": text})


def heard(session: Session, options: str, query: str = FEW) -> pd.DataFrame:
    return session.execute(f"PREDICT USING trained OPTIONS ({options}) AS {query}")


def precision(session: Session, model: str = "trained", statement: str = "PREDICT") -> str:
    frame = session.execute(f"EXPLAIN {statement} USING {model} OPTIONS (precision='auto') AS {FEW}")
    return str(frame.set_index("item").value["precision"])


def test_a_guided_beam_is_evaluated_as_predict_hears_by_it(session: Session) -> None:
    row = session.execute(f"EVALUATE USING trained OPTIONS ({GUIDED}) AS {FEW}").iloc[0]
    frame = heard(session, GUIDED)
    assert row.wer == pytest.approx(jiwer.wer(list(frame.text), list(frame.predict_result)))
    plain = session.execute(f"EVALUATE USING trained AS {FEW}").iloc[0]
    assert (row.wer, row.cer) != (plain.wer, plain.cer)


def test_the_other_model_hears_by_the_same_beam(session: Session) -> None:
    row = session.execute(f"EVALUATE USING trained OPTIONS (against='trained', {GUIDED}) AS {FEW}").iloc[0]
    assert row.wer == row.wer_against
    assert row.tied == row.utterances


def test_the_loss_of_what_a_beam_heard_is_no_more_than_that_of_a_wrong_reference(session: Session) -> None:
    session.execute(
        f"EVALUATE USING trained OPTIONS (table_name='guided', {GUIDED}) AS SELECT audio_path, 'nine' AS text FROM ({FEW}) q"
    )
    frame = session.execute("SELECT * FROM guided WHERE hypothesis <> reference")
    assert len(frame) > 6
    assert (frame.suspicion > 0).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("hotwords=['one']", "'hotwords' needs decoder='beam'"),
        ("decoder='beam', lm='a', lm_query='b'", "Both lm and lm_query are given"),
    ],
)
def test_what_would_guide_nothing_is_refused(session: Session, options: str, message: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match=message):
        session.execute(f"EVALUATE USING trained OPTIONS ({options}) AS {FEW}")


def test_too_few_words_keep_auto_at_float32(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precisions, "_cpu_flags", lambda: frozenset({"amx_bf16"}))
    assert "no check" in precision(session)
    report = session.run(f"EVALUATE USING trained OPTIONS (precision='auto', device='cpu') AS {FEW}")
    assert "precision='auto' stays float32: 2,000 words are needed." in report.note
    assert precision(session).startswith("float32: its check is of ")
    assert "2,000 are needed" in precision(session)


def test_a_check_counts_the_words_that_differ_and_auto_goes_by_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.execute(
        f"EVALUATE USING trained OPTIONS (precision='auto', device='cpu') AS {ALL} "
        "UNION ALL SELECT audio_path, text FROM pairs"
    )
    exact, rounded = (
        list(heard(session, f"precision='{name}', device='cpu'", ALL).predict_result)
        for name in ("float32", "bfloat16")
    )
    expected = compared(exact, rounded, "cpu")
    assert expected.words > 2_000
    card = session.store.get("trained").card
    assert PrecisionComparison(**card["evaluations"][-1]["bfloat16"]) == expected

    monkeypatch.setattr(precisions, "_cpu_flags", lambda: frozenset({"amx_bf16"}))
    chosen = "bfloat16" if expected.passes else "float32"
    assert precision(session).startswith(f"{chosen}: {expected}")


def test_a_check_that_passed_makes_auto_bfloat16(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precisions, "_cpu_flags", lambda: frozenset({"amx_bf16"}))
    stored = session.store.get("trained")
    assert stored.version is not None
    passed = precisions.as_record(PrecisionComparison(2_000, 2, "cpu"))
    session.store.record_evaluation("trained", stored.version, passed)
    assert precision(session) == "bfloat16: 2 of 2,000 words differ in bfloat16 (0.10%)"
    columns = "confidence=True, device='cpu'"
    auto, rounded, exact = (
        heard(session, f"{columns}, precision='{name}'") for name in ("auto", "bfloat16", "float32")
    )
    pd.testing.assert_frame_equal(auto, rounded)
    assert not auto.equals(exact)


def test_a_base_has_no_card_and_stays_float32(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precisions, "_cpu_flags", lambda: frozenset({"amx_bf16"}))
    assert precision(session, "Wav2Vec2Tiny").startswith("float32: it is not a model in the store")
    report = session.run(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (precision='auto', device='cpu') AS {FEW}")
    assert "the check is not saved" in report.note
    assert precision(session, statement="EVALUATE") == "float32; and bfloat16, to see which words differ"
