"""Settings: the environment stands over the file, the file over the defaults."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from thanosql import config
from thanosql.errors import ThanoSQLError


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("THANOSQL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_an_argument_stands_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("thanosql.toml").write_text('database_url = "postgresql://file"\nhome = "from-file"\n')
    assert config.load().database_url == "postgresql://file"
    assert config.load().home == tmp_path / "from-file"
    monkeypatch.setenv("THANOSQL_DATABASE_URL", "postgresql://environment")
    assert config.load().database_url == "postgresql://environment"
    assert config.load(database_url="postgresql://argument").database_url == "postgresql://argument"


def test_the_store_is_in_the_home_or_where_it_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load(home="h").store_folder == tmp_path / "h" / "models"
    Path("thanosql.toml").write_text('store = "from-file"\n')
    assert config.load(home="h").store_folder == tmp_path / "from-file"
    monkeypatch.setenv("THANOSQL_STORE", f"file://{tmp_path}/a%20b")
    assert config.load(home="h").store_folder == tmp_path / "a b"
    assert config.load(home="h", store="~/mine").store_folder == tmp_path / "mine"


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("gs://bucket/models", r"not gs://[\s\S]*AWS_ENDPOINT_URL"),
        ("file://server/models", r"machine server[\s\S]*file:///"),
    ],
)
def test_a_store_that_is_no_folder_of_this_machine_is_refused(store: str, said: str) -> None:
    with pytest.raises(ThanoSQLError, match=said):
        config.load(store=store)


def test_a_store_in_object_storage_has_its_copy_in_the_home(tmp_path: Path) -> None:
    found = config.load(home="h", store="s3://bucket/models/")
    assert (found.store_url, found.store) == ("s3://bucket/models", None)
    assert found.store_folder.parent == tmp_path / "h" / "object-stores"
    assert found.store_folder.name.startswith("bucket-models-")
    assert config.load(home="h", store="s3://bucket-models").store_folder != found.store_folder


def test_relative_audio_is_looked_for_in_the_working_folder_of_the_moment_and_then_in_the_workspace() -> None:
    settings = config.load()
    assert settings.audio_roots == (Path(), settings.workspace)


def test_audio_roots_are_a_path_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_AUDIO_ROOTS", os.pathsep.join(("/a", "/b")))
    assert config.load().audio_roots == (Path("/a"), Path("/b"))
    assert config.load().confined


def test_without_audio_roots_nothing_is_confined() -> None:
    assert not config.load().confined


def test_hosts_that_may_be_fetched_from_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("thanosql.toml").write_text('remote_hosts = ["minio.lan", "10.0.0.7"]\n')
    assert config.load().remote_hosts == ("minio.lan", "10.0.0.7")
    monkeypatch.setenv("THANOSQL_REMOTE_HOSTS", "storage.lan, 10.0.0.8")
    assert config.load().remote_hosts == ("storage.lan", "10.0.0.8")


def test_a_base_model_can_be_pointed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("thanosql.toml").write_text('[base_models]\nWav2Vec2En = "/models/en"\nWav2Vec2Ko = "/models/ko"\n')
    monkeypatch.setenv("THANOSQL_WAV2VEC2KO", "/other/ko")
    assert config.load().base_models == {"Wav2Vec2En": "/models/en", "Wav2Vec2Ko": "/other/ko"}


def test_a_misspelt_setting_is_an_error_with_a_suggestion() -> None:
    Path("thanosql.toml").write_text('databse_url = "postgresql://x"\n')
    with pytest.raises(ThanoSQLError, match=r"no setting 'databse_url'[\s\S]*Did you mean database_url"):
        config.load()


def test_a_file_named_and_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_CONFIG", "nowhere.toml")
    with pytest.raises(ThanoSQLError, match=r"nowhere\.toml that THANOSQL_CONFIG names does not exist"):
        config.load()


def test_a_file_that_is_no_toml_names_itself() -> None:
    Path("thanosql.toml").write_text("home = \n")
    with pytest.raises(ThanoSQLError, match=r"thanosql\.toml cannot be read"):
        config.load()


def test_the_password_is_not_in_the_settings_repr() -> None:
    assert "secret" not in repr(config.load(database_url="postgresql://ann:secret@h/d"))


def test_max_hours_is_a_number_of_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load().max_hours == 24.0
    Path("thanosql.toml").write_text("max_hours = 2\n")
    assert config.load().max_hours == 2.0
    for wrong in ("0", "-1", "nan", "a day"):
        monkeypatch.setenv("THANOSQL_MAX_HOURS", wrong)
        with pytest.raises(ThanoSQLError, match="max_hours"):
            config.load()
    monkeypatch.setenv("THANOSQL_MAX_HOURS", "1.5")
    assert config.load().max_hours == 1.5


def test_how_long_a_writer_is_waited_for_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load().lock_timeout == 10
    Path("thanosql.toml").write_text("lock_timeout = 2.5\n")
    assert config.load().lock_timeout == 2.5
    monkeypatch.setenv("THANOSQL_LOCK_TIMEOUT", "0")
    assert config.load().lock_timeout == 0


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf"])
def test_a_waiting_time_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("THANOSQL_LOCK_TIMEOUT", value)
    with pytest.raises(ThanoSQLError, match="lock_timeout"):
        config.load()


def test_how_many_processes_decode_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= config.load().decoding_processes <= 4
    Path("thanosql.toml").write_text("decoding_processes = 3\n")
    assert config.load().decoding_processes == 3
    monkeypatch.setenv("THANOSQL_DECODING_PROCESSES", "0")
    assert config.load().decoding_processes == 0


@pytest.mark.parametrize("value", ["some", "-1", "1.5", "nan"])
def test_a_number_of_processes_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("THANOSQL_DECODING_PROCESSES", value)
    with pytest.raises(ThanoSQLError, match="decoding_processes"):
        config.load()
