"""Day-end and reconciliation: business days, interest, and how the clearing party's books stand to the bank's."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric, GaugeMetric

_CELL: Final = ("cell",)

DATE: Final = GaugeMetric("bank_business_date_days", "Business date, in days since 1970-01-01.", _CELL)
OPEN: Final = GaugeMetric(
    "bank_day_end_open", "1 while a day has ended and not everybody has its interest.", _CELL
)
ACCOUNTS: Final = CounterMetric(
    "bank_interest_accounts_total", "Customers who were given a day's interest.", _CELL
)
INTEREST: Final = CounterMetric("bank_interest_fen_total", "Interest paid, in fen.", _CELL)
PAYMENTS: Final = GaugeMetric(
    "bank_reconcile_payments",
    "Payments of the days that were compared, by how both books stand to each other.",
    ("cell", "agreement"),
)
FEN: Final = GaugeMetric("bank_reconcile_fen", "The same in fen.", ("cell", "agreement"))
OLDEST: Final = GaugeMetric(
    "bank_reconcile_oldest_unknown_seconds",
    "Age of the oldest payment that is unknown; 0 when none is.",
    _CELL,
)
TOOK: Final = GaugeMetric("bank_reconcile_seconds", "How long the books last took to agree again.", _CELL)
SETTLED: Final = CounterMetric("bank_reconcile_settled_total", "Payments that a comparison ended.", _CELL)
FAILED: Final = CounterMetric("bank_reconcile_failed_total", "Comparisons that were not possible.", _CELL)

METRICS: Final = (DATE, OPEN, ACCOUNTS, INTEREST, PAYMENTS, FEN, OLDEST, TOOK, SETTLED, FAILED)
LABELS: Final = {
    "agreement": "how a payment stands in both books, as `python -m stormbank reconcile` names it"
}
