"""A model in, its recognizer out: loaded once and kept, the least recently used let go of when memory is short."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from thanosql.models import registry

if TYPE_CHECKING:
    from thanosql.models.base import Recognizer
    from thanosql.models.options import TranscribeOptions
    from thanosql.models.registry import Model

LIMIT_BYTES = 4 * 2**30  # weights kept; the one in use stays whatever its size


class ModelCache:
    """Recognizers by the state of their model: one that was built again, or changed on disk, is loaded anew at once."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._kept: OrderedDict[tuple[str, str, str, str], Recognizer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recognizer(self, model: Model, options: TranscribeOptions) -> Recognizer:
        """The recognizer of a model on the device and in the precision of the options. Raises what loading raises."""
        key = (model.checkpoint if model.version is None else model.name, model.key, options.device, options.precision)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        for other in [other for other in self._kept if other[0] == key[0] and other[1] != key[1]]:
            del self._kept[other]
        recognizer = registry.family(model.family).load(model.checkpoint, options)
        self._kept[key] = recognizer
        while len(self._kept) > 1 and sum(map(_bytes, self._kept.values())) > self.limit_bytes:
            self._kept.popitem(last=False)
        return recognizer


def _bytes(recognizer: Recognizer) -> int:
    return int(getattr(recognizer, "nbytes", 0))
