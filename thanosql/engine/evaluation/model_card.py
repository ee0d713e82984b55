"""An evaluation in; its record on the model's card, and what is to be said of it, out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from thanosql.engine.evaluation.figures import Evaluation
from thanosql.engine.planner import Environment
from thanosql.errors import ThanoSQLError
from thanosql.models import precision
from thanosql.models.precision import PrecisionComparison

if TYPE_CHECKING:
    from thanosql.models.model import Model


def record_on_card(
    model: Model,
    evaluation: Evaluation,
    rows: Iterator[str],
    check: PrecisionComparison | None,
    environment: Environment,
) -> Iterator[str]:
    """Put the evaluation on the model's card. The result is complete by now: what goes wrong here is said beside it."""
    from thanosql.models.card import evaluation_record

    if model.version is None:
        return
    learned = sum(bool(evaluation.rows.trained[index]) for index in evaluation.counted)
    record = evaluation_record(environment.statement, evaluation.total_row(), rows, learned)
    try:
        environment.store.record_evaluation(
            model.name, model.version, record | (precision.as_record(check) if check is not None else {})
        )
    except ThanoSQLError as error:
        yield f"The evaluation could not be written to the model's card: {error.message}"


def outcome_of(check: PrecisionComparison | None, model: Model) -> Iterator[str]:
    """What the comparison of bfloat16 with float32 found, and what `precision='auto'` is after it."""
    if check is None:
        return
    yield f"{check}; the figures shown are those of float32."
    if model.version is None:
        yield f"{model.name} is not a model in the store: the check is not saved, and precision='auto' stays float32."
    elif check.words < precision.ENOUGH_WORDS:
        yield f"precision='auto' stays float32: {precision.ENOUGH_WORDS:,} words are needed."
    elif not check.passes:
        yield f"precision='auto' stays float32: at most {precision.MOST_DIFFERING:.1%} may differ."
    else:
        yield "precision='auto' is bfloat16 from now on, on hardware that has matrix units for it."
