"""How a program outside every site is started: inside the outside's namespace, with nothing of ours but its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from stormlab.estate import Estate
from stormlab.node.environment import expand
from stormlab.parties import Party

DIRECTORY = "outside"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STARTED_WITH = "started-with.json"


def place(party: Party, state: Path) -> Path:
    """Its directory."""
    return state / DIRECTORY / party.name


def path(estate: Estate, party: Party) -> str:
    """Where its program is looked for."""
    image = estate.images.get(party.image)
    own = str(Path(sys.prefix, "bin"))
    return ":".join((*(image.path if image else ()), own, _SYSTEM_PATH))


def environment(estate: Estate, party: Party, state: Path) -> dict[str, str]:
    """All its variables: nothing is inherited."""
    given = {
        "PATH": path(estate, party),
        "HOME": str(place(party, state)),
        "ADDRESS": estate.outside.address,
        "PORT": str(party.port),
        "STATE": str(place(party, state)),
    }
    return given | {name: expand(value, given) for name, value in party.env.items()}


def argv(estate: Estate, party: Party, state: Path) -> tuple[str, ...]:
    """Its command line."""
    values = environment(estate, party, state)
    command = (expand(word, values) for word in party.command)
    return ("nsenter", f"--net=/run/netns/{estate.outside.netns}", *command)


def write(estate: Estate, party: Party, state: Path) -> bool:
    """Make its directory and note what it is started with; whether that differs from what was noted."""
    directory = place(party, state)
    directory.mkdir(parents=True, exist_ok=True)
    note, text = (
        directory / _STARTED_WITH,
        _text(argv(estate, party, state), environment(estate, party, state)),
    )
    if note.exists() and note.read_text(encoding="utf-8") == text:
        return False
    beside = note.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(note)
    return True


def _text(command: tuple[str, ...], values: Mapping[str, str]) -> str:
    return json.dumps({"command": command, "environment": dict(values)}, indent=1, sort_keys=True)
