"""Write the list of differences in docs/contract.md from tests/contract/differences.yaml; --check only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).parents[1]
_TESTS = _ROOT / "tests" / "contract"
_PAGE = _ROOT / "docs" / "contract.md"
_BEGIN, _END = "<!-- differences: scripts/contract_page.py -->\n", "<!-- end -->\n"


def main() -> int:
    """0 when the page is right (now), 1 when `--check` finds that it is not."""
    page = _PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    right = head + _BEGIN + "\n" + "".join(_rows()) + "\n" + _END + tail
    if page == right:
        return 0
    if "--check" in sys.argv[1:]:
        print(
            f"{_PAGE.relative_to(_ROOT)} is behind differences.yaml: run scripts/contract_page.py",
            file=sys.stderr,
        )
        return 1
    _PAGE.write_text(right, encoding="utf-8")
    return 0


def _rows() -> Iterator[str]:
    names = {path.stem[:2]: path.stem[3:] for path in (_TESTS / "recorded").glob("*.json")}
    yield "| topic | calls | where | why |\n|---|---|---|---|\n"
    for entry in yaml.safe_load((_TESTS / "differences.yaml").read_text(encoding="utf-8")):
        topics = ", ".join(f"{topic} {names[topic]}" for topic in entry["topic"].split(","))
        yield f"| {topics} | {_calls(entry)} | {_where(entry)} | {entry['why']} |\n"


def _calls(entry: dict[str, Any]) -> str:
    listed = entry.get("ids") or entry.get("amended") or ("all",)
    return ", ".join(map(str, listed))


def _where(entry: dict[str, Any]) -> str:
    if entry.get("skip"):
        return "not replayed"
    if entry.get("states"):
        return "compared by states"
    if entry.get("amended"):
        return "recording changed"
    if ignored := entry.get("ignored"):
        return f"{', '.join(f'`{name}`' for name in ignored)} not compared"
    return ", ".join(f"`{place}`" for place in entry.get("where", ())) or "the answer"


if __name__ == "__main__":
    raise SystemExit(main())
