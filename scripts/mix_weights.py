"""Two folders of models of one architecture in, one whose weights are a mixture of theirs out, in float16.

    python scripts/mix_weights.py BEFORE AFTER --share 0.85 --out FOLDER

Fine-tuned weights mixed with those they came from hear what neither was tuned for better than both (Wortsman et al. 2022,
Robust fine-tuning of zero-shot models). The other files are AFTER's.
"""

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

WEIGHTS = "model.safetensors"


def mix(before: Path, after: Path, share: float, out: Path) -> None:
    """Write `out`; `share` from 0 to 1 is that of `after`."""
    old, new = load_file(before / WEIGHTS), load_file(after / WEIGHTS)
    if old.keys() != new.keys():
        raise SystemExit(f"{before} and {after} are not of one architecture")
    mixed = {name: ((1 - share) * old[name].float() + share * new[name].float()).half() for name in new}
    shutil.copytree(after, out, dirs_exist_ok=True)
    save_file(mixed, out / WEIGHTS, metadata={"format": "pt"})


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("before", type=Path)
    arguments.add_argument("after", type=Path)
    arguments.add_argument("--share", type=float, required=True, help="of AFTER")
    arguments.add_argument("--out", type=Path, required=True)
    options = arguments.parse_args()
    mix(options.before, options.after, options.share, options.out)
