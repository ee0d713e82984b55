"""What a device computes with, and what names one."""

from __future__ import annotations

import pytest
import torch

from thanosql import ThanoSQLOptionError
from thanosql.models.devices import check_device, exact_float32


@pytest.mark.parametrize("fails", [False, True])
def test_tf32_is_off_while_a_model_works_on_a_gpu_and_back_afterwards(fails: bool) -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        try:
            with exact_float32(torch.device("cuda")):
                assert torch.get_float32_matmul_precision() == "highest"
                assert not torch.backends.cudnn.allow_tf32
                if fails:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert fails
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def test_on_a_cpu_the_program_s_own_setting_stays() -> None:
    before = torch.get_float32_matmul_precision()
    with exact_float32(torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "mps", "cuda:12345"])
def test_what_names_no_device_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match="There is no device"):
        check_device(name)
    for there in ("auto", "cpu", "cuda", "cuda:7"):
        check_device(there)
