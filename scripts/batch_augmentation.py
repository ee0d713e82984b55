"""What augmentation.py does to one utterance, done to a whole batch on a GPU: speech and a generator in, waveforms out.

In: `Speech`, the corpora's samples on one device. Out: float32, shape = (n_batch, n_samples), with the length of each
row. Beyond augmentation.py: silence of up to 1.5 s around and between words, a rate that wavers, noise that stops with
the speech, an offset, low cuts as steep as a telephone line's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from augmentation import SAMPLE_RATE

FADE = 0.04  # seconds: the longest that a tight cut fades in or out
MU = 255  # of mu-law, ITU-T G.711


@dataclass(frozen=True)
class Speech:
    """samples: int16, shape = (n_total,); starts, lengths: int64, shape = (n_utterances,); all on one device."""

    samples: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor

    @property
    def device(self) -> torch.device:
        return self.samples.device


class Augmentation:
    """Draws from a generator of its own, so that a run repeats itself on one machine."""

    def __init__(self, speech: Speech, seed: int) -> None:
        self.speech, self.device = speech, speech.device
        self._torch = torch.Generator(self.device).manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape, generator=self._torch, device=self.device)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self._torch, device=self.device)

    def __call__(
        self, pieces: torch.Tensor, strength: float, pause: float, silence: float, is_tight: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Utterances `pieces`, int64, shape = (n_batch, n_words), said after one another; -1 says nothing.

        `strength` from 0 to 1 is how often each distortion is used; `pause` the longest silence between words, `silence`
        that before the first and after the last, in seconds. `is_tight` cuts up to 60 ms (an eighth at most) off both
        ends of each and fades what is left of them. Returns waveforms of unit variance and their lengths.
        """
        waveforms, spoken, lengths = self._said(pieces, strength, pause, silence, is_tight)
        n = len(waveforms)
        loud = self._often(0.85 * strength, n)
        waveforms = torch.where(loud, self._filtered(waveforms, strength), waveforms)
        waveforms = waveforms / _deviation(waveforms, spoken)
        driven = self._often(0.2 * strength, n)
        waveforms = torch.where(driven, torch.tanh(waveforms * self.uniform(0.3, 1.5, n, 1)), waveforms)
        waveforms = waveforms / _deviation(waveforms, spoken)
        noise = self._noise(*waveforms.shape) * 10 ** (-self.uniform(35 - 30 * strength, 45, n, 1) / 20)
        noise = noise * torch.where(self._often(0.15 * strength, n), spoken, 1.0)
        waveforms = torch.where(self._often(0.85, n), waveforms + noise, waveforms)
        if strength > 0.3:
            waveforms = self._coded(waveforms, strength)
            decibels = _interpolated(4 * self.normal(n, 4), waveforms.shape[1])
            drifting = waveforms * 10 ** (decibels / 20)
            waveforms = torch.where(self._often(0.25 * strength, n), drifting, waveforms)
            offset = self.uniform(-0.5, 0.5, n, 1)
            waveforms = torch.where(self._often(0.1 * strength, n), waveforms + offset, waveforms)
        inside = torch.arange(waveforms.shape[1], device=self.device) < lengths[:, None]
        return waveforms * inside, lengths

    def _often(self, share: float, n: int) -> torch.Tensor:
        return torch.rand(n, 1, generator=self._torch, device=self.device) < share

    def _said(
        self, pieces: torch.Tensor, strength: float, pause: float, silence: float, is_tight: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Waveforms, where they hold speech (1 or 0), and their lengths."""
        n, n_words = pieces.shape
        known = (pieces >= 0).long()
        starts, lengths = (values[pieces.clamp(min=0)] for values in (self.speech.starts, self.speech.lengths))
        tight = self._often(0.35 * strength, n)
        most = (0.08 * lengths).clamp(max=0.05 * SAMPLE_RATE)
        if is_tight:
            tight, most = torch.ones_like(tight), (lengths / 8).clamp(max=0.06 * SAMPLE_RATE)
        first, last = ((self.uniform(0, 1, n, n_words) * most * tight).long() for _ in range(2))
        starts, lengths = starts + first, (lengths - first - last) * known
        factor = (
            torch.exp(0.10 * strength * self.normal(n, 1)) if strength > 0 else torch.ones(n, 1, device=self.device)
        )
        factor = torch.where(self._often(0.7, n), factor, 1.0)
        said = (lengths / factor).long()
        gaps = (self.uniform(0.0, pause, n, n_words) * SAMPLE_RATE).long() * known
        edges = self.uniform(0, 1, n, 2) ** 2 * silence * SAMPLE_RATE
        before, after = edges[:, :1].long(), edges[:, 1:].long()
        ends = before + torch.cumsum(said + gaps, dim=1)
        offsets = ends - said - gaps
        end = ends[:, -1:] - gaps.gather(1, known.sum(dim=1, keepdim=True) - 1)
        total = (end + after)[:, 0]
        n_samples = _padded(int(total.max()))
        time = torch.arange(n_samples, device=self.device, dtype=torch.float32)
        fades = self.uniform(0, 1, n, 2) * FADE * SAMPLE_RATE if is_tight else None
        period = self.uniform(0.4, 3.0, n, 1) * SAMPLE_RATE
        waver = self.uniform(0, 0.08, n, 1) * strength * period / (2 * math.pi) * self._often(0.5, n)
        waver = waver * torch.sin(2 * math.pi * time / period + self.uniform(0, 2 * math.pi, n, 1))
        waveforms = torch.zeros(n, n_samples, device=self.device)
        for word in range(n_words):
            position = (time - offsets[:, word : word + 1]) * factor
            size = lengths[:, word : word + 1]
            within = (position >= 0) & (position < size - 1)
            # The rate wavers inside the word alone: its two ends stay where they are.
            position = position + waver * torch.clamp(torch.minimum(position, size - 1 - position) / 800, 0, 1)
            low = position.clamp(min=0).floor()
            place = (starts[:, word : word + 1] + low.long()).clamp(0, len(self.speech.samples) - 2)
            here, there = self.speech.samples[place], self.speech.samples[place + 1]
            share = (position - low).clamp(0, 1)
            level = 10 ** (3 * self.normal(n, 1) / 20) / 32768
            if fades is not None:
                for side, inwards in enumerate((position, size - 1 - position)):
                    level = level * (inwards / (fades[:, side : side + 1] + 1)).clamp(0, 1)
            waveforms += torch.where(within, (here * (1 - share) + there * share) * level, 0.0)
        spoken = ((time >= before) & (time < end)).float()
        return waveforms, spoken, total

    def _filtered(self, waveforms: torch.Tensor, strength: float) -> torch.Tensor:
        """Through a random microphone, band limit and room."""
        n, n_samples = waveforms.shape
        n_fft = 1 << (n_samples - 1).bit_length()
        spectrum = torch.fft.rfft(waveforms, n_fft) * self._response(n, n_fft)
        rooms = torch.where(self._often(0.4 * strength, n), self._rooms(n, n_fft), 1.0)
        return torch.fft.irfft(spectrum * rooms, n_fft)[:, :n_samples]

    def _response(self, n: int, n_fft: int) -> torch.Tensor:
        """Magnitudes; float32, shape = (n, n_fft // 2 + 1)."""
        frequency = torch.linspace(0, SAMPLE_RATE / 2, n_fft // 2 + 1, device=self.device)
        octaves = torch.log2(frequency.clamp(min=50.0) / 1000)
        low, high = float(octaves[0]), float(octaves[-1])
        place = (octaves - low) / (high - low) * 6
        under = place.floor().long().clamp(max=5)
        knots = 3 * self.normal(n, 7)
        share = place - under
        decibels = 2 * self.normal(n, 1) * octaves + knots[:, under] * (1 - share) + knots[:, under + 1] * share
        centre, width = self.uniform(low + 1, high, n, 1), self.uniform(0.15, 0.5, n, 1)
        bump = self.uniform(-12, 8, n, 1) * torch.exp(-(((octaves - centre) / width) ** 2))
        decibels = decibels + bump * self._often(0.3, n)
        response = 10 ** (decibels.clamp(-40, 20) / 20)
        kind = torch.rand(n, 1, generator=self._torch, device=self.device)
        limit = torch.where(kind < 0.5, self.uniform(3300, 4000, n, 1), self.uniform(4000, 8000, n, 1))
        response = response * ((frequency < limit) | (kind >= 0.65))
        # Low cuts as Butterworth's: from a microphone's, 12 dB an octave, to a telephone line's, ten times as steep.
        corner, order = self.uniform(60, 350, n, 1), 2 * 10 ** self.uniform(0, 1, n, 1)
        passed = torch.rsqrt(1 + ((corner / frequency.clamp(min=1.0)) ** (2 * order)).clamp(max=1e12))
        return torch.where(self._often(0.55, n), response * passed, response)

    def _rooms(self, n: int, n_fft: int) -> torch.Tensor:
        """Spectra of impulse responses, the direct sound and an exponentially fading noise; complex64."""
        n_tail = min(n_fft, SAMPLE_RATE // 2)
        seconds = self.uniform(0.05, 0.5, n, 1)  # until -60 dB
        time = torch.arange(n_tail, device=self.device) / SAMPLE_RATE
        tail = self.normal(n, n_tail) * 10 ** (-3 * time / seconds) * (time < seconds)
        tail = tail * 10 ** (self.uniform(-22, -3, n, 1) / 20) / tail.square().sum(dim=1, keepdim=True).sqrt()
        tail[:, : SAMPLE_RATE // 500] = 0
        tail[:, 0] = 1
        return torch.fft.rfft(tail, n_fft)

    def _noise(self, n: int, n_samples: int) -> torch.Tensor:
        """Coloured noise, babble or hum of unit variance; float32, shape = (n, n_samples)."""
        n_fft = 1 << (n_samples - 1).bit_length()
        spectrum = torch.fft.rfft(self.normal(n, n_fft))
        frequency = torch.linspace(20, SAMPLE_RATE / 2, spectrum.shape[1], device=self.device)
        coloured = torch.fft.irfft(spectrum * frequency ** -self.uniform(0, 1.2, n, 1), n_fft)[:, :n_samples]
        coloured = coloured / (coloured.std(dim=1, keepdim=True) + 1e-9)
        time = torch.arange(n_samples, device=self.device)
        voices = len(self.speech.samples)
        babble = torch.zeros(n, n_samples, device=self.device)
        for voice in range(4):
            start = (self.uniform(0, 1, n, 1) * (voices - n_samples - 1)).long().clamp(min=0)
            heard = self.speech.samples[(start + time).clamp(max=voices - 1)].float() / 32768
            babble += heard * (1.0 if voice < 2 else self._often(0.5, n))
        babble = babble / (babble.std(dim=1, keepdim=True) + 1e-9)
        noise = torch.where(self._often(0.25, n), babble, coloured)
        hertz = torch.tensor([50.0, 60.0, 120.0], device=self.device)
        hum = hertz[torch.randint(3, (n, 1), generator=self._torch, device=self.device)]
        humming = noise + 2 * torch.sin(2 * math.pi * hum * time / SAMPLE_RATE)
        noise = torch.where(self._often(0.15, n), humming, noise)
        return noise / (noise.std(dim=1, keepdim=True) + 1e-9)

    def _coded(self, waveforms: torch.Tensor, strength: float) -> torch.Tensor:
        """Some rounded to 8 bits of mu-law or to 5 to 8 bits, some clipped."""
        n = len(waveforms)
        peak = waveforms.abs().amax(dim=1, keepdim=True) + 1e-9
        level = waveforms / peak
        companded = torch.round(torch.sign(level) * torch.log1p(MU * level.abs()) / math.log(1 + MU) * 127) / 127
        telephone = torch.sign(companded) * torch.expm1(companded.abs() * math.log(1 + MU)) / MU
        steps = 2.0 ** torch.randint(4, 8, (n, 1), generator=self._torch, device=self.device)
        coded = torch.where(self._often(0.5, n), telephone, torch.round(level * steps) / steps) * peak
        most = peak * self.uniform(0.15, 0.6, n, 1)
        kind = torch.rand(n, 1, generator=self._torch, device=self.device)
        waveforms = torch.where(kind < 0.12 * strength, coded, waveforms)
        clipped = torch.minimum(torch.maximum(waveforms, -most), most)
        return torch.where((kind >= 0.12 * strength) & (kind < 0.2 * strength), clipped, waveforms)


def _deviation(waveforms: torch.Tensor, spoken: torch.Tensor) -> torch.Tensor:
    """The standard deviation where they hold speech, so that silence around it makes it no louder."""
    return (waveforms.square() * spoken).sum(dim=1, keepdim=True).div(spoken.sum(dim=1, keepdim=True)).sqrt() + 1e-6


def _interpolated(knots: torch.Tensor, size: int) -> torch.Tensor:
    return torch.nn.functional.interpolate(knots[:, None], size=size, mode="linear", align_corners=True)[:, 0]


def _padded(n_samples: int) -> int:
    """The next of a few lengths: the libraries prepare their kernels anew for each."""
    step = 1.08
    return math.ceil(4000 * step ** math.ceil(np.log(max(n_samples, 4000) / 4000) / np.log(step)) / 160) * 160
