"""The settings: arguments come first, then environment variables, then a TOML file, then the defaults."""

from __future__ import annotations

import hashlib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLError, did_you_mean

KEYS = (
    *("database_url", "home", "audio_roots", "remote_hosts", "max_hours", "lock_timeout", "executor", "base_models"),
    *("connections", "decoding_processes", "store"),
)
OBJECT_STORES = ("s3://", "s3a://")
DECODING_PROCESSES = 4  # or as many as the machine has processors


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a session.

    - `home`: the folder for models, data sets and the embedded database.
    - `store`: the folder for saved models; None: `models` under the home.
    - `store_url`: the object storage for saved models, in place of `store`; a copy of it is kept under the home.
    - `audio_roots`: where relative audio paths are looked for, in this order. `Path()` means the current working folder.
    - `confined`: whether `audio_roots` was set. If so, statements read no local file outside of these folders.
    - `remote_hosts`: private hosts from which audio may be fetched, if a statement allows remote audio.
    - `max_hours`: a longer recording is refused before it is decoded.
    - `lock_timeout`: how many seconds a statement waits for another one that is writing the same model.
    - `decoding_processes`: the largest number of processes that decode audio, so that a damaged file can crash one of them
      without harm. 0: the session decodes by itself.
    - `base_models`: the name of a base and the checkpoint behind it.
    - `executor`: where recognition and training run.
    - `connections`: short names of databases.
    """

    database_url: str | None = field(default=None, repr=False)  # it may hold a password
    home: Path
    store: Path | None = None
    store_url: str | None = None
    audio_roots: tuple[Path, ...]
    confined: bool = False
    remote_hosts: tuple[str, ...] = ()
    max_hours: float = 24.0
    lock_timeout: float = 10.0
    decoding_processes: int = 0
    base_models: Mapping[str, str] = field(default_factory=dict)
    executor: str = "local"
    connections: Mapping[str, str] = field(default_factory=dict, repr=False)  # name → URL, which may hold a password

    def may_read(self, path: Path) -> bool:
        """Whether statements may read this local file or folder, after following symbolic links. It need not exist."""
        if not self.confined:
            return True
        resolved = Path(os.path.realpath(path))
        return any(resolved.is_relative_to(os.path.realpath(root)) for root in self.audio_roots)

    @property
    def workspace(self) -> Path:
        """The folder for data sets. Their relative paths are found here, whatever the working folder is."""
        return self.home / "workspace"

    @property
    def store_folder(self) -> Path:
        if self.store_url is not None:
            name = re.sub(r"[^A-Za-z0-9.-]+", "-", self.store_url.partition("://")[2])[:60]
            return self.home / "object-stores" / f"{name}-{hashlib.sha256(self.store_url.encode()).hexdigest()[:8]}"
        return self.store or self.home / "models"

    @property
    def store_place(self) -> str:
        """Where the saved models are, for people."""
        return self.store_url or str(self.store_folder)

    @property
    def postgres_folder(self) -> Path:
        return self.home / "postgres"


def load(
    *,
    database_url: str | None = None,
    home: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
) -> Settings:
    """Read the settings: the arguments come first, then the environment, then the file, then the defaults.

    Raises ThanoSQLError if the file cannot be read or names an unknown setting, or if a value is not valid.
    """
    file = _file()
    environment = os.environ
    where = Path(home or environment.get("THANOSQL_HOME") or file.get("home") or _default_home()).expanduser()
    roots = environment.get("THANOSQL_AUDIO_ROOTS")
    named = tuple(roots.split(os.pathsep)) if roots else tuple(file.get("audio_roots", ()))
    hosts = environment.get("THANOSQL_REMOTE_HOSTS")
    bases = dict(file.get("base_models", {}))
    for name in ("Wav2Vec2En", "Wav2Vec2Ko"):
        if value := environment.get(f"THANOSQL_{name.upper()}"):
            bases[name] = value
    named_store = store or environment.get("THANOSQL_STORE") or file.get("store")
    object_store = named_store is not None and os.fspath(named_store).lower().startswith(OBJECT_STORES)
    return Settings(
        database_url=database_url or environment.get("THANOSQL_DATABASE_URL") or file.get("database_url"),
        home=where.absolute(),
        store=None if object_store else _store(named_store),
        store_url=os.fspath(named_store).rstrip("/") if object_store and named_store is not None else None,
        audio_roots=tuple(Path(root).expanduser().absolute() for root in named)
        or (Path(), where.absolute() / "workspace"),
        confined=bool(named),
        remote_hosts=tuple(hosts.replace(",", " ").split()) if hosts else tuple(file.get("remote_hosts", ())),
        max_hours=_hours(environment.get("THANOSQL_MAX_HOURS") or file.get("max_hours", 24.0)),
        lock_timeout=_seconds(environment.get("THANOSQL_LOCK_TIMEOUT") or file.get("lock_timeout", 10.0)),
        decoding_processes=_processes(environment.get("THANOSQL_DECODING_PROCESSES") or file.get("decoding_processes")),
        base_models=bases,
        executor=environment.get("THANOSQL_EXECUTOR") or file.get("executor") or "local",
        connections=dict(file.get("connections", {})),
    )


def _file() -> Mapping[str, Any]:
    named = os.environ.get("THANOSQL_CONFIG")
    candidates = [Path(named)] if named else [Path("thanosql.toml"), _user_folder("config") / "thanosql.toml"]
    for path in candidates:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            if named:
                raise ThanoSQLError(
                    f"The configuration file {path} that THANOSQL_CONFIG names does not exist."
                ) from error
            continue
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ThanoSQLError(f"The configuration file {path} cannot be read: {error}") from error
        for key in content:
            if key not in KEYS:
                raise ThanoSQLError(f"{path}: there is no setting '{key}'.", hint=did_you_mean(key, KEYS))
        return content
    return {}


def _store(value: str | os.PathLike[str] | None) -> Path | None:
    """The folder for a path or a file:// URL."""
    if value is None:
        return None
    path = os.fspath(value)
    if path.lower().startswith("file:"):
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        parts = urlsplit(path)
        if parts.netloc not in ("", "localhost"):
            raise ThanoSQLError(
                f"The setting store (THANOSQL_STORE) names a folder of the machine {parts.netloc}: {path}",
                hint="Write file:/// and the folder's path on this machine.",
            )
        path = url2pathname(parts.path)
    elif re.match(r"[A-Za-z][A-Za-z0-9+.\-]+://", path):
        raise ThanoSQLError(
            "The setting store (THANOSQL_STORE) must be a folder, file:///folder or s3://bucket/folder, not "
            f"{path.partition('://')[0]}://.",
            hint="Other object storage that speaks S3 (MinIO, R2, Google Cloud Storage) is s3:// with AWS_ENDPOINT_URL.",
        )
    return Path(path).expanduser().absolute()


