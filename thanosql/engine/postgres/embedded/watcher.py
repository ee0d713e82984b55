"""The command line of a server in; the server running until its last owner ends. Run by its path, the standard library alone.

    python watcher.py '{"folder": …, "private": …, "command": […], "environment": {…}, "user": …, "group": …, "seconds": …}'

It comes back once the server is ready (0) or is not going to be (1); a child of it stays, is the server's parent, and
stops the server when nobody holds the lock `owners`. Without a command it takes charge of a server that has lost its
watcher, whose number is `server`.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

PAUSE = 0.25  # seconds between two looks whether an owner is left
STOP_SECONDS = 60.0  # for a server that is told to stop before it is told harder


def main(order: dict[str, Any]) -> int:
    os.umask(0o077)
    lock = os.open(os.path.join(order["private"], "server"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + order["seconds"]
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                print("Another watcher does not let go of this server.", flush=True)
                return 1
            time.sleep(0.02)
    child = os.fork()
    if child == 0:
        os.setsid()  # a Ctrl-C or a closed terminal is for the owners
        os._exit(watch(order))
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return 1
        if is_ready(order["folder"]):
            return 0
        time.sleep(0.01)
    return 1


def watch(order: dict[str, Any]) -> int:
    owners = os.open(os.path.join(order["private"], "owners"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    process = None
    if order["command"]:
        process = subprocess.Popen(
            order["command"],
            stdin=subprocess.DEVNULL,
            env=order["environment"],
            cwd=order["folder"],
            user=order["user"],
            group=order["group"],
            extra_groups=[] if order["user"] is not None else None,
            restore_signals=True,
            start_new_session=True,
            umask=0o077,
        )
    server = process.pid if process else order["server"]
    ended = end_of(server)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    while not ended(PAUSE):
        try:
            fcntl.flock(owners, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, none
            if not ended(0.0):
                os.kill(server, how)
            if ended(STOP_SECONDS):
                break
    if process is not None:
        process.wait()  # else it stays as a zombie, whose number postmaster.pid may name
    return 0


def end_of(number: int) -> Callable[[float], bool]:
    """A function that waits some seconds for a process to end, and says whether it has; a zombie has."""
    if hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(number)
        except ProcessLookupError:
            return lambda seconds: True
        except OSError:  # an old kernel
            pass
        else:
            return lambda seconds: bool(select.select([handle], [], [], seconds)[0])

    def gone(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if os.waitpid(number, os.WNOHANG)[0]:
                    return True
            except ChildProcessError:
                try:
                    os.kill(number, 0)
                except ProcessLookupError:
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)

    return gone


def is_ready(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "postmaster.pid"), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
