"""Write docs/openapi.json, the interface of the bank's phones; --check only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from stormbank import openapi

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "openapi.json"


def main() -> int:
    """0 when the document is right (now), 1 when `--check` finds that it is not."""
    right = openapi.text()
    if _PAGE.exists() and _PAGE.read_text(encoding="utf-8") == right:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{_PAGE.relative_to(_ROOT)} is stale: run scripts/openapi_page.py", file=sys.stderr)
        return 1
    _PAGE.write_text(right, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