def _hours(value: object) -> float:
    hours = _number(value)
    if not hours > 0:
        raise ThanoSQLError(
            f"The setting max_hours (THANOSQL_MAX_HOURS) must be a number of hours over 0, not {value!r}."
        )
    return hours


def _seconds(value: object) -> float:
    seconds = _number(value)
    if not 0 <= seconds < math.inf:
        raise ThanoSQLError(
            f"The setting lock_timeout (THANOSQL_LOCK_TIMEOUT) must be a number of seconds, 0 or more, not {value!r}."
        )
    return seconds


def _processes(value: object) -> int:
    if os.name == "nt":  # no open file can be handed to another process there
        return 0
    if value is None:
        return min(DECODING_PROCESSES, os.cpu_count() or 1)
    number = _number(value)
    if not (0 <= number <= 1000 and number == int(number)):
        raise ThanoSQLError(
            "The setting decoding_processes (THANOSQL_DECODING_PROCESSES) must be a whole number from 0 to 1000, not "
            f"{value!r}."
        )
    return int(number)


def _number(value: object) -> float:
    """A setting as a number; NaN if it is not one."""
    try:
        return math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _default_home() -> Path:
    # The embedded PostgreSQL refuses to run as root and makes a user of its own, who cannot enter /root.
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/thanosql")
    return _user_folder("data")


def _user_folder(kind: str) -> Path:
    import platformdirs

    found = platformdirs.user_config_path if kind == "config" else platformdirs.user_data_path
    return found("thanosql", appauthor=False)
