"""Train Wav2Vec2Tiny on with tight pieces of connected speech: corpora go in, a Hugging Face folder comes out.

    python scripts/synthesize.py --out BASE --seed 7001
    python scripts/cut_words.py --out PIECES --count 500
    python scripts/train_further.py --corpora BASE PIECES --work WORK --out WORK/model --minutes 60

Goes on from the weights that ship, or those of --start, at full and harsher augmentation. What is drawn is shared
between the kinds of utterances as SHARES says, however many there are of each.
"""

import argparse
import csv
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

from languages import ENGLISH
from train_tiny import ASSETS, Schedule, train

SAMPLE_BYTES = 2

# Of the draws, by kind: words said with care by all synthesizers but Kokoro; Kokoro; other throats on Kokoro's words;
# pieces and other throats of the rest.
SHARES = {"careful": 0.42, "kokoro": 0.25, "throat kokoro": 0.15, "pieces": 0.18}


def kind(voice: str) -> str:
    """One of SHARES' kinds, of a voice such as "espeak:en-us+f2" or "throat flite:slt"."""
    engine = voice.partition(":")[0]
    if engine in ("kokoro", "cut kokoro"):
        return "kokoro"
    if engine == "throat kokoro":
        return engine
    return "pieces" if engine.startswith(("cut ", "throat ")) else "careful"


def join(corpora: list[Path], out: Path) -> dict[str, int]:
    """Write the corpora as one to `out`; how many times as often as the rarest each engine's utterances are drawn."""
    out.mkdir(parents=True, exist_ok=True)
    engines, start = Counter(), 0
    with open(out / "waveforms.i16", "wb") as waveforms, open(out / "utterances.csv", "w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(("start", "length", "text", "voice"))
        for corpus in corpora:
            with open(corpus / "waveforms.i16", "rb") as file:
                shutil.copyfileobj(file, waveforms)
            with open(corpus / "utterances.csv", newline="") as file:
                for row in csv.DictReader(file):
                    rows.writerow((start + int(row["start"]), row["length"], row["text"], row["voice"]))
                    engines[row["voice"].partition(":")[0]] += 1
            start = waveforms.tell() // SAMPLE_BYTES
    of_kind = Counter()
    for engine, count in engines.items():
        of_kind[kind(engine)] += count
    each = {name: SHARES[name] / count for name, count in of_kind.items()}
    return {engine: round(each[kind(engine)] / min(each.values())) for engine in engines}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--corpora", type=Path, nargs="+", required=True)
    arguments.add_argument("--start", type=Path, default=ASSETS / ENGLISH.model)
    arguments.add_argument("--work", type=Path, required=True, help="folder of the joined corpus and the state")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--minutes", type=float, default=60.0)
    arguments.add_argument("--rate", type=float, default=1.2e-3, help="the highest learning rate")
    arguments.add_argument("--seed", type=int, default=2)
    arguments.add_argument("--workers", type=int, default=2, help="1 makes the run repeatable; 2 is quicker")
    arguments.add_argument("--resume", action="store_true", help="go on from the state in --work instead of anew")
    options = arguments.parse_args()
    corpus, checkpoint = options.work / "corpus", options.work / "state.pt"
    language = replace(ENGLISH, weights=join(options.corpora, corpus))
    print(f"drawn by engine: {language.weights}", flush=True)
    if not options.resume:
        checkpoint.unlink(missing_ok=True)
    schedule = Schedule(10**7, options.minutes, options.rate, warm_up=200, one_word=0, mild=0, full=600, harsh=True)
    train(language, corpus, options.start, schedule, options.seed, options.out, checkpoint, options.workers)
