from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

SHELL = """
import os, sys, threading
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def thread():
    return next((one for one in threading.enumerate() if one.name == "thanosql-imports"), None)
"""


def answer(code: str) -> str:
    """What a process of its own prints last."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SHELL + textwrap.dedent(code))],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_what_the_first_predict_needs_is_imported_once_the_cell_that_loads_the_extension_is_done() -> None:
    code = """
    shell.run_cell("%load_ext thanosql\\nimport sys\\nearly = 'torch' in sys.modules")
    thread().join()
    modules = ("torch", "pandas", "transformers.models.wav2vec2.modeling_wav2vec2")
    print(shell.user_ns["early"], [name for name in modules if name not in sys.modules])
    """
    assert answer(code) == "False []"


@pytest.mark.parametrize(
    "cell", ["%load_ext thanosql\n%unload_ext thanosql", "%load_ext thanosql\n%reload_ext thanosql"]
)
def test_a_cell_that_unloads_the_extension_imports_nothing_and_leaves_no_callback(cell: str) -> None:
    code = f"""
    shell.run_cell({cell!r})
    print(thread() is None, len(shell.events.callbacks["post_run_cell"]))
    """
    assert answer(code) == f"{'unload' in cell} 0"


def test_a_statement_that_comes_at_once_finds_the_modules_whole() -> None:
    code = """
    shell.run_cell("%load_ext thanosql")
    from thanosql.models.families.waveform_ctc.loading import load
    import torch
    print(torch.ones(2).sum().item(), callable(load))
    """
    assert answer(code) == "2.0 True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not divide processes")
def test_a_child_made_meanwhile_can_import_the_same() -> None:
    code = """
    shell.run_cell("%load_ext thanosql")
    assert thread().is_alive()
    child = os.fork()
    if child == 0:
        import torch
        os._exit(7 if torch.ones(1).item() == 1.0 else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert answer(code) == "7"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not divide processes")
def test_a_child_is_made_meanwhile_though_a_lock_file_is_used() -> None:
    code = """
    shell.run_cell("%load_ext thanosql")
    from filelock import FileLock  # which lets nobody define a lock's class while a process is divided
    assert thread().is_alive()
    child = os.fork()
    if child == 0:
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert answer(code) == "7"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not divide processes")
def test_a_child_is_made_though_an_import_waits_for_it() -> None:
    code = """
    from thanosql.notebook import background_imports
    over = threading.Event()
    background_imports._import, background_imports.LONGEST_WAIT = over.wait, 0.2
    background_imports.start()
    child = os.fork()
    if child == 0:
        os._exit(7)
    over.set()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert answer(code) == "7"


def test_a_shell_that_is_left_at_once_ends() -> None:
    assert answer('shell.run_cell("%load_ext thanosql"); print("left")') == "left"
