"""The bank's page names every operation that a phone can ask for, as the bank has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stormbank.operations import OPERATIONS
from stormbank.roles import ROLES

PAGE = (Path(__file__).resolve().parents[2] / "docs/bank.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:1] == "|"
]


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if not each.internal], ids=lambda x: x.name
)
def test_an_operation_is_on_the_page(operation):
    stated = [
        f"`{operation.name}`",
        f"`{operation.method} {operation.path}`",
        operation.tier,
        operation.system_type,
        operation.service,
    ]
    assert stated in [row[:5] for row in ROWS]


@pytest.mark.parametrize(
    "role", ["gateway", "ledger", "identity", "risk", "wealth", "voice", "campus", "marketing"]
)
def test_a_role_is_on_the_page(role):
    assert [f"`{role}`", str(ROLES[role].port)] in [row[:2] for row in ROWS]
