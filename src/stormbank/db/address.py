"""Where the database may be: one DSN that names every member, taken apart into one address each."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

_SCHEMES = ("postgresql://", "postgres://")
_ATTRIBUTE = "target_session_attrs"


def parse_dsn(dsn: str) -> tuple[str, ...]:
    """Split `postgresql://user@host1:port,host2:port/database?...` into one DSN for each host.

    `target_session_attrs` may only be read-write, which is what the ledger looks for anyway. Each host gets
    its own DSN because the members are asked at the same time: one that is silent must not delay the others.
    """
    scheme = next((each for each in _SCHEMES if dsn.startswith(each)), None)
    if scheme is None:
        raise ValueError("must begin with postgresql://")
    location, _, query = dsn.removeprefix(scheme).partition("?")
    authority, slash, database = location.partition("/")
    if not slash or not database:
        raise ValueError("names no database")
    user, at, hosts = authority.rpartition("@")
    if not all(hosts.split(",")):
        raise ValueError("has an empty host")
    options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    wanted = options.pop(_ATTRIBUTE, "read-write")
    if wanted != "read-write":
        raise ValueError(f"{_ATTRIBUTE} must be read-write")
    tail = f"/{database}" + (f"?{urlencode(options)}" if options else "")
    return tuple(f"{scheme}{user}{at}{host}{tail}" for host in hosts.split(","))


def host_of(dsn: str) -> tuple[str, int]:
    """Return host and port of a single-host DSN."""
    host, colon, port = without_user(dsn).partition("/")[0].rpartition(":")
    return (host, int(port)) if colon else (port, 5432)


def without_user(dsn: str) -> str:
    """Return host and database of a single-host DSN: what may be shown in a log."""
    return dsn.partition("://")[2].partition("?")[0].rpartition("@")[2]
