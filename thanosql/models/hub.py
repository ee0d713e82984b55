"""A hub id in, a folder of the hub's cache out, at one commit.

What is in the cache already is used without asking anyone; what is not is downloaded, only the files that a
model needs.
"""

from __future__ import annotations

import re
from pathlib import Path

from thanosql.errors import ThanoSQLConnectionError, ThanoSQLModelError
from thanosql.models.bases import BASES
from thanosql.models.json_file import read_json

# Weights, the first that is there; what lies beside them is small.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
SMALL = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "tokenizer.json",
    "normalizer.json",
)
TIMEOUT = 10.0  # seconds, for the question which files there are
_ID = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95})(@(?P<revision>[\w./-]{1,255}))?")


def is_id(text: str) -> bool:
    """Whether a text reads as `owner/name` or `owner/name@revision`.

    >>> is_id("facebook/wav2vec2-base-960h"), is_id("./models/mine"), is_id("a/b@v1.0")
    (True, False, True)
    """
    return _ID.fullmatch(text) is not None


def fetch(identifier: str) -> Path:
    """The folder of a repository in the hub's cache; its name is the commit.

    Raises ThanoSQLModelError when the hub has no such model, ThanoSQLConnectionError when it cannot be reached: the
    message says what was wanted, how large it is, and how to get it.
    """
    match = _ID.fullmatch(identifier)
    if match is None:
        raise ThanoSQLModelError(f"{identifier!r} is not a hub id; a hub id looks like owner/name.")
    name, revision = match["name"], match["revision"]
    return _cached(name, revision) or _download(name, revision)


def fetch_more(identifier: str, folder: Path, file: str) -> None:
    """Bring one file more into the folder that `fetch` gave for a repository, at the same commit.

    Raises ThanoSQLModelError when the repository has no such file, ThanoSQLConnectionError when the hub cannot be reached.
    """
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    name, _, revision = identifier.partition("@")
    if constants.HF_HUB_OFFLINE:
        raise _unreachable(name, "the hub is switched off (HF_HUB_OFFLINE)", revision, file)
    try:
        hf_hub_download(name, file, revision=folder.name, etag_timeout=TIMEOUT)
    except LocalEntryNotFoundError as error:
        raise _unreachable(name, f"{type(error).__name__}: {error}".splitlines()[0][:300], revision, file) from error
    except EntryNotFoundError as error:
        raise ThanoSQLModelError(f"{name} on the hub has no file {file}.") from error
    except Exception as error:  # httpx, OSError, and the hub's own: all say that the file did not come
        raise _unreachable(name, f"{type(error).__name__}: {error}".splitlines()[0][:300], revision, file) from error


def cached_folder(identifier: str) -> Path | None:
    """The folder of a repository that is in the hub's cache; None for one that is not, and for what is no id."""
    match = _ID.fullmatch(identifier)
    if match is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(match["name"], "config.json", revision=match["revision"])
    return Path(found).parent if isinstance(found, str) else None


def _cached(name: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        return None
    return folder if _is_complete(folder) else None


def _is_complete(folder: Path) -> bool:
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None or not (folder / "config.json").is_file():
        return False
    if weights.suffix != ".json":
        return True
    try:  # of a download that was broken off the index may be there alone
        parts = set(read_json(weights)["weight_map"].values())
        return all((folder / part).is_file() for part in parts)
    except (ThanoSQLModelError, KeyError, TypeError, AttributeError):
        return True  # damaged, which its reader says


def _download(name: str, revision: str | None) -> Path:
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if constants.HF_HUB_OFFLINE:
        raise _unreachable(name, "the hub is switched off (HF_HUB_OFFLINE)", revision)
    try:
        found = HfApi().model_info(name, revision=revision, timeout=TIMEOUT)
        files = {file.rfilename for file in found.siblings or ()}
        weights = next((weights for weights in WEIGHTS if weights in files), None)
        if weights is None:
            raise ThanoSQLModelError(f"{name} on the hub has no weights in a readable format (model.safetensors).")
        wanted = [*SMALL, weights]
        if weights.endswith(".index.json"):
            wanted.append("*.safetensors" if "safetensors" in weights else "*.bin")
        # By its name, not by its commit: the cache keeps which commit a name stood for, so that it is found there again.
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted))
    except GatedRepoError as error:
        raise ThanoSQLModelError(
            f"{name} on the hub is only for users who were granted access.", hint="Log in with: hf auth login"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        where = f"{name}@{revision}" if revision else name
        raise ThanoSQLModelError(f"The hub has no model {where} (or it is private).") from error
    except ThanoSQLModelError:
        raise
    except Exception as error:  # httpx, OSError, and the hub's own: all say that the files did not come
        raise _unreachable(name, f"{type(error).__name__}: {error}".splitlines()[0][:300], revision) from error


def _unreachable(name: str, reason: str, revision: str | None, file: str = "") -> ThanoSQLConnectionError:
    """What is wanted, how large it is, and how to get it: a whole model, or one `file` of a model that is here."""
    base = next((base for base in BASES.values() if base.checkpoint.partition("@")[0] == name), None)
    size = f" ({base.size})" if base and not file else ""
    what = f"The file {file} of the model {name}" if file else f"The model {name}"
    wanted = f"hf download {name}" + (f" {file}" if file else "") + (f" --revision {revision}" if revision else "")
    point = (
        f"or set THANOSQL_{base.name.upper()} (or [base_models] {base.name} in thanosql.toml) to a folder that holds it"
        if base
        else "or name a folder that holds it"
    )
    return ThanoSQLConnectionError(
        f"{what}{size} is not in the hub's cache, and the hub cannot be reached: {reason}.",
        hint=f"Fetch it once on a machine with a network: {wanted}, and copy the cache (HF_HOME); {point}.",
    )
