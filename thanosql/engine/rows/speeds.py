"""What statements took on this machine in, how long such a one takes out: the rate is kept in the home, by model and device."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql import private
from thanosql.errors import ThanoSQLError
from thanosql.models.devices import expected_device
from thanosql.models.json_file import read_text
from thanosql.models.options import DecodeOptions, TrainOptions

if TYPE_CHECKING:
    from thanosql.engine.planner import Environment
    from thanosql.engine.rows.bound_statement import BoundStatement

FILE = "speeds.json"
LEAST_AUDIO = 2.0  # seconds; of less a statement's other work is what took the time
FADES = 0.5  # what was measured before counts half beside a new measurement
MOST = 200  # models and devices that are remembered


def measured(home: Path, about: BoundStatement, precision: str, where: str) -> float | None:
    """Operations a second that such a statement has reached here, loading apart; None before there was one."""
    found = _read(home / FILE).get(_key(about, precision, where))
    return found[0] / found[1] if found and found[1] > 0 else None


def keep(about: BoundStatement, precision: str, audio_seconds: float, seconds: float, environment: Environment) -> None:
    """Keep what so much audio took a statement, on this machine. Nothing is raised where it cannot be kept: it is an
    estimate's."""
    from thanosql.models import registry

    executor = getattr(about.options, "executor", None) or environment.settings.executor
    try:
        known = registry.facts(about.model)
    except ThanoSQLError:  # it was replaced meanwhile, and what was done with it is done
        return
    if audio_seconds < LEAST_AUDIO or seconds <= 0 or known is None or executor != "local":
        return
    operations = known.flops_per_second * audio_seconds
    remember(environment.settings.home, about, precision, expected_device(about.how.device), operations, seconds)


def remember(home: Path, about: BoundStatement, precision: str, where: str, operations: float, seconds: float) -> None:
    """Keep in the home how many operations took how long."""
    path, key = home / FILE, _key(about, precision, where)
    known = _read(path)
    before = known.pop(key, (0.0, 0.0))
    known[key] = (before[0] * FADES + operations, before[1] * FADES + seconds)
    with contextlib.suppress(OSError):
        private.replace(path, json.dumps(dict([*known.items()][-MOST:])))


def _key(about: BoundStatement, precision: str, where: str) -> str:
    """What statements of one speed have in common: a beam, or a training whose rows vary, takes several times as long."""
    kind, how = about.kind, about.how
    if isinstance(how, TrainOptions):  # BUILD and FIT do the same
        kind = "TRAIN"
        kind += "" if how.freeze_feature_encoder else " all"
        kind += "" if how.augment else " unvaried"
        kind += f" {how.train}" if how.train != "all" else ""
    elif isinstance(about.options, DecodeOptions) and about.options.decoder != "greedy":
        guides = [name for name in ("hotwords", "lm", "lm_query") if getattr(about.options, name, None)]
        kind = " ".join([kind, about.options.decoder, str(about.options.beam_width), *guides])
    return f"{kind} {about.model.base} {where} {precision}"


def _read(path: Path) -> dict[str, tuple[float, float]]:
    """What is kept; nothing where it is not there, or is not what we wrote."""
    try:
        found: Any = json.loads(read_text(path, own=True))
        return {str(key): (float(operations), float(seconds)) for key, (operations, seconds) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
