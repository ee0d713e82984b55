"""GET, UPLOAD, DESCRIBE and DROP: models come into the store whole, are told of, and go."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import soundfile

import thanosql
from thanosql import ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError
from thanosql.engine.session import Session

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Wav2Vec2ForCTC as transformers saves it."""
    from thanosql.models.families.imports import transformers

    package = transformers()
    folder = tmp_path_factory.mktemp("uploaded") / "model"
    config = package.Wav2Vec2Config(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        conv_dim=[16, 16, 16, 24, 24, 24, 32],
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        vocab_size=len(LETTERS),
        pad_token_id=0,
    )
    package.Wav2Vec2ForCTC(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(LETTERS)}))
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "preprocessor_config.json").write_text('{"sampling_rate": 16000, "do_normalize": true}')
    return folder


@pytest.fixture
def bases(session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose Wav2Vec2En is that folder."""
    import dataclasses

    session.settings = dataclasses.replace(session.settings, base_models={"Wav2Vec2En": str(folder)})
    return session


def described(session: Session, name: str) -> dict[tuple[str, str], str]:
    frame = session.execute(f"DESCRIBE MODEL {name}")
    assert list(frame.columns) == ["section", "name", "value"]
    return {(row["section"], row["name"]): row["value"] for row in frame.to_dict("records")}


def test_an_uploaded_folder_is_a_model_that_predicts(session: Session, folder: Path, tmp_path: Path) -> None:
    session.execute("UPLOAD MODEL mine FROM :folder", {"folder": folder})
    stored = session.store.get("mine").folder
    assert (stored / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    soundfile.write(tmp_path / "a.wav", [0.1, -0.1] * 4000, 16000)
    heard = session.execute("PREDICT USING mine AS SELECT :path AS audio_path", {"path": str(tmp_path / "a.wav")})
    assert len(heard) == 1


def test_weights_in_a_pickle_become_safetensors(session: Session, folder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    old = tmp_path / "old"
    shutil.copytree(folder, old)
    weights = load_file(old / "model.safetensors")
    (old / "model.safetensors").unlink()
    torch.save(weights, old / "pytorch_model.bin")
    session.execute("UPLOAD MODEL mine FROM :folder", {"folder": str(old)})
    stored = session.store.get("mine").folder
    assert not list(stored.glob("*.bin"))
    kept = load_file(stored / "model.safetensors")
    assert torch.equal(kept["lm_head.weight"], weights["lm_head.weight"])


@pytest.mark.parametrize("missing", ["config.json", "vocab.json", "model.safetensors"])
def test_an_incomplete_folder_is_refused_and_leaves_no_model(
    session: Session, folder: Path, tmp_path: Path, missing: str
) -> None:
    part = tmp_path / "part"
    shutil.copytree(folder, part)
    (part / missing).unlink()
    with pytest.raises(ThanoSQLModelError, match=missing):
        session.execute("UPLOAD MODEL mine FROM :folder", {"folder": str(part)})
    assert session.execute("LIST MODEL").empty


def test_a_folder_that_is_not_there_is_named(session: Session) -> None:
    with pytest.raises(ThanoSQLDataError, match="There is no file or folder nowhere"):
        session.execute("UPLOAD MODEL mine FROM 'nowhere'")


def test_a_model_that_exists_is_replaced_only_when_asked(session: Session, folder: Path) -> None:
    params = {"folder": str(folder)}
    session.execute("UPLOAD MODEL mine FROM :folder", params)
    with pytest.raises(ThanoSQLModelError, match="mine exists already") as raised:
        session.execute("UPLOAD MODEL mine FROM :folder", params)
    assert raised.value.position is not None
    session.execute("UPLOAD MODEL mine OPTIONS (overwrite=True) FROM :folder", params)
    assert session.store.get("mine").version == 2


def test_a_base_goes_into_the_store_under_a_name(bases: Session) -> None:
    bases.execute("GET THANOSQL MODEL Wav2Vec2En")
    bases.execute("GET THANOSQL MODEL Wav2Vec2En OPTIONS (model_name='second')")
    assert sorted(bases.execute("LIST MODEL")["name"]) == ["Wav2Vec2En", "second"]
    assert described(bases, "second")["model", "base"] == "Wav2Vec2En"
    with pytest.raises(ThanoSQLModelError, match="exists already"):
        bases.execute("GET THANOSQL MODEL Wav2Vec2En OPTIONS (model_name='second')")
    bases.execute("GET THANOSQL MODEL Wav2Vec2En OPTIONS (model_name='second', overwrite=True)")


def test_a_misspelt_base_or_option_gets_a_suggestion(bases: Session) -> None:
    with pytest.raises(ThanoSQLModelError, match=r"(?s)no base model Wav2Vec2Eng.*Did you mean Wav2Vec2En\?"):
        bases.execute("GET THANOSQL MODEL Wav2Vec2Eng")
    with pytest.raises(ThanoSQLOptionError, match="model_name"):
        bases.execute("GET THANOSQL MODEL Wav2Vec2En OPTIONS (model_nam='x')")


def test_describe_tells_the_lineage_vocabulary_and_size(session: Session, folder: Path) -> None:
    sql = "UPLOAD MODEL mine FROM :folder"
    session.execute(sql, {"folder": str(folder)})
    facts = described(session, "mine")
    assert facts["lineage", "statement"] == sql
    assert facts["lineage", "from name"] == str(folder)
    assert facts["model", "version"] == "1"
    assert facts["vocabulary", "tokens"] == str(len(LETTERS))
    assert "' A B C" in facts["vocabulary", "characters"]
    assert facts["normalizer", "case"] == "upper"
    assert facts["architecture", "transformer layers"] == "2"
    assert ("versions", "torch") in facts


def test_describe_shows_what_a_training_left_on_the_card(session: Session, folder: Path) -> None:
    from thanosql.models.families.waveform_ctc.checkpoint_import import import_checkpoint

    history = [{"epoch": number, "loss": 1.0 / number, "seconds": 2.0, "rtfx": 9.5} for number in (1, 2)]
    card = {
        "family": "wav2vec2",
        "base": "Wav2Vec2Tiny",
        "statement": "BUILD MODEL trained USING Wav2Vec2Tiny AS SELECT 1",
        "options": {"seed": 7, "learning_rate": 1e-3},
        "report": {"loss": 0.5, "history": history},
        "evaluations": [{"wer": 0.125, "utterances": 80}],
    }
    with session.store.writing("trained") as draft:
        import_checkpoint(str(folder), draft.folder)
        draft.commit(card)
    facts = described(session, "trained")
    assert facts["options", "seed"] == "7"
    assert facts["history", "epoch 1"] == '{"loss": 1, "seconds": 2, "rtfx": 9.5}'
    assert facts["history", "epoch 2"].startswith('{"loss": 0.5')
    assert facts["evaluations", "1"] == '{"wer": 0.125, "utterances": 80}'
    assert facts["lineage", "statement"] == card["statement"]


def test_describe_stands_in_a_query(session: Session, folder: Path) -> None:
    session.execute("UPLOAD MODEL mine FROM :folder", {"folder": str(folder)})
    frame = session.execute("SELECT value FROM (DESCRIBE MODEL mine) d WHERE section = 'model' AND name = 'name'")
    assert list(frame.value) == ["mine"]
    assert session.execute("SELECT relname FROM pg_class WHERE relname LIKE 'thanosql%'").empty


def test_a_base_is_described_without_being_fetched(session: Session) -> None:
    facts = described(session, "Wav2Vec2Ko")
    assert facts["model", "kind"] == "base model"
    assert facts["model", "size"] == "1.27 GB"
    assert facts["training defaults", "batch_size"] == "16"


def test_a_misspelt_model_gets_a_suggestion(session: Session, folder: Path) -> None:
    session.execute("UPLOAD MODEL mine FROM :folder", {"folder": str(folder)})
    for statement in ("DESCRIBE MODEL mime", "DROP MODEL mime"):
        with pytest.raises(ThanoSQLModelError, match=r"Did you mean mine\?") as raised:
            session.execute(statement)
        assert raised.value.position is not None


@pytest.mark.parametrize("statement", ["DROP MODEL mine", "ROLLBACK MODEL mine TO 1", "LIST MODEL VERSIONS mine"])
def test_where_there_is_no_model_at_all_the_message_says_how_one_is_made(session: Session, statement: str) -> None:
    said = r"^There is no model mine, and no other yet\.(.|\n)*\nBUILD MODEL mine USING Wav2Vec2Tiny AS … makes one\.$"
    with pytest.raises(ThanoSQLModelError, match=said) as raised:
        session.execute(statement)
    assert raised.value.position is not None
    with pytest.raises(ThanoSQLModelError, match="There are none of any model: only interrupted statements leave some"):
        session.execute("DROP PREDICTIONS mine")


def test_a_dropped_model_is_gone(session: Session, folder: Path) -> None:
    for statement in ("DROP MODEL mine", "DELETE MODEL mine", "DROP MODEL IF EXISTS mine"):
        session.execute("UPLOAD MODEL mine FROM :folder", {"folder": str(folder)})
        assert session.execute(statement) == "DROP MODEL mine"
        assert session.execute("LIST MODEL").empty
    assert session.execute("DROP MODEL IF EXISTS mine") == "DROP MODEL"
    with pytest.raises(ThanoSQLModelError, match="Wav2Vec2En is a base"):
        session.execute("DROP MODEL Wav2Vec2En")


def test_a_data_set_is_in_the_workspace_and_stays_unless_overwritten(session: Session) -> None:
    result = session.run("GET THANOSQL DATASET spoken_numbers")
    folder = session.settings.workspace / "thanosql-dataset" / "spoken_numbers"
    assert "'thanosql-dataset/spoken_numbers/spoken_numbers_train.csv'" in result.note
    frame = pd.read_csv(folder / "spoken_numbers_train.csv")
    assert all((session.settings.workspace / path).is_file() for path in frame["audio_path"])
    with pytest.raises(ThanoSQLDataError, match="is there already"):
        session.execute("GET THANOSQL DATASET spoken_numbers")
    (folder / "spoken_numbers_train.csv").unlink()
    session.execute("GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)")
    assert (folder / "spoken_numbers_train.csv").is_file()
    with pytest.raises(ThanoSQLDataError, match=r"Did you mean spoken_numbers\?"):
        session.execute("GET THANOSQL DATASET spoken_number")


def test_print_audio_gives_the_rows_and_names_the_audio(numbers: Session) -> None:
    result = numbers.run("PRINT AUDIO AS SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 2")
    assert result.audio is not None
    assert result.audio.name == "audio_path"
    assert list(result.value.columns) == ["audio_path", "text", "speaker"]
    assert len(result.value) == 2
    with pytest.raises(ThanoSQLDataError, match="audio_col"):
        numbers.execute("PRINT AUDIO OPTIONS (audio_col='nope') AS SELECT * FROM librispeech_test")
    with pytest.raises(ThanoSQLDataError, match="is of type integer"):
        numbers.execute("PRINT AUDIO AS SELECT 1 AS audio_path")


def unfinished(session: Session, name: str) -> None:
    """What a training that was killed leaves."""
    import torch

    from thanosql.models.training.resume import SavedState

    SavedState(session.store.training_state(name), {}).save({"step": 3, "steps": 9}, {"a": torch.zeros(1)})


def test_a_damaged_model_hides_no_other_and_its_row_says_what_is_wrong(session: Session, folder: Path) -> None:
    for name in ("a", "b", "c", "d"):
        session.execute(f"UPLOAD MODEL {name} FROM :folder", {"folder": str(folder)})
    (session.store.folder / "a" / "CURRENT").write_text("nonsense")
    (session.store.get("b").folder / "thanosql.json").write_text("[1]")
    card = session.store.get("c").folder / "thanosql.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "evaluations": [1, {"wer": "x"}], "rows": "y"}))
    listed = session.execute("SELECT * FROM (LIST MODEL) m ORDER BY name").set_index("name")
    assert list(listed.index) == ["a", "b", "c", "d"]
    assert listed.status["a"].startswith("The model a is damaged")
    assert "thanosql.json holds no object" in listed.status["b"]
    assert list(listed.status[["c", "d"]]) == ["ready", "ready"]
    assert list(listed.version[["c", "d"]]) == [1, 1]
    assert ("model", "name") in described(session, "c")
    versions = session.execute("LIST MODEL VERSIONS c")
    assert list(versions.version) == [1]


def test_unfinished_trainings_are_listed_and_dropped(session: Session, folder: Path) -> None:
    session.execute("UPLOAD MODEL both FROM :folder", {"folder": str(folder)})
    unfinished(session, "both")
    unfinished(session, "alone")
    damaged = session.store.training_state("damaged")
    damaged.mkdir()
    (damaged / "state.safetensors").write_bytes(b"nothing")
    listed = session.execute("LIST MODEL").set_index("name")
    assert listed.status["both"] == "ready; unfinished BUILD, 3 of 9 steps"
    assert listed.status["alone"] == "unfinished BUILD, 3 of 9 steps"
    assert "is damaged" in listed.status["damaged"]
    assert pd.isna(listed.version["alone"])
    for name in ("both", "alone", "damaged"):
        result = session.run(f"DROP MODEL {name}")
        assert result.status == f"DROP MODEL {name}"
        assert f"unfinished training of {name} was removed" in result.note
    assert session.execute("LIST MODEL").empty
    with pytest.raises(ThanoSQLModelError, match="There is no model alone"):
        session.execute("DROP MODEL alone")


def test_a_model_whose_pointer_is_lost_is_listed_with_the_cure_which_a_later_session_applies(
    session: Session, folder: Path
) -> None:
    session.execute("UPLOAD MODEL lost FROM :folder", {"folder": str(folder)})
    (session.store.folder / "lost" / "CURRENT").unlink()
    with thanosql.connect(session.settings.database_url, home=session.settings.home) as later:
        (status,) = later.execute("LIST MODEL").query("name == 'lost'").status
        assert status.startswith("The model lost is damaged: what names its current version is missing")
        assert "ROLLBACK MODEL lost TO VERSION 1" in status
        with pytest.raises(ThanoSQLModelError, match="is damaged"):
            later.execute("ROLLBACK MODEL lost")
        assert later.run("ROLLBACK MODEL lost TO VERSION 1").note == "lost is at version 1; it was damaged."
        assert later.execute("LIST MODEL").query("name == 'lost'").status.tolist() == ["ready"]
        later.execute("DROP MODEL lost")


def test_whole_numbers_and_moments_of_a_list_stay_what_they_are_beside_nulls(session: Session, folder: Path) -> None:
    session.execute("UPLOAD MODEL ready FROM :folder", {"folder": str(folder)})
    unfinished(session, "alone")
    session.execute("CREATE TABLE three AS SELECT generate_series(1, 3); CREATE VIEW of_it AS SELECT * FROM three")
    models = session.execute("LIST MODEL").set_index("name")
    assert models.dtypes[["version", "rows", "created"]].astype(str).tolist() == [
        "Int64",
        "Int64",
        "datetime64[us, UTC]",
    ]
    assert models.version["ready"] == 1
    assert pd.isna(models.created["alone"])
    tables = session.execute("LIST TABLE").set_index("table")
    assert tables.dtypes[["rows", "bytes"]].astype(str).tolist() == ["Int64", "Int64"]
    assert tables.rows["three"] == 3
    assert pd.isna(tables.rows["of_it"])


@pytest.mark.parametrize("numbers", [{}, {"step": "x", "steps": 9}, {"step": 1}, []])
def test_a_checkpoint_of_another_version_is_damage(session: Session, numbers: object) -> None:
    import torch
    from safetensors.torch import save_file

    state = session.store.training_state("other")
    state.mkdir(parents=True)
    header = {"x": "y"} if numbers == {} else {"numbers": json.dumps(numbers), "identity": "{}"}
    save_file({"a": torch.zeros(1)}, state / "state.safetensors", metadata=header)
    (status,) = session.execute("LIST MODEL").status
    assert "is damaged" in status
    assert "resume=False" not in status, "the hint is for the statement that meets it"


def test_a_model_does_not_take_a_bases_name(session: Session, folder: Path) -> None:
    with pytest.raises(ThanoSQLModelError, match="Wav2Vec2Tiny is the name of a base") as raised:
        session.execute("UPLOAD MODEL Wav2Vec2Tiny OPTIONS (overwrite=True) FROM :folder", {"folder": str(folder)})
    assert raised.value.position is not None
    with pytest.raises(ThanoSQLModelError, match="Wav2Vec2Ko is the name of a base"):
        session.execute("BUILD MODEL Wav2Vec2Ko USING Wav2Vec2Tiny AS SELECT 'a' AS audio_path, 'b' AS text")


def test_two_homes_share_one_store(database_url: str, tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "models"
    with thanosql.connect(database_url, home=tmp_path / "one", store=shared) as one:
        one.execute("GET THANOSQL MODEL Wav2Vec2Tiny OPTIONS (model_name='ours')")
        assert one.store.get("ours").folder == shared / "ours" / "1"
    assert not (tmp_path / "one" / "models").exists()
    with thanosql.connect(database_url, home=tmp_path / "two", store=shared.as_uri()) as other:
        assert list(other.execute("LIST MODEL")["name"]) == ["ours"]
