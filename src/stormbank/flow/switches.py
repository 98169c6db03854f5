"""The mechanisms of flow control and of the guards around dependencies, by the names that switch them off."""

from __future__ import annotations

from typing import Final

BUCKET: Final = "bucket"
ADAPTIVE: Final = "adaptive"
QUEUE: Final = "queue"
ORDER: Final = "order"
FAIRNESS: Final = "fairness"
CONFIRM_FIRST: Final = "confirm-first"
DEADLINE: Final = "deadline"
BULKHEAD: Final = "bulkhead"
BREAKER: Final = "breaker"
RETRY_BUDGET: Final = "retry-budget"

MECHANISMS: Final = (
    BUCKET,
    ADAPTIVE,
    QUEUE,
    ORDER,
    FAIRNESS,
    CONFIRM_FIRST,
    DEADLINE,
    BULKHEAD,
    BREAKER,
    RETRY_BUDGET,
)
