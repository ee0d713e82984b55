"""A hub on this machine: what is loaded from it, and what is still there when it is gone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMITS = ("a" * 40, "b" * 40)
FILES = {"config.json": b"{}", "vocab.json": b"{}", "model.safetensors": b"weights"}
FETCH = "import sys; from thanosql.models import hub; print(hub.fetch(sys.argv[1]))"


class Hub(BaseHTTPRequestHandler):
    """Two commits of one repository, somebody/something; the second is that of `main`, the first has the tag v1."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        content, headers = self._found()
        self.send_response(404 if content is None else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if body:
            self.wfile.write(content or b"")

    def _found(self) -> tuple[bytes | None, dict[str, str]]:
        path = self.path.partition("?")[0]
        revisions = {"main": COMMITS[1], "v1": COMMITS[0], **{commit: commit for commit in COMMITS}}
        if path.startswith("/api/models/somebody/something"):
            rest = path.removeprefix("/api/models/somebody/something").strip("/").split("/")
            commit = revisions[rest[1] if len(rest) > 1 else "main"]
            listed = [
                {"type": "file", "path": name, "size": len(data), "oid": _etag(data)} for name, data in FILES.items()
            ]
            whole = {"id": "somebody/something", "sha": commit, "siblings": [{"rfilename": name} for name in FILES]}
            return json.dumps(listed if rest[0] == "tree" else whole).encode(), {"Content-Type": "application/json"}
        if path.startswith("/somebody/something/resolve/"):
            revision, _, name = path.removeprefix("/somebody/something/resolve/").partition("/")
            if name in FILES:
                return FILES[name], {"ETag": f'"{_etag(FILES[name])}"', "X-Repo-Commit": revisions[revision]}
        return None, {"X-Error-Code": "EntryNotFound"}

    def log_message(self, *given: object) -> None:
        pass


def _etag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetched(server: ThreadingHTTPServer, home: Path, identifier: str) -> subprocess.CompletedProcess[str]:
    address = f"http://127.0.0.1:{server.server_address[1]}"
    given = {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, "-c", FETCH, identifier],
        env=os.environ | given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    ("identifier", "commit"),
    [
        ("somebody/something", COMMITS[1]),
        ("somebody/something@v1", COMMITS[0]),
        (f"somebody/something@{COMMITS[0]}", COMMITS[0]),
    ],
)
def test_what_was_loaded_once_is_there_without_the_hub(
    hub: ThreadingHTTPServer, tmp_path: Path, identifier: str, commit: str
) -> None:
    first = fetched(hub, tmp_path, identifier)
    assert Path(first.stdout.strip()).name == commit, first.stderr
    hub.shutdown()
    hub.server_close()
    again = fetched(hub, tmp_path, identifier)
    assert again.stdout == first.stdout, again.stderr


def test_a_download_that_was_broken_off_between_its_parts_goes_on(
    hub: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    parts = {name: name.encode() for name in index["weight_map"].values()}
    held = {"config.json": b"{}", "model.safetensors.index.json": json.dumps(index).encode(), **parts}
    monkeypatch.setitem(globals(), "FILES", held)
    first = fetched(hub, tmp_path, "somebody/something")
    folder = Path(first.stdout.strip())
    assert sorted(path.name for path in folder.iterdir()) == sorted(held), first.stderr
    lost = folder / "model-00002-of-00002.safetensors"
    lost.resolve().unlink()
    lost.unlink()
    again = fetched(hub, tmp_path, "somebody/something")
    assert again.stdout == first.stdout, again.stderr
    assert lost.read_bytes() == parts[lost.name]
