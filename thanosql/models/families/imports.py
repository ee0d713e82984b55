"""Nothing in, transformers out: imported so that a torchaudio that does not load cannot take it down.

transformers imports torchaudio wherever it is installed, and a torchaudio built for another torch raises OSError or
RuntimeError there. It is found first, kept out of sight, and named once in the log.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import sys
from types import ModuleType

log = logging.getLogger(__name__)


def transformers() -> ModuleType:
    """The transformers package, safe to take model classes from."""
    if "transformers.models.wav2vec2.modeling_wav2vec2" not in sys.modules and _torchaudio_is_broken():
        _import_without_torchaudio()
    return importlib.import_module("transformers")


def _torchaudio_is_broken() -> bool:
    if sys.modules.get("torchaudio") is not None:
        return False
    try:
        if importlib.util.find_spec("torchaudio") is None:
            return False
    except (ImportError, ValueError):
        return False
    before = set(sys.modules)
    try:
        importlib.import_module("torchaudio")
    # Whatever a foreign extension raises here (OSError, RuntimeError, AttributeError …) means the same: it is no use.
    except Exception as error:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "torchaudio":
                del sys.modules[name]
        _report(error)
        return True
    return False


def _report(error: Exception) -> None:
    import torch

    try:
        found = importlib.metadata.version("torchaudio")
    except importlib.metadata.PackageNotFoundError:
        found = "of unknown version"
    reason = str(error).strip().splitlines() or [""]
    log.warning(
        "torchaudio %s does not load beside torch %s (%s: %s) and is left out; nothing here needs it. Cure: "
        "pip uninstall torchaudio, or install the torchaudio that was built for this torch.",
        found,
        torch.__version__,
        type(error).__name__,
        reason[0][:200],
    )


def _import_without_torchaudio() -> None:
    # transformers asks once whether torchaudio is there and keeps the answer, so hiding it for that moment is enough;
    # a program's own `import torchaudio` fails later with its own words.
    sys.modules["torchaudio"] = None  # type: ignore[assignment]
    try:
        seen = importlib.import_module("transformers.utils.import_utils").is_torchaudio_available
        if hasattr(seen, "cache_clear"):
            seen.cache_clear()
        seen()
        importlib.import_module("transformers.audio_utils")
        importlib.import_module("transformers.models.wav2vec2.modeling_wav2vec2")
        importlib.import_module("transformers.models.wav2vec2.processing_wav2vec2")
    finally:
        del sys.modules["torchaudio"]
