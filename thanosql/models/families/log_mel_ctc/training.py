"""A checkpoint's folder in; what the training loop asks of it, and of the model loaded from it, out.

Its feature encoder is the log-mel frames, which learn nothing. They are padded and go through the model with a mask, as
transformers has it, so that the loss is that of its own `forward(labels=…)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.families.log_mel_ctc import checkpoint, model_facts
from thanosql.models.families.log_mel_ctc.geometry import Geometry, geometry
from thanosql.models.json_file import read_json
from thanosql.models.training.masking import SpecAugment
from thanosql.models.training.transformers_model import TransformersModel

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.options import TrainOptions
    from thanosql.models.text import Normalizer
    from thanosql.models.training.memory import TrainingSizes
    from thanosql.models.training.trainable import TrainableModel


class LogMelCheckpoint:
    """A TrainableCheckpoint; its extractor is read when it is first asked for."""

    normalizes = False  # the extractor normalizes what it makes of a waveform

    def __init__(self, folder: Path, options: TrainOptions) -> None:
        self.folder = folder
        self._options = options

    @cached_property
    def _extractor(self) -> Any:
        return checkpoint.read_extractor(self.folder)

    @cached_property
    def _geometry(self) -> Geometry:
        return geometry(read_json(self.folder / "config.json"), self.folder)

    @property
    def feature_width(self) -> int:
        """Numbers in one frame of the extractor, and one that says whether it is heard."""
        return int(self._extractor.feature_size) * int(getattr(self._extractor, "stride", 1)) + 1

    def frames(self, samples: int) -> int:
        """How many frames the model makes of so many samples (0 when they are too few)."""
        return self._geometry.model_frames(samples, whole=True)

    def samples_needed(self, frames: int) -> int:
        """The fewest samples that make so many frames."""
        low, high = 0, 1 << 10
        while self.frames(high) < frames:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.frames(middle) >= frames else (middle, high)
        return high

    @property
    def sizes(self) -> TrainingSizes:
        """What the memory that training takes depends on."""
        return model_facts.facts(self.folder).training_sizes(self._options)

    def load(self, vocabulary: Vocabulary | None, *, freeze_feature_encoder: bool) -> LogMelModel:
        """The model, its head made for `vocabulary` where one is given."""
        return LogMelModel(checkpoint.load_model(self.folder, vocabulary=vocabulary, new_head=True), self._extractor)

    def save(self, model: TrainableModel, folder: Path, vocabulary: Vocabulary, normalizer: Normalizer) -> None:
        """Leave a folder that transformers reads as it is. Raises ThanoSQLModelError when it cannot be written."""
        trained = cast("LogMelModel", model).model.eval().cpu()
        kept = self._options.vocabulary == "keep"
        checkpoint.save(folder, trained, self.folder, vocabulary, normalizer, self._extractor, kept=kept)


class LogMelModel(TransformersModel):
    """A TrainableModel around transformers' own module."""

    def __init__(self, model: Any, extractor: Any) -> None:
        super().__init__(model)
        self._extractor = extractor

    @cached_property
    def spec_augment(self) -> SpecAugment | None:
        """The masks that the checkpoint's config asks for; Parakeet's asks for none."""
        config: Any = self.model.config
        if not hasattr(config, "mask_time_prob") or not getattr(config, "apply_spec_augment", True):
            return None
        names = ("time_prob", "time_length", "time_min_masks", "feature_prob", "feature_length", "feature_min_masks")
        return SpecAugment(
            channels=config.hidden_size, **{f"mask_{one}": getattr(config, f"mask_{one}") for one in names}
        )

    def encode(self, waveforms: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The log-mel frames of each waveform `(samples,)`, float32 `(frames, features + 1)`, each by itself.

        The last number of a frame is 1, or 0 where the extractor masks it: a frame that is half padding, at the end.
        """
        import torch

        found = []
        for waveform in waveforms:
            made = self._extractor(
                waveform.cpu().numpy(), sampling_rate=SAMPLING_RATE, return_tensors="pt", return_attention_mask=True
            )
            frames, mask = made["input_features"][0], made["attention_mask"][0]
            found.append(torch.cat([frames, mask[:, None].to(frames.dtype)], dim=1).to(waveform.device))
        return found

    def logits(
        self,
        features: Sequence[torch.Tensor],
        hidden_frames: Sequence[np.ndarray] | None = None,
        hidden_channels: Sequence[np.ndarray] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits float32 `(batch, frames, vocab)` of features `(frames, features + 1)` each, and their lengths `(batch,)`.

        `hidden_frames` (bool `(frames,)` each) and `hidden_channels` (bool `(hidden_size,)` each) are SpecAugment's masks.
        """
        import torch

        if len(features) > 1 and getattr(self.model.config, "add_adapter", False):
            # An adapter's convolutions reach into the padding.
            alone = [
                self.logits([one], *([masks[row]] if masks else None for masks in (hidden_frames, hidden_channels)))
                for row, one in enumerate(features)
            ]
            padded = torch.nn.utils.rnn.pad_sequence([logits[0] for logits, _ in alone], batch_first=True)
            return padded, torch.cat([lengths for _, lengths in alone])
        padded = torch.nn.utils.rnn.pad_sequence(list(features), batch_first=True)
        padded, present = padded[..., :-1], padded[..., -1] > 0
        if hasattr(self.model, "ctc_head"):
            found = self.model.encoder(input_features=padded, attention_mask=present, output_attention_mask=True)
            return self.model.ctc_head(found.last_hidden_state).float(), found.attention_mask.sum(-1)
        hidden = self._bert(padded, present, hidden_frames, hidden_channels)
        lengths = self.model._get_feat_extract_output_lengths(present.sum(-1)).to(torch.long)
        return self.model.lm_head(self.model.dropout(hidden)).float(), lengths

    def _bert(
        self,
        padded: torch.Tensor,
        present: torch.Tensor,
        hidden_frames: Sequence[np.ndarray] | None,
        hidden_channels: Sequence[np.ndarray] | None,
    ) -> torch.Tensor:
        """Wav2Vec2-BERT's own forward pass, step by step, with the masks that are given."""
        import torch

        base = self.model.wav2vec2_bert
        hidden, _ = base.feature_projection(padded)
        if hidden_frames is not None:
            mask = torch.zeros(present.shape, dtype=torch.bool)
            for index, hide in enumerate(hidden_frames):
                mask[index, : len(hide)] = torch.from_numpy(hide)
            hidden = torch.where(mask.to(hidden.device)[..., None], base.masked_spec_embed.to(hidden.dtype), hidden)
        if hidden_channels is not None:
            channels = torch.stack([torch.from_numpy(hide) for hide in hidden_channels]).to(hidden.device)
            hidden = hidden.masked_fill(channels[:, None], 0.0)
        hidden = base.encoder(hidden, attention_mask=present).last_hidden_state
        if base.intermediate_ffn is not None:
            hidden = hidden + 0.5 * base.intermediate_ffn(hidden)
        if base.adapter is not None:
            hidden = base.adapter(hidden, attention_mask=present)
        return cast("torch.Tensor", hidden)
