"""A process group of torch.distributed in; the ranks of a training out.

Gradients are added up here, after the last backward pass of a step, and not by DistributedDataParallel: that reduces what
goes through its own `forward`, and the loop calls a model's parts. So a rank may also have no utterance of a step, or a
layer that was dropped (layerdrop).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import torch
from torch import distributed

from thanosql.models.cancellation import Cancellation, Cancelled

BUCKET_BYTES = 64 << 20  # of gradients that travel together


class RankLost(RuntimeError):
    """Another process of the training is gone, or cannot be reached."""


class ProcessGroup:
    """The ranks (`ranks.Ranks`) of torch's default process group, which is open. `local` of them are on this machine."""

    def __init__(self, local: int) -> None:
        self.rank = distributed.get_rank()
        self.count = distributed.get_world_size()
        self.local = local

    def check(self, cancellation: Cancellation) -> None:
        (asked,) = self.sum(cancellation.requested)
        if asked:
            raise Cancelled(cancellation.reason or "the training was asked to stop")

    def sum(self, *numbers: float) -> tuple[float, ...]:
        return tuple(_summed(torch.tensor(numbers, dtype=torch.float64)).tolist())

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        learned = list(parameters)
        present = self.sum(*(parameter.grad is not None for parameter in learned))
        for bucket in _buckets([parameter for parameter, ranks in zip(learned, present, strict=True) if ranks]):
            flat = _summed(torch.cat([_gradient(parameter).reshape(-1) for parameter in bucket]))
            for parameter, part in zip(bucket, torch.split(flat, [one.numel() for one in bucket]), strict=True):
                parameter.grad = part.view_as(parameter)

    def gather(self, value: Any) -> list[Any]:
        found: list[Any] = [None] * self.count
        with _lost_ranks():
            distributed.all_gather_object(found, value)
        return found


def _summed(tensor: torch.Tensor) -> torch.Tensor:
    with _lost_ranks():
        distributed.all_reduce(tensor)
    return tensor


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _buckets(parameters: list[torch.nn.Parameter]) -> Iterator[list[torch.nn.Parameter]]:
    """Parameters whose gradients fit into one tensor."""
    for _, alike in groupby(parameters, lambda parameter: (parameter.dtype, parameter.device)):
        bucket: list[torch.nn.Parameter] = []
        filled = 0
        for parameter in alike:
            if bucket and filled + parameter.nbytes > BUCKET_BYTES:
                yield bucket
                bucket, filled = [], 0
            bucket.append(parameter)
            filled += parameter.nbytes
        yield bucket


@contextmanager
def _lost_ranks() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise RankLost(str(error)) from error
