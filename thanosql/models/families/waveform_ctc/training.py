"""A checkpoint's folder in; what the training loop asks of it, and of the model loaded from it, out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from thanosql.errors import ThanoSQLModelError
from thanosql.models.adapter_base import AdapterBase, read_base
from thanosql.models.ctc.languages import read_languages
from thanosql.models.families.waveform_ctc import checkpoint, convolutions, model_facts, training_forward
from thanosql.models.families.waveform_ctc.architectures import Architecture
from thanosql.models.families.waveform_ctc.steps import base_of, frame_count, has_adapter, squeeze
from thanosql.models.training.masking import SpecAugment
from thanosql.models.training.transformers_model import TransformersModel
from thanosql.models.weights import weight_files

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.families.waveform_ctc.feature_encoder import FeatureEncoder
    from thanosql.models.options import TrainOptions
    from thanosql.models.text import Normalizer
    from thanosql.models.training.memory import TrainingSizes
    from thanosql.models.training.trainable import TrainableModel


class WaveformCheckpoint:
    """A TrainableCheckpoint; its config is read when it is first asked for.

    `name` and `source` (a folder, or a hub id at its commit) are what a model of adapters alone calls its base.
    """

    def __init__(self, folder: Path, options: TrainOptions, name: str, source: str) -> None:
        self.folder = folder
        self._options = options
        self._name = name
        self._source = source

    @cached_property
    def _config(self) -> Any:
        return checkpoint.read_config(self.folder)

    @cached_property
    def _features(self) -> checkpoint.Features:
        return checkpoint.read_features(self.folder)

    @cached_property
    def language(self) -> str | None:
        """The language whose adapters and head are trained, and all else stays the base's; None where all is trained.

        Raises ThanoSQLModelError where adapters are asked of a model that has none.
        """
        known = read_languages(self.folder) if getattr(self._config, "adapter_attn_dim", None) is not None else None
        if known is not None and self._options.train != "all":
            return self._options.language or known.own
        if self._options.train == "adapter":
            raise ThanoSQLModelError(
                f"{self.folder.name} has no adapters of languages to train.", hint="Say train='all', or leave it out."
            )
        return None

    @property
    def normalizes(self) -> bool:
        """Whether each waveform is brought to mean 0 and variance 1."""
        return self._features.do_normalize

    @property
    def feature_width(self) -> int:
        """Numbers in one frame of the feature encoder."""
        return int(self._config.conv_dim[-1])

    def frames(self, samples: int) -> int:
        """How many frames the model makes of so many samples (0 when they are too few)."""
        return frame_count(self._config, samples)

    def samples_needed(self, frames: int) -> int:
        """The fewest samples that make so many frames."""
        least = max(frames, squeeze(self._config))
        return convolutions.sample_count(least, self._config.conv_kernel, self._config.conv_stride)

    @property
    def sizes(self) -> TrainingSizes:
        """What the memory that training takes depends on."""
        return model_facts.facts(self.folder, self._options.language).training_sizes(self._options)

    def load(self, vocabulary: Vocabulary | None, *, freeze_feature_encoder: bool) -> WaveformModel:
        """The model, its head made for `vocabulary` where one is given.

        Raises ThanoSQLModelError for one with adapter layers after its encoder, and for what cannot be read.
        """
        from thanosql.models.training import attention

        model = checkpoint.load_model(
            self.folder, language=self._options.language, vocabulary=vocabulary, new_head=True
        )
        if model.config._attn_implementation == "sdpa":
            attention.register()
            model.config._attn_implementation = attention.NAME
        if has_adapter(model.config):
            raise ThanoSQLModelError(f"{self.folder} has adapter layers after its encoder, and cannot be trained.")
        for name, parameter in model.named_parameters():
            parameter.requires_grad = self.language is None or checkpoint.is_of_language(name)
            # The weights may be pages of the base's file: what is trained is a copy.
            if parameter.requires_grad:
                parameter.data = parameter.data.clone()
        if freeze_feature_encoder:
            model.freeze_feature_encoder()
        return WaveformModel(model, checkpoint.read_architecture(self.folder))

    def save(self, model: TrainableModel, folder: Path, vocabulary: Vocabulary, normalizer: Normalizer) -> None:
        """Leave a folder that transformers reads as it is. Raises ThanoSQLModelError when it cannot be written."""
        trained = cast("WaveformModel", model).model.eval().cpu()
        checkpoint.save(folder, trained, vocabulary, normalizer, self._features, language=self.language)
        if self.language is None:
            return
        try:
            base = read_base(self.folder) or AdapterBase.of(self._name, self._source, weight_files(self.folder))
            base.write(folder)
        except OSError as error:
            raise ThanoSQLModelError(f"The model cannot be written to {folder}: {error}") from error


class WaveformModel(TransformersModel):
    """A TrainableModel around transformers' own module."""

    def __init__(self, model: Any, architecture: Architecture) -> None:
        super().__init__(model)
        self.padded = architecture.padded
        self._encoders: dict[torch.dtype, FeatureEncoder] = {}

    @cached_property
    def spec_augment(self) -> SpecAugment | None:
        """The masks that the checkpoint's config asks for."""
        config: Any = self.model.config
        if not getattr(config, "apply_spec_augment", True):
            return None
        names = ("time_prob", "time_length", "time_min_masks", "feature_prob", "feature_length", "feature_min_masks")
        # WavLM's says nothing of a least number of masks: there is none.
        asked = {f"mask_{name}": getattr(config, f"mask_{name}", 0) for name in names}
        return SpecAugment(channels=config.hidden_size, **asked)

    def encode(self, waveforms: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """See `training_forward.encode`; a frozen encoder is folded on a CPU, where that is half again as fast."""
        return training_forward.encode(self.model, waveforms, self._cpu_encoder(waveforms[0].device.type))

    def _cpu_encoder(self, device: str) -> FeatureEncoder | None:
        import torch

        from thanosql.models.families.waveform_ctc.feature_encoder import FeatureEncoder

        if device != "cpu" or training_forward.learns_features(self.model):
            return None
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        if dtype not in self._encoders:
            with torch.no_grad():
                encoder = base_of(self.model).feature_extractor
                self._encoders[dtype] = FeatureEncoder(encoder, self.model.config, dtype)
        return self._encoders[dtype]

    def logits(
        self,
        features: Sequence[torch.Tensor],
        hidden_frames: Sequence[np.ndarray] | None = None,
        hidden_channels: Sequence[np.ndarray] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `training_forward.frame_logits`."""
        return training_forward.frame_logits(self.model, features, hidden_frames, hidden_channels, padded=self.padded)
