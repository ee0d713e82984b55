"""Settings in, findings out: the home and its rights, free disk, the database, and the hub's cache."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from thanosql.config import Settings
from thanosql.diagnosis.findings import Finding
from thanosql.errors import ThanoSQLError
from thanosql.models import measurements
from thanosql.models.audio.info import shown
from thanosql.unexpected import as_error

LEAST_DISK = 1.0  # GB; a new embedded database takes 0.04, a saved base model up to 1.3
GOOD_DISK = 5.0
HUB_SECONDS = 2.0  # that the hub has to answer, names looked up and all


def home(settings: Settings) -> Iterator[Finding]:
    """Whether the home can be used, and who else can."""
    folder = settings.home
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            "home",
            "error",
            f"{folder} cannot be written to: {there} is {'not yours' if there.is_dir() else 'no folder'}",
            "Set THANOSQL_HOME to a folder of your own.",
        )
        return
    if there != folder:
        yield Finding("home", "ok", f"{folder}, created by the first statement that needs it")
        return
    yield Finding("home", "ok", str(folder))
    if folder.stat().st_mode & stat.S_IWOTH:
        yield Finding("home", "warning", "every user of this machine can write to it", f"chmod o-w {folder}")
    # A home that others may not enter guards all that is in it.
    readable = [path.name for path in sorted(folder.iterdir()) if path.stat().st_mode & 0o007]
    if readable and folder.stat().st_mode & stat.S_IXOTH:
        yield Finding(
            "home", "warning", f"other users may read {', '.join(readable)} in it", f"chmod -R go= {folder}/*"
        )


def processor(settings: Settings) -> Iterator[Finding]:
    """The processor, and which ways to compute were measured to be the fastest on it."""
    about, found = measurements.processor(), measurements.kept(settings.home)
    yield Finding("processor", "ok", f"{about['processor']}: {about['instructions'] or 'no instructions are told'}")
    if not found:
        yield Finding(
            "processor", "note", "nothing was measured on it yet: that comes with the first model that is loaded"
        )
    for line in measurements.summary(found):
        yield Finding("processor", "ok", line)
    if (faster := measurements.bfloat16_speed(found)) is not None:
        yield Finding("processor", "ok" if faster > 1 else "note", f"bfloat16 has {faster:.2f} × float32's speed")


def disk(settings: Settings) -> Iterator[Finding]:
    """Free disk of the home and of the temporary folder."""
    there = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    folders = [("disk", there)]
    try:
        folders.append(("temporary", Path(tempfile.gettempdir())))
    except OSError as error:
        raised = as_error(error)
        yield Finding("temporary", "error", raised.message, raised.hint or "")
    for name, path in folders:
        free = shutil.disk_usage(path).free / 1e9
        severity = "error" if free < LEAST_DISK else "warning" if free < GOOD_DISK else "ok"
        cure = (
            "" if severity == "ok" else "Training and long recordings need more: free some, or name another folder in "
        )
        if cure:
            cure += "THANOSQL_HOME." if name == "disk" else "TMPDIR."
        yield Finding(name, severity, f"{free:,.1f} GB are free for {path}", cure)  # type: ignore[arg-type]


def database(settings: Settings) -> Iterator[Finding]:
    """Whether the database answers."""
    from thanosql.engine.postgres.address import without_password
    from thanosql.engine.session import Session

    kind = without_password(settings.database_url) if settings.database_url else "embedded"
    begun = time.monotonic()
    try:
        with Session(settings.database_url, home=settings.home) as session:
            version = session.database.server_version
    except ThanoSQLError as error:
        yield Finding("database", "error", f"{kind}: {error.message}", error.hint or "")
        return
    seconds = time.monotonic() - begun
    yield Finding("database", "ok", f"{kind}, PostgreSQL {version // 10_000}.{version % 10_000}, {seconds:.1f} s")


def hub(settings: Settings) -> Iterator[Finding]:
    """Where downloaded models lie, which of the bases are there, and whether the hub can be reached for the others.

    With HF_HUB_OFFLINE nothing is asked of the network.
    """
    from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE, HF_HUB_OFFLINE

    from thanosql.models.bases import ASSETS, BASES
    from thanosql.models.registry import checkpoint_of

    cache = Path(HF_HUB_CACHE)
    there = next(path for path in (cache, *cache.parents) if path.exists())
    if not os.access(there, os.W_OK):
        yield Finding(
            "hub", "warning", f"the cache {cache} cannot be written to", "Set HF_HUB_CACHE to another folder."
        )
    for base in BASES.values():
        source = checkpoint_of(base.name, settings)
        if Path(source).is_relative_to(ASSETS):
            continue
        if Path(source).is_dir() or (cache / f"models--{source.partition('@')[0].replace('/', '--')}").is_dir():
            yield Finding("hub", "ok", f"{base.name} ({source}) is on this machine")
        elif HF_HUB_OFFLINE:
            yield Finding(
                "hub",
                "note",
                f"{base.name} ({source}) is not in the cache, and HF_HUB_OFFLINE forbids its download",
                f"Download it elsewhere, and give its folder in thanosql.toml under [base_models]: {base.name} = '…'",
            )
        else:
            yield Finding(
                "hub", "note", f"{base.name} ({source}) is not in the cache; its first use downloads {base.size}"
            )
    if HF_HUB_OFFLINE:
        yield Finding("hub", "note", "HF_HUB_OFFLINE is set: nothing is downloaded, and the hub was not asked")
        return
    endpoint = shown(ENDPOINT)
    if (failed := _unreachable(ENDPOINT)) is None:
        yield Finding("hub", "ok", f"{endpoint} can be reached")
        return
    yield Finding(
        "hub",
        "warning",
        f"{endpoint} cannot be reached: {failed}",
        "What is on this machine works. For the rest, see to the network, the proxy (HTTPS_PROXY) or the mirror "
        "(HF_ENDPOINT); or copy a cache that has it (HF_HOME), or name its folder in thanosql.toml under "
        "[base_models]. HF_HUB_OFFLINE=1 says that there is no network.",
    )


def _unreachable(endpoint: str) -> str | None:
    """Why the hub does not answer, within HUB_SECONDS; None where it does."""
    from huggingface_hub import get_session

    said: list[str | None] = []

    def ask() -> None:
        try:
            status = get_session().head(endpoint, timeout=HUB_SECONDS).status_code
        except Exception as error:  # of the network, of a proxy, of an address that is none
            # The system's words, not the library's: those may repeat an address with its password.
            reason = next((one.strerror for one in _causes(error) if isinstance(one, OSError) and one.strerror), None)
            said.append(f"{type(error).__name__} ({reason})" if reason else type(error).__name__)
        else:
            said.append(f"it answers with {status}" if status >= 500 or status == 407 else None)

    # A name that is looked up in vain is waited for by the system, however short a request's own limit is.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(HUB_SECONDS)
    return said[0] if said else f"it did not answer within {HUB_SECONDS:g} s"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
