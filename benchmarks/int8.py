"""int8 in place of the transformer's products of our forward pass: how fast, and how many words it changes.

    pip install --target FOLDER --no-deps torchao
    PYTHONPATH=FOLDER python benchmarks/int8.py [--layers 4] [--seconds 6] [--rounds 3] [--ways rows …]

A precision is offered where it is at least 1.3 times as fast as float32 and changes at most 0.1% of the words. Speed: a random
model of the base width, and Wav2Vec2Tiny, in turn, one thread, processor time, medians. Words: Wav2Vec2Tiny over all of
spoken_numbers, against our float32; not for torchao's ways, which compute what others here compute. Of each model only the
transformer's four products a layer are replaced; where a way leaves some of them in float32, it says which. torchao's ways
are left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from families import make, processor
from torch import Tensor
from torch.nn import functional

from thanosql.models import audio, registry
from thanosql.models.bases import BASES
from thanosql.models.ctc.recognizer import FrameRecognizer
from thanosql.models.datasets import DATASETS
from thanosql.models.metrics import score_each
from thanosql.models.options import TranscribeOptions

GOAL, MOST_DIFFERING = 1.3, 0.001
PARTS = ("_qkv", "_out", "_wide", "_narrow")

Replacement = Callable[[Tensor, Tensor | None], Callable[[Tensor], Tensor]]


class Rows:
    """oneDNN's product of int8 numbers: a scale a row of what comes in, found as it comes, and one a row of the weight.

    What comes in is moved by 128, to numbers without a sign: AVX-512 VNNI multiplies those by numbers with one, and for two
    with signs this operator took a thousand times as long.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scales = weight.abs().amax(1).clamp_min(1e-12) / 127
        rounded = (weight / scales[:, None]).round().to(torch.int8)
        self._scales, self._bias = scales, bias
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, [256, weight.shape[1]])

    def __call__(self, x: Tensor) -> Tensor:
        scale = x.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
        rounded = (x / scale).round_().add_(128).to(torch.uint8)
        y = torch.ops.onednn.qlinear_pointwise(
            rounded, 1.0, 128, self._weight, self._scales, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        ).mul_(scale)
        return y if self._bias is None else y.add_(self._bias)


class Tensors:
    """The same with one scale for all that comes in, as torch's own dynamic quantization has it."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        linear.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
        torch.backends.quantized.engine = "x86"
        spec = torch.ao.quantization.per_channel_dynamic_qconfig
        self._linear = torch.ao.quantization.quantize_dynamic(
            torch.nn.Sequential(linear), {torch.nn.Linear: spec}, dtype=torch.qint8
        )

    def __call__(self, x: Tensor) -> Tensor:
        return self._linear(x)


class TorchAO:
    """torchao's linear layer after `quantize_` with a config of its own."""

    def __init__(self, weight: Tensor, bias: Tensor | None, config: str) -> None:
        import torchao.quantization as ao

        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        linear.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
        ao.quantize_(linear, getattr(ao, config)())
        self._linear = linear

    def __call__(self, x: Tensor) -> Tensor:
        return self._linear(x)


