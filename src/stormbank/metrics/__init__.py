"""The bank's Prometheus metrics: `names` holds what there is, the modules beside it count it."""

from stormbank.metrics.batch import DayEndMetrics, ReconcileMetrics
from stormbank.metrics.books import BookMetrics, CellMetrics, StaleReads
from stormbank.metrics.calls import CallMetrics
from stormbank.metrics.firms import FirmMetrics
from stormbank.metrics.outbox import OutboxMetrics
from stormbank.metrics.scores import ScoreMetrics
from stormbank.metrics.service import CONTENT_TYPE, NO_CELL, ServiceMetrics
from stormbank.metrics.slots import SlotMetrics

__all__ = [
    "CONTENT_TYPE",
    "NO_CELL",
    "BookMetrics",
    "CallMetrics",
    "CellMetrics",
    "DayEndMetrics",
    "FirmMetrics",
    "OutboxMetrics",
    "ReconcileMetrics",
    "ScoreMetrics",
    "ServiceMetrics",
    "SlotMetrics",
    "StaleReads",
]
