"""Validity rules: may the run's numbers be trusted. A broken rule is inconclusive, and says why."""

from __future__ import annotations

from collections.abc import Iterator

from stormdrill.judge.canaries import not_back, not_broken, seen
from stormdrill.judge.checking import Case, Said, check, percent, seconds
from stormdrill.measure.values import Ended
from stormdrill.verdict import Check, Outcome

LATENESS_LIMIT_MS = 100.0
"""Of 99 in 100 requests. Time counts from when a request was due, so lateness counts against the estate and never
for it; what a late generator could hide is an outage shorter than this, a fifth of the 0.5 s a recovery time may
be off.
"""
DROPPED_LIMIT = 0.001
SECONDS_KNOWN = 0.95  # share of the judged seconds that the generator must have reported
PRESSURE_LIMIT = 0.95
ENDED_EARLY_LIMIT_S = 3.0
CLOCK_LIMIT_S = 0.5
AGREE_RATIO = 0.05
AGREE_FLOOR = 20  # requests that may differ however few there were


def validity(case: Case) -> tuple[Check, ...]:
    """Every rule, in the order in which a reader wants them."""
    return tuple(_rules(case))


def _rules(case: Case) -> Iterator[Check]:
    yield _rule("records_intact", "no bad record", _records(case), ("requests", "witness"))
    yield _rule("steady_healthy", f">= {case.plan.experiment.health.success:g}", _steady(case), ("requests",))
    yield _rule("fault_proven", "every fault proven", _proven(case), ("history.jsonl",))
    yield _rule(
        "method_ran", "every step of the method done", _method(case), ("history.jsonl", "journal.json")
    )
    yield _rule("estate_whole", "what was hurt is back", _whole(case), ("history.jsonl",))
    if case.measured.failover.canaries.proofs:
        yield _rule("revert_proven", "all canaries green again", not_back(case), ("history.jsonl",))
    yield _rule(
        "generator_on_time", f"<= {LATENESS_LIMIT_MS:g} ms late, no stall", _generator(case), ("requests",)
    )
    yield _rule(
        "load_ran_to_end", f"<= {ENDED_EARLY_LIMIT_S:g} s early", _load(case), ("requests/generator.jsonl",)
    )
    yield _rule(
        "machine_not_starved", f"<= {PRESSURE_LIMIT:g} in any 15 s", _machine(case), ("history.jsonl",)
    )
    yield _rule("clock_steady", f"<= {CLOCK_LIMIT_S:g} s", _clock(case), ("history.jsonl",))
    yield _rule("prometheus_clock", f"<= {CLOCK_LIMIT_S:g} s", _prometheus_clock(case), ("history.jsonl",))
    yield _rule("prometheus_fresh", _age_limit(case), _prometheus(case), ("history.jsonl",))
    yield _rule(
        "client_prometheus_agree",
        f"within {AGREE_RATIO:.0%}",
        _agree(case),
        ("requests", "series/_good.json"),
    )
    yield _rule("sync_state_known", "sampled at t0", _sync(case), ("history.jsonl",))
    yield _rule("audit_complete", "all books read", _audit(case), ("books.json",))


def _rule(name: str, limit: str, said: Said, evidence: tuple[str, ...]) -> Check:
    holds, why, value, unit = said
    outcome = Outcome.NOT_EXERCISED if holds is None else Outcome.PASS if holds else Outcome.INCONCLUSIVE
    return check(name, "validity", outcome, why, value=value, unit=unit, limit=limit, evidence=evidence)


def _records(case: Case) -> Said:
    records = case.measured.records
    if records.problems:
        return False, f"not everything could be read: {'; '.join(records.problems)}", records.bad, "records"
    if not records.requests:
        return False, "no request was recorded", 0, "records"
    if records.bad:
        return False, f"{records.bad} records do not match their checksum", records.bad, "records"
    torn = " (the last one was cut off while being written)" if records.torn_bytes else ""
    return (
        True,
        f"{records.requests} requests and {records.witness} witness records, all whole{torn}",
        0,
        "records",
    )


