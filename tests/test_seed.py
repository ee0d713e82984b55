"""The statements printed on the page that the language comes from run as they are printed."""

from __future__ import annotations

import pandas as pd
import pytest

from thanosql.engine.session import Session

BUILD = """
BUILD MODEL my_speech_recognition_model
USING Wav2Vec2En
OPTIONS (
  audio_col='audio_path',
  text_col='text',
  max_epochs=1,
  batch_size=4 ,
  overwrite=True
  )
AS
SELECT *
FROM librispeech_train
"""

PREDICT = """
PREDICT USING my_speech_recognition_model
OPTIONS (
    audio_col='audio_path',
    result_col='predict_result',
    table_name='librispeech_test'
    )
AS
SELECT *
FROM librispeech_test
"""


def test_build_and_predict_run_verbatim(numbers: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from thanosql.models.bases import BASES

    # Wav2Vec2En is 378 MB on a hub that tests cannot reach; the configuration points it at a folder, as it may.
    object.__setattr__(numbers.settings, "base_models", {"Wav2Vec2En": BASES["Wav2Vec2Tiny"].checkpoint})
    numbers.execute("DELETE FROM librispeech_train WHERE audio_path NOT LIKE '%000%'")
    before = numbers.execute("SELECT * FROM librispeech_test")

    report = numbers.execute(BUILD)
    assert (report.model, report.base, report.epochs) == ("my_speech_recognition_model", "Wav2Vec2En", 1)
    assert report.steps == -(-report.utterances // 4)

    heard = numbers.execute(PREDICT)
    assert list(heard.columns) == [*before.columns, "predict_result"]
    pd.testing.assert_frame_equal(heard[list(before.columns)], before)
    # The table that the query read is now the result.
    pd.testing.assert_frame_equal(numbers.execute("SELECT * FROM librispeech_test"), heard)
    assert heard.predict_result.str.len().gt(0).mean() > 0.9

    # And again: predict_result is in the query now, and replaced in its place.
    again = numbers.execute(PREDICT)
    pd.testing.assert_frame_equal(again, heard)
