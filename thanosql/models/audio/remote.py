"""A URL → the bytes of the file there, under limits of address, size and time.

http and https go through aiohttp, whose sockets are looked at as they are opened: after name resolution, at every
redirect, and again at every retry, so that a name that changes its address in between gains nothing. Object stores
(s3, gs, abfs, …) go through fsspec, whose endpoints are set by who runs the process and not by a URL. Both come with
the extra `remote`.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from thanosql.models.audio.faults import raise_if_machine
from thanosql.models.audio.info import AudioError, shown
from thanosql.version import DISTRIBUTION

STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
SCHEMES = ("http", "https", *STORES)

# Public by number, and yet the door to a cloud machine's own secrets (Azure's WireServer).
_METADATA = frozenset({ip_address("168.63.129.16")})
# Special by their registry (RFC 6890, IANA), and global to older versions of Python: Oracle's metadata are in the first.
_SPECIAL = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))
_PUBLIC_IPV6 = IPv6Network("2000::/3")  # all else is local, reserved or wraps another address
_NAT64 = IPv6Network("64:ff9b::/96")
_WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class RemoteAccess:
    """What may be fetched, and how much of it for how long.

    Addresses that are not public (private, loopback, link-local, metadata) are refused, but for `hosts`: names, or
    addresses as the URL writes them. `storage` holds fsspec's options for a scheme, such as an endpoint.
    """

    hosts: frozenset[str] = frozenset()
    most_bytes: int = 512 << 20
    connect_seconds: float = 10.0
    idle_seconds: float = 20.0  # without a byte
    total_seconds: float = 300.0  # for one attempt
    attempts: int = 3
    pause_seconds: float = 0.5  # before the second attempt; doubled before each that follows
    storage: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)


class _Passing(Exception):
    """A failure that may be gone at the next attempt."""


def fetch(url: str, access: RemoteAccess) -> bytes:
    """The bytes of a remote file. Raises AudioError, which shows neither the URL's query nor its password.

    Raises OSError where this machine has no descriptor, memory or disk left to fetch with.
    """
    scheme = urlsplit(url).scheme.lower()
    if scheme not in SCHEMES:
        raise AudioError(f"{scheme}:// audio is not fetched; supported are {', '.join(SCHEMES)}: {shown(url)}")
    attempt = _from_web if scheme in ("http", "https") else _from_store
    pause = access.pause_seconds
    for left in range(access.attempts - 1, -1, -1):
        try:
            return attempt(url, access)
        except AudioError as error:
            raise_if_machine(error)
            raise
        except _Passing as error:
            raise_if_machine(error)
            if not left:
                tried = f", tried {access.attempts} times" if access.attempts > 1 else ""
                raise AudioError(f"cannot be fetched ({error}{tried}): {shown(url)}") from error
        time.sleep(pause * random.uniform(0.75, 1.25))
        pause *= 2
    raise AudioError(f"cannot be fetched (no attempt allowed): {shown(url)}")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open Internet, also where IPv6 wraps an IPv4 address.

    >>> is_public("8.8.8.8"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1"), is_public("64:ff9b::7f00:1")
    (True, False, False, False)
    """
    try:
        number: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(number, IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo or (None, None))[1]
        if inner is None and number in _NAT64:
            inner = IPv4Address(int(number) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if number not in _PUBLIC_IPV6:
            return False
    special = number in _METADATA or any(number in network for network in _SPECIAL if network.version == number.version)
    return number.is_global and not number.is_multicast and not special


def _from_web(url: str, access: RemoteAccess) -> bytes:
    try:
        import aiohttp
        from fsspec.asyn import get_loop, sync
    except ImportError as error:
        raise AudioError(
            f'remote audio needs extra packages: pip install "{DISTRIBUTION}[remote]" ({shown(url)})'
        ) from error

    refused: list[str] = []
    redirected: list[bool] = []
    named: set[tuple[str, int]] = set()  # addresses that names of `hosts` stand for

    class Resolver(aiohttp.ThreadedResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> Any:
            found = await super().resolve(host, port, family)
            if host in access.hosts:
                named.update((one["host"], port) for one in found)
            return found

    def guarded_socket(information: Any) -> socket.socket:
        family, kind, protocol, _, (address, port, *_) = information
        if not (is_public(address) or address in access.hosts or (address, port) in named):
            refused.append(address)
            raise PermissionError(f"{address} is not a public address")
        return socket.socket(family, kind, protocol)

    async def redirect(*_: object) -> None:
        redirected.append(True)

    async def get() -> bytes:
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(redirect)
        connector = aiohttp.TCPConnector(resolver=Resolver(), socket_factory=guarded_socket, use_dns_cache=False)
        limits = aiohttp.ClientTimeout(
            total=access.total_seconds, sock_connect=access.connect_seconds, sock_read=access.idle_seconds
        )
        # No environment is trusted: a proxy would resolve the names for us, beyond our sight.
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=limits, trust_env=False, trace_configs=[trace]
            ) as session,
            session.get(url, max_redirects=5, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            if answer.status in _WORTH_RETRYING:
                raise _Passing(f"HTTP {answer.status} {answer.reason}")
            if answer.status >= 400:
                raise AudioError(f"cannot be fetched (HTTP {answer.status} {answer.reason}): {shown(url)}")
            _check_size(answer.content_length, url, access)
            content = bytearray()
            async for part in answer.content.iter_chunked(1 << 18):
                content += part
                _check_size(len(content), url, access)
            return bytes(content)

    try:
        content: bytes = sync(get_loop(), get)
    except (AudioError, _Passing):
        raise
    except aiohttp.TooManyRedirects as error:
        raise AudioError(f"cannot be fetched (more than 5 redirects): {shown(url)}") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        place = str(error.url) if isinstance(error, aiohttp.InvalidURL) else ""
        raise AudioError(f"{_not_a_url(place)}: {shown(url)}") from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        if refused:
            leads = "redirects to" if redirected else "is at"
            raise AudioError(
                f"not fetched: it {leads} {_in_full(refused[0])}, which is not a public address, and the setting "
                f"remote_hosts does not name its host: {shown(url)}"
            ) from error
        raise _Passing(_reason(error, access)) from error
    return content


def _in_full(address: str) -> str:
    """
    >>> _in_full("::ffff:7f00:1"), _in_full("::1")
    ('::ffff:7f00:1 (127.0.0.1)', '::1')
    """
    number = ip_address(address.partition("%")[0])
    inner = number.ipv4_mapped if isinstance(number, IPv6Address) else None
    return f"{address} ({inner})" if inner is not None else address


def _not_a_url(place: str) -> str:
    """Why a URL is not asked for: what the system takes for an address written short, browsers do too.

    >>> _not_a_url("http://127.1/a.wav")
    'not fetched: its host 127.1 is the address 127.0.0.1, which is not a public one'
    >>> _not_a_url("http://134744072/")
    'cannot be fetched (its host 134744072 is the address 8.8.8.8, which must be written so)'
    """
    try:
        host = urlsplit(place).hostname or place  # the client names a host alone that its resolver refuses
        address = socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except (OSError, ValueError):
        return "cannot be fetched (it, or its redirect, is not an http URL)"
    if is_public(address):
        return f"cannot be fetched (its host {host} is the address {address}, which must be written so)"
    return f"not fetched: its host {host} is the address {address}, which is not a public one"


def _from_store(url: str, access: RemoteAccess) -> bytes:
    scheme, _, path = url.partition("://")
    scheme = scheme.lower()
    if "::" in url:
        raise AudioError(f"chained URLs are not fetched: {shown(url)}")
    try:
        import fsspec
        from fsspec.asyn import sync
        from fsspec.exceptions import FSTimeoutError

        store = fsspec.filesystem(scheme, **access.storage.get(scheme, {}))
    except ImportError as error:
        raise AudioError(f"{scheme}:// audio needs another package ({error}): {shown(url)}") from error
    try:
        size = sync(store.loop, store._info, path, timeout=access.idle_seconds)["size"]
        _check_size(size, url, access)
        content: bytes = sync(store.loop, store._cat_file, path, timeout=access.total_seconds)
    except AudioError:
        raise
    except FileNotFoundError as error:
        raise AudioError(f"no such file: {shown(url)}") from error
    except PermissionError as error:
        raise AudioError(f"no permission to read: {shown(url)}") from error
    except (OSError, FSTimeoutError, TimeoutError) as error:
        raise _Passing(_reason(error, access)) from error
    except Exception as error:  # every store has errors of its own, and none of them may get past this door
        raise AudioError(f"cannot be fetched ({type(error).__name__}: {error}): {shown(url)}") from error
    if len(content) != size:
        raise _Passing(f"{len(content):,} of {size:,} bytes arrived")
    return content


def _check_size(size: int | None, url: str, access: RemoteAccess) -> None:
    if size is not None and size > access.most_bytes:
        raise AudioError(f"larger than the {access.most_bytes:,} bytes that may be fetched: {shown(url)}")


def _reason(error: BaseException, access: RemoteAccess) -> str:
    if isinstance(error, TimeoutError) or type(error).__name__ == "FSTimeoutError":
        return f"no answer in time: {access.idle_seconds:g} s without a byte, or {access.total_seconds:g} s in all"
    if type(error).__name__ == "ClientPayloadError":
        return "the connection ended before the file did"
    return str(error) or type(error).__name__
