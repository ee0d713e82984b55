from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from thanosql.errors import ThanoSQLError, ThanoSQLInternalError, ThanoSQLModelError, ThanoSQLResourceError
from thanosql.models.store import TRAININGS, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models", lock_timeout=0.3)


def save(store: Store, name: str, note: str = "", overwrite: bool = False) -> int:
    with store.writing(name, overwrite=overwrite) as draft:
        (draft.folder / "config.json").write_text("{}")
        return draft.commit({"note": note}).version


def test_a_store_that_was_never_written_is_empty_and_makes_nothing(store: Store) -> None:
    assert store.names() == []
    assert not store.exists("a")
    assert store.versions("a") == []
    assert not store.folder.exists()


def test_what_is_committed_is_found_again_with_its_card(store: Store) -> None:
    assert save(store, "mine", "first") == 1
    found = Store(store.folder).get("mine")
    assert (found.version, found.card["note"], found.card["name"]) == (1, "first", "mine")
    assert (found.folder / "config.json").is_file()
    assert "created" in found.card


def test_only_the_newest_three_versions_are_kept(store: Store) -> None:
    for number in range(5):
        save(store, "mine", str(number), overwrite=True)
    assert store.versions("mine") == [3, 4, 5]
    assert store.get("mine").card["note"] == "4"
    assert sorted(path.name for path in (store.folder / "mine").iterdir()) == ["3", "4", "5", "CURRENT"]


@pytest.mark.parametrize("there", [True, False])
def test_what_an_interrupted_training_left_goes_with_the_model(store: Store, there: bool) -> None:
    if there:
        save(store, "mine")
    for name in ("mine", "other"):
        for kind in TRAININGS:
            store.training_state(name, kind).mkdir(parents=True)
    assert store.unfinished() == ["mine", "other"]
    assert store.drop("mine", if_exists=True) is there
    assert store.unfinished() == ["other"]
    assert [store.training_state("mine", kind).exists() for kind in TRAININGS] == [False, False]
    assert all(store.training_state("other", kind).exists() for kind in TRAININGS)


def test_a_name_that_exists_is_refused_before_the_body_runs(store: Store) -> None:
    save(store, "mine")
    with pytest.raises(ThanoSQLModelError, match="exists already"), store.writing("mine"):
        pytest.fail("the body ran")
    assert store.versions("mine") == [1]


@pytest.mark.parametrize("name", ["", "a-b", "1a", "../a", "a/b", "ä", "x" * 64, "CURRENT.new", "a\n"])
def test_what_is_no_name_is_refused(store: Store, name: str) -> None:
    with pytest.raises(ThanoSQLModelError, match="is not a valid name"), store.writing(name):
        pytest.fail("the body ran")


def test_a_name_that_differs_only_in_case_is_refused_and_does_not_exist(store: Store) -> None:
    save(store, "Mine")
    assert not store.exists("mine")
    with pytest.raises(ThanoSQLModelError, match="There is a model Mine"), store.writing("mine", overwrite=True):
        pytest.fail("the body ran")


def test_an_error_in_the_body_leaves_everything_as_it_was(store: Store) -> None:
    save(store, "mine", "old")
    with pytest.raises(IsADirectoryError), store.writing("mine", overwrite=True) as draft:
        draft.folder.write_text("{}")
    assert store.get("mine").card["note"] == "old"
    assert sorted(path.name for path in (store.folder / "mine").iterdir()) == ["1", "CURRENT"]
    with pytest.raises(ZeroDivisionError), store.writing("other"):
        raise ZeroDivisionError
    assert store.names() == ["mine"]
    assert not (store.folder / "other").exists()


def test_a_draft_without_a_model_cannot_be_committed(store: Store) -> None:
    with pytest.raises(ThanoSQLInternalError), store.writing("mine") as draft:
        draft.commit({})
    assert store.names() == []


def test_two_cannot_write_one_name_at_once_but_two_names_can_be_written(store: Store) -> None:
    with store.writing("mine"):
        with pytest.raises(ThanoSQLModelError, match="Another statement"), store.writing("mine"):
            pytest.fail("the body ran")
        with pytest.raises(ThanoSQLModelError, match="Another statement"), store.writing("MINE"):
            pytest.fail("the body ran")
        assert save(store, "other") == 1


