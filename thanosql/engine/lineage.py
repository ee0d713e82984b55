"""What a trained model's card says of where it comes from; no parameter values and no credentials."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.planner import Environment
from thanosql.models.results import TrainingReport
from thanosql.version import __version__

if TYPE_CHECKING:
    from thanosql.engine.statements.build_model import TrainPlan
    from thanosql.models.registry import Model

TRAINED_ROWS = "trained_rows.txt"  # in a model's folder: a row's fingerprint a line
PACKAGES = ("torch", "transformers", "soxr", "soundfile")


def training_card(plan: TrainPlan, report: TrainingReport, rows: list[str], environment: Environment) -> dict[str, Any]:
    """The card of a model that `plan` trained: statement, options, seed, base, rows, versions, hardware, history."""
    # Which rows it learned from lies beside the card, a line each.
    said = {name: value for name, value in asdict(report).items() if name != "learned"}
    return {
        "name": plan.name,
        "family": plan.model.family,
        "base": plan.model.base,
        "from": {
            "name": plan.model.name,
            "version": plan.model.version,
            "key": plan.model.key,
            "hash": report.identity.get("base"),
        },
        "statement": environment.statement,
        "options": {**asdict(plan.options), **asdict(plan.train)},
        "vocabulary": {"choice": plan.train.vocabulary, "added": " ".join(report.added)},
        "rows": len(plan.rows.learned.references),
        "audio_hours": report.audio_hours,
        "fingerprint": fingerprint(rows),
        "report": said,
        "evaluations": [],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            "thanosql": __version__,
            **{name: version(name) for name in PACKAGES},
        },
        "hardware": _hardware(plan.train.device),
    }


def _hardware(device: str) -> str:
    """The machine that trained, in words; torch has been imported by then."""
    import torch

    said = f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    if device == "cpu" or not torch.cuda.is_available():
        return said
    return f"{said}, {torch.cuda.get_device_name(None if device == 'auto' else device)}"


def evaluation_record(statement: str, figures: Mapping[str, Any], rows: Iterable[str]) -> dict[str, Any]:
    """What a model's card keeps of an evaluation: its statement, figures, moment, and the fingerprint of its rows."""
    return {
        "statement": statement,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "fingerprint": fingerprint(rows),
        # JSON knows no NaN.
        **{name: None if value != value else value for name, value in figures.items()},
    }


def row_fingerprints(rows: Iterable[tuple[str | bytes | None, str]]) -> list[str]:
    """16 hexadecimal digits of a row's audio reference and text: enough to find it again, too little to read it."""
    found = []
    for audio, text in rows:
        reference = audio if isinstance(audio, bytes) else str(audio).encode()
        found.append(hashlib.blake2b(reference + b"\0" + text.encode(), digest_size=8).hexdigest())
    return found


def write_trained_rows(folder: Path, rows: Iterable[str]) -> None:
    (folder / TRAINED_ROWS).write_text("".join(f"{row}\n" for row in sorted(rows)), encoding="ascii")


def trained_rows(model: Model) -> frozenset[str]:
    """Fingerprints of the rows that a model learned from; empty for a base, whose rows are not known."""
    if model.card is None:
        return frozenset()
    try:
        return frozenset((Path(model.checkpoint) / TRAINED_ROWS).read_text(encoding="ascii").split())
    except FileNotFoundError:
        return frozenset()


def fingerprint(rows: Iterable[str]) -> str:
    """One fingerprint for a set of rows, whatever their order."""
    return hashlib.blake2b("".join(sorted(rows)).encode(), digest_size=16).hexdigest()
