"""Audio behind URLs: a real HTTP server that misbehaves, a local S3, and addresses that must not be reached."""

from __future__ import annotations

import http.server
import ipaddress
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.models.recordings import sweep, wav
from thanosql.models import audio
from thanosql.models.audio import AudioError
from thanosql.models.audio.remote import RemoteAccess, fetch, is_public

pytest.importorskip("aiohttp", reason='remote audio needs the extra: pip install "thanosql-speech[remote]"')

TONE = wav(sweep(16000), 16000, 16)
HERE = frozenset({"127.0.0.1"})
STALLS = 600.0  # seconds
MAPPED = ipaddress.ip_address("::ffff:7f00:1")  # which Python 3.13 writes as ::ffff:127.0.0.1
AGAIN_AT_ONCE = {"pause_seconds": 0.01}
IMPATIENT = {"connect_seconds": 60.0, "idle_seconds": 0.5, "total_seconds": 2.0}


class Server(http.server.ThreadingHTTPServer):
    """Serves a tone at /tone.wav, and does at other paths what servers should not; counts the requests of each path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: dict[str, int] = {}
        self.left = threading.Event()  # set once nobody listens any more
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what is tested here."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        name, _, query = self.path.partition("?")
        self.server.requests[name] = self.server.requests.get(name, 0) + 1
        getattr(self, f"get_{name[1:].partition('.')[0]}", self.get_nothing)(query)

    def answer(self, status: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body) if length is None else length), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def get_tone(self, query: str) -> None:
        self.answer(200, TONE)

    def get_nothing(self, query: str) -> None:
        self.answer(404)

    def get_forbidden(self, query: str) -> None:
        self.answer(403)

    def get_leads(self, query: str) -> None:
        self.answer(302, Location=query)

    def get_round(self, query: str) -> None:
        self.answer(302, Location="/round")

    def get_broken(self, query: str) -> None:
        self.answer(503)

    def get_recovers(self, query: str) -> None:
        if self.server.requests["/recovers.wav"] < 3:
            self.answer(500)
        else:
            self.answer(200, TONE)

    def get_cut(self, query: str) -> None:
        self.answer(200, TONE[:20_000], length=len(TONE))

    def get_cutonce(self, query: str) -> None:
        self.answer(200, TONE[: 20_000 if self.server.requests["/cutonce.wav"] < 2 else len(TONE)], length=len(TONE))

    def get_stalls(self, query: str) -> None:
        self.answer(200, TONE[:1000], length=len(TONE))
        self.server.left.wait(STALLS)

    def get_drips(self, query: str) -> None:
        self.answer(200, b"", length=len(TONE))
        while not self.server.left.wait(0.1):
            self.wfile.write(b"x")

    def get_endless(self, query: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(65536))

    def get_large(self, query: str) -> None:
        self.answer(200, b"", length=10**12)

    def get_page(self, query: str) -> None:
        self.answer(200, b"<html><body>Please log in</body></html>")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield running
        running.shutdown()


def why(url: str, access: RemoteAccess) -> str:
    with pytest.raises(AudioError) as error:
        audio.read(url, remote=access)
    return str(error.value)


def test_a_file_behind_a_url_is_the_file(server: Server) -> None:
    access = RemoteAccess(hosts=HERE)
    assert audio.probe(f"{server.url}/tone.wav", remote=access).seconds == 2.0
    assert np.array_equal(audio.read(f"{server.url}/tone.wav", remote=access), audio.read(TONE))
    assert np.array_equal(audio.read(f"{server.url}/leads?/tone.wav", remote=access), audio.read(TONE))


def test_without_leave_no_url_is_fetched(server: Server) -> None:
    before = dict(server.requests)
    with pytest.raises(AudioError, match="http:// audio is not fetched"):
        audio.read(f"{server.url}/tone.wav")
    assert server.requests == before


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200",
        "169.254.169.254", "168.63.129.16", "192.0.0.192", "192.88.99.1", "fec0::1",
        "64:ff9b:1::7f00:1", "::7f00:1", "5f00::1", "3fff::1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
        "fe80::1%eth0",
        "fc00::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "ff02::1", "no address",
    ],
)  # fmt: skip
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"]
)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("LOCALHOST", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("127.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("①②⑦.⓪.⓪.①", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::]", "::"),
        ("[::ffff:127.0.0.1]", f"{MAPPED} (127.0.0.1)"),
        ("[::ffff:7f00:1]", f"{MAPPED} (127.0.0.1)"),
        ("user@127.1", "127.0.0.1"),
    ],
)
def test_this_machine_is_refused_however_it_is_written(host: str, address: str, server: Server) -> None:
    before = dict(server.requests)
    reason = why(f"http://{host}:{server.server_port}/tone.wav", RemoteAccess(**AGAIN_AT_ONCE))
    assert re.match(r"not fetched: (it|its host \S+) is (at|the address) " + re.escape(address), reason)
    assert "which is not a public " in reason
    assert server.requests == before


def test_a_name_with_a_dot_behind_it_is_refused(server: Server) -> None:
    before = dict(server.requests)
    assert "fetched" in why(f"http://localhost.:{server.server_port}/tone.wav", RemoteAccess(**AGAIN_AT_ONCE))
    assert server.requests == before


def test_an_open_address_written_short_is_asked_for_in_full() -> None:
    assert "is the address 8.8.8.8, which must be written so" in why(
        "http://134744072/a.wav", RemoteAccess(**AGAIN_AT_ONCE)
    )


def test_a_name_that_stands_for_this_machine_is_refused_after_its_resolution(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    asked: list[str] = []

    def inside(host: str, *args: object, **how: object) -> object:
        asked.append(host)
        return resolve("127.0.0.1" if host == "harmless.example" else host, *args, **how)

    monkeypatch.setattr(socket, "getaddrinfo", inside)
    url = f"http://harmless.example:{server.server_port}/tone.wav"
    assert why(url, RemoteAccess(**AGAIN_AT_ONCE)).startswith(
        "not fetched: it is at 127.0.0.1, which is not a public address"
    )
    assert "harmless.example" in asked
    assert len(fetch(url, RemoteAccess(hosts=frozenset({"harmless.example"}), **AGAIN_AT_ONCE))) == len(TONE)


def test_a_redirect_out_of_an_allowed_host_is_refused(server: Server) -> None:
    # 127.0.0.1 is allowed by name; what it leads to is not.
    before = server.requests.get("/tone.wav", 0)
    access = RemoteAccess(hosts=HERE, **AGAIN_AT_ONCE)
    for target in (f"http://127.0.0.2:{server.server_port}/tone.wav", "http://169.254.169.254/latest/meta-data/"):
        reason = why(f"{server.url}/leads?{target}", access)
        assert reason.startswith(f"not fetched: it redirects to {target.split('/')[2].split(':')[0]}")
    assert server.requests.get("/tone.wav", 0) == before
    reason = why(f"{server.url}/leads?http://127.1:{server.server_port}/tone.wav", access)
    assert reason.startswith("not fetched: its host 127.1 is the address 127.0.0.1, which is not a public one")
    assert server.requests.get("/tone.wav", 0) == before


def test_a_redirect_to_a_file_reads_no_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(TONE)
    reason = why(f"{server.url}/leads?file://{tmp_path}/a.wav", RemoteAccess(hosts=HERE, **AGAIN_AT_ONCE))
    assert "its redirect, is not an http URL" in reason


def test_redirects_without_end_are_left(server: Server) -> None:
    assert "more than 5 redirects" in why(f"{server.url}/round", RemoteAccess(hosts=HERE, **AGAIN_AT_ONCE))


def test_what_is_not_there_is_asked_for_once(server: Server) -> None:
    access = RemoteAccess(hosts=HERE, **AGAIN_AT_ONCE)
    assert why(f"{server.url}/none.wav", access) == f"cannot be fetched (HTTP 404 Not Found): {server.url}/none.wav"
    assert "HTTP 403" in why(f"{server.url}/forbidden.wav", access)
    assert server.requests["/none.wav"] == server.requests["/forbidden.wav"] == 1


def test_a_server_that_fails_is_asked_again(server: Server) -> None:
    access = RemoteAccess(hosts=HERE, **AGAIN_AT_ONCE)
    assert len(audio.read(f"{server.url}/recovers.wav", remote=access)) == 32000
    assert server.requests["/recovers.wav"] == 3
    assert "(HTTP 503 Service Unavailable, tried 3 times)" in why(f"{server.url}/broken.wav", access)
    assert server.requests["/broken.wav"] == 3


def test_a_file_that_comes_in_part_is_asked_for_again_and_never_taken_for_whole(server: Server) -> None:
    access = RemoteAccess(hosts=HERE, **AGAIN_AT_ONCE)
    assert len(audio.read(f"{server.url}/cutonce.wav", remote=access)) == 32000
    assert "the connection ended before the file did, tried 3 times" in why(f"{server.url}/cut.wav", access)


def test_a_server_that_stalls_is_left_in_time(server: Server) -> None:
    access = RemoteAccess(hosts=HERE, attempts=1, **IMPATIENT)
    begun = time.monotonic()
    assert "no answer in time" in why(f"{server.url}/stalls.wav", access)
    # It drips 64,000 bytes for almost two hours, each within the time that a server may be idle.
    assert "no answer in time" in why(f"{server.url}/drips.wav", access)
    assert time.monotonic() - begun < STALLS
    server.left.set()


def test_what_is_too_large_is_left_before_it_fills_the_memory(server: Server) -> None:
    access = RemoteAccess(hosts=HERE, most_bytes=1_000_000)
    for name in ("large", "endless"):
        url = f"{server.url}/{name}"
        assert why(url, access) == f"larger than the 1,000,000 bytes that may be fetched: {url}"


def test_a_page_in_place_of_audio_is_named() -> None:
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        assert why(f"{running.url}/page", RemoteAccess(hosts=HERE)).startswith(
            "text, not audio (it begins with '<html>"
        )
        running.shutdown()


def test_nobody_listening_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a.wav"
        assert why(url, RemoteAccess(hosts=HERE, **AGAIN_AT_ONCE)).startswith(
            "cannot be fetched (Cannot connect to host"
        )


def test_messages_hold_no_secrets(server: Server) -> None:
    access = RemoteAccess(hosts=HERE, **AGAIN_AT_ONCE)
    url = server.url.replace("http://", "http://me:hunter2@") + "/none.wav?X-Amz-Signature=hunter3"
    assert "hunter" not in why(url, access)


@pytest.mark.parametrize(
    "url", ["ftp://h/a.wav", "gopher://h/a", "memory://a.wav", "github://o:r@/a.wav", "sftp://h/a"]
)
def test_other_schemes_are_refused(url: str) -> None:
    assert " audio is not fetched; supported are http, https, s3, " in why(url, RemoteAccess(hosts=HERE))


# Object stores


@pytest.fixture(scope="module")
def storage() -> Iterator[dict[str, dict[str, object]]]:
    pytest.importorskip("s3fs", reason='s3:// needs the extra: pip install "thanosql-speech[remote]"')
    pytest.importorskip("flask", reason="moto's server needs flask: pip install 'moto[server]'")
    moto = pytest.importorskip("moto.server", reason="the local S3 is moto's: pip install 'moto[server]'")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    options = {"s3": {"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": f"http://{host}:{port}"}}}
    import s3fs

    store = s3fs.S3FileSystem(**options["s3"])
    store.mkdir("calls")
    store.pipe("calls/day 1/a#1.wav", TONE)
    yield options
    running.stop()


def test_an_object_of_a_store_is_the_file(storage: dict[str, dict[str, object]]) -> None:
    access = RemoteAccess(storage=storage)
    assert audio.probe("s3://calls/day 1/a#1.wav", remote=access).seconds == 2.0
    assert np.array_equal(audio.read("s3://calls/day 1/a#1.wav", remote=access), audio.read(TONE))


def test_what_a_store_does_not_hold_or_is_too_large_is_said_so(storage: dict[str, dict[str, object]]) -> None:
    access = RemoteAccess(storage=storage, most_bytes=1000)
    assert why("s3://calls/none.wav", access) == "no such file: s3://calls/none.wav"
    assert "larger than the 1,000 bytes" in why("s3://calls/day 1/a#1.wav", access)


def test_a_chain_of_urls_is_refused(storage: dict[str, dict[str, object]]) -> None:
    assert "chained URLs are not fetched" in why(f"s3://x::file://{os.devnull}", RemoteAccess(storage=storage))
