"""A CTC model of transformers in; the steps of its forward pass, each by itself, out.

The steps are called one by one, and not the model as a whole, so that the feature encoder never sees padding. They are
those of the model's own `forward`, in its order.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from thanosql.models.families.waveform_ctc.convolutions import frames

if TYPE_CHECKING:
    import torch


def base_of(model: Any) -> Any:
    """The model without its head, under whatever name it stands there."""
    return getattr(model, model.base_model_prefix)


def project(base: Any, features: torch.Tensor) -> torch.Tensor:
    """Features `(batch, frames, conv_dim[-1])` of the feature encoder as the transformer takes them, `(…, hidden)`."""
    if hasattr(base, "project_features"):  # SEW and SEW-D: the norm stands before, and there may be no projection
        features = base.layer_norm(features)
        projected: torch.Tensor = base.feature_dropout(
            base.feature_projection(features) if base.project_features else features
        )
        return projected
    found = base.feature_projection(features)
    return found[0] if isinstance(found, tuple) else found  # type: ignore[no-any-return]


def contextualize(base: Any, hidden: torch.Tensor, present: torch.Tensor | None = None) -> torch.Tensor:
    """The transformer over hidden `(batch, frames, hidden)`; `present` bool `(batch, frames)` where there is padding."""
    if present is None:
        return base.encoder(hidden, attention_mask=None).last_hidden_state  # type: ignore[no-any-return]
    with warnings.catch_warnings():
        # transformers' WavLM gives torch this mask beside a bias of floats: right, and nothing that a user could change.
        warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask", UserWarning)
        # A bool mask: 0 and 1 would be added to the attention's weights.
        found: torch.Tensor = base.encoder(hidden, attention_mask=present).last_hidden_state
    return found


def frame_count(config: Any, samples: int) -> int:
    """How many frames a model makes of so many samples, before any adapter; 0 when they are too few to be recognized."""
    return frames(samples, config.conv_kernel, config.conv_stride, squeeze(config))


def squeeze(config: Any) -> int:
    """How many frames the transformer merges into one."""
    return int(getattr(config, "squeeze_factor", 1))


def has_adapter(config: Any) -> bool:
    """Whether layers after the transformer shorten time."""
    return bool(getattr(config, "add_adapter", False))


def normalizes_over_time(encoder: Any) -> bool:
    """Whether the first layer of a feature encoder has a group norm, whose mean runs over the whole utterance."""
    # Asked of the layers: Data2Vec's configuration may say otherwise, and is not listened to.
    return type(getattr(encoder.conv_layers[0], "layer_norm", None)).__name__ == "GroupNorm"


def norms_come_first(encoder: Any) -> bool:
    """Whether the layers of a transformer norm what they hear before they attend to it (do_stable_layer_norm)."""
    return type(encoder).__name__.endswith("StableLayerNorm")


def fold_weight_norms(model: Any) -> None:
    """Compute the weights that are normalized once; without it, they are computed at every call."""
    from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

    for module in model.modules():
        if is_parametrized(module, "weight"):
            remove_parametrizations(module, "weight")
