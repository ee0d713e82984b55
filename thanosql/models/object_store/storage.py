"""A URL of object storage in, its objects read, listed, put and removed: the only place that knows fsspec.

What goes wrong there is translated here. Credentials, region and endpoint are those of the process, as fsspec and the AWS
libraries find them (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ~/.aws, a machine's role): no statement and no URL can set them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import TimeoutError as WaitTimeout
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from thanosql.errors import ThanoSQLConnectionError, ThanoSQLError, ThanoSQLResourceError
from thanosql.models.object_store import endpoint
from thanosql.version import DISTRIBUTION

LOOK = 0.2  # seconds after which a waiting statement asks whether it is to stop
SMALL = 1 << 24  # bytes of an object that is read at once
PARTS = 2  # of a large file that are sent at the same time, 50 MB and more each
CONFLICTS = frozenset(
    {"ConditionalRequestConflict", "OperationAborted", "409"}
)  # S3: another put is under way, ask again
TRIES = 5  # at an object whose put met another one
_SECRET = re.compile(r"(?<=//)[^/@\s]+@")


@dataclass(frozen=True)
class Listed:
    """An object as a listing has it; `modified` by the clock of the storage."""

    size: int
    modified: datetime


class ObjectStorage:
    """The objects under a URL. `check` is called while one is waited for, and may raise.

    Every method raises ThanoSQLConnectionError where the storage or the bucket is not reached, ThanoSQLResourceError where
    a right is lacking; neither holds a secret.
    """

    def __init__(self, url: str, check: Callable[[], None] = lambda: None) -> None:
        self.url = url.rstrip("/")
        scheme, _, self._root = self.url.partition("://")
        self._scheme = scheme.lower()
        self._bucket = self._root.partition("/")[0]
        self._check = check
        self._answered = False

    def read(self, key: str, start: int = 0, end: int = SMALL) -> bytes:
        """The bytes of an object from `start` up to `end`, or to its own end. Raises FileNotFoundError."""
        try:
            content: bytes = self._ask("_cat_file", self._path(key), start=start, end=end)
        except _NoSuchRange:
            return b""
        return content

    def put(self, key: str, content: bytes) -> None:
        """Make this the content of an object, whatever is there."""
        self._ask("_pipe_file", self._path(key), content)

    def put_new(self, key: str, content: bytes) -> bool:
        """Make an object in one step where there is none of that key; whether there was none."""
        for _ in range(TRIES):
            try:
                self._ask("_pipe_file", self._path(key), content, mode="create")
                return True
            except FileExistsError:
                return False
            except _Conflict:
                time.sleep(LOOK)  # the other put may yet fail
        return False

    def put_file(self, key: str, path: Path) -> None:
        """Copy a file of this machine into an object. Raises OSError where it cannot be read."""
        path.stat()
        self._ask("_put_file", str(path), self._path(key), max_concurrency=PARTS)

    def list(self, prefix: str) -> Mapping[str, Listed]:
        """The objects whose keys begin with a prefix that ends in `/`, by the rest of their keys."""
        root = f"{self._root}/{prefix}"
        inside = root.removeprefix(f"{self._bucket}/")
        found = self._ask("_find", self._bucket, detail=True, withdirs=False, prefix=inside)
        return {
            name.removeprefix(root): Listed(int(about["size"]), about["LastModified"])
            for name, about in found.items()
            if name.startswith(root) and about["type"] == "file"
        }

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are gone already are no error."""
        for key in keys:
            try:
                self._ask("_rm_file", self._path(key))
            except FileNotFoundError:
                continue

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _ask(self, method: str, *what: Any, **how: Any) -> Any:
        """What a method of fsspec's file system makes of it."""
        try:
            import fsspec

            files = fsspec.filesystem(
                self._scheme, use_listings_cache=False
            )  # fsspec keeps it, one a process and thread
        except ImportError as error:
            raise ThanoSQLConnectionError(
                f"The store {self.url} needs extra packages ({error.name or error}).",
                hint=f'Install them: pip install "{DISTRIBUTION}[remote]"',
            ) from error
        try:
            answer = self._wait(files.loop, self._answer(files, method, what, how))
        except ThanoSQLError:
            raise
        except (
            Exception
        ) as error:  # each kind of storage has errors of its own, and none of them may get past this door
            translated = self._translated(error)
            self._answered |= not isinstance(translated, ThanoSQLConnectionError)
            raise translated from error
        self._answered = True
        return answer

    async def _answer(self, files: Any, method: str, what: tuple[Any, ...], how: Mapping[str, Any]) -> Any:
        """Until the storage has answered once, it has to in time. The first request is the small object that says what is
        there; once that is answered, a large one may take as long as it takes."""
        if self._answered or not hasattr(files, "set_session"):
            return await getattr(files, method)(*what, **how)
        session = await files.set_session()
        name = str(session.meta.endpoint_url)
        try:
            await endpoint.reach(name)
            limit = None if method == "_put_file" else endpoint.ANSWER_SECONDS
            async with asyncio.timeout(limit) as answering:
                return await getattr(files, method)(*what, **how)
        except endpoint.Unreached as error:
            raise endpoint.unreached(self.url, name, str(error)) from error
        except TimeoutError as error:
            if not answering.expired():
                raise
            said = f"gave no answer within {endpoint.ANSWER_SECONDS:g} s"
            raise endpoint.unreached(self.url, name, said) from error

    def _wait(self, loop: asyncio.AbstractEventLoop, asked: Any) -> Any:
        """What fsspec's own thread makes of it; who is interrupted meanwhile leaves nothing running there."""
        future = asyncio.run_coroutine_threadsafe(asked, loop)
        try:
            while True:
                try:
                    return future.result(LOOK)
                except WaitTimeout:
                    if future.done():
                        raise
                    self._check()
        finally:
            future.cancel()

    def _translated(self, error: Exception) -> Exception:
        response = getattr(error.__cause__, "response", None) or getattr(error, "response", None) or {}
        code = str(response.get("Error", {}).get("Code", ""))
        if code in ("PreconditionFailed", "412") or isinstance(error, FileExistsError):
            return FileExistsError(17, "There is such an object")
        if code in CONFLICTS:
            return _Conflict(code)
        if code in ("InvalidRange", "416"):
            return _NoSuchRange(code)
        if code == "NoSuchBucket":
            return ThanoSQLConnectionError(
                f"There is no bucket {self._bucket}, where the store {self.url} is to be.",
                hint="Make it with your storage's own tools, or correct the setting store (THANOSQL_STORE).",
            )
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(2, "There is no such object")
        kind = type(error).__name__
        if kind in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"):
            return ThanoSQLResourceError(
                f"There are no credentials for the store {self.url}.",
                hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, in the environment of this process.",
            )
        if isinstance(error, PermissionError):
            return ThanoSQLResourceError(
                f"The store {self.url} refuses the credentials of this process ({code or 'AccessDenied'}).",
                hint="They need the rights to list the bucket, and to read, put and delete objects.",
            )
        return ThanoSQLConnectionError(
            f"The store {self.url} cannot be reached: {_SECRET.sub('', str(error) or kind)}",
            hint="What was saved there is unchanged. Look at the network, and at AWS_ENDPOINT_URL where it is set.",
        )


class _Conflict(Exception):
    """Another put of the same object is under way."""


class _NoSuchRange(Exception):
    """The object ends before the bytes that were asked for."""


def refuse_bad_url(url: str) -> None:
    """Raise ThanoSQLError for a URL that names no place in object storage, or more than a place.

    >>> refuse_bad_url("s3://bucket/models")
    """
    scheme = url.partition("://")[0]
    place = f"{scheme}://bucket/folder"
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit(f"{scheme}://")
    if "@" in url or parts.query or parts.fragment or "::" in url:
        raise ThanoSQLError(
            f"The setting store (THANOSQL_STORE) holds more than {place}.",
            hint="Credentials and the endpoint are set in the environment: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL.",
        )
    folders = parts.path.strip("/").split("/") if parts.path.strip("/") else []
    if not parts.netloc or any(folder in ("", ".", "..") for folder in folders):
        raise ThanoSQLError(f"The setting store (THANOSQL_STORE) must be of the form {place}: {url}")
