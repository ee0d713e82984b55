"""A store in object storage keeps models as a store of files does, on machines that share nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.object_storage import serving
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLError, ThanoSQLModelError, ThanoSQLResourceError
from thanosql.models.object_store import endpoint
from thanosql.models.object_store import folder as object_folder
from thanosql.models.object_store.log import Entry, FileFacts, SavedVersion, from_json, key_of
from thanosql.models.object_store.storage import ObjectStorage, refuse_bad_url
from thanosql.models.object_store.store import ObjectStore

BUCKET = "shop-models"
URL = f"s3://{BUCKET}/speech"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with serving(BUCKET) as files:
        yield files


@pytest.fixture
def url(s3: Any) -> Iterator[str]:
    yield URL
    if s3.exists(f"{BUCKET}/speech"):
        s3.rm(f"{BUCKET}/speech", recursive=True)


@pytest.fixture
def here(url: str, tmp_path: Path) -> ObjectStore:
    """The store as one machine has it."""
    return ObjectStore(url, tmp_path / "here", lock_timeout=5)


@pytest.fixture
def there(url: str, tmp_path: Path) -> ObjectStore:
    """The same store as another machine has it."""
    return ObjectStore(url, tmp_path / "there", lock_timeout=5)


def save(
    store: ObjectStore, name: str = "m", weights: str = "w", *, overwrite: bool = True, current: bool = True
) -> None:
    with store.writing(name, overwrite=overwrite) as draft:
        fill(draft.folder, weights)
        draft.commit({"note": weights}, current=current)


def fill(folder: Path, weights: str) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "part").mkdir()
    (folder / "part" / "weights").write_text(weights)
    (folder / "empty").write_text("")


def weights(store: ObjectStore, name: str = "m", version: int | None = None) -> str:
    found = store.get(name, version)
    store.fetch(found)
    return (found.folder / "part" / "weights").read_text()


def keys(s3: Any) -> list[str]:
    return [str(key).removeprefix(f"{BUCKET}/speech/") for key in s3.find(f"{BUCKET}/speech")]


def test_what_one_machine_saves_another_reads(here: ObjectStore, there: ObjectStore) -> None:
    assert there.names() == []
    with pytest.raises(ThanoSQLModelError, match="There is no model m"):
        there.get("m")
    save(here, weights="first")
    save(here, weights="second")
    assert there.names() == ["m"]
    assert there.versions("m") == [1, 2]
    assert (there.get("m").version, there.get("m").card["note"]) == (2, "second")
    assert not there.get("m").folder.exists(), "a card needs none of the files"
    assert weights(there) == "second"
    assert weights(there, version=1) == "first"
    assert there.get("m").card["content"] == here.get("m").card["content"]
    with pytest.raises(ThanoSQLModelError, match="has no version 3"):
        there.get("m", 3)


def test_the_content_of_a_model_is_that_of_a_store_of_files(here: ObjectStore, tmp_path: Path) -> None:
    from thanosql.models.store import Store

    save(here)
    with Store(tmp_path / "files").writing("m") as draft:
        fill(draft.folder, "w")
        same = draft.commit({})
    assert here.get("m").card["content"] == same.card["content"]


def test_who_has_saved_or_fetched_a_version_asks_for_none_of_its_files_again(
    here: ObjectStore, there: ObjectStore, s3: Any, url: str
) -> None:
    save(here)
    assert weights(there) == "w"
    s3.rm([key for key in s3.find(f"{BUCKET}/speech/versions") if not key.endswith(".evaluations")])
    assert weights(ObjectStore(url, here.folder)) == weights(ObjectStore(url, there.folder)) == "w"


def test_a_rollback_is_everybodys(here: ObjectStore, there: ObjectStore) -> None:
    for text in "ab":
        save(here, weights=text)
    assert there.get("m").version == 2
    there.roll_back("m", 1)
    assert here.get("m").version == 1
    assert here.versions("m") == [1, 2]
    save(here, weights="c")
    assert there.get("m").version == 3
    with pytest.raises(ThanoSQLModelError, match="has no version 9"):
        there.roll_back("m", 9)


def test_a_version_that_is_not_better_is_saved_and_not_made_current(here: ObjectStore, there: ObjectStore) -> None:
    save(here, weights="good")
    save(here, weights="worse", current=False)
    assert there.get("m").version == 1
    assert there.versions("m") == [1, 2]


def test_old_versions_go_but_not_the_one_that_the_name_stands_for(
    here: ObjectStore, there: ObjectStore, s3: Any
) -> None:
    for text in "abcd":
        save(here, weights=text)
        weights(there)
    here.roll_back("m", 2)
    save(here, weights="e", current=False)
    save(here, weights="f", current=False)
    assert there.versions("m") == [2, 4, 5, 6]
    assert len({key.split("/")[2] for key in keys(s3) if key.startswith("versions/")}) == 4
    assert {path.name.partition("-")[0] for path in (there.folder / "m").iterdir()} == {"2", "4"}


def test_a_dropped_model_is_gone_for_all_and_its_name_is_free(here: ObjectStore, there: ObjectStore, s3: Any) -> None:
    save(here, weights="old")
    weights(there)
    found = there.get("m")
    assert there.drop("m")
    assert here.names() == there.names() == []
    with pytest.raises(ThanoSQLModelError, match="There is no model m"):
        here.drop("m")
    assert [key for key in keys(s3) if key.startswith("versions/")] == []
    save(here, weights="new")
    assert (there.get("m").version, weights(there)) == (1, "new")
    assert not found.folder.exists()
    with pytest.raises(ThanoSQLModelError, match="replaced or dropped"):
        there.fetch(found)


def test_who_is_reading_a_version_that_is_dropped_is_told_so(here: ObjectStore, there: ObjectStore) -> None:
    save(here)
    found = there.get("m")
    here.drop("m")
    with pytest.raises(ThanoSQLModelError, match="There is no model m of version 1 any more"):
        there.fetch(found)


def test_evaluations_of_two_machines_are_both_on_the_card(here: ObjectStore, there: ObjectStore) -> None:
    save(here)
    here.record_evaluation("m", 1, {"wer": 0.5})
    there.record_evaluation("m", 1, {"wer": 0.25})
    assert [one["wer"] for one in here.get("m").card["evaluations"]] == [0.5, 0.25]
    there.record_evaluation("m", 9, {"wer": 1})  # gone by now


def test_names_that_differ_only_in_case_are_refused(here: ObjectStore, there: ObjectStore) -> None:
    save(here, "Mine")
    assert not there.exists("mine")
    with pytest.raises(ThanoSQLModelError, match="There is a model Mine"):
        save(there, "mine")


# Two that write at once


def test_of_two_machines_that_build_one_name_the_later_is_told_that_it_exists(
    here: ObjectStore, there: ObjectStore, s3: Any
) -> None:
    with here.writing("m") as slow:
        fill(slow.folder, "slow")
        save(there, weights="fast", overwrite=False)
        with pytest.raises(ThanoSQLModelError, match="The model m exists already"):
            slow.commit({})
    assert (here.get("m").version, weights(here)) == (1, "fast")


def test_of_two_machines_that_replace_one_model_each_makes_a_version(here: ObjectStore, there: ObjectStore) -> None:
    save(here, weights="first")
    with here.writing("m", overwrite=True) as slow:
        fill(slow.folder, "slow")
        save(there, weights="fast")
        assert slow.commit({}).version == 3
    assert there.versions("m") == [1, 2, 3]
    assert [weights(there, version=version) for version in (1, 2, 3)] == ["first", "fast", "slow"]
    assert there.get("m").card["version"] == 3


@pytest.mark.parametrize("first", ["fast", "slow"])
def test_a_put_between_the_look_at_the_log_and_the_entry_is_not_lost(
    here: ObjectStore, there: ObjectStore, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    save(here, weights="base")
    put = object_folder.ObjectFolder._put
    overtaken: list[bool] = []

    def overtaking(self: object_folder.ObjectFolder, entry: Entry, before: Entry) -> bool:
        if not overtaken:
            overtaken.append(True)
            if first == "fast":
                save(there, weights="fast")
                return put(self, entry, before)
            done = put(self, entry, before)
            save(there, weights="fast")
            return done
        return put(self, entry, before)

    monkeypatch.setattr(object_folder.ObjectFolder, "_put", overtaking)
    save(here, weights="slow")
    order = ["base", "fast", "slow"] if first == "fast" else ["base", "slow", "fast"]
    assert [weights(there, version=version) for version in there.versions("m")] == order


WRITER = """
import sys
from pathlib import Path
from thanosql.models.object_store.store import ObjectStore
store = ObjectStore(sys.argv[1], Path(sys.argv[2]), lock_timeout=60, keep_versions=100)
for number in range(3):
    with store.writing("m", overwrite=True) as draft:
        (draft.folder / "config.json").write_text("{}")
        draft.commit({"note": f"{sys.argv[2]} {number}"})
