"""A database URL in, what of it may be shown out."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

UNREADABLE = "a database URL that cannot be read"
# Of the query, what is no secret: a list of secrets (password, sslpassword, passfile, options) would never be complete.
SHOWN = frozenset("application_name connect_timeout dbname host port service sslmode target_session_attrs user".split())


def without_password(url: str) -> str:
    """The URL with nothing that may be a secret: no password, and of the query what is known to be none.

    >>> without_password("postgresql://ann:secret@db.example/calls?sslmode=require&password=secret&sslpassword=secret")
    'postgresql://ann@db.example/calls?sslmode=require'
    >>> without_password("postgresql://ann:secret/calls"), without_password("host=db.example password=secret")
    ('a database URL that cannot be read', 'a database URL that cannot be read')
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # a password that stands where the port does is no number
    except ValueError:
        return UNREADABLE
    if not parts.scheme or "@" in parts.path:  # words of libpq; a password with a slash in it
        return UNREADABLE
    user, _, host = parts.netloc.rpartition("@")
    shown = f"{user.split(':', 1)[0]}@{host}" if user else host
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name in SHOWN])
    return urlunsplit((parts.scheme, shown, parts.path, query, ""))
