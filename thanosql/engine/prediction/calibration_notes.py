"""A model and what a statement asks of it in; that its confidence is no probability yet, said once a session, out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from thanosql.engine.planner import Environment
    from thanosql.models.model import Model
    from thanosql.models.store import Store

_said: WeakKeyDictionary[Store, set[str]] = WeakKeyDictionary()  # keys of models; a session has one store


def calibration_notes(model: Model, asked: bool, environment: Environment) -> list[str]:
    """A sentence, or none: where confidence is not `asked` for, is calibrated, or this has been said before."""
    from thanosql.models.ctc.calibration import Calibration, described

    known = _said.setdefault(environment.store, set())
    if not asked or model.key in known or Calibration.of_card(model.card) is not None:
        return []
    known.add(model.key)
    return [f"The confidence of {model.name} is {described(model.card)}."]
