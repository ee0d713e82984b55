"""What PREDICT measures of this processor: kept in the home, told by EXPLAIN and the doctor, and not measured again."""

from __future__ import annotations

from dataclasses import replace

import pytest

import thanosql
from thanosql.engine.session import Session
from thanosql.models import measurements

PREDICT = "PREDICT USING Wav2Vec2Tiny OPTIONS (device='cpu', precision='{}') AS SELECT * FROM librispeech_test LIMIT 1"


def explained(session: Session, statement: str) -> dict[str, str]:
    frame = session.execute(f"EXPLAIN {statement}")
    return dict(zip(frame["item"], frame["value"], strict=True))


@pytest.mark.parametrize("used", ["float32", "bfloat16"])
def test_it_is_measured_once_kept_and_told(numbers: Session, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "_known", {})
    monkeypatch.setattr(measurements, "_kept", set())
    statement, home = PREDICT.format(used), numbers.settings.home
    assert "nothing yet" in explained(numbers, statement)["measured here"]
    numbers.execute(statement)
    found = measurements.kept(home)
    assert {key.split(" ")[0] for key in found} == {"product", "attention", "block", "precision"}
    lines = measurements.summary(found)
    assert explained(numbers, statement)["measured here"] == "; ".join(lines)
    told = [one.message for one in thanosql.doctor(numbers.settings.database_url, home=home).findings]
    assert set(lines) <= set(told)
    # The next process finds it and measures nothing.
    monkeypatch.setattr(measurements, "_known", {})
    monkeypatch.setattr(measurements, "_kept", set())
    monkeypatch.setattr(measurements, "_times", None)
    with Session(numbers.settings.database_url, home=home) as later:
        later.execute(statement)


def test_a_training_keeps_what_it_measures(numbers: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "_known", {})
    monkeypatch.setattr(measurements, "_kept", set())
    (numbers.settings.home / measurements.FILE).unlink(missing_ok=True)
    numbers.execute(
        "BUILD MODEL measured USING Wav2Vec2Tiny OPTIONS "
        "(device='cpu', max_epochs=1, overwrite=True, freeze_feature_encoder=True) "
        "AS SELECT * FROM librispeech_test LIMIT 4"
    )
    assert "product" in {key.split(" ")[0] for key in measurements.kept(numbers.settings.home)}


@pytest.mark.parametrize("slower", [True, False], ids=["slower", "faster"])
@pytest.mark.parametrize(
    "statement",
    [
        PREDICT,
        "ALIGN USING Wav2Vec2Tiny OPTIONS (device='cpu', precision='{}') AS SELECT * FROM librispeech_test LIMIT 1",
        "EVALUATE USING Wav2Vec2Tiny OPTIONS (device='cpu', precision='{}') AS SELECT * FROM librispeech_test LIMIT 1",
        "BUILD MODEL slow USING Wav2Vec2Tiny OPTIONS (device='cpu', precision='{}', max_epochs=1, overwrite=True) "
        "AS SELECT * FROM librispeech_test LIMIT 4",
        "FIT MODEL slow USING Wav2Vec2Tiny OPTIONS (device='cpu', precision='{}', max_epochs=1, overwrite=True) "
        "AS SELECT * FROM librispeech_test LIMIT 4",
    ],
    ids=["predict", "align", "evaluate", "build", "fit"],
)
def test_where_bfloat16_was_measured_to_be_slower_it_is_said(numbers: Session, statement: str, slower: bool) -> None:
    numbers.execute(PREDICT.format("bfloat16"))
    key, one = next(item for item in measurements._known.items() if item[0].startswith("precision "))
    took = {"float32": 1.0, "bfloat16": 5.0 if slower else 0.5}
    measurements._known[key] = replace(one, milliseconds=took)
    try:
        (numbers.settings.home / measurements.FILE).unlink()
        measurements.keep(numbers.settings.home)
        said = explained(numbers, statement.format("bfloat16"))["precision"]
        note = numbers.run(statement.format("bfloat16")).note
        assert ("takes 5.0 times as long as float32" in said) is slower
        assert ("bfloat16 takes 5.0 times as long as float32 on this processor" in note) is slower
        assert "bfloat16 takes" not in numbers.run(statement.format("float32")).note
    finally:
        measurements._known[key] = one
