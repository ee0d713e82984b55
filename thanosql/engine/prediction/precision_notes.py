"""What a statement asked of a model in; out, that bfloat16 is slower than float32 on this processor, where it was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql.models import measurements, precision
from thanosql.models.devices import expected_device

if TYPE_CHECKING:
    from thanosql.engine.planner import Environment
    from thanosql.models.options import TrainOptions, TranscribeOptions


def precision_notes(how: TranscribeOptions | TrainOptions, environment: Environment) -> list[str]:
    """A sentence, or none."""
    if how.precision != "bfloat16":
        return []
    faster = precision.speed(how.precision, expected_device(how.device), measurements.kept(environment.settings.home))
    if faster >= 1:
        return []
    return [f"bfloat16 takes {1 / faster:.1f} times as long as float32 on this processor: say precision='float32'."]
