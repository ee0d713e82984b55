"""Blocks of samples in, a waveform out that is read by slices: hours of audio in a file without a name, not in memory.

The operating system lets go of the file with the process, however that ends. Its place is `tempfile`'s, so TMPDIR moves
it: an hour takes 230 MB there.
"""

from __future__ import annotations

import errno
import io
import tempfile
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

SAMPLING_RATE = 16_000  # Hz, of every waveform here
SAMPLE_BYTES = 4  # float32


class Waveform(Protocol):
    """Float32 `(samples,)` at 16,000 Hz: an array, or what gives one for each slice of it."""

    def __len__(self) -> int:
        """How many samples."""

    def __getitem__(self, part: slice, /) -> np.ndarray:
        """The samples of a slice."""


class LongWaveform:
    """float32 `(samples,)`; `len` and slices of it are those of an array. Threads may read it at once."""

    def __init__(self, file: io.FileIO | None = None, samples: int = 0) -> None:
        """`file` is unbuffered and holds so many samples already; the waveform closes it. Without one it is empty."""
        self._file: Any = file or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (closed with the waveform)
        self._samples = samples
        self._turn = threading.Lock()
        # Not __del__: of what goes in a circle, the file's own end may come first, which warns of a file left open.
        weakref.finalize(self, self._file.close)

    def fileno(self) -> int:
        """The descriptor of the file that holds it, from its first sample on."""
        descriptor: int = self._file.fileno()
        return descriptor

    def first(self, samples: int) -> np.ndarray:
        """So many samples from the beginning, of a file that another process writes."""
        self._samples = samples
        return self[:samples]

    def append(self, block: np.ndarray) -> None:
        """Float32 `(samples,)` to follow what is there. Raises OSError, with the folder, when the disk is full."""
        import numpy as np

        content = np.ascontiguousarray(block, dtype=np.float32).view(np.uint8).data
        try:
            self._file.seek(self._samples * SAMPLE_BYTES)
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error
        self._samples += len(block)

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, part: slice) -> np.ndarray:
        import numpy as np

        begin, end, step = part.indices(self._samples)
        if step != 1:
            raise ValueError("a long waveform is read from start to end only")
        found = np.empty(max(0, end - begin), dtype=np.float32)
        with self._turn:
            self._file.seek(begin * SAMPLE_BYTES)
            content = found.view(np.uint8).data
            while content:
                count = self._file.readinto(content)
                if not count:
                    raise OSError(errno.EIO, "the file ends before its samples do", tempfile.gettempdir())
                content = content[count:]
        return found
