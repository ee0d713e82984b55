"""An IPython shell in; torch and transformers, which the first PREDICT needs, imported by a thread while the user types, out.

The thread begins when the cell that loaded the extension is done. A statement that comes sooner waits for what is left of
an import, as it would have waited for all of it; the rest of a notebook runs beside the thread, whose priority is low on
Linux. A process is not divided (`os.fork`) in the middle: the child would wait for ever for a lock of the import system whose
thread it does not have.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from importlib.util import find_spec
from typing import Any

NICENESS = 10
LONGEST_WAIT = 60.0  # seconds of a fork: another library's hook, which ran before, may hold what the import waits for
MODULES = ("pandas", "thanosql.models.families.waveform_ctc.loading")
_LOCKS = ("FileLock", "SoftFileLock")  # of filelock, which the models' hub imports
_CLASSES = ("Wav2Vec2Config", "Wav2Vec2ForCTC")

_thread: threading.Thread | None = None


def import_after_cell(shell: Any) -> None:
    """Start the thread once the running cell is done; only once in a process."""
    dont_import_after_cell(shell)
    if "torch" in sys.modules or find_spec("torch") is None:
        return

    def start_imports(*_: Any) -> None:
        dont_import_after_cell(shell)
        start()

    shell.events.register("post_run_cell", start_imports)


def dont_import_after_cell(shell: Any) -> None:
    """Take back what `import_after_cell` registered, if its cell is not done yet."""
    for callback in list(shell.events.callbacks["post_run_cell"]):
        # By its name: it may be of before the code was reloaded.
        if getattr(callback, "__qualname__", "") == "import_after_cell.<locals>.start_imports":
            shell.events.unregister("post_run_cell", callback)


def start() -> threading.Thread:
    """The thread that imports, begun if it has not been."""
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_import, name="thanosql-imports")
        # Before a fork filelock shuts a gate that its own import must pass. Of such hooks the last one registered runs first:
        # ours, which waits for the import, is registered after filelock's.
        for name in _LOCKS:
            getattr(importlib.import_module("filelock"), name)
        os.register_at_fork(before=_wait)
        _thread.start()
    return _thread


def _import() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    try:
        for name in MODULES:
            if not threading.main_thread().is_alive():
                return
            importlib.import_module(name)
        from thanosql.models.families.imports import transformers

        for name in _CLASSES:
            getattr(transformers(), name)
    except Exception:  # it is said where the import is needed
        return


def _wait() -> None:
    if _thread is not None and _thread is not threading.current_thread():
        _thread.join(LONGEST_WAIT)
