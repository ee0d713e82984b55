"""What a reader of the store finds while others write, and where something in it is damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import thanosql
from tests import handles
from thanosql.errors import ThanoSQLModelError, ThanoSQLResourceError
from thanosql.models import store_format
from thanosql.models.json_file import read_json
from thanosql.models.model_folder import ModelFolder
from thanosql.models.store import Store
from thanosql.models.weights import read_file, tensor_shapes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models", lock_timeout=1)


def save(store: Store, name: str, note: str = "") -> None:
    with store.writing(name, overwrite=True) as draft:
        (draft.folder / "config.json").write_text("{}")
        draft.commit({"note": note})


def test_a_model_that_is_replaced_while_its_card_is_read_is_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, "m", "old")
    read = ModelFolder.card

    def replaced(folder: ModelFolder, version: int) -> dict[str, Any]:
        monkeypatch.setattr(ModelFolder, "card", read)
        for _ in range(3):  # as many as are kept: what was found has gone
            save(store, "m", "new")
        return read(folder, version)

    monkeypatch.setattr(ModelFolder, "card", replaced)
    assert (store.get("m").version, store.get("m").card["note"]) == (4, "new")


def test_a_model_that_is_dropped_while_its_card_is_read_is_not_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, "m")
    read = ModelFolder.card

    def dropped(folder: ModelFolder, version: int) -> dict[str, Any]:
        store.drop("m")
        return read(folder, version)

    monkeypatch.setattr(ModelFolder, "card", dropped)
    with pytest.raises(ThanoSQLModelError, match=r"There is no model m\.$"):
        store.get("m")


def test_a_model_that_comes_between_two_looks_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    save(store, "other")
    look, looks = store.names, []

    def saved() -> list[str]:
        looks.append(1)
        if len(looks) == 1:
            save(store, "m")
        return look()

    monkeypatch.setattr(store, "names", saved)
    assert store.get("m").version == 1


WRITE = """
import sys
from pathlib import Path
from thanosql.models.store import Store
store = Store(Path(sys.argv[1]))
while True:
    for _ in range(5):
        with store.writing("m", overwrite=True) as draft:
            (draft.folder / "config.json").write_text("{}")
            draft.commit({})
    store.drop("m")
"""


def test_another_process_that_replaces_and_drops_a_model_is_never_called_damage(store: Store) -> None:
    save(store, "m")
    said, found = set(), 0
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, store.folder], env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as writer:
        try:
            deadline = time.monotonic() + 60
            while (found < 500 or not said) and time.monotonic() < deadline:
                try:
                    found += store.get("m").version > 0
                    for version in store.versions("m"):
                        try:
                            store.get("m", version)
                        except ThanoSQLModelError as error:
                            said.add(str(error) if "has no version" not in str(error) else "There is no model m.")
                except ThanoSQLModelError as error:
                    said.add(str(error))
        finally:
            writer.kill()
    none_left = "There is no model m, and no other yet.\nBUILD MODEL m USING Wav2Vec2Tiny AS … makes one."
    assert said
    assert said <= {"There is no model m.", none_left}
    assert found >= 500


@pytest.mark.skipif(sys.platform != "linux", reason="the handles of a process are counted as Linux lists them")
def test_without_a_file_handle_left_nothing_is_called_damaged(store: Store) -> None:
    """The cure of damage would be to drop the model."""
    save(store, "m")
    tiny = Path(thanosql.__file__).parent / "models" / "assets" / "Wav2Vec2Tiny"
    reads = [lambda: store.get("m"), lambda: read_json(tiny / "vocab.json"), lambda: tensor_shapes(tiny)]
    reads += [lambda: read_file(tiny / "model.safetensors"), lambda: store_format.check(store.folder)]
    for read in reads:
        read()
    for read in reads:
        with handles.none_left(), pytest.raises(ThanoSQLResourceError, match="Too many open files") as raised:
            read()
        assert "DROP" not in str(raised.value)


@pytest.mark.parametrize("file", ["CURRENT", "1/thanosql.json"])
def test_a_pipe_in_the_place_of_a_file_is_never_waited_for(store: Store, file: str) -> None:
    save(store, "m")
    path = store.folder / "m" / file
    path.unlink()
    os.mkfifo(path)
    code = (
        "import sys; from pathlib import Path; from thanosql.models.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "try: store.get('m')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "print(store.names(), store.drop('m'), store.names())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, store.folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "ThanoSQLModelError The model m is damaged: it is not a regular file" in done.stdout
    assert done.stdout.splitlines()[-1] == "['m'] True []"


@pytest.mark.parametrize(
    "card",
    [
        {"evaluations": "text"},
        {"evaluations": [1, None, {"wer": "low"}]},
        {"rows": "many", "audio_hours": [], "base": 5, "created": {}, "report": [1], "from": "x", "options": 3},
    ],
)
def test_what_a_card_says_in_another_type_is_left_out(store: Store, card: dict[str, Any]) -> None:
    save(store, "m", "kept")
    path = store.get("m").folder / "thanosql.json"
    path.write_text(json.dumps({"note": "kept", **card}))
    found = store.get("m").card
    assert found["note"] == "kept"
    assert all(isinstance(one, dict) for one in found["evaluations"])
    assert not {"rows", "audio_hours", "base", "created", "report", "from", "options"} & found.keys()
    store.record_evaluation("m", 1, {"wer": 0.5})
    assert store.get("m").card["evaluations"][-1] == {"wer": 0.5}


@pytest.mark.parametrize("card", ["", "[" * 100_000, "\xff", "null"])
def test_a_card_that_is_no_card_is_damage(store: Store, card: str) -> None:
    save(store, "m")
    (store.get("m").folder / "thanosql.json").write_text(card, encoding="latin-1")
    with pytest.raises(ThanoSQLModelError, match=r"(?s)The model m is damaged.*DROP MODEL m removes it"):
        store.get("m")
    with pytest.raises(ThanoSQLModelError, match="cannot be written"):
        store.record_evaluation("m", 1, {"wer": 0.5})


def test_a_long_name_is_shortened_in_the_message(store: Store) -> None:
    save(store, "m")
    for ask in (store.get, store.drop, store.check_new_name):
        with pytest.raises(ThanoSQLModelError) as raised:
            ask("m" * 1_000_000)  # type: ignore[operator]
        assert len(str(raised.value)) < 600


def test_an_unfinished_training_is_dropped_without_if_exists(store: Store) -> None:
    store.training_state("m").mkdir(parents=True)
    assert store.unfinished() == ["m"]
    assert not store.drop("m")
    assert store.unfinished() == []
    with pytest.raises(ThanoSQLModelError, match="There is no model m"):
        store.drop("m")
