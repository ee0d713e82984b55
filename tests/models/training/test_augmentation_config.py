"""What augment names is varied, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from thanosql.engine.language.options import bind
from thanosql.engine.parser import parse
from thanosql.errors import ThanoSQLOptionError
from thanosql.models.options import TrainOptions
from thanosql.models.training.augmentation import Augmentation, augment
from thanosql.models.training.augmentation_config import OFF, chosen
from thanosql.models.training.seeding import generator


def tone(seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(16_000 * seconds)) / 16_000
    return (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def varied(*parts: str, draw: int = 0) -> np.ndarray:
    how = chosen(list(parts))
    assert how is not None
    return augment(tone(), generator("sound", draw), how)


def bound(text: str) -> bool | list[str]:
    source = f"BUILD MODEL m USING b OPTIONS (augment={text}) AS SELECT 1"
    (options,) = bind(parse(source).options, TrainOptions, source=source, statement="BUILD")  # type: ignore[attr-defined]
    return options.augment  # type: ignore[no-any-return]


def test_the_option_is_true_or_false_or_names_parts() -> None:
    assert bound("True") is True
    assert bound("false") is False
    assert bound("'none'") == ["none"]
    assert bound("['speed', 'noise']") == ["speed", "noise"]
    assert chosen(True) == Augmentation()
    assert chosen(False) is chosen(["none"]) is chosen([]) is None


@pytest.mark.parametrize("text", ["'sped'", "['speed', 'nois']", "['none', 'speed']", "1"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match="augment"):
        bound(text)


def test_every_part_turned_off_leaves_the_sound_as_it_is() -> None:
    from dataclasses import replace

    off = replace(Augmentation(), **{name: value for part in OFF.values() for name, value in part.items()})
    for draw in range(5):
        assert np.abs(augment(tone(), generator("sound", draw), off) - tone()).max() < 1e-5


def test_speed_alone_changes_the_length_and_level_the_loudness() -> None:
    lengths = {len(varied("speed", draw=draw)) for draw in range(5)}
    assert len(lengths) == 5
    for draw in range(5):
        louder = varied("level", draw=draw)
        assert len(louder) == len(tone())
        ratio = louder[100:-100].std() / tone()[100:-100].std()
        assert np.allclose(louder, tone() * ratio, atol=1e-4)
    assert len({round(float(varied("level", draw=draw).std()), 5) for draw in range(5)}) == 5


@pytest.mark.parametrize("part", ["noise", "band", "room"])
def test_the_other_parts_change_the_sound_and_keep_its_length(part: str) -> None:
    found = [varied(part, draw=draw) for draw in range(8)]
    assert {len(one) for one in found} == {len(tone())}
    assert any(np.abs(one - tone()).max() > 1e-3 for one in found)