def _steady(case: Case) -> Said:
    letter = case.letters[0] if case.letters else "A"
    share = case.share(f"tier {letter}", "steady")
    ratio = share.ratio if share else None
    if share is None or ratio is None:
        return False, "there was no steady state under load to compare with", None, "ratio"
    need = case.plan.experiment.health.success
    said = f"{percent(ratio)} of {share.requests} requests of tier {letter} were good in steady state"
    return (
        ratio >= need,
        said if ratio >= need else f"{said}: the estate was not well before the fault",
        ratio,
        "ratio",
    )


def _proven(case: Case) -> Said:
    faults = case.measured.faults
    if not faults:
        if case.load_is_the_test:
            return None, "the method only waits: what is tested is the load itself", None, ""
        refused = [end.why for end in case.measured.ended if end.kind == "fault.refused"]
        return False, "no fault was applied" + (f": {refused[0]}" if refused else ""), 0, "faults"
    bad = [fault for fault in faults if fault.proven is not True]
    if bad:
        why = "; ".join(f"{fault.name}: {fault.proof or 'no proof was recorded'}" for fault in bad)
        return False, f"not proven: {why}", len(faults) - len(bad), "faults"
    if early := _of(case, "fault.ended_early"):
        return False, f"ended before it was to: {'; '.join(end.why for end in early)}", 0, "faults"
    if why := not_broken(case):
        return False, f"not proven by canaries: {why}", 0, "faults"
    return True, f"{len(faults)} fault(s) applied and proven{seen(case)}", len(faults), "faults"


def _method(case: Case) -> Said:
    stopped = _of(case, "cut", "activity.failed")
    if stopped:
        return False, "; ".join(f"{end.kind}: {end.why}" for end in stopped), len(stopped), "steps"
    unmet = [end for end in _of(case, "hypothesis") if not end.ok and not end.after_fault]
    if unmet:
        return False, f"the hypothesis did not hold before the fault: {unmet[0].why}", len(unmet), "steps"
    return True, "every step of the method was carried out", 0, "steps"


def _whole(case: Case) -> Said:
    if not case.measured.faults:
        return None, "no fault was applied", None, ""
    missing = _of(case, "fault.not_restored", "revert.failed")
    if missing:
        return False, "; ".join(end.why for end in missing), len(missing), "faults"
    open_ = [fault.name for fault in case.measured.faults if fault.reverted_s is None]
    if open_:
        return False, f"no event says that {', '.join(open_)} is over", len(open_), "faults"
    return True, "everything that was hurt was whole again before the end", 0, "faults"


def _generator(case: Case) -> Said:
    health = case.measured.generator
    late = (
        health.probe_lateness_p99_ms if health.probe_lateness_p99_ms is not None else health.lateness_p99_ms
    )
    if health.stalls:
        total_s = sum(stall.end_s - stall.start_s for stall in health.stalls)
        where = ", ".join(f"{stall.start_s:.1f} s to {stall.end_s:.1f} s" for stall in health.stalls[:3])
        why = f"the generator stood still for up to {seconds(total_s)} ({where} from t0)"
        return False, why, round(total_s * 1000, 3), "ms"
    if (
        health.seconds < SECONDS_KNOWN * health.expected_seconds
        or late is None
        or not health.expected_seconds
    ):
        known = f"{health.seconds} of {health.expected_seconds} judged seconds"
        return False, f"the generator reported only {known}", late, "ms"
    if late > LATENESS_LIMIT_MS:
        return False, f"1 in 100 requests was sent more than {late:.0f} ms late", late, "ms"
    if health.offered and health.dropped > DROPPED_LIMIT * health.offered:
        why = f"the generator dropped {health.dropped} of {health.offered} requests: it had no free user"
        return False, why, health.dropped, "requests"
    return True, f"99 of 100 requests were sent at most {late:.1f} ms late", late, "ms"


def _load(case: Case) -> Said:
    died = _of(case, "load.died")
    early = case.measured.generator.ended_early_s
    if died:
        return False, f"the load died: {died[0].why}", early, "s"
    if early is None:
        return False, "there was no load", None, "s"
    if early > ENDED_EARLY_LIMIT_S:
        return False, f"the load ended {seconds(early)} before the end of the judged time", early, "s"
    return True, "the load ran to the end of the judged time", early, "s"


