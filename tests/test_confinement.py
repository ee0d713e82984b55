"""Once `audio_roots` is set, no statement reads a local file outside of them, by whatever door it is asked."""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import thanosql
from tests.models import log_mel
from thanosql.config import Settings
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLError
from thanosql.models import datasets, measurements
from thanosql.models.adapter_base import AdapterBase
from thanosql.models.audio import AudioError, reading
from thanosql.models.audio.access import AudioAccess
from thanosql.notebook.players import Players

TINY = Path(thanosql.__file__).parent / "models" / "assets" / "Wav2Vec2Tiny"
AUDIO = datasets.DATASETS["spoken_numbers"].folder / "train" / "0001.flac"
OUTSIDE = "outside of the folders"

READERS = [
    "COPY t OPTIONS (if_exists='replace') FROM '{}/secret.csv'",
    "COPY t OPTIONS (if_exists='replace') FROM '{}/secret.json'",
    "COPY t OPTIONS (if_exists='replace') FROM '{}'",
    "COPY t OPTIONS (if_exists='replace') FROM '{}/kaldi'",
    "COPY (SELECT 1 AS n) TO '{}/written.csv'",
    "UPLOAD MODEL u FROM '{}/model'",
    "PREDICT USING '{}/model' AS SELECT 'a.flac' AS audio_path",
    "PREDICT USING '{}/not_there' AS SELECT 'a.flac' AS audio_path",
    "EVALUATE USING '{}/model' AS SELECT 'a.flac' AS audio_path, 'one' AS text",
    "BUILD MODEL b USING '{}/model' AS SELECT 'a.flac' AS audio_path, 'one' AS text",
    "ALIGN USING '{}/model' AS SELECT 'a.flac' AS audio_path, 'one' AS text",
    "EXPLAIN PREDICT USING '{}/model' AS SELECT 'a.flac' AS audio_path",
    "CHECK PREDICT USING '{}/model' AS SELECT 'a.flac' AS audio_path",
    "PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', lm='{}/words.arpa') AS SELECT 'a.flac' AS audio_path",
    "PREDICT USING Wav2Vec2Tiny AS SELECT '{}/b.flac' AS audio_path",
]


def fill(folder: Path) -> None:
    folder.mkdir()
    shutil.copytree(TINY, folder / "model")
    shutil.copy(AUDIO, folder / "b.flac")
    (folder / "secret.csv").write_text("k,v\nkey,hunter2\n")
    (folder / "secret.json").write_text('[{"key": "hunter2"}]')
    (folder / "words.arpa").write_text("\\data\\\nngram 1=1\n\n\\1-grams:\n-1.0\tone\n\n\\end\\\n")
    (folder / "kaldi").mkdir()
    (folder / "kaldi" / "wav.scp").write_text("one b.flac\n")


