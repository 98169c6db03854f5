"""Where each key of a content file stands, for problems that only show when the files are read together or used."""

from __future__ import annotations

from stormdrill.content.node import Node

_DEPTH = 8  # deeper than any content file; an alias may lead into itself


def lines_of(node: Node, depth: int = _DEPTH) -> dict[str, int]:
    """Every key's line, by its path below `node`; in a list by number, and by `id` where there is one."""
    found: dict[str, int] = {}
    for name, child in node.items():
        found[name] = child.line
        if child.is_mapping and depth:
            found |= {f"{name}.{below}": line for below, line in lines_of(child, depth - 1).items()}
        for i, element in enumerate(child.elements() if child.is_list else []):
            found[f"{name}[{i}]"] = element.line
            keys = dict(element.items()) if element.is_mapping else {}
            if "id" in keys:
                below = f"{name}.{keys['id'].text()}"
                found |= {f"{below}.{key}": child.line for key, child in keys.items()}
    return found
