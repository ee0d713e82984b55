"""What the option `augment` says in, the Augmentation of which the rest is turned off out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from thanosql.models.training.augmentation import Augmentation

# What makes an Augmentation leave a part of the sound alone.
OFF: Mapping[str, Mapping[str, Any]] = {
    "speed": {"speed": 0.0, "tempo": 0.0, "tempo_share": 0.0, "pause": 0.0},
    "noise": {"noise_share": 0.0},
    "level": {"level": (0.0, 0.0)},
    "band": {"tone": 0.0, "band_share": 0.0},
    "room": {"room_share": 0.0},
}


def chosen(parts: bool | Sequence[str]) -> Augmentation | None:
    """True is all of it; False, 'none' and no part at all are None.

    >>> chosen(["speed", "level"]).noise_share, chosen(["none"])
    (0.0, None)
    """
    if isinstance(parts, bool):
        return Augmentation() if parts else None
    wanted = set(parts) - {"none"}
    if not wanted:
        return None
    off = [OFF[part] for part in OFF if part not in wanted]
    return replace(Augmentation(), **{name: value for part in off for name, value in part.items()})
