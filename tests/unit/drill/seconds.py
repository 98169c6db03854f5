"""Live seconds of a load, as tests need them."""

from stormdrill.load.live import LoadSecond, OperationSecond
from stormdrill.units import NS_PER_S


def second(
    at_s, *, offered=150, good=150, shed=0, failed=0, unknown=0, blocked=0, dropped=0, p99_ms=40.0, ops=None
):
    """One second that ends at `at_s`."""
    return LoadSecond(
        t_ns=int(at_s * NS_PER_S), offered=offered, good=good, shed=shed, failed=failed, unknown=unknown,
        blocked=blocked, dropped=dropped, inflight=5, p50_ms=10.0, p99_ms=p99_ms, lateness_p99_ms=1.0,
        loop_stall_ms=2.0,
        by_operation={name: OperationSecond(*counts) for name, counts in (ops or {}).items()},
    )  # fmt: skip
