"""Train a small base on a GPU: corpora of synthesized speech go in, a Hugging Face folder comes out.

    python scripts/train_on_gpu.py --architecture waveform --start thanosql/models/assets/Wav2Vec2Tiny \
        --corpora BASE PIECES --minutes 8 --out FOLDER
    python scripts/train_on_gpu.py --architecture log-mel --corpora BASE PIECES --minutes 8 --out FOLDER

Batches are made on the GPU as well (batch_augmentation.py), some minutes of speech each, so that one processor core keeps
up with it. Corpora are laid out as synthesize.py does; those that are not there yet join when they are. What is drawn is
shared between the kinds of voices as SHARES says.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import small_parakeet
import tiny_model
import torch
from augmentation import SAMPLE_RATE
from batch_augmentation import Augmentation, Speech
from languages import ENGLISH
from synthesize import Corpus, read_corpus
from torch.nn.functional import ctc_loss
from train_further import kind

BLANK = ENGLISH.vocabulary[ENGLISH.pad]
TIGHT_SILENCE = 0.02  # seconds at most around what is cut tightly

# Of the draws, by kind of voice: words said with care by all synthesizers but Kokoro; Kokoro; other throats on Kokoro's
# words; pieces of the others' connected speech and other throats on their words.
SHARES = {"careful": 0.37, "kokoro": 0.28, "throat kokoro": 0.2, "pieces": 0.15}


def complete(folders: list[Path]) -> list[Path]:
    """Those whose corpus is there: the others are still being synthesized."""
    return [folder for folder in folders if (folder / "waveforms.i16").exists()]


def joined(folders: list[Path]) -> Corpus:
    """The corpora of several folders as one."""
    corpora = [read_corpus(folder) for folder in folders]
    offsets = np.cumsum([0, *(len(corpus.waveforms) for corpus in corpora[:-1])])
    return Corpus(
        np.concatenate([corpus.waveforms for corpus in corpora]),
        np.concatenate([corpus.starts + offset for corpus, offset in zip(corpora, offsets, strict=True)]),
        np.concatenate([corpus.lengths for corpus in corpora]),
        [text for corpus in corpora for text in corpus.texts],
        [voice for corpus in corpora for voice in corpus.voices],
    )


@dataclass(frozen=True)
class Drawn:
    """Utterances in the order of their lengths, and how often each is drawn, as a running sum."""

    order: np.ndarray
    sums: np.ndarray

    @classmethod
    def of(cls, which: np.ndarray, lengths: np.ndarray, often: np.ndarray) -> Drawn:
        order = which[np.argsort(lengths[which], kind="stable")]
        return cls(order, np.cumsum(often[order]))

    def any(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return self.order[
            np.searchsorted(self.sums, rng.uniform(0, self.sums[-1], shape)).clip(max=len(self.order) - 1)
        ]

    def neighbours(self, seconds: float, lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Utterances of about one length, `seconds` long together; drawn from a window wider than the batch."""
        centre = np.searchsorted(self.sums, rng.uniform(0, self.sums[-1])).clip(max=len(self.order) - 1)
        count = max(4, int(seconds * SAMPLE_RATE / (1.1 * lengths[self.order[centre]] + 0.1 * SAMPLE_RATE)))
        low, high = max(0, centre - 2 * count), min(len(self.order) - 1, centre + count)
        places = np.searchsorted(self.sums, rng.uniform(self.sums[low], self.sums[high], count))
        return self.order[places.clip(max=len(self.order) - 1)]


