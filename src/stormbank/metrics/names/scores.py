"""Anti-fraud: what became of the movements it was asked about."""

from __future__ import annotations

from typing import Final

from stormbank.metrics.kinds import CounterMetric

SCORES: Final = CounterMetric(
    "bank_scores_total", "Movements of money by what anti-fraud said.", ("verdict",)
)

METRICS: Final = (SCORES,)
LABELS: Final = {
    "verdict": "`pass`, `refuse`, `unscored` (no answer; went on with a mark) or `closed` (no answer; refused)"
}
