"""A model, examples and options in; the same model, having learned, and the history of its epochs out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.loss import ctc_losses, spoken_frames
from thanosql.models.results import Epoch, TrainingProgress
from thanosql.models.training import batches, masking, schedule
from thanosql.models.training.allocation import FreeBlocks
from thanosql.models.training.epoch_metrics import Best, EpochMetrics
from thanosql.models.training.examples import Example, Waveforms, read_ahead
from thanosql.models.training.loss_history import LossHistory
from thanosql.models.training.ranks import ALONE
from thanosql.models.training.seeding import generator, torch_seed
from thanosql.models.training.shares import Shares
from thanosql.models.training.steps import Step, count_steps, steps

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.models.cancellation import Cancellation
    from thanosql.models.options import TrainOptions
    from thanosql.models.training.feature_cache import FeatureCache
    from thanosql.models.training.memory import TrainingSizes
    from thanosql.models.training.ranks import Ranks
    from thanosql.models.training.resume import SavedState
    from thanosql.models.training.trainable import TrainableModel
    from thanosql.models.training.validation import Validator

CLIP = 1.0  # largest norm of a step's gradient
SAVE_EVERY = 60.0  # seconds of training between two checkpoints
SAVE_SHARE = 0.05  # of the time, at most, goes into keeping states


class Run:
    """A model while it learns. `validator` chooses the best epoch, `saved` is where the run's checkpoints go.

    With several `ranks`, the model of each takes the same steps; `shares` says which utterances of a step are this one's.
    """

    def __init__(
        self,
        model: TrainableModel,
        examples: Sequence[Example],
        waveforms: Waveforms,
        options: TrainOptions,
        blank: int,
        device: torch.device,
        sizes: TrainingSizes,
        *,
        feature_cache: FeatureCache | None = None,
        validator: Validator | None = None,
        saved: SavedState | None = None,
        ranks: Ranks = ALONE,
        shares: Shares | None = None,
    ) -> None:
        self.model = model
        self.examples = examples
        self.waveforms = waveforms
        self.options = options
        self.blank = blank
        self.device = device
        self.sizes = sizes
        self.feature_cache = feature_cache
        self.validator = validator
        self.saved = saved
        self.ranks = ranks
        self.shares = shares or Shares([example.seconds for example in examples], ranks)
        self.free_blocks = FreeBlocks()
        self.optimizer = schedule.adamw(model, options)
        self.learned = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.steps = count_steps(examples, options)
        self.done = 0
        self.history: list[Epoch] = []
        self.epoch_metrics = EpochMetrics()
        self.spoken = 0  # of the last whole epoch
        self.best = Best()
        self.loss_history = LossHistory()
        self._whole = True  # weights, moments and numbers are those of `done` steps
        self.seconds_before = 0.0  # that interrupted processes spent on the run
        self._save_cost = 0.0
        self._begun = self._saved_at = time.perf_counter()

    def train(self, progress: Callable[[TrainingProgress], None], cancellation: Cancellation) -> None:
        """All steps from `done` on, in order; where there is a validator, the model ends with the best epoch's weights.

        An interrupt saves a checkpoint of the last step. At the end the memory of the steps and of the optimizer is given
        back: what follows, hearing rows to judge the model, needs memory too.
        """
        import torch

        try:
            self._train(progress, cancellation)
        except KeyboardInterrupt:
            if self._whole and self.done:
                self._save()
            raise
        with torch.no_grad():
            for name, value in self.best.weights.items():  # none without a validator
                self.learned[name].copy_(value)
        self.optimizer.state.clear()
        self.free_blocks.give_back(0)

    def _train(self, progress: Callable[[TrainingProgress], None], cancellation: Cancellation) -> None:
        import torch

        started = last = time.perf_counter()
        # A run that had stopped early may be taken up again.
        over = self._is_enough() and not self.epoch_metrics.utterances
        plan = () if over else steps(self.examples, self.options, self.shares, self.done)
        with closing(read_ahead(self._read, plan)) as ahead:
            for step, waveforms in ahead:
                self.ranks.check(cancellation)
                numbers = (step.number, self.ranks.rank) if self.ranks.rank else (step.number,)
                torch.manual_seed(torch_seed("step", self.options.seed, *numbers))  # a rank's dropout is its own
                rate = schedule.learning_rate(step.number, self.steps, self.options)
                loss, spoken = self._step(step, waveforms, rate)
                self.free_blocks.give_back()
                self.done = step.number + 1
                self.epoch_metrics.loss += loss * step.utterances
                self.epoch_metrics.utterances += step.utterances
                self.epoch_metrics.audio_seconds += step.audio_seconds
                self.epoch_metrics.spoken += spoken
                self.loss_history.add(self.done, loss, rate)
                self.epoch_metrics.seconds += time.perf_counter() - last
                if step.last:
                    self._end_epoch(step.epoch, cancellation)
                self._whole = True
                self._keep(step.last)
                last = time.perf_counter()  # what validating and keeping took is not the epoch's
                progress(
                    TrainingProgress(
                        step=self.done,
                        steps=self.steps,
                        epoch=step.epoch,
                        epochs=self.options.max_epochs,
                        loss=loss,
                        learning_rate=rate,
                        seconds=last - started,
                    )
                )
                if step.last and self._is_enough():
                    break

    def _read(self, step: Step) -> list[np.ndarray | None]:
        """The waveforms of this rank's share of a step; None where the frames are kept already."""
        return [
            None
            if self.feature_cache is not None and index in self.feature_cache
            else self.waveforms.get(index, step.epoch)
            for index in step.examples
        ]

    def _step(self, step: Step, waveforms: Sequence[np.ndarray | None], rate: float) -> tuple[float, int]:
        """One optimizer step; its mean loss, and how many frames were not decoded as blank, in all ranks."""
        import torch

        self.model.train()
        # Where frames are kept, it depends on the moment which waveforms are here: a resumed run must split as this one.
        cached = self.feature_cache is not None
        seconds = [
            self.examples[index].seconds if cached or waveform is None else len(waveform) / SAMPLING_RATE
            for index, waveform in zip(step.examples, waveforms, strict=True)
        ]
        total, spoken = 0.0, 0
        for places in batches.split(seconds, self.options.max_seconds, self.options.batch_size, self.sizes.fits):
            self.model.recompute(self.sizes.recomputes([seconds[place] for place in places]))
            chosen = [step.examples[place] for place in places]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bfloat16"):
                frames = self._frames(chosen, [waveforms[place] for place in places])
                logits, lengths = self.model.logits(frames, *self._masks(step, chosen, frames))
            each = ctc_losses(logits, lengths, [self.examples[index].labels for index in chosen], self.blank)
            loss = each.sum() / step.utterances
            total += float(loss.detach())
            loss.backward()  # type: ignore[no-untyped-call]
            spoken += spoken_frames(logits.detach(), lengths, self.blank)
        self.ranks.sum_gradients(self.learned.values())
        total, frames_spoken = self.ranks.sum(total, spoken)
        norm = torch.nn.utils.clip_grad_norm_(self.learned.values(), CLIP)
        if not (math.isfinite(total) and math.isfinite(float(norm))):
            raise ThanoSQLModelError(
                f"The loss is no longer finite at step {step.number + 1:,} of {self.steps:,} "
                f"(epoch {step.epoch}, learning rate {rate:.2g}): training diverged.",
                hint=f"Choose a learning_rate below {self.options.learning_rate:g}.",
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._whole = False
        self.optimizer.step()
        self.optimizer.zero_grad()  # validation and a checkpoint need that memory
        return total, int(frames_spoken)

    def _frames(self, chosen: Sequence[int], waveforms: Sequence[np.ndarray | None]) -> list[torch.Tensor]:
        if self.feature_cache is None:
            return self._encode(waveforms)
        return [
            self.feature_cache.get(index, partial(self._encode, [waveform])).to(self.device)
            for index, waveform in zip(chosen, waveforms, strict=True)
        ]

    def _encode(self, waveforms: Sequence[np.ndarray | None]) -> list[torch.Tensor]:
        import torch

        sound = [torch.from_numpy(waveform).to(self.device) for waveform in waveforms if waveform is not None]
        return self.model.encode(sound)

    def _masks(
        self, step: Step, chosen: Sequence[int], frames: Sequence[torch.Tensor]
    ) -> tuple[list[np.ndarray] | None, list[np.ndarray] | None]:
        config = self.model.spec_augment
        if config is None:
            return None, None
        rngs = [generator("masks", self.options.seed, step.epoch, index) for index in chosen]
        times = channels = None
        if config.mask_time_prob > 0:
            times = [masking.time_mask(len(frame), config, rng) for frame, rng in zip(frames, rngs, strict=True)]
        if config.mask_feature_prob > 0:
            channels = [masking.channel_mask(config, rng) for rng in rngs]
        return times, channels

    def _end_epoch(self, number: int, cancellation: Cancellation) -> None:
        epoch = self.epoch_metrics.epoch(number)
        self.spoken = self.epoch_metrics.spoken
        self.epoch_metrics = EpochMetrics()
        if self.validator is not None:
            found = self.validator.validate(self.model, self.device, cancellation)
            epoch = Epoch(**{**asdict(epoch), "valid_loss": found.loss, "valid_wer": found.wer, "valid_cer": found.cer})
            if (found.wer, found.loss) < self.best.score:
                weights = {name: value.detach().to("cpu", copy=True) for name, value in self.learned.items()}
                self.best = Best(number, (found.wer, found.loss), 0, weights)
            else:
                self.best.waited += 1
        self.history.append(epoch)

    def _is_enough(self) -> bool:
        return 0 < self.options.early_stopping <= self.best.waited

    def _keep(self, epoch_ended: bool) -> None:
        """Keep the state at the end of each epoch and now and then, as long as that costs little."""
        started = time.perf_counter()
        waited = started - self._saved_at
        if waited < self._save_cost / SAVE_SHARE or not (epoch_ended or waited >= SAVE_EVERY):
            return
        self._save()
        self._saved_at = time.perf_counter()
        self._save_cost = self._saved_at - started

    def _save(self) -> None:
        if self.saved is None or self.ranks.rank:
            return
        tensors: dict[str, torch.Tensor] = {f"learned.{name}": value for name, value in self.learned.items()}
        for name, value in self.learned.items():
            for key, moment in self.optimizer.state[value].items():
                tensors[f"{key}.{name}"] = moment
        tensors |= {f"best.{name}": value for name, value in self.best.weights.items()}
        best = {"epoch": self.best.epoch, "score": self.best.score, "waited": self.best.waited}
        numbers = {
            "step": self.done,
            "steps": self.steps,
            "history": [asdict(epoch) for epoch in self.history],
            "tally": asdict(self.epoch_metrics),
            "spoken": self.spoken,
            "seconds": self.seconds_before + time.perf_counter() - self._begun,
            "curve": asdict(self.loss_history),
            "best": best,
        }
        self.saved.save(numbers, tensors)

    def resume_from(self, numbers: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        """Resume from the checkpoint of an unfinished run: the next step is the one that it would have taken."""
        import torch

        with torch.no_grad():
            for name, value in self.learned.items():
                value.copy_(tensors[f"learned.{name}"])
                # A layer that was dropped in every step so far, or a mask that is not used, has no moments yet.
                self.optimizer.state[value] = {
                    key: tensors[f"{key}.{name}"].to(self.device)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                    if f"{key}.{name}" in tensors
                }
        self.done = numbers["step"]
        self.history = [Epoch(**epoch) for epoch in numbers["history"]]
        self.epoch_metrics = EpochMetrics(**numbers["tally"])
        self.spoken = numbers["spoken"]
        self.seconds_before = numbers["seconds"]
        self.loss_history = LossHistory(**numbers["curve"])
        weights = {name: tensors[f"best.{name}"] for name in self.learned if f"best.{name}" in tensors}
        best = numbers["best"]
        self.best = Best(best["epoch"], (best["score"][0], best["score"][1]), best["waited"], weights)
