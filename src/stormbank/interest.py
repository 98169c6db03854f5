"""Interest of one day, in whole fen and nothing lost: what is less than a fen is kept for the next day."""

from __future__ import annotations

from typing import Final

DAYS_A_YEAR: Final = 365  # of every year: a day's interest does not depend on the year it is in
UNIT: Final = 10_000 * DAYS_A_YEAR
"""A remainder counts in parts of a fen of this size: balance x basis points of one day."""


def accrue(balance: int, rate_bp: int, remainder: int) -> tuple[int, int]:
    """Return the interest in fen of one day on `balance` fen at `rate_bp` basis points a year, and what remains.

    `remainder`, at least 0 and less than UNIT, is what remained of the days before. Rounded down, so a bank never pays
    what is not due yet; over any number of days the interest is what it would be unrounded, less than one fen short.
    ValueError for what is no balance, rate or remainder of a customer.
    """
    if balance < 0 or rate_bp < 0 or not 0 <= remainder < UNIT:
        raise ValueError(f"no interest on {balance} fen at {rate_bp} bp with {remainder} left over")
    return divmod(balance * rate_bp + remainder, UNIT)
