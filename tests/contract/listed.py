"""The list of differences (`differences.yaml`): what is explained, not compared, or compared otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LISTED: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "differences.yaml").read_text())


def _gathered(key: str) -> dict[str, frozenset[Any]]:
    found: dict[str, frozenset[Any]] = {}
    for entry in LISTED:
        if values := entry.get(key):
            listed = entry["ids"] if values is True else values
            for topic in entry["topic"].split(","):
                found[topic] = found.get(topic, frozenset()) | frozenset(listed)
    return found


IGNORED: dict[str, frozenset[str]] = _gathered("ignored")
"""Fields that are not compared, by topic."""
STATES: dict[str, frozenset[int]] = _gathered("states")
"""Watches compared by the states of each object, by topic."""
AMENDED: dict[str, frozenset[int]] = _gathered("amended")
"""Calls that are not replayed as they were recorded, by topic."""
UNPLAYED = frozenset(entry["topic"] for entry in LISTED if entry.get("skip") == "topic")
"""Topics of which nothing can be replayed here."""
