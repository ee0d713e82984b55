"""A prepared waveform in, its log-probabilities out, on a CPU: Wav2Vec2 and what is built alike, in fewer steps.

The feature encoder is that of `feature_encoder`; query, key and value are one product. In bfloat16 only the products are:
norms, sums and the first layer stay float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.products import Activation, Product, measure_bfloat16
from thanosql.models.families.waveform_ctc import attention
from thanosql.models.families.waveform_ctc.convolutions import frames, geometry
from thanosql.models.families.waveform_ctc.feature_encoder import FeatureEncoder, Norm, activation, packs
from thanosql.models.families.waveform_ctc.positional_convolution import PositionalConvolution, Runs, split
from thanosql.models.families.waveform_ctc.steps import base_of, has_adapter, norms_come_first

PACK = 512  # frames that go through the transformer together, 10 s, where products allow it: what is longer goes alone


def is_supported(model: Any) -> bool:
    """Whether the model is one of those that are written out here: any without adapters, its norms where Wav2Vec2 has them."""
    config = model.config
    return (
        not has_adapter(config)
        and getattr(config, "adapter_attn_dim", None) is None
        and getattr(config, "feat_proj_layer_norm", True)
        and not getattr(config, "conv_pos_batch_norm", False)
    )


class CPUModel:
    """A model's weights rearranged; made once, called with waveforms. The model itself may go."""

    windowed = True
    squeeze = 1

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        if not is_supported(model):
            raise ValueError("a model with adapters is not written out here")
        measure_bfloat16()
        with torch.inference_mode():
            base = base_of(model)
            self.config: Any = model.config
            self.dtype = dtype
            self._encoder = FeatureEncoder(base.feature_extractor, self.config, dtype)
            projection = base.feature_projection
            self._projection_norm = Norm(projection.layer_norm)
            self._projection = _linear(projection.projection, dtype)
            # Data2Vec has several positional convolutions, one after the other; all others have one.
            embeddings = getattr(base.encoder.pos_conv_embed, "layers", [base.encoder.pos_conv_embed])
            self._positions = [PositionalConvolution(embedding) for embedding in embeddings]
            self._stable = norms_come_first(base.encoder)
            self._norm = Norm(base.encoder.layer_norm)
            self._layers = [_Layer(layer, self.config, dtype, stable=self._stable) for layer in base.encoder.layers]
            self._head = _linear(model.lm_head, dtype)
            keeps_rows = self._encoder.keeps_rows and all(product.keeps_rows for product in self._products)
            self._most = PACK if keeps_rows and all(layer.keeps_rows for layer in self._layers) else 0

    @property
    def _products(self) -> list[Product]:
        found = [self._projection, self._head, *self._encoder.products]
        return found + [product for layer in self._layers for product in layer.products]

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(part.nbytes for part in self._products) + sum(part.nbytes for part in self._positions)

    @cached_property
    def geometry(self) -> tuple[int, int]:
        """Samples that one frame sees, and samples from one frame to the next."""
        return geometry(self.config.conv_kernel, self.config.conv_stride)

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next."""
        return self.geometry[1] / SAMPLING_RATE

    def frames(self, samples: int) -> int:
        """How many frames so many samples give; 0 when they are too few for one."""
        return frames(samples, self.config.conv_kernel, self.config.conv_stride)

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[Tensor]:
        """Natural log-probabilities, float32 `(frames, vocab)`, of prepared waveforms `(samples,)`, each by itself."""
        counts = [self.frames(len(waveform)) for waveform in waveforms]
        nonempty = [index for index, count in enumerate(counts) if count]
        found = [torch.empty(0, self.config.vocab_size)] * len(waveforms)
        with torch.inference_mode():
            for together in packs([counts[index] for index in nonempty], self._most):
                chosen = [nonempty[number] for number, _ in together]
                logs = self._together([waveforms[index] for index in chosen], [count for _, count in together])
                for index, one in zip(chosen, logs, strict=True):
                    found[index] = one
        return found

    def _together(self, waveforms: Sequence[np.ndarray], counts: Sequence[int]) -> Sequence[Tensor]:
        """Each by itself where frames hear each other, their rows together where they do not."""
        runs = [(len(list(same)), count) for count, same in groupby(counts)]
        tensors = (torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32)) for waveform in waveforms)
        hidden = self._projection(self._projection_norm(self._encoder(*tensors)).to(self.dtype)).float()
        position = hidden
        for convolve in self._positions:
            position = convolve(position, runs)
        hidden = hidden + position
        if not self._stable:
            hidden = self._norm(hidden)
        for layer in self._layers:
            hidden = layer(hidden, runs)
        if self._stable:
            hidden = self._norm(hidden)
        logs = self._head(hidden.to(self.dtype)).float().log_softmax(-1)
        return torch.split(logs, list(counts))


class _Layer:
    """One layer of the transformer, `(frames, hidden)` float32 in and out."""

    def __init__(self, layer: Any, config: Any, dtype: torch.dtype, *, stable: bool) -> None:
        own = layer.attention
        parts = (own.q_proj, own.k_proj, own.v_proj)
        self._dtype = dtype
        self._heads = config.num_attention_heads
        self._stable = stable
        found = attention.fastest(self._heads, config.hidden_size // self._heads, dtype)
        self._way, self.keeps_rows = found.choice, found.alike
        self._qkv = Product(
            torch.cat([part.weight for part in parts]).to(dtype), torch.cat([part.bias for part in parts])
        )
        self._out = _linear(own.out_proj, dtype)
        feed = layer.feed_forward
        self._wide = _linear(feed.intermediate_dense, dtype, activation(feed.intermediate_act_fn))
        self._narrow = _linear(feed.output_dense, dtype)
        self._norm, self._final_norm = Norm(layer.layer_norm), Norm(layer.final_layer_norm)
        self.products = [self._qkv, self._out, self._wide, self._narrow]

    def __call__(self, hidden: Tensor, runs: Runs) -> Tensor:
        if self._stable:
            hidden = hidden + self._attend(self._norm(hidden), runs)
            return hidden + self._feed(self._final_norm(hidden))
        hidden = self._norm(hidden + self._attend(hidden, runs))
        return self._final_norm(hidden + self._feed(hidden))

    def _attend(self, hidden: Tensor, runs: Runs) -> Tensor:
        count, width = hidden.shape
        qkv = self._qkv(hidden.to(self._dtype)).view(count, 3, self._heads, width // self._heads)
        attended = [
            attention.attend(self._way, *part.permute(2, 0, 3, 1, 4)).transpose(1, 2).reshape(-1, width)
            for part in split(qkv, runs)
        ]
        return self._out(attended[0] if len(attended) == 1 else torch.cat(attended))

    def _feed(self, hidden: Tensor) -> Tensor:
        return self._narrow(self._wide(hidden.to(self._dtype)))


def _linear(linear: torch.nn.Linear, dtype: torch.dtype, activation: Activation | None = None) -> Product:
    return Product(linear.weight.detach().to(dtype), linear.bias, activation)
