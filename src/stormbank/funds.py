"""What customers can invest in, and advice on it: how much of their money in which fund."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Fund:
    """`risk` from 1 to 5, `yearly_bp` the expected yield in basis points, `least` an order's least amount in fen."""

    id: str
    name: str
    risk: int
    yearly_bp: int
    least: int

    @property
    def payee(self) -> str:
        """Whom an order pays: always the same account of the bank's."""
        return f"fund {self.id}"

    def fields(self) -> dict[str, Any]:
        """Return it as JSON fields."""
        return {
            "id": self.id,
            "name": self.name,
            "risk": self.risk,
            "yearly_bp": self.yearly_bp,
            "least": self.least,
        }


FUNDS: Final = {
    each.id: each
    for each in (
        Fund("money-market", "Money market", 1, 180, 100),
        Fund("bonds", "Government bonds", 2, 260, 1_000),
        Fund("balanced", "Balanced", 3, 390, 1_000),
        Fund("index", "Broad index", 4, 560, 1_000),
        Fund("growth", "Growth", 5, 740, 10_000),
    )
}

PAYEES: Final = frozenset(each.payee for each in FUNDS.values())
"""Whose accounts are the bank's own: what is paid to them does not leave it."""


def profile_of(customer: int) -> int:
    """Return how much risk a customer bears, 1 to 5: what a questionnaire would have found out."""
    return customer % 5 + 1


def advice(profile: int) -> dict[str, int]:
    """Return the share of each fund in percent, 100 together: the nearer to the profile, the more of it."""
    weights = {each.id: 5 - abs(each.risk - profile) for each in FUNDS.values()}
    total = sum(weights.values())
    shares = {name: weight * 100 // total for name, weight in weights.items()}
    nearest = max(weights, key=lambda name: weights[name])
    shares[nearest] += 100 - sum(shares.values())
    return shares
