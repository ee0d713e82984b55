"""What a model's card says of where it comes from and how it was measured; no parameter values and no credentials."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from thanosql.version import __version__

if TYPE_CHECKING:
    from thanosql.models.model import Model
    from thanosql.models.options import TrainOptions
    from thanosql.models.results import TrainingReport

PACKAGES = ("torch", "transformers", "soxr", "soundfile")


def training_card(
    name: str,
    model: Model,
    options: Any,
    train: TrainOptions,
    report: TrainingReport,
    rows: list[str],
    query_rows: int,
    statement: str,
    tagged: int = 0,
) -> dict[str, Any]:
    """The card of a model that was trained from `model`: statement, options, seed, base, rows, versions, hardware, history.

    `rows` are the fingerprints of the rows to learn from, of the `query_rows` that the query gave; `tagged` of those had
    tags of annotators in their texts.
    """
    from importlib import metadata

    from thanosql.models.trained_rows import fingerprint

    # Which rows it learned from lies beside the card, a line each.
    said = {name: value for name, value in asdict(report).items() if name not in ("learned", "calibration")}
    return {
        "name": name,
        "family": model.family,
        "base": model.base,
        "from": {
            "name": model.name,
            "version": model.version,
            "key": model.key,
            "hash": report.identity.get("base"),
        },
        "statement": statement,
        "options": {**asdict(options), **asdict(train)},
        "vocabulary": {"choice": train.vocabulary, "added": " ".join(report.added)},
        "texts": {"tags": _tags(options.tags, tagged, query_rows), "normalizer": train.normalizer},
        "rows": query_rows,
        "audio_hours": report.audio_hours,
        "fingerprint": fingerprint(rows),
        "report": said,
        "calibration": report.calibration,
        "evaluations": [],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            "thanosql": __version__,
            **{name: metadata.version(name) for name in PACKAGES},
        },
        "hardware": _hardware(train.device),
    }


def _tags(choice: str, tagged: int, rows: int) -> str:
    """
    >>> _tags("drop", 3, 120), _tags("keep", 0, 120)
    ("'drop': left out of the texts of 3 of 120 rows", "'keep': there were none in 120 rows")
    """
    if not tagged:
        return f"{choice!r}: there were none in {rows:,} rows"
    done = "left out of the texts of" if choice == "drop" else "learned as words in"
    return f"{choice!r}: {done} {tagged:,} of {rows:,} rows"


def _hardware(device: str) -> str:
    """The machine that trained, in words; torch has been imported by then."""
    import torch

    said = f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    if device == "cpu" or not torch.cuda.is_available():
        return said
    return f"{said}, {torch.cuda.get_device_name(None if device == 'auto' else device)}"


def evaluation_record(
    statement: str, figures: Mapping[str, Any], rows: Iterable[str], trained_on: int
) -> dict[str, Any]:
    """What a model's card keeps of an evaluation: its statement, figures, moment, the fingerprint of its rows, and of how
    many of them the audio was trained on."""
    from thanosql.models.trained_rows import fingerprint

    return {
        "statement": statement,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "fingerprint": fingerprint(rows),
        "trained_on": trained_on,
        # JSON knows no NaN.
        **{name: None if value != value else value for name, value in figures.items()},
    }


def last_on_new_audio(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """The last evaluation that tells how good a model is: none of its rows was trained on. Empty where there is none.

    >>> last_on_new_audio({"evaluations": [{"wer": 0.2, "trained_on": 0}, {"wer": 0.01, "trained_on": 25}]})["wer"]
    0.2
    """
    evaluations = [one for one in card.get("evaluations") or () if isinstance(one, Mapping)]
    return next((one for one in reversed(evaluations) if not one.get("trained_on")), {})


def figures(card: Mapping[str, Any]) -> tuple[int | None, float | None, float | None, str | None]:
    """What a list of models shows of a card: rows, hours of audio, the WER of its last evaluation on new audio, when it was
    made."""
    last = last_on_new_audio(card).get("wer")
    wer = float(last) if isinstance(last, int | float) else None
    return card.get("rows"), card.get("audio_hours"), wer, card.get("created")


def imported_card(
    name: str, family: str, base: str, checkpoint: str, revision: str | None, statement: str
) -> dict[str, Any]:
    """Where a model came from: statement, checkpoint (a folder, or a hub id and its commit), versions."""
    return {
        "name": name,
        "family": family,
        "base": base,
        "from": {"name": checkpoint, "revision": revision},
        "statement": statement,
        "evaluations": [],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    from importlib import metadata

    found = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):  # run from a checkout that was never installed
            found[package] = metadata.version(package)
    return found
