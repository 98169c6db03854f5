"""The kernel's packet filter, through `nft`: a script at a time, all of it or nothing."""

from __future__ import annotations

import json
import subprocess

from stormdrill.agent import rules
from stormdrill.errors import ActionError

_TIMEOUT_S = 10.0


class NothingDoneError(ActionError):
    """Nothing was changed: there is no nft, or it refused the script, which it carries out whole or not at all."""


def run(script: str) -> None:
    """Carry out a script in one transaction. NothingDoneError when it is refused, with nft's own words.

    Any other ActionError leaves open whether it was carried out.
    """
    _nft(["-f", "-"], script)


def fault_tables() -> list[str]:
    """Names of the tables that faults have left or still use. ActionError when nft cannot say."""
    names = [
        line.split()[-1] for line in _nft(["list", "tables"]).splitlines() if line.startswith("table inet")
    ]
    return [name for name in names if name.startswith(rules.PREFIX) and name != rules.OWN_TABLE]


def dropped(table: str) -> dict[str, int]:
    """Packets dropped so far, by counter. ActionError when the table is not there."""
    found = json.loads(_nft(["-j", "list", "counters", "table", "inet", table]))["nftables"]
    return {one["counter"]["name"]: int(one["counter"]["packets"]) for one in found if "counter" in one}


def _nft(arguments: list[str], script: str | None = None) -> str:
    try:
        done = subprocess.run(
            ["nft", *arguments], input=script, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise NothingDoneError("nft is not installed on this node") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ActionError(f"nft cannot be run: {error}") from None
    if done.returncode < 0:
        raise ActionError(f"nft was killed by signal {-done.returncode}")
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise NothingDoneError(f"nft refused: {said[0] if said else done.returncode}")
    return done.stdout
