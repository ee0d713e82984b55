"""A database URL in, what of it may be shown out."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def without_password(url: str) -> str:
    """The URL with its password left out, in the user part and in the query.

    >>> without_password("postgresql://ann:secret@db.example/calls?sslmode=require&password=secret")
    'postgresql://ann@db.example/calls?sslmode=require'
    """
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    shown = f"{user.split(':', 1)[0]}@{host}" if user else host
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in ("password", "passfile")])
    return urlunsplit((parts.scheme, shown, parts.path, query, ""))