class WeightsOnly:
    """The weight rounded to int8 and multiplied in float32: what rounding weights alone changes."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scales = weight.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
        self._weight, self._bias = (weight / scales).round() * scales, bias

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self._weight, self._bias)


# Name: the product, and for which parts of which of so many layers.
EVERYWHERE: Callable[[int, int], Sequence[str]] = lambda layer, layers: PARTS  # noqa: E731
WAYS: dict[str, tuple[Replacement, Callable[[int, int], Sequence[str]]]] = {
    "one scale": (Tensors, EVERYWHERE),
    "a scale a row": (Rows, EVERYWHERE),
    "a scale a row, first and last layer float32": (
        Rows,
        lambda layer, layers: PARTS if 0 < layer < layers - 1 else (),
    ),
    "a scale a row, attention float32": (Rows, lambda layer, layers: ("_wide", "_narrow")),
    "a scale a row, narrowing float32": (Rows, lambda layer, layers: ("_qkv", "_out", "_wide")),
    "weights only": (WeightsOnly, EVERYWHERE),
    "torchao, weights only": (lambda weight, bias: TorchAO(weight, bias, "Int8WeightOnlyConfig"), EVERYWHERE),
    "torchao, dynamic, a scale a row": (
        lambda weight, bias: TorchAO(weight, bias, "Int8DynamicActivationInt8WeightConfig"),
        EVERYWHERE,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    has_torchao = importlib.util.find_spec("torchao") is not None
    if not has_torchao:
        print("torchao is not installed, so its ways are left out: pip install torchao")
    names = [name for name in given.ways if has_torchao or not name.startswith("torchao")]
    print(f"{processor()}; one thread; torch {torch.__version__}; {given.rounds} rounds", flush=True)
    tiny = Path(BASES["Wav2Vec2Tiny"].checkpoint)
    words(tiny, [name for name in names if not name.startswith("torchao")])
    with tempfile.TemporaryDirectory() as folder:
        make("wav2vec2", Path(folder), given.layers)
        draw = np.random.default_rng(0)
        noise = [(draw.normal(size=int(given.seconds * 16_000)) * 0.1).astype(np.float32)]
        speed(f"base width, {given.layers} layers", Path(folder), noise, names, given.rounds)
    speed("Wav2Vec2Tiny", tiny, recordings()[:10], names, given.rounds)


def recordings() -> list[np.ndarray]:
    return [audio.read(str(path)) for path in sorted(DATASETS["spoken_numbers"].folder.rglob("*.flac"))]


def load(folder: Path, precision: str = "float32") -> FrameRecognizer:
    return registry.family("wav2vec2").load(str(folder), TranscribeOptions(precision=precision, device="cpu"))


def replaced(folder: Path, name: str) -> FrameRecognizer:
    """A recognizer with a way's products in its transformer. The weights are the checkpoint's."""
    from thanosql.models.families.waveform_ctc import checkpoint

    product, parts = WAYS[name]
    recognizer = load(folder)
    model = checkpoint.load_model(folder)
    layers: Any = recognizer.forward._layers  # type: ignore[attr-defined]
    for number, (mine, theirs) in enumerate(zip(layers, model.wav2vec2.encoder.layers, strict=True)):
        own, feed = theirs.attention, theirs.feed_forward
        projections = (own.q_proj, own.k_proj, own.v_proj)
        weights = {
            "_qkv": (torch.cat([one.weight for one in projections]), torch.cat([one.bias for one in projections])),
            "_out": (own.out_proj.weight, own.out_proj.bias),
            "_wide": (feed.intermediate_dense.weight, feed.intermediate_dense.bias),
            "_narrow": (feed.output_dense.weight, feed.output_dense.bias),
        }
        for part in parts(number, len(layers)):
            with torch.no_grad():
                weight, bias = (one.detach().float().clone() for one in weights[part])
                found = product(weight, bias)
            setattr(mine, part, _then_gelu(found) if part == "_wide" else found)
    return recognizer


def _then_gelu(product: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: functional.gelu(product(x))


def hear(recognizer: Any, waveforms: Sequence[np.ndarray]) -> list[str]:
    return [found.text for found in recognizer.transcribe(waveforms, TranscribeOptions(device="cpu"))]


def words(folder: Path, names: Sequence[str]) -> None:
    waveforms = recordings()
    exact = hear(load(folder), waveforms)
    count = sum(len(text.split()) for text in exact)
    runs = {"bfloat16": load(folder, "bfloat16")} | {name: replaced(folder, name) for name in names}
    print(f"\nwords of {folder.name} that differ from float32's, of {count:,} (at most {MOST_DIFFERING * count:.1f})")
    for name, recognizer in runs.items():
        differing = sum(score.errors for score in score_each(exact, hear(recognizer, waveforms)))
        print(f"| {name} | {differing} | {differing / count:.2%} |", flush=True)


def speed(title: str, folder: Path, waveforms: Sequence[np.ndarray], names: Sequence[str], rounds: int) -> None:
    runs = {"float32": load(folder), "bfloat16": load(folder, "bfloat16")}
    runs |= {name: replaced(folder, name) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, recognizer in runs.items():
            started = time.process_time()
            hear(recognizer, waveforms)
            if number:  # the first makes what the others find made
                taken[name].append(time.process_time() - started)
    print(f"\n{title}, {sum(map(len, waveforms)) / 16_000:.0f} s of audio; times float32's speed (goal {GOAL})")
    for name, found in taken.items():
        ratio = statistics.median(one / own for one, own in zip(taken["float32"], found, strict=True))
        print(f"| {name} | {statistics.median(found):.3f} s | × {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
