"""A model in, its recognizer out: loaded once and kept, the least recently used let go of when memory is short."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from thanosql.models import checkpoint_files, registry
from thanosql.models.ctc import languages
from thanosql.models.devices import choose_device

if TYPE_CHECKING:
    from thanosql.models.base import Recognizer
    from thanosql.models.model import Model
    from thanosql.models.options import TranscribeOptions

LIMIT_BYTES = 4 * 2**30  # weights kept; the one in use stays whatever its size


class _Key(NamedTuple):
    """All that a recognizer depends on. `model` is the same for every state of one model."""

    model: str
    family: str
    files: str
    language: str | None
    device: str
    precision: str


class ModelCache:
    """Recognizers by the state of their model's files: what was built, fetched or changed anew is loaded at once.

    `loading_seconds` is what loading has taken so far, the import of the library that it needs with it.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.loading_seconds = 0.0
        self._recognizers: OrderedDict[_Key, Recognizer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recognizers)

    def recognizer(self, model: Model, options: TranscribeOptions) -> Recognizer:
        """The recognizer of a model on the device and in the precision of the options. Raises what loading raises."""
        started = time.perf_counter()
        try:
            return self._recognizer(model, options)
        finally:
            self.loading_seconds += time.perf_counter() - started

    def _recognizer(self, model: Model, options: TranscribeOptions) -> Recognizer:
        device = str(choose_device(options.device))
        with registry.reading(model):
            folder = languages.open(model.checkpoint, model.language).folder
            name = model.checkpoint if model.version is None else model.name
            key = _Key(
                name,
                registry.model_type(model),
                checkpoint_files.state(folder),
                model.language,
                device,
                options.precision,
            )
            if key in self._recognizers:
                self._recognizers.move_to_end(key)
                return self._recognizers[key]
            for other in [other for other in self._recognizers if other.model == name and other.files != key.files]:
                del self._recognizers[other]
            # The folder, not the name: what is loaded is what the key was made of.
            recognizer = registry.family_of(model).load(str(folder), replace(options, language=model.language))
        self._recognizers[key] = recognizer
        while (
            len(self._recognizers) > 1
            and sum(loaded.nbytes for loaded in self._recognizers.values()) > self.limit_bytes
        ):
            self._recognizers.popitem(last=False)
        return recognizer
