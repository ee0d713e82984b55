"""An endpoint of object storage in; whether it takes connections out, within seconds.

The AWS libraries connect again and again, for 10 s where a connection is refused and for over half a minute where nobody
answers. So that a statement does not wait for that, the endpoint is called before the first request.
"""

from __future__ import annotations

import asyncio
import os
import urllib.request
from urllib.parse import urlsplit

from thanosql.errors import ThanoSQLConnectionError

CONNECT_SECONDS = 4.0  # for a connection, which the endpoint's operating system makes, however busy it is
ANSWER_SECONDS = 30.0  # for the answer to the first request, of a few bytes
NAMED_BY = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class Unreached(Exception):
    """The message is what the endpoint did, as in 'refuses connections'."""


async def reach(endpoint: str) -> None:
    """Raises Unreached. An endpoint behind a proxy is not called: the proxy may reach it, and this process not."""
    parts = urlsplit(endpoint)
    host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    if host is None or (parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)):
        return
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_SECONDS)
    except TimeoutError:
        raise Unreached(f"took no connection within {CONNECT_SECONDS:g} s") from None
    except ConnectionRefusedError as error:
        raise Unreached("refuses connections") from error
    except OSError as error:
        raise Unreached(f"takes no connection ({error.strerror or error})") from error
    writer.close()


def unreached(url: str, endpoint: str, what: str) -> ThanoSQLConnectionError:
    """The error of a store whose endpoint did that; the endpoint is shown without what stands before an @."""
    scheme, _, place = endpoint.partition("://")
    shown = f"{scheme}://{place.rpartition('@')[2]}"
    named = next((name for name in NAMED_BY if os.environ.get(name)), None)
    cure = (
        f"{named} names that endpoint: correct it, or start the storage there."
        if named
        else "For storage other than AWS's, set AWS_ENDPOINT_URL to its address."
    )
    return ThanoSQLConnectionError(
        f"The store {url} cannot be reached: its endpoint {shown} {what}.",
        hint=f"{cure} Or look at the network. What was saved there is unchanged.",
    )