"""


def test_writers_on_two_machines_lose_no_version(here: ObjectStore, url: str, tmp_path: Path) -> None:
    places = [tmp_path / "a", tmp_path / "b"]
    running = [subprocess.Popen([sys.executable, "-c", WRITER, url, str(place)]) for place in places]
    assert [process.wait(120) for process in running] == [0, 0]
    here.keep_versions = 100
    notes = [here.get("m", version).card["note"] for version in here.versions("m")]
    assert here.versions("m") == list(range(1, 7))
    assert sorted(notes) == sorted(f"{place} {number}" for place in places for number in range(3))


def test_a_put_whose_answer_was_lost_counts(
    here: ObjectStore, there: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ObjectStorage.put_new
    lost: list[str] = []

    def cut(self: ObjectStorage, key: str, content: bytes) -> bool:
        done = put(self, key, content)
        if key.startswith("log/") and not lost:
            lost.append(key)
            raise ThanoSQLConnectionError("the connection ended")
        return done

    monkeypatch.setattr(ObjectStorage, "put_new", cut)
    save(here)
    assert lost == [key_of("m", 1)]
    assert there.versions("m") == [1]


# Kills, damage and faults

KILLED = """
import os, signal, sys
from pathlib import Path
from thanosql.models.object_store.folder import ObjectFolder
from thanosql.models.object_store.store import ObjectStore
ObjectFolder._put = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with ObjectStore(sys.argv[1], Path(sys.argv[2])).writing("m", overwrite=True) as draft:
    (draft.folder / "config.json").write_text("{}")
    draft.commit({})