def _machine(case: Case) -> Said:
    machine = case.measured.machine
    if machine.worst_15s_mean is None:
        return False, "the machine's CPU pressure was not recorded", None, "ratio"
    said = f"processes waited for a CPU {percent(machine.worst_15s_mean)} of the worst 15 s"
    return machine.worst_15s_mean <= PRESSURE_LIMIT, said, machine.worst_15s_mean, "ratio"


def _clock(case: Case) -> Said:
    spread = case.measured.clock_spread_s
    said = f"wall clock and monotonic clock kept within {spread * 1000:.1f} ms of each other"
    return spread <= CLOCK_LIMIT_S, said, spread, "s"


def _prometheus_clock(case: Case) -> Said:
    clock = case.measured.prometheus_clock
    if clock.why:
        return False, f"the clock of Prometheus could not be compared: {clock.why}", clock.offset_s, "s"
    if clock.offset_s is None or clock.error_s is None:
        return None, "the clock of Prometheus was not compared with ours", None, ""
    way = "ahead of" if clock.offset_s > 0 else "behind"
    known = f"{abs(clock.offset_s) * 1000:.0f} ms {way} ours, known to ± {clock.error_s * 1000:.0f} ms"
    holds = max(abs(clock.offset_s), clock.error_s) <= CLOCK_LIMIT_S
    return holds, f"the clock of Prometheus was at most {known}", clock.offset_s, "s"


def _age_limit(case: Case) -> str:
    return f"<= {case.plan.topology.prometheus.max_age_s:g} s"


def _prometheus(case: Case) -> Said:
    source, fresh = case.plan.topology.prometheus, case.measured.prometheus
    if not fresh.seconds:
        told = f": {fresh.first_error}" if fresh.first_error else ""
        return False, f"Prometheus never answered in the judged time{told}", None, "s"
    worst = max(fresh.worst_age_s or 0.0, fresh.longest_hole_s)
    if fresh.stale_seconds:
        why = f"in {fresh.stale_seconds} seconds the newest sample was older than {source.max_age_s:g} s"
        return False, f"{why} (worst {seconds(worst)})", worst, "s"
    if fresh.longest_hole_s > source.max_age_s:
        told = f" ({fresh.first_error})" if fresh.first_error else ""
        return False, f"for {seconds(fresh.longest_hole_s)} nothing was heard of Prometheus{told}", worst, "s"
    return True, f"the newest sample was never older than {seconds(worst)}", worst, "s"


def _agree(case: Case) -> Said:
    found = case.measured.agreement
    if found.client is None or found.prometheus is None:
        unnamed = "good_by_operation" not in case.plan.topology.metrics
        return (None if unnamed else False), found.why, None, "ratio"
    apart = abs(found.client - found.prometheus)
    ratio = round(apart / max(found.client, 1), 6)
    said = f"in steady state the phones saw {found.client} good answers and Prometheus {found.prometheus:.0f}"
    allowed = max(AGREE_RATIO * found.client, AGREE_FLOOR, min(found.step_requests, found.client / 2))
    return apart <= allowed, said, ratio, "ratio"


def _sync(case: Case) -> Said:
    risk = case.measured.loss.risk
    if risk.path == "none" or not case.measured.faults:
        return None, risk.why, None, "s"
    return risk.path not in ("unknown", "out_of_sync"), risk.why, risk.sample_age_s, "s"


def _audit(case: Case) -> Said:
    loss = case.measured.loss
    if case.plan.topology.audit.kind == "none":
        return None, f"nobody reads the books: {loss.why}", None, ""
    if not loss.audited:
        return False, f"the books were not read: {loss.why}", None, ""
    if not loss.complete:
        return False, f"the books were not read in full: {loss.why}", None, ""
    return True, f"the books were read in full ({loss.reader})", None, ""


def _of(case: Case, *kinds: str) -> list[Ended]:
    return [end for end in case.measured.ended if end.kind in kinds]
