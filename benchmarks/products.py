"""Matrix products of the shapes that recognizers have, torch's own and oneDNN's packed: GFLOP/s of one thread.

    python benchmarks/products.py [--rounds 15] [--bfloat16]

Each product, by itself and with GELU after it (which oneDNN fuses), in turn, in processor time, medians. `same bits` says
in which a row has the same last bits whatever rows stand beside it: in the others utterances may not go together.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from families import processor
from torch.nn import functional

from thanosql.models.ctc.products import Product, onednn_works

# Rows, inputs, outputs: of the base shape's transformer, its convolutions and Wav2Vec2Tiny's.
SHAPES = (
    (400, 768, 2304),
    (400, 768, 768),
    (400, 768, 3072),
    (400, 3072, 768),
    (3200, 1536, 512),
    (400, 144, 576),
    (1600, 96, 48),
)
NEIGHBOURS = (2, 3, 8, 17, 64, 200)
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--bfloat16", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    dtype = torch.bfloat16 if given.bfloat16 else torch.float32
    print(
        f"{processor()} ({', '.join(flags())}); torch {torch.__version__}; {dtype}; one thread; {given.rounds} rounds"
    )
    if not onednn_works(dtype):
        print("oneDNN's packed products do not work here: torch's own are used")
        return
    print("| rows × inputs → outputs | linear | packed | linear, GELU | packed, GELU fused | same bits |")
    print("| --- | ---: | ---: | ---: | ---: | --- |", flush=True)
    with torch.inference_mode():
        for shape in SHAPES:
            print(row(*shape, dtype, given.rounds), flush=True)


def flags() -> list[str]:
    """What of FLAGS Linux says that the processor can do."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return []
    return [flag for flag in FLAGS if flag in words]


def row(rows: int, inputs: int, outputs: int, dtype: torch.dtype, rounds: int) -> str:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, generator=generator).to(dtype) for shape in ((rows, inputs), (outputs, inputs), (outputs,))
    )
    packed, fused = Product(weight, bias), Product(weight, bias, functional.gelu)
    products: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "linear": lambda x: functional.linear(x, weight, bias),
        "packed": packed,
        "linear, GELU": lambda x: functional.gelu(functional.linear(x, weight, bias)),
        "packed, GELU": fused,
    }
    taken: dict[str, list[float]] = {name: [] for name in products}
    times = max(1, int(2e9 / (2 * rows * inputs * outputs)))  # some tens of milliseconds
    for number in range(rounds + 1):
        for name, product in products.items():
            started = time.process_time()
            for _ in range(times):
                product(x)
            if number:  # the first makes what the others find made
                taken[name].append((time.process_time() - started) / times)
    work = 2 * rows * inputs * outputs / 1e9
    speeds = " | ".join(f"{work / statistics.median(found):.0f}" for found in taken.values())
    same = [name for name in ("linear", "packed") if is_same(products[name], x)]
    return f"| {rows} × {inputs} → {outputs} | {speeds} | {' and '.join(same) or 'neither'} |"


def is_same(product: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> bool:
    whole = product(x)
    return all(torch.equal(product(x[:count]), whole[:count]) for count in NEIGHBOURS)


if __name__ == "__main__":
    main()
