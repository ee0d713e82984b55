"""Frames of a frozen feature encoder in, once; the same frames out in every later epoch.

They lie in a file in bfloat16, about 184 MB an hour of audio for the base size. Each utterance is computed alone, and
rounded whether there is room for it or not, so that what is learned depends neither on its neighbours, nor on where a
resumed run began, nor on how full the disk was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FRAMES_PER_SECOND = 50
DISK_SHARE = 0.5  # of what is free: a disk that a training run fills stops everything else on the machine


class FeatureCache:
    """A temporary file of frames by example number. A context manager: the file goes at the end.

    Without `room` nothing is kept, and all frames are computed each time they are asked for; so are those of examples
    that are not among `kept` (None: all are).
    """

    def __init__(self, folder: Path | None = None, *, room: bool = True, kept: Container[int] | None = None) -> None:
        self._room = room
        self._kept = kept
        self._file = tempfile.TemporaryFile(dir=folder, prefix="features-")  # noqa: SIM115 - closed by __exit__
        self._places: dict[int, tuple[int, tuple[int, int]]] = {}

    @staticmethod
    def fit(seconds: float, width: int, folder: Path) -> bool:
        """Whether the frames of so much audio, of `width` numbers each, may be kept under `folder`."""
        import shutil

        needed = seconds * FRAMES_PER_SECOND * width * 2
        return bool(needed <= DISK_SHARE * shutil.disk_usage(folder).free)

    def get(self, index: int, compute: Callable[[], Sequence[torch.Tensor]]) -> torch.Tensor:
        """An example's frames, float32 `(frames, features)`, rounded to bfloat16 the first time as well.

        `compute` gives them as the only one of a sequence, as the encoder does.
        """
        import torch

        if index not in self._places:
            frames = compute()[0].detach().to("cpu", torch.bfloat16).contiguous()
            if not self._room or (self._kept is not None and index not in self._kept):
                return frames.float()
            at = self._file.seek(0, 2)
            self._file.write(frames.view(torch.int16).numpy().tobytes())
            self._places[index] = (at, (frames.shape[0], frames.shape[1]))
            return frames.float()
        at, shape = self._places[index]
        self._file.seek(at)
        content = bytearray(self._file.read(2 * shape[0] * shape[1]))
        return torch.frombuffer(content, dtype=torch.bfloat16).view(shape).float()

    def __contains__(self, index: int) -> bool:
        return index in self._places

    def __enter__(self) -> FeatureCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
