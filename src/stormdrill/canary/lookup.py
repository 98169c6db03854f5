"""Names to addresses, again and again, in a thread per name: a lookup that hangs delays nobody else."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread

from stormdrill.wait import pause

_MOST = 512

log = logging.getLogger(__name__)

Found = Callable[[frozenset[str]], None]


@dataclass(frozen=True)
class Names:
    """Where addresses come from: a name of DNS, an address, or a file with one of them a line (has a slash)."""

    text: str

    def hosts(self) -> list[str]:
        """The names as of now. Raises OSError for a file that cannot be read."""
        if "/" not in self.text:
            return [self.text]
        lines = Path(self.text).read_text(encoding="utf-8").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]

    def addresses(self) -> frozenset[str]:
        """IPv4 addresses of all of them. Raises OSError when one cannot be resolved."""
        found = {
            str(entry[4][0])
            for host in self.hosts()
            for entry in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
        }
        return frozenset(sorted(found)[:_MOST])


def follow(names: Names, found: Found, *, every_s: float) -> None:
    """Call `found` in the running event loop with the addresses, first and whenever they change.

    They are looked up again `every_s` seconds after each answer.
    A lookup that fails changes nothing: who cannot be asked for has not gone away.
    """
    loop = asyncio.get_running_loop()
    with suppress(ValueError):
        loop.call_soon(found, frozenset({str(IPv4Address(names.text))}))
        return
    Thread(target=_run, args=(names, found, every_s, loop), name=f"lookup {names.text}", daemon=True).start()


def _run(names: Names, found: Found, every_s: float, loop: asyncio.AbstractEventLoop) -> None:
    last: frozenset[str] | None = None
    failing = False
    while not loop.is_closed():
        try:
            addresses = names.addresses()
        except (OSError, UnicodeError) as error:
            if not failing:
                log.warning("%s: %s", names.text, error)
            failing = True
        else:
            failing = False
            if addresses != last:
                last = addresses
                log.info("%s: %s", names.text, " ".join(sorted(addresses)) or "nobody")
                try:
                    loop.call_soon_threadsafe(found, addresses)
                except RuntimeError:  # the loop was closed meanwhile
                    return
        pause(every_s)
