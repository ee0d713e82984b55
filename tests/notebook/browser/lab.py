"""JupyterLab and Jupyter Notebook in a real Chromium, as the browser tests drive them."""

from __future__ import annotations

import json
import os
import re
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
SHOTS = REPOSITORY / "screenshots"
PICTURES = REPOSITORY / "docs" / "pictures"
PICTURED = Path(__file__).parent / "pictured"  # the words of each picture of the docs
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
)
START_SECONDS = 120
CELL_SECONDS = 90
LAST = "window.jupyterapp.shell.currentWidget.content.widgets.at(-1)"
NO_NEWS = {"@jupyterlab/apputils-extension:announcements": True}  # they ask a server outside


@dataclass(frozen=True)
class Server:
    """A running server; `folder` is where its notebooks lie."""

    root: str
    token: str
    folder: Path

    def address(self, name: str, app: str) -> str:
        """Where the notebook `name` is opened by `app`: lab or notebook."""
        path = f"lab/tree/{name}.ipynb?reset&" if app == "lab" else f"notebooks/{name}.ipynb?"
        return f"{self.root}/{path}token={self.token}"


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[Server]:
    """JupyterLab and Notebook, with settings of their own in `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    extensions = folder / "data" / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "thanosql").symlink_to(REPOSITORY / "thanosql" / "labextension")
    page_config = folder / "config" / "labconfig" / "page_config.json"
    page_config.parent.mkdir(parents=True)
    page_config.write_text(json.dumps({"disabledExtensions": NO_NEWS}))
    work = folder / "work"
    work.mkdir()
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--{app}.expose_app_in_browser=True" for app in ("LabApp", "JupyterNotebookApp")]
    own = {name: str(folder / name.split("_")[1].lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "IPYTHONDIR": str(folder / "ipython")}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=work, env={**os.environ, **environment, **own}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"http://127.0.0.1:{port}/api?token={token}", server, folder / "server.log")
            yield Server(f"http://127.0.0.1:{port}", token, work)
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
    def opened(
        cls, browser: Any, server: Server, name: str, *, app: str = "lab", cells: tuple[str, ...] = ("",)
    ) -> Notebook:
        """A new notebook with these cells, in a page of its own, its kernel ready."""
        import nbformat

        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        written = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
        nbformat.write(written, server.folder / f"{name}.ipynb")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(CELL_SECONDS * 1000)
        page.goto(server.address(name, app), timeout=START_SECONDS * 1000)
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=START_SECONDS * 1000,
        )
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

    def theme(self, name: str) -> None:
        """Change to `JupyterLab Light` or `JupyterLab Dark`, and wait until the page has it."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        self.page.wait_for_timeout(500)  # its style sheet is read after the name is set

    def output(self) -> str:
        """The text of the last cell's output, as it is seen."""
        return str(self.page.evaluate(f"() => {LAST}.outputArea.node.innerText"))

    def html(self) -> str:
        """The markup of the last view in the last cell's output."""
        views = f"[...{LAST}.outputArea.node.querySelectorAll('.thanosql')]"
        return str(self.page.evaluate(f"() => {views}.at(-1).outerHTML"))

    def count(self, selector: str) -> int:
        """How many elements in the last cell's output match."""
        return int(self.page.evaluate(f"(s) => {LAST}.outputArea.node.querySelectorAll(s).length", selector))

    def shot(self, name: str, *, whole: bool = False) -> None:
        """A picture of the notebook, for people to look at: from its last cell on, or `whole` from the first."""
        SHOTS.mkdir(exist_ok=True)
        self.page.evaluate(f"() => {LAST}.node.scrollIntoView()".replace("-1", "0" if whole else "-1"))
        self.page.wait_for_timeout(400)
        self.page.locator(".jp-NotebookPanel-notebook").last.screenshot(path=str(SHOTS / f"{name}.png"))

    def picture(self, name: str) -> None:
        """The last cell in both themes, as a page of the docs shows it (`make pictures` puts it there).

        What is in the docs must show the same words as the page does now. Figures differ from machine to machine, and so does
        whether notes stand above the table, as they do once a statement took over a second.
        """
        lines = {
            re.sub(r"\d+", "0", line).strip() for line in self.output().splitlines() if " of audio in " not in line
        }
        words = "\n".join(sorted(lines - {"", "[0]:"})) + "\n"
        written = PICTURED / f"{name}.txt"
        if os.environ.get("THANOSQL_PICTURES"):
            written.write_text(words)
        assert written.read_text() == words, f"docs/pictures/{name}-*.png are old: make pictures"
        for theme in ("light", "dark"):
            self.theme(f"JupyterLab {theme.capitalize()}")
            self.shot(f"{name}-{theme}")
            if os.environ.get("THANOSQL_PICTURES"):
                self.page.mouse.move(0, 0)
                self.page.screenshot(path=str(PICTURES / f"{name}-{theme}.png"), clip=self._seen())
        self.theme("JupyterLab Light")

    def _seen(self) -> dict[str, float]:
        """Where the last cell lies on the page, as far as it is in sight."""
        cell = self.page.locator(".jp-Notebook .jp-Cell").last.bounding_box()
        panel = self.page.locator(".jp-NotebookPanel-notebook").last.bounding_box()
        top, bottom = (max(cell["y"], panel["y"]), min(*(box["y"] + box["height"] for box in (cell, panel))))
        return {"x": panel["x"], "y": top, "width": panel["width"], "height": bottom - top}

    def close(self) -> None:
        self.page.close()
