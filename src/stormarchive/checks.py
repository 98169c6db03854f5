"""What a restored database is asked: figures to report, and invariants that must hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stormarchive.errors import SettingsError


@dataclass(frozen=True)
class Check:
    """`query` answers one value. With `expect` it must be that one. `{target}` in it is the moment wished for."""

    id: str
    query: str
    expect: str | None


@dataclass(frozen=True)
class Checks:
    """All of them, and the database that they are asked in."""

    database: str
    checks: tuple[Check, ...]

    def expecting(self, figures: Mapping[str, str]) -> Checks:
        """These, and that each of `figures`, by id, is what is said of it; SettingsError for one that is not asked."""
        known = {check.id: check for check in self.checks if check.expect is None}
        if unknown := sorted(figures.keys() - known.keys()):
            raise SettingsError(f"no figure '{unknown[0]}' is asked (known: {', '.join(known)})")
        more = (replace(known[name], expect=value) for name, value in figures.items())
        return replace(self, checks=(*self.checks, *more))


def read(path: Path) -> Checks:
    """Read a file of checks; SettingsError with all that is wrong."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("database"), str):
        raise SettingsError(f"{path}: 'database' is not named")
    errors: list[str] = []
    parts = [*_parts(content, "figures", errors), *_parts(content, "invariants", errors)]
    if errors:
        raise SettingsError("\n".join(f"{path}: {error}" for error in errors))
    return Checks(content["database"], tuple(parts))


def _parts(content: dict[str, Any], name: str, errors: list[str]) -> list[Check]:
    found = []
    for number, part in enumerate(content.get(name, [])):
        wanted = {"id", "query"} | ({"expect"} if name == "invariants" else set())
        if not isinstance(part, dict) or set(part) != wanted:
            errors.append(f"{name}[{number}] must have {', '.join(sorted(wanted))}")
        else:
            expect = str(part["expect"]) if "expect" in part else None
            found.append(Check(str(part["id"]), str(part["query"]), expect))
    return found
