"""What a statement would need, from headers, a model's files and this machine: memory in bytes, time in seconds.

Nothing of torch is imported and nothing is loaded. The figures are orders of size, not promises: each comes with the
words for how it was reckoned.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from thanosql.engine.rows.headers import Headers
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.precision import NOTHING, speed
from thanosql.models.tasks import BATCH_SECONDS
from thanosql.models.training.allocation import resident_bytes
from thanosql.models.training.memory import KEPT_BYTES, process_bytes

if TYPE_CHECKING:
    from thanosql.engine.postgres.audio_columns import AudioColumns
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.base import Facts
    from thanosql.models.measurements import Measured
    from thanosql.models.options import TrainOptions
    from thanosql.models.training.memory import TrainingSizes

HEADERS = 500  # read at most; a sample where there are more rows
EFFICIENCY = 0.6  # of the rate of plain matrix products that a forward pass reaches on a CPU (benchmarks measure it)
GPU_RATE = 20e12  # operations a second that are assumed of a GPU, float32
TRAINING = 3  # a backward pass costs two forward passes
CONV_COPIES = 3  # activations of the first convolution held at once: input, product, norm
BLOCK_COPIES = 20  # of a frame's hidden state that one transformer block holds at once in a forward pass


@dataclass(frozen=True)
class Length:
    """The audio of a query as far as its headers were read: `seconds` of those that can be read."""

    rows: int
    read: int
    seconds: Sequence[float]
    unreadable: int

    @property
    def total(self) -> float:
        """Seconds of all the rows."""
        return self.mean * (self.rows - self.unreadable * self.rows / max(1, self.read))

    @property
    def mean(self) -> float:
        return math.fsum(self.seconds) / len(self.seconds) if self.seconds else 0.0

    @property
    def longest(self) -> float:
        return max(self.seconds, default=0.0)

    @property
    def said(self) -> str:
        if self.read == self.rows:
            return f"all {self.rows:,} headers read"
        return f"estimated from {self.read:,} of {self.rows:,} headers"


def length(snapshot: Snapshot, audio: AudioColumns, access: AudioAccess) -> Length:
    """The headers of all rows, or of a sample spread over them (of audio in bytea: the first ones); none is fetched."""
    step = max(1, math.ceil(snapshot.rows / HEADERS))
    rows = audio.stream(snapshot)
    chosen = islice(rows, HEADERS) if audio.raw else islice(rows, 0, None, step)
    headers = Headers(access)
    found = [headers.seconds(value) for _, value in chosen if not access.fetches(value)]
    seconds = [duration for duration, reason in found if not reason]
    return Length(snapshot.rows, len(found), seconds, len(found) - len(seconds))


def rate() -> float:
    """Operations a second that this machine reaches now in float32 matrix products; takes about 0.1 s."""
    import numpy as np

    size = 1024
    left = np.ones((size, size), dtype=np.float32)
    best = math.inf
    for _ in range(4):
        started = time.perf_counter()
        left @ left
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def transcription_memory(model: Facts, audio: Length) -> tuple[float, str]:
    """Bytes at the longest audio and one full batch, and how that was reckoned."""
    weights = 4 * model.parameters
    first = model.features_per_second * 4 * CONV_COPIES * audio.longest
    blocks = 50 * model.hidden * 4 * BLOCK_COPIES * max(BATCH_SECONDS, audio.longest)
    return weights + first + blocks, (
        f"weights {size(weights)}, longest audio ({audio.longest:.1f} s) {size(first)}, batch {size(blocks)}"
    )


def training_memory(sizes: TrainingSizes, audio: Length, options: TrainOptions) -> tuple[float, str]:
    """Bytes at the peak of a training, and how that was reckoned; see `models.training.memory`."""
    fitting = [length for length in audio.seconds if length <= options.max_seconds]
    largest = sizes.largest_pass(fitting, options.max_seconds, options.batch_size)
    recordings = min(KEPT_BYTES, 4 * SAMPLING_RATE * audio.total)
    # A session that has heard or evaluated before holds more: models, kernels of torch, what pandas has taken.
    software = max(process_bytes(), resident_bytes()) + sizes.kernel_bytes(fitting)
    return software + sizes.state_bytes + largest + recordings, (
        f"weights, gradients and optimizer {size(sizes.state_bytes)}, the largest forward and backward pass {size(largest)}, "
        f"decoded audio {size(recordings)}, Python, torch and what else this process holds {size(software)}"
    )


def seconds(
    operations: float,
    precision: str,
    where: str,
    measured: float | None = None,
    found: Mapping[str, Measured] = NOTHING,
) -> tuple[float, str]:
    """How long so many operations take, and how that was reckoned: by the rate that was kept of such a statement, or by
    what the machine does."""
    if measured is not None:
        return (
            operations / measured,
            f"{operations / 1e9:,.0f} GFLOP at {measured / 1e9:.1f} GFLOP/s, as such statements took here",
        )
    faster = speed(precision, where, found)
    if where.startswith("cuda"):
        return operations / (GPU_RATE * faster), f"at an assumed {GPU_RATE / 1e12:.0f} TFLOP/s of a GPU"
    measured = rate()
    said = f"{operations / 1e9:,.0f} GFLOP at {EFFICIENCY:.0%} of the {measured / 1e9:.0f} GFLOP/s measured just now"
    return operations / (measured * EFFICIENCY * faster), f"{said} on {os.cpu_count()} cores"


def shared(seconds: float, workers: int, cpus: float, gpus: float) -> tuple[float, str]:
    """How long workers of that size take for what one process takes so many seconds for, with one GPU or all of this
    machine's cores; and what of a cluster that costs.

    >>> shared(7200, workers=4, cpus=1, gpus=0.5)
    (3600.0, 'about 2 GPU-hours')
    """
    used, each, kind = (seconds, gpus, "GPU") if gpus else (seconds * (os.cpu_count() or 1), cpus or 1.0, "CPU")
    return used / (workers * each), f"about {used / 3600:.2g} {kind}-hours"


def size(count: float) -> str:
    """Bytes, to be read.

    >>> size(1_270_000_000), size(4_800_000)
    ('1.3 GB', '5 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def duration(count: float) -> str:
    """Seconds, to be read.

    >>> duration(0.4), duration(90), duration(7200)
    ('under 1 s', 'about 1.5 min', 'about 2.0 h')
    """
    if count < 1:
        return "under 1 s"
    if count < 60:
        return f"about {count:.0f} s"
    return f"about {count / 60:.1f} min" if count < 3600 else f"about {count / 3600:.1f} h"
