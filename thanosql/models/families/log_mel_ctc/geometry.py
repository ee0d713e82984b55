"""A config.json in; how samples become frames of log-mel features, and those the frames of the model, out.

All types hop 160 samples (10 ms) from one mel frame to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.json_file import read_json

HOP = 160  # samples


@dataclass(frozen=True)
class Geometry:
    """`subsampling` mel frames are one frame of the encoder; `first` samples, fewer than which are none, make the first.

    `adapted` frames of the encoder are one of the model, where an adapter shortens time after it. Of the subsampling,
    `dropped` leaves out a last frame that is not whole, where the rest pads it; with `unpadded`, the kernel and the stride of
    two convolutions, they do all of it without padding.
    """

    model_class: str
    subsampling: int
    reach: int  # samples that one frame of the encoder needs
    first: int
    mel_window: int  # samples of the first mel frame beyond its hop
    adapted: int = 1
    halves: bool = False  # whether mel frames are padded to a whole frame of the encoder
    adapter_layers: int = 0
    adapter_kernel: int = 1  # frames; half of them are padded on either side
    adapter_stride: int = 1
    dropped: int = 1
    unpadded: tuple[int, int] | None = None
    tied_head: str = ""  # the layer within the encoder, if any, whose weights are the head's

    @property
    def step(self) -> int:
        """Samples from one frame of the encoder to the next."""
        return HOP * self.subsampling

    @property
    def frame_seconds(self) -> float:
        return self.step * self.adapted / SAMPLING_RATE

    def frames(self, samples: int) -> int:
        """How many frames the encoder makes of so many samples; 0 when they are too few for one."""
        if samples < self.first:
            return 0
        mel = (samples - self.mel_window) // HOP
        if self.unpadded is not None:
            kernel, stride = self.unpadded
            return ((mel - kernel) // stride + 1 - kernel) // stride + 1
        return -(-mel * self.dropped // self.subsampling) // self.dropped

    def model_frames(self, samples: int, *, whole: bool = False) -> int:
        """The same behind the adapter: how many frames the text is heard in; `whole`, without a last one that is half
        padding, which transformers masks."""
        count = self.frames(samples)
        if whole and self.halves:
            count = min(count, (samples - self.mel_window) // HOP // self.subsampling)
        for _ in range(self.adapter_layers if count else 0):
            count = (count + 2 * (self.adapter_kernel // 2) - self.adapter_kernel) // self.adapter_stride + 1
        return count


def geometry(config: Mapping[str, Any], folder: Path) -> Geometry:
    """Of a checkpoint's folder. Raises ThanoSQLModelError for another type, and for sizes that no model has."""
    kind = config.get("model_type")
    path = folder / "config.json"
    if kind == "parakeet_ctc":
        factor = _size(encoder(config), "subsampling_factor", 8, path)
        # Of its mel frames each is normalized over time, which takes two.
        return Geometry("ParakeetForCTC", factor, factor * HOP, 2 * HOP, 0)
    if kind == "wav2vec2-bert":
        sizes = "Wav2Vec2BertForCTC", 2, 400 + HOP, 400 + HOP, 400 - HOP
        if not config.get("add_adapter"):
            return Geometry(*sizes, halves=True)
        layers, stride = _size(config, "num_adapter_layers", 1, path), _size(config, "adapter_stride", 2, path)
        return Geometry(*sizes, stride**layers, True, layers, _size(config, "adapter_kernel_size", 3, path), stride)
    if kind == "lasr_ctc":
        kernel = _size(encoder(config), "subsampling_conv_kernel_size", 5, path)
        stride = _size(encoder(config), "subsampling_conv_stride", 2, path)
        mel = kernel + (kernel - 1) * stride  # frames that one of the encoder hears
        reach = mel * HOP + 400 - HOP
        return Geometry("LasrForCTC", stride**2, reach, reach, 400 - HOP, unpadded=(kernel, stride))
    if kind == "granite_speech5_ctc":
        layers = encoder(config).get("subsample_layers", [0, 1])
        if not isinstance(layers, list) or any(type(layer) is not int for layer in layers) or len(set(layers)) > 5:
            raise ThanoSQLModelError(f"{path} is damaged: subsample_layers is {str(layers)[:40]}.")
        halved = 2 ** len(set(layers))
        first = (2 * halved - 1) * HOP
        return Geometry(
            *("GraniteSpeech5ForCTC", 2 * halved, 2 * halved * HOP, first, 0), dropped=halved, tied_head="encoder.out."
        )
    raise ThanoSQLModelError(
        f"{folder} is not a model that takes log-mel frames: its config.json says model_type {kind!r}."
    )


def refuse_other_vocabulary(folder: Path) -> None:
    """Raise ThanoSQLModelError where a model's layers hear its own transcript, which another vocabulary would spoil."""
    if geometry(read_json(folder / "config.json"), folder).tied_head:
        raise ThanoSQLModelError(
            f"{folder.name} feeds its transcript back into its own layers, and so keeps its vocabulary.",
            hint="Leave the option vocabulary out, and write the texts in the letters that the model has.",
        )


def encoder(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of config.json that describes the encoder."""
    found = config.get("encoder_config")
    return found if isinstance(found, Mapping) else config


def _size(config: Mapping[str, Any], name: str, default: int, path: Path) -> int:
    value = config.get(name, default)
    if type(value) is not int or not 1 <= value <= 64:
        raise ThanoSQLModelError(f"{path} is damaged: {name} is {str(value)[:40]}.")
    return value
