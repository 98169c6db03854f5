"""The order in which business is given up: each tier may use its share of whatever is scarce."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def tier_class(tier: str, known: Collection[str]) -> str:
    """Return the entry of `known` that speaks for `tier`: itself (A1), else its letter (A)."""
    return tier if tier in known else tier[0]


class Tiers:
    """The largest of `shares` goes to the first of `order`, whatever names the shares were given under."""

    def __init__(self, order: Sequence[str], shares: Mapping[str, float]) -> None:
        by_rank = sorted(shares.values(), reverse=True)
        self._shares = dict(zip(order, by_rank, strict=True))

    @classmethod
    def all_alike(cls) -> Tiers:
        """No order: every tier may use everything."""
        return cls((), {})

    def share(self, tier: str) -> float:
        """Return what part of the scarce thing `tier` may use: above 0, at most 1."""
        return self._shares[tier_class(tier, self._shares)] if self._shares else 1.0