@pytest.fixture
def confined(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session whose files are those under `roots`; `outside` beside it has some of each kind."""
    roots = tmp_path / "roots"
    fill(roots)
    shutil.copy(AUDIO, roots / "a.flac")
    fill(tmp_path / "outside")
    monkeypatch.setenv("THANOSQL_AUDIO_ROOTS", str(roots))
    with thanosql.connect(database_url, home=tmp_path / "home") as session:
        yield session


@pytest.mark.parametrize(
    ("way", "statement"),
    [
        *product(("absolute", "link"), READERS),
        *product(("dots", "working folder"), (one for one in READERS if one.startswith(("COPY t", "PREDICT")))),
    ],
)
def test_nothing_outside_is_read(
    confined: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, statement: str
) -> None:
    place = tmp_path / "outside"
    if way == "dots":
        place = tmp_path / "roots" / ".." / "outside"
    elif way == "link":
        place = tmp_path / "roots" / "inside"
        place.symlink_to(tmp_path / "outside")
    elif way == "working folder":
        monkeypatch.chdir(tmp_path)
        place = Path("./outside")
    with pytest.raises(ThanoSQLError) as refused:
        confined.execute(statement.format(place))
    # A relative path is looked for under the roots, and is not there; 'outside/not_there' reads as an id of the hub.
    missing = ("no such file", "no language model", "cannot be reached") if way == "working folder" else ()
    assert any(said in str(refused.value) for said in (OUTSIDE, *missing))
    assert "hunter2" not in str(refused.value)
    assert not (tmp_path / "outside" / "written.csv").exists()


@pytest.mark.parametrize("statement", [one for one in READERS if "not_there" not in one and "CHECK" not in one])
def test_the_same_is_read_inside(confined: Session, tmp_path: Path, statement: str) -> None:
    if "BUILD" in statement:
        statement = statement.replace(" AS ", " OPTIONS (max_epochs=1) AS ", 1)
    confined.execute(statement.format(tmp_path / "roots"))


def test_what_the_home_keeps_of_this_processor_is_read_though_it_lies_outside(confined: Session) -> None:
    measured = confined.settings.home / measurements.FILE
    measured.parent.mkdir(parents=True, exist_ok=True)
    measured.write_text("{}")
    heard = confined.execute("PREDICT USING Wav2Vec2Tiny AS SELECT 'b.flac' AS audio_path")
    assert len(heard) == 1


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "model.safetensors"])
@pytest.mark.parametrize(
    "statement", ["UPLOAD MODEL u FROM '{}'", "PREDICT USING '{}' AS SELECT 'a.flac' AS audio_path"]
)
def test_a_link_within_a_model_leads_to_nothing_outside(
    confined: Session, tmp_path: Path, statement: str, name: str
) -> None:
    model = tmp_path / "roots" / "model"
    (model / name).unlink()
    (model / name).symlink_to(tmp_path / "outside" / "model" / name)
    with pytest.raises(ThanoSQLError, match=OUTSIDE):
        confined.execute(statement.format(model))
    assert not confined.store.exists("u")


@pytest.mark.parametrize(
    "statement", ["UPLOAD MODEL u FROM '{}'", "PREDICT USING '{}' AS SELECT 'a.flac' AS audio_path"]
)
def test_adapters_lead_to_no_base_outside(confined: Session, tmp_path: Path, statement: str) -> None:
    model = tmp_path / "roots" / "model"
    outside = tmp_path / "outside" / "model"
    AdapterBase.of("base", str(outside), [outside / "model.safetensors"]).write(model)
    with pytest.raises(ThanoSQLError, match=OUTSIDE):
        confined.execute(statement.format(model))
    assert not confined.store.exists("u")


@pytest.mark.parametrize("name", ["wav.scp", "text", "utt2spk"])
def test_a_link_within_a_corpus_leads_to_nothing_outside(confined: Session, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "roots" / "kaldi"
    (folder / name).unlink(missing_ok=True)
    (tmp_path / "outside" / "lines").write_text("one hunter2\n")
    (folder / name).symlink_to(tmp_path / "outside" / "lines")
    with pytest.raises(ThanoSQLError, match=OUTSIDE):
        confined.execute(f"COPY t OPTIONS (if_exists='replace') FROM '{folder}'")


SWAPPED = [
    ("secret.csv", "COPY t FROM '{}/secret.csv'"),
    ("secret.json", "COPY t FROM '{}/secret.json'"),
    ("secret.parquet", "COPY t FROM '{}/secret.parquet'"),
    ("secret.xlsx", "COPY t FROM '{}/secret.xlsx'"),
    ("secret.srt", "COPY t FROM '{}/secret.srt'"),
    ("kaldi", "COPY t FROM '{}/kaldi'"),
    ("kaldi/wav.scp", "COPY t FROM '{}/kaldi'"),
    ("written", "COPY (SELECT 1 AS n) TO '{}/written/n.csv'"),
    ("model", "UPLOAD MODEL u FROM '{}/model'"),
    ("model/vocab.json", "UPLOAD MODEL u FROM '{}/model'"),
    ("model/model.safetensors", "UPLOAD MODEL u FROM '{}/model'"),
    ("model", "PREDICT USING '{}/model' AS SELECT 'a.flac' AS audio_path"),
    ("model/model.safetensors", "PREDICT USING '{}/model' AS SELECT 'a.flac' AS audio_path"),
    ("mel", "UPLOAD MODEL u FROM '{}/mel'"),
    (
        "words.arpa",
        "PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', lm='{}/words.arpa') AS SELECT 'a.flac' AS audio_path",
    ),
    (
        "words.arpa.gz",
        "PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', lm='{}/words.arpa.gz') AS SELECT 'a.flac' AS audio_path",
    ),
]


def fill_more(folder: Path, *, log_mels: bool) -> None:
    import pandas as pd

    table = pd.DataFrame({"key": ["hunter2"], "n": [1]})
    table.to_parquet(folder / "secret.parquet")
    table.to_excel(folder / "secret.xlsx", index=False)
    (folder / "secret.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhunter2\n")
    (folder / "words.arpa.gz").write_bytes(gzip.compress((folder / "words.arpa").read_bytes()))
    (folder / "written").mkdir()
    if log_mels:
        log_mel.parakeet(folder / "mel")


@pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="only there the system tells where an open file lies"
)
@pytest.mark.parametrize(("what", "statement"), SWAPPED)
def test_a_link_put_in_the_place_of_anything_after_it_was_looked_at_is_not_followed(
    confined: Session, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, statement: str
) -> None:
    """The last look is found by counting the looks of a first run; a link takes the place just behind it."""
    roots, outside = tmp_path / "roots", tmp_path / "outside"
    for folder in (roots, outside):
        fill_more(folder, log_mels=what == "mel")
    look, looks = Settings.may_read, 0

    def count(settings: Settings, path: Path) -> bool:
        nonlocal looks
        looks += 1
        return look(settings, path)

    monkeypatch.setattr(Settings, "may_read", count)
    nothing_left = "DROP TABLE IF EXISTS t; DROP MODEL IF EXISTS u; DROP PREDICTIONS"
    confined.execute(nothing_left)  # of the tests before
    confined.execute(statement.format(roots))
    confined.execute(nothing_left)
    (roots / "written" / "n.csv").unlink(missing_ok=True)
    last, looks = looks, 0

    def swap(settings: Settings, path: Path) -> bool:
        found = count(settings, path)
        if looks == last:
            (roots / what).rename(tmp_path / "before")
            (roots / what).symlink_to(outside / what)
        return found

    monkeypatch.setattr(Settings, "may_read", swap)
    with thanosql.connect(database_url, home=tmp_path / "home") as session:
        with pytest.raises(ThanoSQLError, match=OUTSIDE) as refused:
            session.execute(statement.format(roots))
        assert (tmp_path / "before").exists()
        assert "hunter2" not in str(refused.value)
        assert not session.store.exists("u")
        assert session.execute("SELECT to_regclass('t') IS NULL AS gone").gone.all()
    assert not list((outside / "written").iterdir())


def test_a_base_that_the_settings_name_stays_open(
    confined: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("THANOSQL_WAV2VEC2EN", str(tmp_path / "outside" / "model"))
    with thanosql.connect(database_url, home=tmp_path / "home") as session:
        assert len(session.execute("PREDICT USING Wav2Vec2En AS SELECT 'a.flac' AS audio_path")) == 1


def test_a_models_name_in_the_hubs_form_is_not_looked_for_outside(
    confined: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ThanoSQLError, match=OUTSIDE):
        confined.execute("PREDICT USING 'outside/model' AS SELECT 'a.flac' AS audio_path")
    assert Path("outside/model").is_dir()


@pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="only there the system tells where an open file lies"
)
@pytest.mark.parametrize("swapped", ["the file", "its folder", "a folder above"])
@pytest.mark.parametrize("read", ["probe", "read", "facts", "open", "player"])
def test_a_link_put_in_the_place_of_a_file_after_it_was_looked_at_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str, read: str
) -> None:
    roots, outside = tmp_path / "roots", tmp_path / "outside"
    for folder in (roots, outside):
        (folder / "one" / "two").mkdir(parents=True)
        shutil.copy(AUDIO, folder / "one" / "two" / "a.flac")
    place = {"the file": "one/two/a.flac", "its folder": "one/two", "a folder above": "one"}[swapped]
    access = AudioAccess(roots=(roots,), confined=True)

    def work() -> object:
        if read == "open":
            with closing(access.open("one/two/a.flac")) as file:
                return file.read()
        if read == "player":
            said = Players(access, 1 << 20).player("one/two/a.flac", "row 1")
            if "<audio" not in said:
                raise AudioError(said)
            return said
        if read != "facts":
            return getattr(access, read)("one/two/a.flac")
        (found,) = access.facts(["one/two/a.flac"])
        if isinstance(found, AudioError):
            raise found
        return found

    work()
    find = reading.find

    looks = {"player": 2}.get(read, 1)  # it asks for the length first

    def and_swap(*given: Any, **named: Any) -> Any:
        nonlocal looks
        found, looks = find(*given, **named), looks - 1
        if looks == 0:
            (roots / place).rename(roots / "before")
            (roots / place).symlink_to(outside / place)
        return found

    monkeypatch.setattr(reading, "find", and_swap)
    with pytest.raises(AudioError, match=OUTSIDE):
        work()
