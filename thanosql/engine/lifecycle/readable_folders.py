"""Settings in; within them a statement runs that may read only certain folders (`thanosql.confinement`)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from thanosql import confinement
from thanosql.config import Settings


def confined(settings: Settings) -> AbstractContextManager[None]:
    """Within, files are opened under the audio roots alone and, for models, in the store, among the bases and in the hub's
    cache; everywhere, where no audio roots were set."""
    if not settings.confined:
        return confinement.confined(None)

    def own() -> list[Path]:
        from huggingface_hub.constants import HF_HUB_CACHE

        from thanosql.models.bases import ASSETS

        named = (Path(base).expanduser() for base in settings.base_models.values())
        return [settings.store_folder, ASSETS, Path(HF_HUB_CACHE), *(base for base in named if base.is_dir())]

    return confinement.confined(confinement.Confinement(settings.audio_roots, own))
