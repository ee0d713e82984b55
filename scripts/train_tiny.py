"""Train a bundled model on synthesized speech: a language and a seed go in, a Hugging Face folder comes out.

    python scripts/train_tiny.py --minutes 60
    python scripts/train_tiny.py --start thanosql/models/assets/Wav2Vec2Tiny --minutes 35
    python scripts/train_tiny.py --language ko --start thanosql/models/assets/Wav2Vec2Tiny --workers 1 --minutes 45

makes the corpus (scripts/synthesize.py) in the folder for temporary files if it is not there, trains on it, from
nothing or from the weights of --start (another language's head is made anew), and writes
thanosql/models/assets/MODEL. The first steps see one word an utterance, the later ones up to about seven. The learning
rate falls with the steps or the minutes, whichever run out first, so a slow machine ends on time as well.
"""

import argparse
import itertools
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from augmentation import SAMPLE_RATE, augmented, batch_of, harsher, padded_length
from languages import ENGLISH, LANGUAGES, Language
from synthesize import Corpus, read_corpus, synthesize
from tiny_model import new_model, save, use_channels_last
from transformers import Wav2Vec2ForCTC

ASSETS = Path(__file__).parents[1] / "thanosql" / "models" / "assets"
IGNORED = -100  # the label of padding


@dataclass(frozen=True)
class Schedule:
    """How long to train and how fast; `minutes` counts over all resumed runs."""

    steps: int
    minutes: float
    peak_rate: float = 2.2e-3
    warm_up: int = 400  # steps
    one_word: int = 2000  # steps with one word an utterance
    mild: int = 2500  # steps with mild augmentation
    full: int = 6000  # the step from which on it is at full strength
    batch_seconds: float = 9.0
    harsh: bool = False  # augmentation.harsher instead of augmentation.augmented

    def progress(self, step: int, minutes: float) -> float:
        return min(1.0, max(step / self.steps, minutes / self.minutes))

    def strength(self, step: int) -> float:
        """Of the augmentation: a model that knows no letter yet learns none from noise."""
        return float(np.interp(step, (self.mild, self.full), (0.25, 0.85)))

    def rate(self, step: int, minutes: float) -> float:
        """Linear warm-up, then a cosine to 1% of the peak."""
        cosine = 0.505 + 0.495 * np.cos(np.pi * self.progress(step, minutes))
        return float(self.peak_rate * min(1.0, (step + 1) / self.warm_up) * cosine)


