"""JupyterLab in a real Chromium, as the browser tests drive it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SHOTS = REPOSITORY / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
)
START_SECONDS = 120
CELL_SECONDS = 90


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """A JupyterLab with its own settings in `folder`; its URL, with `{name}` for a notebook's name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    extensions = folder / "data" / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "thanosql").symlink_to(REPOSITORY / "thanosql" / "labextension")
    locked = folder / "config" / "labconfig" / "page_config.json"
    locked.parent.mkdir(parents=True)
    locked.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}))
    (folder / "work").mkdir()
    command = [
        *(
            sys.executable,
            "-m",
            "jupyterlab",
            "--allow-root",
            "--no-browser",
            f"--port={port}",
            "--ServerApp.port_retries=0",
        ),
        *(f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"),
    ]
    own = {name: str(folder / name.split("_")[1].lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "IPYTHONDIR": str(folder / "ipython")}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder / "work", env={**os.environ, **environment, **own}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"http://127.0.0.1:{port}/api?token={token}", server, folder / "server.log")
            yield f"http://127.0.0.1:{port}/lab/tree/{{name}}.ipynb?reset&token={token}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


class Notebook:
    """An open notebook. A cell is run as a user's is; what is asked of it is what the page shows."""

    def __init__(self, page: Any) -> None:
        self.page = page

    @classmethod
    def opened(cls, page: Any, url: str, folder: Path, name: str, cells: list[str] | None = None) -> Notebook:
        import nbformat

        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        written = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells or [""]], metadata=kernel
        )
        nbformat.write(written, folder / "work" / f"{name}.ipynb")
        page.goto(url.format(name=name), timeout=START_SECONDS * 1000)
        page.wait_for_selector("#jp-main-statusbar >> text=| Idle", timeout=START_SECONDS * 1000)
        return cls(page)

    def run(self, code: str, *, wait: bool = True) -> None:
        """Put `code` into a new cell at the end and run it; without `wait`, return while it runs."""
        self.page.evaluate(
            """async ([code, wait]) => {
                const {commands, shell} = window.jupyterapp;
                const notebook = shell.currentWidget.content;
                notebook.activeCellIndex = notebook.widgets.length - 1;
                await commands.execute('notebook:insert-cell-below');
                notebook.activeCell.model.sharedModel.setSource(code);
                const done = commands.execute('notebook:run-cell');
                window.lastRun = done;
                if (wait) await done;
            }""",
            [code, wait],
        )

    def finished(self) -> None:
        """Wait for the cell that was run last."""
        self.page.evaluate("() => window.lastRun")

    def command(self, name: str, **arguments: object) -> None:
        self.page.evaluate("([name, given]) => window.jupyterapp.commands.execute(name, given)", [name, arguments])

    def output(self) -> str:
        """The text of the last cell's output, as it is seen."""
        return str(self.page.evaluate(f"() => {LAST}.outputArea.node.innerText"))

    def count(self, selector: str) -> int:
        """How many elements in the last cell's output match."""
        return int(self.page.evaluate(f"(s) => {LAST}.outputArea.node.querySelectorAll(s).length", selector))

    def shot(self, name: str) -> None:
        """A picture of the page, for people to look at."""
        SHOTS.mkdir(exist_ok=True)
        self.page.evaluate(f"() => {LAST}.node.scrollIntoView()")
        self.page.wait_for_timeout(400)
        self.page.screenshot(path=str(SHOTS / f"{name}.png"))


LAST = "window.jupyterapp.shell.currentWidget.content.widgets.at(-1)"