def test_a_killed_writer_leaves_the_old_version_no_lock_and_its_leftovers_are_swept(store: Store) -> None:
    save(store, "mine", "old")
    code = f"""
import os, signal
from pathlib import Path
from thanosql.models.store import TRAININGS, Store
with Store(Path({str(store.folder)!r})).writing("mine", overwrite=True) as draft:
    (draft.folder / "config.json").write_text("{{}}")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert store.get("mine").card["note"] == "old"
    assert [path for path in (store.folder / "mine").iterdir() if path.name.startswith(".draft-")]
    assert save(store, "mine", "new", overwrite=True) == 2
    assert sorted(path.name for path in (store.folder / "mine").iterdir()) == ["1", "2", "CURRENT"]


@pytest.mark.parametrize("call", ["os.replace", "os.unlink", "shutil.rmtree", "Path.rename", "Path.unlink"])
@pytest.mark.parametrize("after", range(2))
def test_a_model_whose_drop_was_killed_is_whole_or_gone_with_all_its_versions(
    store: Store, call: str, after: int
) -> None:
    for note in ("first", "second", "third"):
        save(store, "mine", note, overwrite=True)
    code = f"""
import os, shutil, signal
from pathlib import Path
from thanosql.models.store import TRAININGS, Store
calls, call = [], {call}
def dying(*given, **named):
    calls.append(1)
    if len(calls) > {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    return call(*given, **named)
{call} = dying
Store(Path({str(store.folder)!r})).drop("mine")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode in (0, -signal.SIGKILL)
    if store.exists("mine"):
        assert store.get("mine").card["note"] == "third"
        assert store.versions("mine") == [1, 2, 3]
        return
    swept = Store(shutil.copytree(store.folder, store.folder.with_name("swept")))
    swept.sweep()
    assert not (swept.folder / "mine").exists()
    assert save(store, "mine", "new") == 1
    assert store.versions("mine") == [1]
    assert sorted(path.name for path in (store.folder / "mine").iterdir()) == ["1", "CURRENT"]


def test_a_first_version_that_was_never_pointed_to_is_no_version_of_the_next(store: Store) -> None:
    code = f"""
import os, signal
from pathlib import Path
from thanosql.models.model_folder import ModelFolder
from thanosql.models.store import TRAININGS, Store
ModelFolder.point_to = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
with Store(Path({str(store.folder)!r})).writing("mine") as draft:
    (draft.folder / "config.json").write_text("{{}}")
    draft.commit({{"note": "unfinished"}})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert (store.folder / "mine" / "1").is_dir()
    assert store.names() == []
    swept = Store(shutil.copytree(store.folder, store.folder.with_name("swept")))
    swept.sweep()
    assert not (swept.folder / "mine").exists()
    assert save(store, "mine", "new") == 1
    assert store.get("mine", 1).card["note"] == "new"
    assert sorted(path.name for path in (store.folder / "mine").iterdir()) == ["1", "CURRENT"]


@pytest.mark.parametrize("pointer", [None, "nonsense"])
def test_a_model_whose_pointer_alone_is_lost_keeps_its_versions_and_names_the_cure(
    store: Store, pointer: str | None
) -> None:
    for number in range(3):
        save(store, "mine", str(number), overwrite=True)
    current = store.folder / "mine" / "CURRENT"
    current.unlink()
    if pointer is not None:
        current.write_text(pointer)
    store.sweep()
    assert store.names() == ["mine"]
    assert store.versions("mine") == [1, 2, 3]
    with pytest.raises(ThanoSQLModelError, match="The model mine is damaged") as raised:
        store.get("mine")
    assert "ROLLBACK MODEL mine TO VERSION 3" in str(raised.value)
    with pytest.raises(ThanoSQLModelError, match="exists already"):
        save(store, "mine", "another")
    assert store.roll_back("mine", 2).version == store.get("mine").version == 2
    assert store.versions("mine") == [1, 2, 3]
    current.unlink()
    assert save(store, "mine", "another", overwrite=True) == 4
    assert store.versions("mine") == [2, 3, 4]
    current.unlink()
    assert store.drop("mine")
    assert not (store.folder / "mine").exists()


FULL = """
import shutil, sys
from pathlib import Path
from thanosql.errors import ThanoSQLResourceError
from thanosql.models.store import TRAININGS, Store
disk = Path(sys.argv[1])
store, outcomes = Store(disk / "models", keep_versions=1), []
def save(note):
    with store.writing("m", overwrite=True) as draft:
        try:
            (draft.folder / "config.json").write_text("{}" + " " * 8192)
        except OSError as error:
            raise ThanoSQLResourceError(str(error)) from error
        draft.commit({"note": note, "more": "x" * 20000})
save("old")
for pages in range(0, 40):
    blocks = shutil.disk_usage(disk).free // 4096 - pages
    with open(disk / "ballast", "wb") as ballast:
        ballast.write(b"x" * 4096 * max(0, blocks))
    try:
        save("new")
        outcomes.append("saved")
    except ThanoSQLResourceError as error:
        outcomes.append("card" if "cannot be written" in str(error) else "files")
        assert "No space left" in str(error), error
    note = Store(disk / "models").get("m").card["note"]
    assert note == ("new" if outcomes[-1] == "saved" else "old"), (pages, note)
    assert Store(disk / "models").names() == ["m"]
    (disk / "ballast").unlink()
    save("old")
print(*dict.fromkeys(outcomes))
"""


def test_a_disk_that_fills_at_any_moment_of_a_commit_leaves_the_old_version(tmp_path: Path) -> None:
    """On a small disk of its own, filled but for so many pages that one more step of the commit finds room each time."""
    script = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(tmp_path), sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no disk can be mounted here")
    assert done.stdout.split() == ["files", "card", "saved"], done.stdout + done.stderr


@pytest.mark.parametrize("step", ["rename", "replace", "fsync"])
def test_a_disk_that_fails_at_any_step_of_the_commit_leaves_the_old_version(
    store: Store, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, "mine", "old")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")  # what no disk here can be made to do

    with monkeypatch.context() as patch:
        patch.setattr(os if step != "rename" else Path, step, fail)
        with pytest.raises(ThanoSQLResourceError, match="Input/output error"):
            save(store, "mine", "new", overwrite=True)
    assert store.get("mine").card["note"] == "old"
    assert save(store, "mine", "newer", overwrite=True) > 1
    assert store.get("mine").card["note"] == "newer"
    assert sorted(path.name for path in (store.folder / "mine").iterdir() if path.is_dir())[0] == "1"


def test_a_dropped_model_is_gone_and_can_be_built_again(store: Store) -> None:
    save(store, "mine")
    assert store.drop("mine")
    assert store.names() == []
    assert not store.drop("mine", if_exists=True)
    with pytest.raises(ThanoSQLModelError, match="There is no model mine"):
        store.drop("mine")
    assert save(store, "mine") == 1


def test_a_model_that_is_being_written_cannot_be_dropped(store: Store) -> None:
    save(store, "mine")
    with store.writing("mine", overwrite=True), pytest.raises(ThanoSQLModelError, match="Another statement"):
        store.drop("mine")
    assert store.exists("mine")


@pytest.mark.parametrize("damage", ["nonsense", "99", ""])
def test_a_damaged_pointer_is_a_model_error_and_the_model_can_be_dropped(store: Store, damage: str) -> None:
    save(store, "mine")
    (store.folder / "mine" / "CURRENT").write_text(damage)
    with pytest.raises(ThanoSQLModelError, match="damaged"):
        store.get("mine")
    assert store.drop("mine")


def test_a_damaged_card_is_a_model_error_and_the_model_can_be_overwritten(store: Store) -> None:
    save(store, "mine")
    (store.get("mine").folder / "thanosql.json").write_text(json.dumps([]))
    with pytest.raises(ThanoSQLModelError, match="damaged"):
        store.get("mine")
    assert save(store, "mine", "whole", overwrite=True) == 2
    assert store.get("mine").card["note"] == "whole"


def test_a_misspelt_name_gets_the_closest_one(store: Store) -> None:
    save(store, "digits")
    with pytest.raises(ThanoSQLError, match=r"Did you mean digits\?"):
        store.get("digit")


def test_a_rollback_points_to_an_earlier_version_and_keeps_the_later(store: Store) -> None:
    for number in range(3):
        save(store, "m", str(number), overwrite=True)
    assert store.roll_back("m", 2).version == 2
    assert store.get("m").card["note"] == "1"
    assert store.versions("m") == [1, 2, 3]
    assert store.roll_back("m", 3).version == store.get("m").version == 3


def test_what_is_written_after_a_rollback_is_a_new_version(store: Store) -> None:
    for number in range(3):
        save(store, "m", str(number), overwrite=True)
    store.roll_back("m", 1)
    assert save(store, "m", "new", overwrite=True) == 4
    assert store.get("m").card["note"] == "new"


def test_a_version_can_be_kept_without_being_made_the_current_one(store: Store) -> None:
    save(store, "m", "old")
    with store.writing("m", overwrite=True) as draft:
        (draft.folder / "config.json").write_text("{}")
        assert draft.commit({"note": "new"}, current=False).version == 2
    assert store.get("m").card["note"] == "old"
    assert store.versions("m") == [1, 2]
    assert store.roll_back("m", 2).card["note"] == "new"


def test_a_version_that_is_not_kept_cannot_be_rolled_back_to(store: Store) -> None:
    save(store, "m")
    with pytest.raises(ThanoSQLModelError):
        store.roll_back("m", 7)
    assert store.get("m").version == 1


def test_an_evaluation_is_added_to_the_card_of_its_version(store: Store) -> None:
    save(store, "m")
    store.record_evaluation("m", 1, {"wer": 0.25})
    store.record_evaluation("m", 1, {"wer": 0.5})
    assert [one["wer"] for one in store.get("m").card["evaluations"]] == [0.25, 0.5]
    store.record_evaluation("m", 9, {"wer": 0.1})  # gone by now: nothing happens
    assert store.versions("m") == [1]