class Batches:
    """Endless augmented batches; what is drawn depends on the seed alone."""

    def __init__(
        self, corpus: Corpus, device: torch.device, seconds: float, seed: int, plain: int, tight: float = 0.0
    ) -> None:
        self.corpus, self.seconds, self.plain, self.tight = corpus, seconds, plain, tight
        print(f"{len(corpus)} utterances, {len(corpus.waveforms) / SAMPLE_RATE / 3600:.1f} hours", flush=True)
        self.rng = np.random.default_rng(seed)
        kinds = np.array([kind(voice) for voice in corpus.voices])
        often = np.zeros(len(corpus))
        for name, share in SHARES.items():
            often[kinds == name] = share / max(1, (kinds == name).sum())
        n_words = np.array([len(text.split()) for text in corpus.texts])
        digits = np.isin(corpus.texts, ENGLISH.digits)
        self.words = Drawn.of(np.flatnonzero(n_words == 1), corpus.lengths, often * np.where(digits, 1.0, 1.3))
        self.several = Drawn.of(np.flatnonzero(n_words > 1), corpus.lengths, often)
        self.ids = [ENGLISH.encode(text) for text in corpus.texts]
        speech = Speech(
            *(torch.from_numpy(array).to(device) for array in (corpus.waveforms, corpus.starts, corpus.lengths))
        )
        self.augmentation = Augmentation(speech, seed)
        self.device = device

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Waveforms `(n_batch, n_samples)`, their lengths, labels end to end, and how many labels each has."""
        rng = self.rng
        silence = float(rng.choice((0.04, 0.3, 1.5), p=(0.5, 0.25, 0.25)))
        seconds = self.seconds
        # A model that knows no letter yet learns none from noise.
        strength = float(np.interp(step, (self.plain, 3 * self.plain + 1), (0.25, 0.9)))
        draw = rng.random() if step >= self.plain else 0.0
        is_tight = self.tight > 0 and step >= self.plain and draw < 0.5 and rng.random() < self.tight
        if is_tight:
            silence = TIGHT_SILENCE
        if draw < 0.5:
            pieces, pause = self.words.neighbours(seconds / (1 + silence), self.corpus.lengths, rng)[:, None], 0.0
        elif draw < 0.75:
            pieces, pause = self.several.neighbours(seconds / (1 + silence / 3), self.corpus.lengths, rng)[:, None], 0.0
        else:
            n_words = int(rng.integers(2, 7))
            pause = float(rng.choice((0.1, 0.3, 0.8)))
            count = max(4, int(seconds / (n_words * (0.55 + 0.5 * pause) + silence)))
            pieces = self.words.any((count, n_words), rng)
        texts = [self._labels(row) for row in pieces]
        waveforms, lengths = self.augmentation(
            torch.from_numpy(pieces).to(self.device), strength, pause, silence, is_tight
        )
        labels = torch.tensor(list(itertools.chain.from_iterable(texts)), device=self.device)
        return waveforms, lengths, labels, torch.tensor([len(ids) for ids in texts], device=self.device)

    def _labels(self, row: np.ndarray) -> list[int]:
        ids = list(self.ids[row[0]])
        for index in row[1:]:
            ids += [ENGLISH.vocabulary["|"], *self.ids[index]]
        return ids


class WaveformModel:
    """Wav2Vec2ForCTC with SpecAugment's masks (Park et al. 2019) drawn on the GPU."""

    def __init__(self, start: Path | None, seed: int, device: torch.device) -> None:
        self.model = tiny_model.new_model(seed, start=start).to(device)
        self.device = device

    def logits(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        inner = self.model.wav2vec2
        inside = torch.arange(waveforms.shape[1], device=self.device) < lengths[:, None]
        mean = waveforms.sum(dim=1, keepdim=True) / lengths[:, None]
        centred = (waveforms - mean) * inside
        centred = centred / torch.sqrt(centred.square().sum(dim=1, keepdim=True) / lengths[:, None] + 1e-7)
        features = inner.feature_extractor(centred).transpose(1, 2)
        mask = inner._get_feature_vector_attention_mask(features.shape[1], inside.long())
        hidden, _ = inner.feature_projection(features)
        if self.model.training:
            n, n_frames, n_channels = hidden.shape
            hidden = torch.where(
                _spans(n, n_frames, 0.06, 2, self.device)[:, :, None], inner.masked_spec_embed.to(hidden.dtype), hidden
            )
            hidden = hidden * ~_spans(n, n_channels, 0.06, 8, self.device)[:, None]
        hidden = inner.encoder(hidden, attention_mask=mask).last_hidden_state
        return self.model.lm_head(self.model.dropout(hidden)), mask.sum(dim=1)

    def save(self, folder: Path) -> None:
        tiny_model.save(self.model, folder)


class LogMelModel:
    """ParakeetForCTC with SpecAugment's masks over its log-mel features."""

    def __init__(self, start: Path | None, seed: int, device: torch.device) -> None:
        self.model = small_parakeet.new_model(seed, start).to(device)
        self.features = small_parakeet.Features(device)
        self.device = device

    def logits(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(self.device.type, enabled=False):
            features, mask = self.features(waveforms, lengths)
        if self.model.training:
            n, n_frames, n_bins = features.shape
            features = features * ~_spans(n, n_frames, 0.05, 5, self.device)[:, :, None]
            features = features * ~_spans(n, n_bins, 0.12, 8, self.device)[:, None]
        hidden = self.model.encoder(input_features=features, attention_mask=mask).last_hidden_state
        return self.model.ctc_head(hidden), small_parakeet.n_frames(lengths)

    def save(self, folder: Path) -> None:
        small_parakeet.save(self.model, folder)


def _spans(n: int, size: int, share: float, length: int, device: torch.device) -> torch.Tensor:
    """bool, shape = (n, size): True for about `share` of the places, in spans of `length`."""
    begins = torch.rand(n, 1, size, device=device) < share / length
    return torch.nn.functional.max_pool1d(begins.float(), length, 1, padding=length // 2)[:, 0, :size] > 0


def train(model: WaveformModel | LogMelModel, options: argparse.Namespace) -> None:
    """Train for `options.minutes`; write the moving average of the weights every minute and at the end."""
    folders = complete(options.corpora)
    batches = Batches(joined(folders), model.device, options.seconds, options.seed, options.plain, options.tight)
    weights = list(model.model.parameters())
    average = [weight.detach().clone() for weight in weights]
    fused = model.device.type == "cuda"
    optimizer = torch.optim.AdamW(weights, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=fused)
    began, saved, losses, heard = time.monotonic(), 0, [], 0.0
    model.model.train()
    for step in itertools.count():
        minutes = (time.monotonic() - began) / 60
        if minutes >= options.minutes:
            break
        cosine = 0.5 + 0.5 * math.cos(math.pi * minutes / options.minutes)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1.0, (step + 1) / options.warm_up) * max(0.005, cosine)
        if step % 100 == 0 and len(folders) < len(complete(options.corpora)):
            folders = complete(options.corpora)
            batches = Batches(
                joined(folders), model.device, options.seconds, options.seed + step, options.plain, options.tight
            )
        waveforms, lengths, labels, n_labels = batches(step)
        with torch.autocast(model.device.type, torch.bfloat16):
            logits, n_frames = model.logits(waveforms, lengths)
        logs = logits.float().log_softmax(dim=-1).transpose(0, 1)
        loss = ctc_loss(logs, labels, n_frames, n_labels, blank=BLANK, zero_infinity=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(weights, 1.0)
        if not torch.isfinite(norm):
            optimizer.zero_grad()
            continue
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(
                average, [weight.detach() for weight in weights], 1 - min(0.9993, (step + 1) / (step + 21))
            )
        losses.append(loss.detach())
        heard += waveforms.numel() / SAMPLE_RATE
        if step % 100 == 99:
            mean = torch.stack(losses[-100:]).mean().item()
            speed = heard / 60 / (time.monotonic() - began)
            print(f"step {step + 1} minute {minutes:.2f} loss {mean:.4f} {speed:.0f} minutes of audio/s", flush=True)
        if minutes >= saved + 1:
            saved = int(minutes)
            _write(model, average, batches, options.out)
    _write(model, average, batches, options.out)
    print(f"{step} steps, {heard / 3600:.0f} hours of audio heard", flush=True)


@torch.no_grad()
def _write(model: WaveformModel | LogMelModel, average: list[torch.Tensor], batches: Batches, out: Path) -> None:
    """Save the averaged weights, with statistics of the batch norms that belong to them; the model goes on as it was."""
    kept = {name: value.clone() for name, value in model.model.state_dict().items()}
    for weight, value in zip(model.model.parameters(), average, strict=True):
        weight.copy_(value)
    norms = [module for module in model.model.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    if norms:
        model.model.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        with torch.autocast(model.device.type, torch.bfloat16):
            for _ in range(60):
                waveforms, lengths, *_ = batches(10**6)
                model.logits(waveforms, lengths)
        for norm in norms:
            norm.momentum = 0.1
        model.model.eval()
    model.save(out)
    model.model.load_state_dict(kept)
    model.model.train()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--architecture", choices=("waveform", "log-mel"), required=True)
    arguments.add_argument("--corpora", type=Path, nargs="+", required=True)
    arguments.add_argument("--start", type=Path, help="the folder of a model whose weights to start from")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--minutes", type=float, default=8.0)
    arguments.add_argument("--seconds", type=float, default=300.0, help="of speech in a batch")
    arguments.add_argument("--rate", type=float, default=2e-3, help="the highest learning rate")
    arguments.add_argument("--plain", type=int, default=1000, help="steps of single words, little distorted; 0: none")
    arguments.add_argument("--tight", type=float, default=0.0, help="of single words' batches, the share cut tightly")
    arguments.add_argument("--warm-up", type=int, default=300, help="steps until the highest learning rate")
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    torch.manual_seed(chosen.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    architecture = WaveformModel if chosen.architecture == "waveform" else LogMelModel
    train(architecture(chosen.start, chosen.seed, device), chosen)