class Batches:
    """Endless augmented batches of similar length drawn from a corpus; the draw depends on seed and position alone."""

    def __init__(self, corpus: Corpus, language: Language, schedule: Schedule, seed: int):
        self.corpus, self.language, self.schedule, self.seed = corpus, language, schedule, seed
        n_words = np.array([len(text.split()) for text in corpus.texts])
        often = np.array([language.weights.get(voice.partition(":")[0], 1) for voice in corpus.voices])
        drawn = np.repeat(np.arange(len(corpus)), often)
        # An utterance that is drawn more often does not stand beside itself.
        about = corpus.lengths[drawn] * np.random.default_rng(seed).uniform(0.95, 1.05, len(drawn))
        by_length = drawn[np.argsort(about, kind="stable")]
        self.one_word = by_length[n_words[by_length] == 1]
        self.not_digits = self.one_word[[corpus.texts[index] not in language.digits for index in self.one_word]]
        self.several = by_length[n_words[by_length] > 1]
        self.vary = harsher if schedule.harsh else augmented
        self.babble = corpus.waveforms[: 600 * SAMPLE_RATE].astype(np.float32) / 32768

    def __call__(self, step: int, position: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Waveforms and mask, shape = (n_batch, n_samples); labels padded with -100, shape = (n_batch, n_symbols)."""
        rng, strength = np.random.default_rng((self.seed, *position)), self.schedule.strength(step)
        kind = 0.0 if step < self.schedule.one_word else rng.random()
        if kind < 0.55:
            # The corpus is full of digits, which are learned first.
            which = self.one_word if step < self.schedule.one_word or rng.random() < 0.45 else self.not_digits
            heard, texts = self._neighbours(which, rng, strength)
        elif kind < 0.85:
            heard, texts = self._neighbours(self.several, rng, strength)
        else:
            heard, texts = self._joined(int(rng.integers(2, 6)), rng, strength)
        waveforms, mask = batch_of(heard, longest=padded_length(max(map(len, heard))))
        ids = [self.language.encode(text) for text in texts]
        labels = torch.full((len(ids), max(map(len, ids))), IGNORED)
        for row, symbols in enumerate(ids):
            labels[row, : len(symbols)] = torch.tensor(symbols)
        return torch.from_numpy(waveforms), torch.from_numpy(mask), labels

    def _batch_size(self, padded_length: int) -> int:
        return max(2, round(self.schedule.batch_seconds * SAMPLE_RATE / padded_length))

    def _neighbours(
        self, by_length: np.ndarray, rng: np.random.Generator, strength: float
    ) -> tuple[list[np.ndarray], list[str]]:
        """Augmented utterances of about one length, and their texts."""
        centre = int(rng.integers(len(by_length)))
        longest = padded_length(int(self.corpus.lengths[by_length[centre]] * 1.06 + 0.12 * SAMPLE_RATE))
        count = self._batch_size(longest)
        # Drawn from a wide window, so that a batch is not the same few utterances each time.
        low, high = max(0, centre - 3 * count), min(len(by_length), centre + 2 * count + 1)
        heard, texts = [], []
        while len(heard) < count:
            index = by_length[rng.integers(low, high)]
            samples = self.vary(self.corpus.samples(index), rng, self.babble, strength)
            if len(samples) <= longest:
                heard.append(samples)
                texts.append(self.corpus.texts[index])
        return heard, texts

    def _joined(self, n_words: int, rng: np.random.Generator, strength: float) -> tuple[list[np.ndarray], list[str]]:
        """Single words put end to end with pauses of 0.02 to 0.3 s, augmented as one utterance, and their texts."""
        longest = padded_length(int(0.9 * n_words * SAMPLE_RATE))
        heard, texts = [], []
        while len(heard) < self._batch_size(longest):
            pieces, words = [], []
            for index in rng.choice(self.one_word if rng.random() < 0.5 else self.not_digits, n_words):
                pause = np.zeros(int(rng.uniform(0.02, 0.3) * SAMPLE_RATE), np.int16)
                pieces += [self.corpus.samples(index), pause]
                words.append(self.corpus.texts[index])
            samples = self.vary(np.concatenate(pieces[:-1]), rng, self.babble, strength)
            if len(samples) <= longest:
                heard.append(samples)
                texts.append(" ".join(words))
        return heard, texts


class SharedTraining:
    """What the workers have in common, in shared memory: weights, their moving average, AdamW's state, the step.

    Each worker computes gradients on batches of its own with one thread and applies them under a lock, so a worker
    whose core is busy with something else does not hold up the other; gradients are at most one update old.
    """

    def __init__(self, language: Language, start: Path | None, seed: int, schedule: Schedule, checkpoint: Path):
        self.language, self.seed, self.schedule, self.checkpoint = language, seed, schedule, checkpoint
        self.weights = [parameter.detach().clone() for parameter in new_model(seed, language, start).parameters()]
        self.average = [weight.clone() for weight in self.weights]
        self.moments = [
            {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(weight), "exp_avg_sq": torch.zeros_like(weight)}
            for weight in self.weights
        ]
        self.step = torch.tensor(0)
        self.minutes_before = 0.0
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True)
            self.weights, self.average, self.moments = state["weights"], state["average"], state["moments"]
            self.step, self.minutes_before = state["step"], state["minutes"]
            print(f"going on from step {int(self.step)}", flush=True)
        of_moments = [tensor for moments in self.moments for tensor in moments.values()]
        for tensor in (self.step, *self.weights, *self.average, *of_moments):
            tensor.share_memory_()
        self.started = time.monotonic()

    def model_of(self, weights: list[torch.Tensor]) -> Wav2Vec2ForCTC:
        """A model whose parameters are these very tensors."""
        model = new_model(self.seed, self.language)
        for parameter, weight in zip(model.parameters(), weights, strict=True):
            parameter.data = weight
        return model

    def minutes(self) -> float:
        return self.minutes_before + (time.monotonic() - self.started) / 60

    def write(self, out: Path) -> None:
        """Save the state to resume from, and replace the model files in `out` one by one."""
        state = {"weights": self.weights, "average": self.average, "moments": self.moments}
        torch.save({**state, "step": self.step, "minutes": self.minutes()}, self.checkpoint.with_suffix(".part"))
        self.checkpoint.with_suffix(".part").rename(self.checkpoint)
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            save(self.model_of(self.average), Path(folder), self.language)
            for file in Path(folder).iterdir():
                file.chmod(0o644)
                file.replace(out / file.name)


def work(shared: SharedTraining, worker: int, lock, corpus_folder: Path, out: Path) -> None:
    """One worker: batches, gradients, updates, until the schedule is over. Worker 0 reports and saves."""
    torch.set_num_threads(1)
    schedule, seed = shared.schedule, shared.seed
    model = use_channels_last(shared.model_of(shared.weights)).train()
    model.set_attn_implementation("eager")  # faster than sdpa on CPU for sequences as short as these
    optimizer = torch.optim.AdamW(model.parameters(), lr=schedule.peak_rate, weight_decay=0.01, fused=True)
    for parameter, moments in zip(model.parameters(), shared.moments, strict=True):
        optimizer.state[parameter] = moments
    batches = Batches(read_corpus(corpus_folder), shared.language, schedule, seed)
    losses, heard, written, began = [], 0.0, int(shared.step) // 1000, time.monotonic()
    for own_step in itertools.count(int(shared.step)):
        step = int(shared.step)
        if schedule.progress(step, shared.minutes()) >= 1:
            break
        waveforms, mask, labels = batches(step, (worker, own_step))
        np.random.seed((seed + 7919 * own_step + worker) % 2**32)  # SpecAugment in transformers draws from numpy
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(waveforms, attention_mask=mask, labels=labels).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        with lock, torch.no_grad():
            if torch.isfinite(norm):
                for group in optimizer.param_groups:
                    group["lr"] = schedule.rate(step, shared.minutes())
                optimizer.step()
            shared.step += 1
            keep = min(0.999, (step + 1) / (step + 21))
            torch._foreach_lerp_(shared.average, shared.weights, 1 - keep)
        optimizer.zero_grad()
        losses.append(loss.item())
        heard += waveforms.numel() / SAMPLE_RATE
        if worker == 0 and len(losses) % 50 == 0:
            print(
                f"step {step} minutes {shared.minutes():.1f} loss {np.mean(losses[-50:]):.4f} "
                f"rate {schedule.rate(step, shared.minutes()):.1e} "
                f"audio-s/s of this worker {heard / (time.monotonic() - began):.0f}",
                flush=True,
            )
        if worker == 0 and step // 1000 > written:
            written = step // 1000
            with lock:
                shared.write(out)


def train(
    language: Language,
    corpus: Path,
    start: Path | None,
    schedule: Schedule,
    seed: int,
    out: Path,
    checkpoint: Path,
    workers: int,
) -> None:
    """Train with `workers` processes, going on from `checkpoint` where there is one; write the model to `out`."""
    # Memory that is given back to the system and taken again at each step costs a third of the time.
    os.environ |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8000000000", "OMP_NUM_THREADS": "1"}
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "8192"
    shared = SharedTraining(language, start, seed, schedule, checkpoint)
    context = torch.multiprocessing.get_context("spawn")
    lock = context.Lock()
    processes = [context.Process(target=work, args=(shared, worker, lock, corpus, out)) for worker in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a worker failed")
    shared.write(out)
    print(f"{int(shared.step)} steps, {shared.minutes():.1f} minutes", flush=True)


@torch.inference_mode()
def transcribe(
    model: Wav2Vec2ForCTC, utterances: list[np.ndarray], batch: int = 32, language: Language = ENGLISH
) -> list[str]:
    """Greedy transcripts of float32 utterances at 16 kHz, in their order."""
    model.eval()
    order = sorted(range(len(utterances)), key=lambda index: len(utterances[index]))
    texts = [""] * len(utterances)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        waveforms, mask = batch_of([utterances[index] for index in rows])
        mask = torch.from_numpy(mask)
        logits = model(torch.from_numpy(waveforms), attention_mask=mask).logits
        frames = model._get_feat_extract_output_lengths(mask.sum(dim=1))
        for row, ids, n in zip(rows, logits.argmax(dim=-1).tolist(), frames.tolist(), strict=True):
            texts[row] = language.decode(ids[:n])
    return texts


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--language", choices=LANGUAGES, default="en")
    arguments.add_argument("--start", type=Path, help="the folder of a bundled model whose weights to start from")
    arguments.add_argument("--work", type=Path, help="folder of the corpus and the state to resume from")
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--steps", type=int, default=30_000)
    arguments.add_argument("--minutes", type=float, default=75.0, help="of wall clock, all resumed runs together")
    arguments.add_argument("--workers", type=int, default=2, help="1 makes the run repeatable; 2 is quicker")
    arguments.add_argument("--resume", action="store_true", help="go on from the state in --work instead of anew")
    options = arguments.parse_args()
    language = LANGUAGES[options.language]
    work_folder = options.work or Path(tempfile.gettempdir()) / language.model.lower()
    corpus, checkpoint = work_folder / "corpus", work_folder / "state.pt"
    if not (corpus / "waveforms.i16").exists():
        synthesize(corpus, language, options.seed)
    if not options.resume:
        checkpoint.unlink(missing_ok=True)
    schedule = Schedule(options.steps, options.minutes)
    if options.start:  # it hears already: what is new to it are the symbols
        schedule = replace(schedule, peak_rate=1.5e-3, one_word=300, mild=500, full=2000)
    train(
        language,
        corpus,
        options.start,
        schedule,
        options.seed,
        options.out or ASSETS / language.model,
        checkpoint,
        options.workers,
    )
