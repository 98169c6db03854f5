"""The bank's Prometheus metrics: `names` holds what there is, the modules beside it count it."""

from stormbank.metrics.books import BookMetrics, CellMetrics
from stormbank.metrics.dependencies import Calls, DependencyMetrics
from stormbank.metrics.flow import AdmissionMetrics
from stormbank.metrics.service import CONTENT_TYPE, NO_CELL, ServiceMetrics
from stormbank.metrics.slots import SlotMetrics

__all__ = [
    "CONTENT_TYPE",
    "NO_CELL",
    "AdmissionMetrics",
    "BookMetrics",
    "Calls",
    "CellMetrics",
    "DependencyMetrics",
    "ServiceMetrics",
    "SlotMetrics",
]
