"""What a comparison of both books found, as values and as JSON fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from stormbank.clearing.compare import Agreement


@dataclass(frozen=True)
class Item:
    """A payment of which the books do not say the same: `amount` fen of it, from the account `payer`.

    `age_s` since it was booked; None for one that the bank has not.
    """

    agreement: Agreement
    key: str
    amount: int
    payer: int
    payee: str
    age_s: float | None


@dataclass(frozen=True)
class Report:
    """One comparison of a day of a cell.

    `agreed` payments of `agreed_amount` fen are the same in both books, and `items` all others. `settled` were ended by
    this comparison.
    """

    cell: str
    day: str
    agreed: int
    agreed_amount: int
    settled: int
    items: tuple[Item, ...]

    @property
    def oldest_unknown_s(self) -> float:
        """Age of the oldest payment that is unknown; 0 when none is."""
        ages = (each.age_s or 0.0 for each in self.items if each.agreement is Agreement.UNKNOWN)
        return max(ages, default=0.0)

    def of(self, agreement: Agreement) -> list[Item]:
        """Return the payments of which this was found."""
        return [each for each in self.items if each.agreement is agreement]

    def fields(self) -> dict[str, Any]:
        """Return it as JSON fields."""
        plain = {"cell": self.cell, "day": self.day, "settled": self.settled}
        agreed = {"count": self.agreed, "amount": self.agreed_amount}
        listed = {each.value: [_fields(item) for item in self.of(each)] for each in _LISTED}
        return {**plain, "agreed": agreed, **listed, "oldest_unknown_s": round(self.oldest_unknown_s, 3)}


_LISTED = (Agreement.PAID_NOT_BOOKED, Agreement.BOOKED_NOT_PAID, Agreement.UNKNOWN)


def tallies(reports: Iterable[Report]) -> dict[str, tuple[int, int]]:
    """Return how many payments, of how many fen, stand how to each other over several reports."""
    found = {each.value: (0, 0) for each in Agreement}
    for report in reports:
        found["agreed"] = (found["agreed"][0] + report.agreed, found["agreed"][1] + report.agreed_amount)
        for item in report.items:
            count, amount = found[item.agreement]
            found[item.agreement] = (count + 1, amount + item.amount)
    return found


def _fields(item: Item) -> dict[str, Any]:
    plain = asdict(item)
    plain.pop("agreement")
    return {**plain, "age_s": None if item.age_s is None else round(item.age_s, 3)}
