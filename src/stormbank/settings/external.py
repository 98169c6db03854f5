"""What an external party needs to know: where it may be troubled, and what trouble it begins with."""

from __future__ import annotations

from dataclasses import dataclass

from stormbank.external.trouble import SHARES, Trouble
from stormbank.settings.parse import number, or_off
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class External:
    """`admin` is host and port of the address for people, None for none."""

    admin: tuple[str, int] | None
    trouble: Trouble


def read_external(reader: Reader, prefix: str, admin: str) -> External:
    """Read what every external party has under its own prefix; `admin` is where people find it by default."""
    return External(
        admin=reader.read(f"{prefix}_ADMIN", admin, or_off(_host_port), None),
        trouble=Trouble(
            delay_ms=reader.read(f"{prefix}_DELAY_MS", "0", number(0), 0.0),
            **{name: reader.read(f"{prefix}_{name.upper()}", "0", _share, 0.0) for name in SHARES},
        ),
    )


def _share(text: str) -> float:
    value = number(0)(text)
    if value > 1:
        raise ValueError("must be at most 1")
    return value


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("not HOST:PORT")
    return host.strip("[]"), int(port)
