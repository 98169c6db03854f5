"""Runbooks put together from steps, one heading each."""

import json
from pathlib import Path
from typing import Any

HEADER = "# A test\n\n```yaml runbook\nschema: stormdrill.runbook/1\nname: test\n```\n"


def page(*steps: dict[str, Any]) -> str:
    """A runbook of these steps; ids are s1, s2, ... unless stated. JSON is YAML."""
    parts = [HEADER]
    for number, step in enumerate(steps, start=1):
        whole = {"id": f"s{number}", **step}
        parts.append(f"\n## {number}. Step {number}\n\nProse.\n\n```yaml step\n{json.dumps(whole)}\n```\n")
    return "".join(parts)


def write(directory: Path, *steps: dict[str, Any]) -> Path:
    path = directory / "book.md"
    path.write_text(page(*steps), encoding="utf-8")
    return path


def manual(**more: Any) -> dict[str, Any]:
    return {"kind": "manual", "auto": "skip", **more}


def check(command: str, **more: Any) -> dict[str, Any]:
    return {"kind": "check", "command": command, "within": "0s", **more}


def action(command: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "action", "command": command, "repeatable": True, **more}


def decision(people: int = 1, default: str = "go", **options: str) -> dict[str, Any]:
    choices = options or {"go": "continue", "hold": "stop"}
    return {"kind": "decision", "options": choices, "default": default, "people": people}
