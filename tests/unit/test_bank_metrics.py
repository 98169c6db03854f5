"""What a process counts of its answers: failures before there are any, and no time of what came to nothing."""

from __future__ import annotations

import pytest

from stormbank.metrics import ServiceMetrics
from stormbank.metrics.service import FAILURES
from stormbank.operations import BY_NAME

BALANCE = BY_NAME["balance"]


@pytest.fixture
def metrics():
    return ServiceMetrics("gateway", zone="z", pod="p")


@pytest.mark.parametrize("status", FAILURES)
def test_a_failure_is_told_as_nought_before_there_is_one(metrics, status):
    metrics.expect([BALANCE], ("cell0", "cell1"))
    outcome = "shed" if status == 429 else "failed"
    labels = {
        "service": "gateway", "operation": "balance", "tier": "A2", "cell": "cell1", "zone": "z", "outcome": outcome,
        "code": str(status),
    }  # fmt: skip
    assert metrics.registry.get_sample_value("bank_requests_total", labels) == 0
    metrics.answered(BALANCE, status, 0.001, "cell1")
    assert metrics.registry.get_sample_value("bank_requests_total", labels) == 1


@pytest.mark.parametrize(
    ("status", "counts"), [(200, 1), (422, 1), (429, None), (500, None), (503, None), (504, None)]
)
def test_the_time_of_a_failure_is_nobodys_latency(metrics, status, counts):
    metrics.answered(BALANCE, status, 0.001, "cell0")
    labels = {"service": "gateway", "operation": "balance", "tier": "A2", "zone": "z"}
    assert metrics.registry.get_sample_value("bank_request_seconds_count", labels) == counts
