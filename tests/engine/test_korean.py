"""Korean off line: the bundled base and data set are heard, measured and trained on, in syllables however they are typed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import jiwer
import pytest

import thanosql
from tests.test_seed import BUILD, PREDICT
from thanosql.engine.session import Session
from thanosql.models.bases import BASES

FEW = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 12"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session that a configuration file points at the bundled model for Wav2Vec2Ko, with the tutorial's two tables."""
    folder = tmp_path_factory.mktemp("korean")
    (folder / "thanosql.toml").write_text('[base_models]\nWav2Vec2Ko = "Wav2Vec2TinyKo"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THANOSQL_CONFIG", str(folder / "thanosql.toml"))
        patch.delenv("THANOSQL_WAV2VEC2KO", raising=False)
        with thanosql.connect(database_url, home=folder / "home") as opened:
            opened.execute("GET THANOSQL DATASET spoken_numbers_ko")
            for part in ("train", "test"):
                opened.execute(
                    f"COPY librispeech_{part} FROM 'thanosql-dataset/spoken_numbers_ko/spoken_numbers_ko_{part}.csv'"
                )
            yield opened


def test_fewer_than_one_syllable_in_ten_is_wrong_on_voices_that_were_never_trained_on(session: Session) -> None:
    frame = session.execute(
        "EVALUATE USING Wav2Vec2TinyKo OPTIONS (group_by='speaker') AS SELECT * FROM librispeech_test"
    )
    total = frame.iloc[-1]
    assert (total.utterances, len(frame)) == (90, 7)
    assert total.cer < 0.10
    spoken_to_train = session.execute("SELECT DISTINCT speaker FROM librispeech_train").speaker
    assert not set(frame.speaker.dropna()) & set(spoken_to_train)


def test_transcripts_are_syllables_and_those_of_plain_transformers(session: Session) -> None:
    import soundfile
    import soxr
    import torch
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    heard = session.execute(f"PREDICT USING Wav2Vec2TinyKo AS {FEW}")
    assert all(unicodedata.is_normalized("NFC", text) for text in heard.predict_result)
    assert set("".join(heard.predict_result)) <= {" ", *map(chr, range(0xAC00, 0xD7A4))}
    folder = BASES["Wav2Vec2TinyKo"].checkpoint
    model = Wav2Vec2ForCTC.from_pretrained(folder, dtype=torch.float32).eval()
    processor = Wav2Vec2Processor.from_pretrained(folder)
    for path, text in list(zip(heard.audio_path, heard.predict_result))[:4]:
        samples, rate = soundfile.read(session.settings.workspace / path, dtype="float32")
        inputs = processor(soxr.resample(samples, rate, 16_000), sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            logits = model(inputs.input_values, attention_mask=inputs.attention_mask).logits
        assert processor.batch_decode(logits.argmax(-1))[0] == text


def test_errors_are_counted_in_syllables_however_the_reference_is_typed(session: Session) -> None:
    as_syllables = session.execute(f"EVALUATE USING Wav2Vec2TinyKo AS {FEW}").iloc[0]
    as_jamo = session.execute(
        f"EVALUATE USING Wav2Vec2TinyKo AS SELECT audio_path, normalize(text, NFD) AS text FROM ({FEW}) few"
    ).iloc[0]
    said = list(session.execute(FEW).text)
    heard = list(session.execute(f"PREDICT USING Wav2Vec2TinyKo AS {FEW}").predict_result)
    assert as_syllables.characters == as_jamo.characters == sum(map(len, said))
    assert as_syllables.cer == as_jamo.cer == pytest.approx(jiwer.cer(said, heard))


def test_texts_typed_as_jamo_are_learned_and_an_epoch_does_no_harm(session: Session) -> None:
    report = session.execute(
        "BUILD MODEL jamo USING Wav2Vec2TinyKo OPTIONS (max_epochs=1, seed=1) AS "
        "SELECT audio_path, normalize(text, NFD) AS text FROM librispeech_train ORDER BY audio_path LIMIT 64"
    )
    assert (report.base, report.utterances, report.epochs) == ("Wav2Vec2TinyKo", 64, 1)
    assert session.execute("EVALUATE USING jamo AS SELECT * FROM librispeech_test").cer.item() < 0.10


def test_a_syllable_that_the_vocabulary_lacks_is_named_before_anything_is_trained(session: Session) -> None:
    with pytest.raises(thanosql.ThanoSQLDataError, match=r"vocabulary lacks: 쉿 3"):
        session.execute(
            "BUILD MODEL quiet USING Wav2Vec2TinyKo AS "
            f"SELECT audio_path, text FROM librispeech_train UNION ALL SELECT audio_path, '쉿 3' FROM ({FEW}) few"
        )


def test_the_seeds_statements_run_with_the_korean_base(session: Session) -> None:
    session.execute("DELETE FROM librispeech_train WHERE audio_path NOT LIKE '%001%'")
    report = session.execute(BUILD.replace("Wav2Vec2En", "Wav2Vec2Ko"))
    assert (report.base, report.epochs) == ("Wav2Vec2Ko", 1)
    heard = session.execute(PREDICT)
    assert jiwer.cer(list(heard.text), list(heard.predict_result)) < 0.10
    assert list(session.execute("SELECT * FROM librispeech_test").predict_result) == list(heard.predict_result)


def test_the_korean_model_and_data_set_are_listed(session: Session) -> None:
    bases = session.execute("LIST THANOSQL MODEL").set_index("name")
    folder = Path(bases.checkpoint["Wav2Vec2TinyKo"])
    assert bases.language["Wav2Vec2TinyKo"] == "Korean"
    assert bases.checkpoint["Wav2Vec2Ko"] == str(folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6_000_000
    sets = session.execute("LIST THANOSQL DATASET").set_index("name")
    assert list(sets.in_workspace[["spoken_numbers_ko", "spoken_numbers"]]) == [True, False]
