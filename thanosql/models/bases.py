"""The base models that are known by name: where their files come from, their size and language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Base:
    """A base model: `checkpoint` is a hub id (`owner/name@commit`, so that it stays what it is) or a folder.

    `train_defaults` stand above the options' own defaults; `license` is said where it asks something of who uses the model.
    """

    name: str
    checkpoint: str
    megabytes: float
    language: str
    train_defaults: Mapping[str, Any] = field(default_factory=dict)
    family: str = "wav2vec2"
    adapters: bool = False  # of several languages
    license: str | None = None

    @property
    def size(self) -> str:
        """The size of its weights, to be read.

        >>> Base("a", "b/c", 1270, "Korean").size
        '1.27 GB'
        """
        return f"{self.megabytes / 1000:.2f} GB" if self.megabytes >= 1000 else f"{self.megabytes:.0f} MB"


BASES: Mapping[str, Base] = {
    base.name: base
    for base in (
        Base("Wav2Vec2En", "facebook/wav2vec2-base-960h", 378, "English"),
        Base("Wav2Vec2Ko", "kresnik/wav2vec2-large-xlsr-korean", 1270, "Korean"),
        Base(
            "HubertEn",
            "facebook/hubert-large-ls960-ft@ece5fabbf034c1073acae96d5401b25be96709d8",
            1262,
            "English",
            family="hubert",
        ),
        Base(
            "ParakeetEn",
            "nvidia/parakeet-ctc-0.6b@ad09ba1cc62743fbc9814de5d2016fca9096485a",
            2436,
            "English",
            family="parakeet_ctc",
            license="CC BY 4.0: name NVIDIA as its author",
        ),
        Base(
            "MMS",
            "facebook/mms-1b-all@3d33597edbdaaba14a8e858e2c8caa76e3cec0cd",
            3859,
            "1,162 languages: language='kor'",
            {"learning_rate": 1e-3},
            adapters=True,
            license="CC BY-NC 4.0: not for commercial use",
        ),
        Base(
            "Wav2Vec2Tiny",
            str(ASSETS / "Wav2Vec2Tiny"),
            2,
            "English",
            {"learning_rate": 2e-3, "base_share": 0.3},
        ),
        Base(
            "Wav2Vec2TinyKo",
            str(ASSETS / "Wav2Vec2TinyKo"),
            5,
            "Korean",
            {"learning_rate": 2e-3, "freeze_feature_encoder": False, "base_share": 0.4},
        ),
    )
}
