"""Ports of the host's loopback that lead into the lab: Debian's HAProxy with servers in a namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path

from stormlab.errors import LabError
from stormlab.estate import Estate, Forward

CONFIG = "forwards.cfg"

# No retries: a phone that meets a dead site must see it. The times are longer than any phone's own.
_HEAD = """\
# Written by `stormdrill lab up`. Connections start outside every site and cross the links like a phone's.
global
    nbthread 1
    maxconn 8000
    log stderr format raw local0 warning

defaults
    mode tcp
    log global
    option dontlog-normal
    option abortonclose
    retries 0
    maxconn 4000
    timeout connect 30s
    timeout client 1h
    timeout server 1h
"""


def config(estate: Estate) -> str:
    """Text of the HAProxy configuration."""
    return _HEAD + "".join(_section(estate, forward) for forward in estate.forwards)


def target(estate: Estate, forward: Forward) -> tuple[str, int]:
    """Address and port inside the lab that a forward leads to."""
    site = estate.outside if forward.zone is None else estate.zone(forward.zone)
    return site.address, forward.port


def _section(estate: Estate, forward: Forward) -> str:
    address, port = target(estate, forward)
    return (
        f"\nlisten {forward.name}\n"
        f"    bind 127.0.0.1:{forward.listen}\n"
        f"    server inside {address}:{port} namespace {estate.outside.netns}\n"
    )


def write(estate: Estate, state: Path) -> bool:
    """Write the configuration into the state directory; whether it differs from what was there.

    Raises LabError with HAProxy's own words when it does not accept it. Needs the outside's namespace.
    """
    path, text = state / CONFIG, config(estate)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["haproxy", "-q", "-c", "-f", str(beside)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LabError(f"HAProxy refuses the forwards: {done.stderr.strip()}")
    beside.replace(path)
    return True


def argv(state: Path) -> list[str]:
    """How it is started."""
    return ["haproxy", "-db", "-f", str(state / CONFIG)]