"""


def test_a_kill_before_the_entry_leaves_the_name_as_it_was_and_is_swept(
    here: ObjectStore, there: ObjectStore, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(here, weights="old")
    before = set(keys(s3))
    killed = subprocess.run([sys.executable, "-c", KILLED, here.url, str(here.folder)])
    assert killed.returncode == -9
    left = set(keys(s3)) - before
    assert len(left) == 2, "config.json and the card"
    assert (there.get("m").version, weights(there)) == (1, "old")
    save(there, weights="new")
    assert left < set(keys(s3)), "it may be a writer's that is at work"
    monkeypatch.setattr(object_folder, "UPLOAD_HOURS", -1)
    here.roll_back("m", 1)
    save(here, weights="newer")
    assert not left & set(keys(s3))
    assert [weights(there, version=version) for version in (1, 2, 3)] == ["old", "new", "newer"]
    assert [path.name for path in (here.folder / "m").glob(".*")] == []


@pytest.mark.parametrize("change", ["truncated", "altered", "grown", "missing"])
def test_an_object_that_is_not_what_was_saved_is_damage(
    here: ObjectStore, there: ObjectStore, s3: Any, change: str
) -> None:
    save(here, weights="as it was")
    (place,) = (key for key in s3.find(f"{BUCKET}/speech/versions") if key.endswith("part/weights"))
    if change == "missing":
        s3.rm_file(place)
    else:
        s3.pipe_file(place, {"truncated": b"as it", "altered": b"as it Was", "grown": b"as it was, and"}[change])
    with pytest.raises(ThanoSQLModelError, match="The model m is damaged") as raised:
        weights(there)
    assert "DROP MODEL m" in str(raised.value)
    assert [path for path in (there.folder / "m").iterdir() if not path.name.startswith(".locks")] == []
    there.drop("m")
    assert here.names() == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"name": "m", "token": "t", "current": 7, "newest": 7, "versions": {}}']
)
def test_a_damaged_entry_is_said_so_and_can_be_dropped(here: ObjectStore, s3: Any, content: bytes) -> None:
    save(here)
    s3.pipe_file(f"{BUCKET}/speech/{key_of('m', 2)}", content)
    if content.endswith(b"{}}"):
        assert here.names() == []  # it says that it stands for nothing
        return
    assert here.names() == ["m"]
    with pytest.raises(ThanoSQLModelError, match="The model m is damaged"):
        here.get("m")
    assert here.drop("m")
    assert here.names() == []


@pytest.mark.parametrize("file", ["../../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:evil", "", "a\0b"])
def test_an_entry_leads_to_no_file_outside_of_its_folder(file: str) -> None:
    whole = Entry("m", 1, 1, {1: SavedVersion("0" * 16, {"config.json": FileFacts(2, "a" * 16)})})
    assert from_json(whole.to_json()) == whole
    said = json.loads(whole.to_json())
    said["versions"]["1"]["files"] = {file: [1, "a" * 16]}
    with pytest.raises(ValueError, match="names the file"):
        from_json(json.dumps(said).encode())
    said["versions"]["1"] = {"folder": "../x", "files": {}}
    with pytest.raises(ValueError, match="names the folder"):
        from_json(json.dumps(said).encode())


def test_a_network_that_is_lost_in_the_middle_leaves_the_name_as_it_was(
    here: ObjectStore, there: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(here, weights="old")
    put = ObjectStorage.put_file

    def cut(self: ObjectStorage, key: str, path: Path) -> None:
        if key.endswith("weights"):
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            forget_connections()
        put(self, key, path)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStorage, "put_file", cut)
        patch.setattr(import_module("s3fs").S3FileSystem, "retries", 1)
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(ThanoSQLConnectionError, match="cannot be reached"):
            save(here, weights="new")
        assert list((here.folder / "m").glob(".draft*")) == []
    monkeypatch.undo()
    forget_connections()
    assert (there.get("m").version, weights(there)) == (1, "old")


def forget_connections() -> None:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def test_storage_that_cannot_put_only_what_is_new_is_refused(
    here: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(self: ObjectStorage, key: str, content: bytes) -> bool:
        self.put(key, content)
        return True

    monkeypatch.setattr(ObjectStorage, "put_new", careless)
    with pytest.raises(ThanoSQLResourceError, match="ignores If-None-Match"):
        save(here)


def test_a_store_of_a_newer_format_is_refused(here: ObjectStore, s3: Any) -> None:
    s3.pipe_file(f"{BUCKET}/speech/.format", b'{"format": 2, "id": "a1"}')
    for ask in (here.names, lambda: save(here)):
        with pytest.raises(ThanoSQLModelError, match="newer ThanoSQL"):
            ask()  # type: ignore[operator]


def test_a_bucket_that_is_not_there_is_named(s3: Any, tmp_path: Path) -> None:
    store = ObjectStore("s3://no-such-bucket/x", tmp_path)
    for ask in (store.names, lambda: save(store)):
        with pytest.raises(ThanoSQLConnectionError, match="There is no bucket no-such-bucket"):
            ask()  # type: ignore[operator]


def test_without_credentials_it_is_said_where_they_are_set(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    forget_connections()
    with pytest.raises(ThanoSQLResourceError, match=r"no credentials for the store s3[\s\S]*AWS_ACCESS_KEY_ID"):
        ObjectStore(url, tmp_path).names()
    monkeypatch.undo()
    forget_connections()


def test_without_s3fs_the_extra_is_named(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_connections()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, "s3")
    with pytest.raises(ThanoSQLConnectionError, match=r"needs extra packages[\s\S]*thanosql-speech\[remote\]"):
        ObjectStore(url, tmp_path).names()


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The endpoint that the environment names: it takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        # A password in it is nobody's to see.
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://me:planted@127.0.0.1:{silent.getsockname()[1]}")
        forget_connections()
        yield silent
    forget_connections()


def unreached(store: str, folder: Path) -> str:
    with pytest.raises(ThanoSQLConnectionError, match=r"its endpoint http://127\.0\.0\.1:\d+ ") as raised:
        ObjectStore(store, folder).names()
    assert "AWS_ENDPOINT_URL names that endpoint" in str(raised.value)
    assert "planted" not in str(raised.value)
    return str(raised.value)


def test_an_endpoint_that_refuses_is_said_without_another_try(
    unserved: socket.socket, url: str, tmp_path: Path
) -> None:
    unserved.close()
    assert "refuses connections" in unreached(url, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux answers no call while as many wait as may")
def test_an_endpoint_that_takes_no_connection_is_said_in_time(
    unserved: socket.socket, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "CONNECT_SECONDS", 0.2)
    with contextlib.ExitStack() as callers:
        for _ in range(3):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(unserved.getsockname())
        assert "took no connection within 0.2 s" in unreached(url, tmp_path)


def test_an_endpoint_that_says_nothing_is_said_in_time(
    unserved: socket.socket, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "ANSWER_SECONDS", 0.2)
    unserved.listen(50)
    assert "gave no answer within 0.2 s" in unreached(url, tmp_path)


def test_an_endpoint_behind_a_proxy_is_left_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(endpoint.Unreached):
        asyncio.run(endpoint.reach(address))
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    asyncio.run(endpoint.reach(address))


@pytest.mark.parametrize(
    "bad",
    ["s3://me:planted@b/x", "s3://b/x?versionId=planted", "s3://b/x#planted", "s3:///x", "s3://b/../x", "s3://b/a::b"],
)
def test_a_url_that_is_more_than_a_place_is_refused(bad: str) -> None:
    with pytest.raises(ThanoSQLError) as raised:
        refuse_bad_url(bad)
    assert "planted" not in str(raised.value)


def test_who_waits_for_the_storage_can_be_stopped(url: str, tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    store = ObjectStore(url, tmp_path, check=stop)
    held = threading.Event()
    import asyncio

    async def forever() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            held.set()

    from fsspec.asyn import get_loop

    with pytest.raises(KeyboardInterrupt):
        store._mirror.storage._wait(get_loop(), forever())
    assert held.wait(10)
