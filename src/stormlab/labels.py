"""What the lab, its regions and zones may be called: names that end up in paths, namespaces and groups."""

from __future__ import annotations

import re

from stormlab.errors import BadInputError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LAB_LENGTH = 20
"""The longest name of a lab."""


def wrong(text: str, longest: int) -> str:
    """What is wrong with a name, empty when nothing is. No label is empty or leads out of a directory."""
    if _LABEL.fullmatch(text) and len(text) <= longest:
        return ""
    return f"'{text}' must be lower-case letters, digits and '-', at most {longest} characters"


def lab(name: str) -> str:
    """The name of a lab as it is. Raises BadInputError when it is none: everything below it gets removed."""
    if said := wrong(name, LAB_LENGTH):
        raise BadInputError([f"the lab's name {said}"])
    return name
