"""EVALUATE teaches: figures with bounds, groups, utterances, confusions, comparisons, and rows already learned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np
import pandas as pd
import pytest

import thanosql
from thanosql import ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError
from thanosql.engine.session import Session
from thanosql.notebook import cards

GOLDEN = Path(__file__).parents[1] / "fixtures" / "evaluate_golden.json"
ALL = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 24"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        for part in ("train", "test"):
            opened.execute(f"COPY librispeech_{part} FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_{part}.csv'")
        opened.execute(
            "BUILD MODEL trained USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS "
            "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 32"
        )
        yield opened


def test_one_row_with_bounds_around_the_rate(session: Session) -> None:
    row = session.execute(f"EVALUATE USING Wav2Vec2Tiny AS {ALL}").iloc[0]
    assert (
        list(row.index)
        == (
            "utterances hours words characters wer wer_low wer_high cer substitutions deletions insertions hits "
            "empty_hypotheses seconds rtfx"
        ).split()
    )
    assert row.wer_low <= row.wer <= row.wer_high
    assert row.hits + row.substitutions + row.deletions == row.words
    assert row.rtfx == pytest.approx(row.hours * 3600 / row.seconds)


def test_groups_add_up_to_the_total_and_small_ones_are_marked(session: Session) -> None:
    frame = session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (group_by='speaker') AS {ALL}")
    groups, total = frame.iloc[:-1], frame.iloc[-1]
    assert pd.isna(total.speaker)
    assert list(groups.speaker) == sorted(groups.speaker)
    for count in ("utterances", "words", "substitutions", "deletions", "insertions", "hits"):
        assert groups[count].sum() == total[count]
    assert list(groups.small) == [words < 100 for words in groups.words]
    single = session.execute(f"EVALUATE USING Wav2Vec2Tiny AS {ALL}").iloc[0]
    assert total.wer == single.wer


def test_groups_may_be_of_several_columns_and_whole_numbers_stay_whole(session: Session) -> None:
    frame = session.execute(
        f"EVALUATE USING Wav2Vec2Tiny OPTIONS (group_by=['speaker', 'length']) AS "
        f"SELECT *, length(text) / 12 AS length FROM ({ALL}) q"
    )
    assert list(frame.columns[:2]) == ["speaker", "length"]
    assert frame.iloc[:-1].utterances.sum() == 24
    assert pd.isna(frame.length.iloc[-1])
    assert frame.dtypes[["length", "utterances", "words"]].astype(str).tolist() == ["Int64"] * 3


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        ("CASE WHEN n > 2 THEN 'NaN'::float8 ELSE 10 - n END", [8.0, 9.0, pd.NA]),
        ("ARRAY[n % 2, NULL]", [[0, None], [1, None]]),
        ("jsonb_build_object('a', n % 2)", [{"a": 0}, {"a": 1}]),
        ("n * 9", [9, 18, 27, 36]),
    ],
)
def test_groups_are_those_of_postgresql_whatever_their_type_and_numbers_stand_by_size(
    session: Session, value: str, groups: list[object]
) -> None:
    rows = f"SELECT *, {value} AS kind FROM (SELECT *, row_number() OVER (ORDER BY audio_path) AS n FROM ({ALL}) q LIMIT 4) r"
    evaluate = f"EVALUATE USING Wav2Vec2Tiny OPTIONS (group_by=['kind', 'Kind']) AS {rows}"
    frame = session.execute(evaluate)
    assert str(frame.kind.tolist()[:-1]) == str(groups)
    assert frame.utterances.sum() == 8
    assert session.execute(f"SELECT count(*) AS n FROM ({evaluate}) e").n[0] == len(groups) + 1


def test_a_group_column_with_the_name_of_a_figure_is_refused(session: Session) -> None:
    with pytest.raises(ThanoSQLDataError, match="a column 'words' of its own") as caught:
        session.execute(
            f"EVALUATE USING Wav2Vec2Tiny OPTIONS (group_by='words') AS SELECT *, 1 AS words FROM ({ALL}) q"
        )
    assert '"words" AS another_name' in str(caught.value)


def test_a_comparison_refuses_groups_and_points_at_a_model_that_is_not_there(session: Session) -> None:
    with pytest.raises(ThanoSQLOptionError, match="either against or group_by"):
        session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (against='trained', group_by='speaker') AS {ALL}")
    sql = f"EVALUATE USING Wav2Vec2Tiny OPTIONS (against='nope') AS {ALL}"
    with pytest.raises(ThanoSQLModelError) as caught:
        session.execute(sql)
    assert caught.value.position is not None
    assert caught.value.position.column == sql.index("'nope'") + 1


def test_clusters_change_the_bounds_and_not_the_rate(session: Session) -> None:
    alone = session.execute(f"EVALUATE USING Wav2Vec2Tiny AS {ALL}").iloc[0]
    clustered = session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (cluster_by='speaker') AS {ALL}").iloc[0]
    assert clustered.wer == alone.wer
    assert (clustered.wer_low, clustered.wer_high) != (alone.wer_low, alone.wer_high)


def test_the_table_has_a_row_for_each_utterance_with_its_alignment(session: Session) -> None:
    session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (table_name='heard') AS {ALL}")
    heard = session.execute("SELECT * FROM heard")
    assert list(heard.columns[:3]) == ["audio_path", "text", "speaker"]
    assert list(heard.text) == list(session.execute(ALL).text)
    for row in heard.itertuples():
        assert row.wer == pytest.approx(jiwer.wer(row.reference, row.hypothesis))
        edits = row.alignment if isinstance(row.alignment, list) else json.loads(row.alignment)
        assert " ".join(edit[1] for edit in edits if edit[1]) == row.reference
        assert " ".join(edit[2] for edit in edits if edit[2]) == row.hypothesis
        assert (row.suspicion == 0) or row.reference != row.hypothesis
        assert 0 <= row.confidence <= 1


def test_the_reference_loss_is_transformers_own(session: Session) -> None:
    import torch
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    from thanosql.models.audio import read
    from thanosql.models.bases import BASES

    folder = BASES["Wav2Vec2Tiny"].checkpoint
    model, processor = Wav2Vec2ForCTC.from_pretrained(folder).eval(), Wav2Vec2Processor.from_pretrained(folder)
    model.config.ctc_loss_reduction = "sum"
    session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (table_name='heard') AS {ALL}")
    for row in session.execute("SELECT * FROM heard LIMIT 5").itertuples():
        waveform = read(row.audio_path, session.settings.audio_roots)
        inputs = processor(waveform, sampling_rate=16_000, return_tensors="pt")
        labels = processor.tokenizer(row.reference, return_tensors="pt").input_ids
        with torch.inference_mode():
            assert float(model(inputs.input_values, labels=labels).loss) == pytest.approx(row.reference_loss, rel=1e-4)


def test_confusions_are_counted_by_pair(session: Session) -> None:
    session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (table_name='heard', confusions_table='mixed') AS {ALL}")
    mixed, heard = session.execute("SELECT * FROM mixed"), session.execute("SELECT * FROM heard")
    assert list(mixed.columns) == ["level", "reference", "hypothesis", "count"]
    words, characters = mixed[mixed.level == "word"], mixed[mixed.level == "character"]
    assert words["count"].sum() == (heard.substitutions + heard.deletions + heard.insertions).sum()
    assert list(words["count"]) == sorted(words["count"], reverse=True)
    spelled = jiwer.process_characters(list(heard.reference), list(heard.hypothesis))
    assert characters["count"].sum() == spelled.substitutions + spelled.deletions + spelled.insertions


def test_two_models_are_compared_on_the_same_rows(session: Session) -> None:
    frame = session.execute(f"EVALUATE USING trained OPTIONS (against='Wav2Vec2Tiny', table_name='compared') AS {ALL}")
    row, rows = frame.iloc[0], session.execute("SELECT * FROM compared")
    assert (row.model, row.against) == ("trained", "Wav2Vec2Tiny")
    assert row.difference == pytest.approx(row.wer - row.wer_against)
    assert row.won + row.lost + row.tied == row.utterances == 24
    assert rows.worse.sum() == row.lost
    assert row.wer_against == pytest.approx(session.execute(f"EVALUATE USING Wav2Vec2Tiny AS {ALL}").wer[0])


def test_a_model_against_itself_ties_everywhere(session: Session) -> None:
    row = session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (against='Wav2Vec2Tiny') AS {ALL}").iloc[0]
    assert (row.difference, row.p_value, row.won, row.lost, row.tied) == (0.0, 1.0, 0, 0, 24)


def test_rows_the_model_learned_are_said_and_can_be_left_out(session: Session) -> None:
    mixed = f"({ALL}) UNION ALL (SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8)"
    result = session.run(f"EVALUATE USING trained AS {mixed}")
    assert result.value.utterances[0] == 32
    assert "trained was trained on 8 of the 32 rows" in result.note
    without = session.run(f"EVALUATE USING trained OPTIONS (exclude_trained=True) AS {mixed}")
    assert without.value.utterances[0] == 24
    assert without.value.wer[0] == session.execute(f"EVALUATE USING trained AS {ALL}").wer[0]
    with pytest.raises(ThanoSQLDataError, match="trained on every row"):
        session.execute(
            "EVALUATE USING trained OPTIONS (exclude_trained=True) AS "
            "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8"
        )


def test_an_evaluation_is_kept_on_the_card(session: Session) -> None:
    before = len(session.store.get("trained").card["evaluations"])
    wer = session.execute(f"EVALUATE USING trained AS {ALL}").wer[0]
    kept = session.store.get("trained").card["evaluations"]
    assert len(kept) == before + 1
    assert kept[-1]["wer"] == wer
    assert kept[-1]["statement"].startswith("EVALUATE USING trained")
    assert session.execute("LIST MODEL").wer[0] == wer


def test_an_evaluation_on_rows_that_were_learned_is_not_the_models_wer(session: Session) -> None:
    wer = session.execute(f"EVALUATE USING trained AS {ALL}").wer[0]
    session.execute("EVALUATE USING trained AS SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8")
    card = session.store.get("trained").card
    assert card["evaluations"][-1]["trained_on"] == 8
    assert session.execute("LIST MODEL").wer[0] == wer
    assert f"<dd>{wer:.2%}</dd>" in cards.model(card), "nor is it what the card leads with"


def test_an_empty_reference_is_counted_and_said(session: Session, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "hush.wav", np.zeros(8000, np.float32), 16_000)
    result = session.run(f"EVALUATE USING Wav2Vec2Tiny AS SELECT '{tmp_path / 'hush.wav'}' AS audio_path, '' AS text")
    assert "1 reference is empty" in result.note
    assert result.value.words[0] == 0


def test_both_sides_are_normalized_alike(session: Session) -> None:
    shouted = f"SELECT audio_path, upper(text) || '!' AS text FROM ({ALL}) q"
    plain = session.execute(f"EVALUATE USING Wav2Vec2Tiny AS {ALL}").wer[0]
    for name in ("model", "words"):
        row = session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (normalizer='{name}') AS {shouted}")
        assert row.wer[0] == plain
    row = session.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (normalizer='none') AS {shouted}").iloc[0]
    assert row.hits == 0


def test_the_tables_of_a_fixed_model_on_fixed_rows_are_the_golden_ones(session: Session) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    frame = session.execute(
        "EVALUATE USING Wav2Vec2Tiny OPTIONS (table_name='heard', confusions_table='mixed', group_by='speaker') AS "
        "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 12"
    )
    for row, expected in zip(frame.to_dict("records"), golden["figures"], strict=True):
        for name, value in expected.items():
            if value is None:
                assert pd.isna(row[name]), name
            else:
                assert row[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name
    heard = session.execute("SELECT * FROM heard ORDER BY audio_path")
    for row, expected in zip(heard.to_dict("records"), golden["utterances"], strict=True):
        assert {name: row[name] for name in expected} == expected
    mixed = session.execute("SELECT * FROM mixed ORDER BY 1, 4 DESC, 2, 3")
    assert mixed.to_dict("records") == golden["confusions"]


def test_one_name_for_both_tables_is_refused_and_nothing_is_replaced(session: Session) -> None:
    session.execute("DROP TABLE IF EXISTS both_of_them; CREATE TABLE both_of_them AS SELECT 1 AS old")
    for other in ("both_of_them", "public.both_of_them", '"both_of_them"', "Both_Of_Them"):
        with pytest.raises(ThanoSQLOptionError, match="table_name and confusions_table both name"):
            session.execute(
                f"EVALUATE USING Wav2Vec2Tiny OPTIONS (table_name='both_of_them', confusions_table='{other}') AS {ALL}"
            )
    assert session.execute("TABLE both_of_them").old.tolist() == [1]
