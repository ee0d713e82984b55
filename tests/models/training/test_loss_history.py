from __future__ import annotations

import json
from dataclasses import asdict

from thanosql.models.training import loss_history
from thanosql.models.training.loss_history import LossHistory


def test_a_long_run_is_a_thousand_points_at_most_each_the_mean_of_its_stretch() -> None:
    made = LossHistory()
    for step in range(1, 5_001):
        made.add(step, loss=float(step), rate=step / 10)
    points = made.whole()
    assert loss_history.MOST / 2 <= len(points) <= loss_history.MOST
    assert made.stride == 8
    assert points[0] == (8, 4.5, 0.8)
    assert points[-1] == (5_000, 4_996.5, 500.0)


def test_a_curve_that_was_kept_in_between_goes_on_as_an_unbroken_one() -> None:
    unbroken, kept = LossHistory(), LossHistory()
    for step in range(1, 1_300):
        unbroken.add(step, loss=1 / step, rate=0.1)
        kept.add(step, loss=1 / step, rate=0.1)
        if step % 97 == 0:
            kept = LossHistory(**json.loads(json.dumps(asdict(kept))))
    assert kept.whole() == unbroken.whole()
