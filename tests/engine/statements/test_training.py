"""BUILD and FIT from the text to the store: rows that cannot be learned from, speakers held out, new characters, history."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

import thanosql
from tests.models import checkpoints, log_mel
from thanosql import ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError
from thanosql.engine.executors.local import LocalExecutor
from thanosql.engine.session import Session
from thanosql.models import registry
from thanosql.models.bases import ASSETS
from thanosql.models.trained_rows import TRAINED_ROWS

FEW = "SELECT * FROM train ORDER BY audio_path LIMIT 12"
BUILD = "BUILD MODEL {} USING Wav2Vec2Tiny OPTIONS (max_epochs=1, batch_size=4{}) AS {}"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        opened.execute("COPY train FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_train.csv'")
        yield opened


@pytest.fixture(scope="module")
def faulty(session: Session) -> str:
    """A query for twelve rows that are well, and one of each fault behind them."""
    good = Path(session.execute(FEW).audio_path[0])
    sound = (session.settings.workspace / good).read_bytes()
    (session.settings.workspace / "cut.flac").write_bytes(sound[: len(sound) // 2])
    rows = {
        "nowhere.flac": "'one'",
        "cut.flac": "'two'",
        str(good): "NULL",
        str(good.parent / "0002.flac"): "'größe'",
        str(good.parent / "0003.flac"): "'?!'",
        str(good.parent / "0004.flac"): f"'{'seven hundred ' * 20}'",
    }
    there = sorted((session.settings.workspace / good.parent).iterdir())
    paths = [path if not path.startswith(str(good.parent)) else None for path in rows]
    values = ", ".join(
        f"({number}, '{path or good.parent / there[20 + number].name}', {text})"
        for number, (path, text) in enumerate(zip(paths, rows.values()), start=13)
    )
    return (
        f"SELECT audio_path, text FROM (SELECT row_number() OVER (ORDER BY audio_path) AS n, audio_path, text FROM ({FEW}) q "
        f"UNION ALL SELECT * FROM (VALUES {values}) v(n, audio_path, text)) w ORDER BY n"
    )


def card(session: Session, name: str) -> dict[str, Any]:
    return dict(session.store.get(name).card)


def weights(session: Session, name: str, version: int | None = None) -> dict[str, torch.Tensor]:
    return load_file(session.store.get(name, version).folder / "model.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_rows_that_cannot_be_learned_from_are_left_out_listed_and_counted(session: Session, faulty: str) -> None:
    result = session.run(BUILD.format("lenient", ", on_error='skip'", faulty))
    assert (result.value.utterances, result.value.skipped) == (12, 6)
    skipped = card(session, "lenient")["report"]["skipped"]
    assert [row["row"] for row in skipped] == [13, 14, 15, 16, 17, 18]
    kinds = ("unreadable audio", "unreadable audio", "no text", "unknown characters", "empty text", "text too long")
    assert [row["reason"].partition(":")[0] for row in skipped] == list(kinds)
    assert "6 rows were left out" in result.note
    # What was not learned from is not taken for trained on.
    assert len((session.store.get("lenient").folder / "trained_rows.txt").read_text().split()) == 12


def test_by_default_only_rows_that_do_not_fit_are_left_out(session: Session, faulty: str) -> None:
    for bad in ("nowhere", "cut"):
        with pytest.raises(ThanoSQLDataError, match=f"{bad}.flac"):
            session.execute(BUILD.format("strict", "", f"SELECT * FROM ({faulty}) q WHERE audio_path = '{bad}.flac'"))
    unfit = f"SELECT * FROM ({faulty}) q WHERE text IS NOT NULL AND text <> 'größe' AND audio_path LIKE 'thanosql%'"
    report = session.execute(BUILD.format("fitting", "", unfit))
    assert (report.utterances, report.skipped) == (12, 2)
    with pytest.raises(ThanoSQLDataError, match="2 of 14 rows") as caught:
        session.execute(BUILD.format("strict", ", on_error='raise'", unfit))
    assert [row["row"] for row in caught.value.rows] == [13, 14]
    assert not session.store.exists("strict")


def test_damage_that_shows_only_in_decoding_is_found_before_the_first_step(session: Session) -> None:
    seen: list[str] = []
    with pytest.raises(ThanoSQLDataError, match=r"cut\.flac"):
        session.run(
            BUILD.format("broken", "", f"({FEW}) UNION ALL SELECT 'cut.flac', 'two', 'nobody'"),
            progress=lambda step: seen.append(step.what),
        )
    assert not any("training" in what for what in seen)


def test_damaged_audio_of_the_rows_to_validate_on_is_found_before_the_first_step(session: Session) -> None:
    # What no header says: a sample in the middle that is no number.
    samples = np.zeros(16_000, np.float32)
    samples[8_000] = np.nan
    soundfile.write(session.settings.workspace / "nan.wav", samples, 16_000, subtype="FLOAT")
    seen: list[str] = []
    valid = "SELECT ''nan.wav'' AS audio_path, ''two'' AS text"
    with pytest.raises(ThanoSQLDataError, match="In valid_query, 1 of 1 row has audio") as caught:
        session.run(
            BUILD.format("broken", f", valid_query='{valid}'", FEW), progress=lambda step: seen.append(step.what)
        )
    assert caught.value.rows[0]["path"] == "nan.wav"
    assert not any("training" in what for what in seen)


def test_rows_that_are_validated_on_and_learned_from_are_counted_in_a_warning(session: Session) -> None:
    valid = "SELECT * FROM train ORDER BY audio_path OFFSET 10 LIMIT 6"
    result = session.run(BUILD.format("leaky", f", valid_query='{valid}'", FEW))
    assert "In valid_query, 2 of 6 rows are training rows as well" in result.note
    assert any("training rows as well" in warning for warning in card(session, "leaky")["report"]["warnings"])
    apart = valid.replace("OFFSET 10", "OFFSET 12")
    assert "training rows as well" not in session.run(BUILD.format("tight", f", valid_query='{apart}'", FEW)).note


def test_no_speaker_stands_on_both_sides_and_the_card_says_who_was_held_out(session: Session) -> None:
    query = "SELECT * FROM train WHERE speaker IN (SELECT DISTINCT speaker FROM train ORDER BY 1 LIMIT 4)"
    result = session.execute(BUILD.format("apart", ", valid_split=0.3, valid_group='speaker'", query))
    report = card(session, "apart")["report"]
    speakers = session.execute(f"SELECT speaker, count(*) AS n FROM ({query}) q GROUP BY 1").set_index("speaker").n
    held = report["valid_groups"]
    assert 0 < len(held) < len(speakers)
    assert report["valid_utterances"] == speakers[held].sum()
    assert result.utterances == speakers.sum() - speakers[held].sum()
    assert report["history"][0]["valid_wer"] is not None
    # They were not learned from, so that the model can be measured on them.
    assert len((session.store.get("apart").folder / "trained_rows.txt").read_text().split()) == result.utterances
    assert "learned" not in report
    shown = session.execute("SELECT value FROM (DESCRIBE MODEL apart) d WHERE name = 'valid_groups'").value[0]
    assert held[0] in shown


def test_one_speaker_alone_cannot_be_held_out(session: Session) -> None:
    query = "SELECT * FROM train WHERE speaker = (SELECT min(speaker) FROM train)"
    with pytest.raises(ThanoSQLDataError, match="All rows have the same 'speaker'"):
        session.execute(BUILD.format("m", ", valid_split=0.3, valid_group=speaker", query))
    none = "SELECT audio_path, text, CASE WHEN audio_path LIKE '%1.flac' THEN speaker END AS speaker FROM train"
    with pytest.raises(ThanoSQLDataError, match="no group in 'speaker'"):
        session.execute(BUILD.format("m", ", valid_split=0.3, valid_group=speaker", none))


@pytest.mark.parametrize(
    "options",
    [
        "valid_group='speaker'",
        "valid_split=0.1, valid_query='SELECT 1'",
        "early_stopping=2",
        "augment=['none', 'speed']",
        "vocabulary='grow'",
    ],
)
def test_options_that_contradict_each_other_are_refused_before_the_query_is_run(session: Session, options: str) -> None:
    with pytest.raises(ThanoSQLOptionError):
        session.execute(BUILD.format("m", f", {options}", "SELECT * FROM nowhere"))


def test_check_says_which_rows_a_kept_vocabulary_would_refuse(session: Session, faulty: str) -> None:
    query = f"SELECT * FROM ({faulty}) q WHERE text IN ('größe', 'one')"
    for options, problem in (
        ("", "unknown characters"),
        ("vocabulary='extend'", "new characters"),
        ("vocabulary='rebuild'", "new characters"),
    ):
        found = session.execute(f"CHECK BUILD MODEL m USING Wav2Vec2Tiny OPTIONS ({options}) AS {query}")
        (row,) = found[found.problem == problem].to_dict("records")
        assert "ö ß" in row["reason"]
        assert ("unknown characters" in set(found.problem)) is (options == "")


@pytest.mark.parametrize("kind", ["wav2vec2", "granite"])
def test_texts_outside_of_the_vocabulary_are_refused_before_a_file_of_audio_is_opened(
    session: Session, tmp_path: Path, kind: str
) -> None:
    make = checkpoints.make if kind == "wav2vec2" else log_mel.granite
    base = make(tmp_path / kind)
    rows = "SELECT '/nowhere/' || text || '.wav' AS audio_path, 'größe 7' AS text FROM train LIMIT 3"
    build = f"BUILD MODEL refused USING '{base}' OPTIONS (normalizer='none') AS {rows}"
    with pytest.raises(ThanoSQLDataError, match="3 texts contain characters that the model's vocabulary lacks"):
        session.execute(build)
    with pytest.raises(ThanoSQLDataError, match="cannot be read|no such file"):
        session.execute(build.replace("größe 7", "EAT").replace("'none'", "'auto'"))


def test_an_extended_model_predicts_is_measured_and_trained_on(session: Session) -> None:
    query = (
        f"SELECT audio_path, replace(text, 'three', 'drei ß') AS text FROM ({FEW}) q UNION ALL SELECT * FROM ({{}}) r"
    )
    query = query.format("SELECT audio_path, 'ßßß' FROM train ORDER BY audio_path DESC LIMIT 1")
    result = session.run(BUILD.format("grown", ", vocabulary='extend'", query))
    assert "Learned as new characters: ß" in result.note
    found = card(session, "grown")
    assert found["vocabulary"] == {"choice": "extend", "added": "ß"}
    count = session.execute("SELECT value FROM (DESCRIBE MODEL grown) d WHERE section='vocabulary' AND name='tokens'")
    base = session.execute(
        "SELECT value FROM (DESCRIBE MODEL Wav2Vec2Tiny) d WHERE section='vocabulary' AND name='tokens'"
    )
    assert int(count.value[0]) == int(base.value[0]) + 1
    assert len(session.execute(f"PREDICT USING grown AS {FEW}")) == 12
    assert session.execute(f"EVALUATE USING grown AS {query}").wer[0] >= 0
    assert (
        session.execute(f"CHECK FIT MODEL more USING grown AS {query}").problem.tolist().count("unknown characters")
        == 0
    )
    report = session.execute(f"FIT MODEL more USING grown OPTIONS (max_epochs=1, batch_size=4) AS {query}")
    assert report.utterances == 13
    assert card(session, "more")["report"]["added"] == []
    assert len(weights(session, "more")["lm_head.bias"]) == int(count.value[0])


def test_steps_and_epochs_are_on_the_card_and_can_be_queried(session: Session) -> None:
    session.execute(BUILD.format("told", ", valid_split=0.25", FEW).replace("max_epochs=1", "max_epochs=2"))
    steps = session.execute(
        "SELECT name, (value::jsonb ->> 'loss')::float AS loss, (value::jsonb ->> 'learning_rate')::float AS rate "
        "FROM (DESCRIBE MODEL told) d WHERE section = 'steps'"
    )
    assert list(steps.name) == [f"step {number}" for number in range(1, 7)]
    assert (steps.loss > 0).all()
    assert (steps.rate > 0).all()
    epochs = session.execute(
        "SELECT e.* FROM (DESCRIBE MODEL told) d, jsonb_to_record(value::jsonb) AS e(loss float, seconds float, rtfx float, "
        "valid_loss float, valid_wer float, valid_cer float) WHERE section = 'history'"
    )
    assert len(epochs) == 2
    assert epochs.notna().all(axis=None)
    # Nine rows are steps of four, four and one.
    assert epochs.loss[0] == pytest.approx((4 * steps.loss[0] + 4 * steps.loss[1] + steps.loss[2]) / 9, rel=1e-4)


def test_the_lineage_tells_all_that_made_the_model(session: Session) -> None:
    statement = BUILD.format("lined", ", seed=3", FEW)
    session.execute(statement)
    facts = session.execute("SELECT section, name, value FROM (DESCRIBE MODEL lined) d")
    found = {(row["section"], row["name"]): row["value"] for row in facts.to_dict("records")}
    assert found["lineage", "statement"] == statement
    assert found["options", "seed"] == "3"
    assert found["lineage", "from name"] == "Wav2Vec2Tiny"
    assert len(found["lineage", "from hash"]) == 16
    assert found["model", "rows"] == "12"
    assert float(found["model", "audio_hours"]) > 0
    assert len(found["lineage", "fingerprint"]) == 32
    assert "cores" in found["lineage", "hardware"]
    assert {"python", "thanosql", "torch", "transformers"} <= {name for section, name in found if section == "versions"}
    assert float(found["report", "seconds"]) > 0
    assert found["model", "created"]
    assert found["report", "precision"] == "float32"


def test_one_seed_gives_one_model_to_the_last_bit(session: Session) -> None:
    for name, seed in (("first", 5), ("again", 5), ("other", 6)):
        session.execute(BUILD.format(name, f", seed={seed}", FEW))
    assert same(weights(session, "first"), weights(session, "again"))
    assert not same(weights(session, "first"), weights(session, "other"))


def test_in_a_notebook_and_at_the_prompt_the_same_statement_is_resumed(session: Session) -> None:
    build = BUILD.format("taken_up", "", FEW)
    session.execute(BUILD.format("unbroken", "", FEW))

    def stop(step: Any) -> None:
        if "training" in step.what and step.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="run the same statement again to resume it"):
        session.run(build, progress=stop, interactive=True)
    result = session.run(build, interactive=True)
    assert (
        "Resumed the unfinished training of this statement after 2 of 3 steps; resume=False starts over." in result.note
    )
    assert same(weights(session, "taken_up"), weights(session, "unbroken"))
    # Another statement of that name begins anew, as it does in a script.
    other = BUILD.format("taken_up", ", overwrite=True, seed=7", FEW)
    with pytest.raises(KeyboardInterrupt):
        session.run(other, progress=stop, interactive=True)
    note = session.run(other.replace("seed=7", "seed=8"), interactive=True).note
    assert "Discarded an unfinished training of another statement (2 of 3 steps)." in note
    assert "Resumed" not in note
    assert "Discarded" not in session.run(other, interactive=True).note


def test_a_fit_is_resumed_though_its_name_was_built_again_meanwhile(session: Session) -> None:
    """As a script is run again from its beginning, which was interrupted in FIT."""
    build = BUILD.format("rerun", ", overwrite=True", FEW)
    fit = build.replace("BUILD MODEL rerun USING Wav2Vec2Tiny", "FIT MODEL rerun USING rerun")

    def interrupt(step: Any) -> None:
        if step.done == 2 and "training" in step.what:
            raise KeyboardInterrupt

    session.execute(build)
    with pytest.raises(KeyboardInterrupt, match="run the same statement again to resume it"):
        session.run(fit, progress=interrupt, interactive=True)
    with pytest.raises(KeyboardInterrupt, match="run the same statement again to resume it"):
        session.run(build, progress=interrupt, interactive=True)
    (listed,) = session.execute("LIST MODEL").query("name == 'rerun'").status
    assert listed == "ready; unfinished BUILD, 2 of 3 steps; unfinished FIT, 2 of 3 steps"
    assert "Resumed the unfinished training" in session.run(build, interactive=True).note
    assert "Resumed the unfinished training" in session.run(fit, interactive=True).note
    (listed,) = session.execute("LIST MODEL").query("name == 'rerun'").status
    assert listed == "ready"


def test_other_audio_of_the_same_names_and_lengths_is_not_resumed_on(session: Session, tmp_path: Path) -> None:
    names = session.execute(FEW).audio_path
    for number, name in enumerate(names[:6]):
        shutil.copy(session.settings.workspace / name, tmp_path / f"{number}.flac")
    rows = ", ".join(f"('{tmp_path}/{number}.flac', 'one')" for number in range(6))
    build = BUILD.format("swapped", "{}", f"SELECT * FROM (VALUES {rows}) v(audio_path, text)")

    def stop(step: Any) -> None:
        if "training" in step.what and step.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.run(build.format(""), progress=stop)
    content, rate = soundfile.read(tmp_path / "0.flac")
    soundfile.write(tmp_path / "0.flac", content[::-1], rate)
    with pytest.raises(ThanoSQLModelError, match=r"because these changed: audio files \("):
        session.execute(build.format(", resume=True"))
    session.execute(build.format(""))  # it is another run, which begins anew


def test_an_interrupt_says_how_to_go_on_and_the_same_statement_offers_it(session: Session) -> None:
    build = BUILD.format("cut", "", FEW)
    session.execute(BUILD.format("whole", "", FEW))

    def stop(step: Any) -> None:
        if "training" in step.what and step.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="resume=True"):
        session.run(build, progress=stop)
    assert not session.store.exists("cut")
    with pytest.raises(ThanoSQLModelError, match="2 of its 3 steps") as caught:
        session.execute(build)
    assert "Write OPTIONS (max_epochs=1, batch_size=4, resume=True) to resume it" in str(caught.value)
    with pytest.raises(ThanoSQLModelError, match="learning_rate") as caught:
        session.execute(build.replace("batch_size=4", "batch_size=4, learning_rate=0.5, resume=True"))
    assert "0.002 then, 0.5 now" in str(caught.value)
    with pytest.raises(ThanoSQLModelError, match="rows \\(12, "):
        session.execute(build.replace("batch_size=4", "batch_size=4, resume=True").replace("LIMIT 12", "LIMIT 11"))
    session.execute(build.replace("batch_size=4", "batch_size=4, resume=True"))
    assert same(weights(session, "cut"), weights(session, "whole"))
    session.execute(build.replace("MODEL cut", "MODEL cut2"))
    shutil.rmtree(session.store.folder / ".training", ignore_errors=True)


@pytest.mark.parametrize("moment", ["the rows", "the facts", "the lock", "the executor", "the family"])
@pytest.mark.parametrize("back", ["", "later", "once more"], ids=["dropped", "replaced", "gone and back"])
def test_a_model_that_another_session_takes_away_while_fit_begins_is_said_to_be_gone(
    session: Session, database_url: str, monkeypatch: pytest.MonkeyPatch, moment: str, back: str
) -> None:
    """Between two looks at it: as texts are held against it, as FIT waits for the name's lock, and as the training is about
    to open it; also where another model of its name lies in its place before that is looked at."""
    session.execute(f"UPLOAD MODEL going OPTIONS (overwrite=True) FROM '{ASSETS / 'Wav2Vec2Tiny'}'")
    session.execute("DROP MODEL IF EXISTS fitted")
    other = thanosql.connect(database_url, home=session.settings.home)

    def take_away() -> None:
        monkeypatch.undo()
        other.execute("DROP MODEL going")
        if back == "later":
            for _ in range(2):  # so that its version is another one
                other.execute(f"UPLOAD MODEL going OPTIONS (overwrite=True) FROM '{ASSETS / 'Wav2Vec2Tiny'}'")
                shutil.rmtree(session.store.folder / "going" / str(version), ignore_errors=True)

    trainable = registry.family(session.store.get("going").card["family"])
    version = session.store.get("going").version
    where: Any = {"the lock": type(session.store), "the executor": LocalExecutor}.get(moment, trainable)
    called = {"the rows": "prepare", "the facts": "facts_for_training", "the lock": "writing"}.get(moment, "train")
    kept = getattr(where, called)

    def first(*given: Any, **named: Any) -> Any:
        take_away()
        try:
            return kept(*given, **named)
        finally:
            if back == "once more":
                (session.store.folder / "going" / str(version)).mkdir(parents=True)

    monkeypatch.setattr(where, called, first)
    with other, pytest.raises(ThanoSQLModelError, match=f"There is no model going of version {version} any more"):
        session.execute(f"FIT MODEL fitted USING going OPTIONS (max_epochs=1, batch_size=4) AS {FEW}")
    assert not session.store.exists("fitted")


def test_what_a_model_learned_is_known_though_it_is_replaced_while_another_learns_from_it(session: Session) -> None:
    session.execute(BUILD.format("elder", ", overwrite=True", FEW))
    known = (session.store.get("elder").folder / TRAINED_ROWS).read_text().split()
    session.execute("DROP MODEL IF EXISTS younger")
    gone: list[bool] = []

    def progress(at: Any) -> None:
        if "training" in at.what and not gone:
            gone.append(True)
            shutil.rmtree(session.store.get("elder").folder)

    later = "SELECT * FROM train ORDER BY audio_path DESC LIMIT 8"
    session.run(f"FIT MODEL younger USING elder OPTIONS (max_epochs=1, batch_size=4) AS {later}", progress=progress)
    assert gone
    assert known
    assert set(known) < set((session.store.get("younger").folder / TRAINED_ROWS).read_text().split())
