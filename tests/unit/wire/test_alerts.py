"""Alerts as a real Prometheus tells them, and what a drill's history keeps of them."""

from __future__ import annotations

import pytest

from stormdrill import wait
from stormdrill.drill.alert_sampler import AlertSampler
from stormdrill.errors import TargetError
from stormdrill.prometheus import Prometheus


def rules(*firing, count=1, error=None):
    """An answer of `/api/v1/rules`: one alerting rule with these alerts on, and more that are off."""
    alerts = [{"labels": {"alertname": "ZoneDown", **labels}, "state": "firing"} for labels in firing]
    rule = {"type": "alerting", "name": "ZoneDown", "alerts": alerts}
    others = [{"type": "alerting", "name": "Other", "alerts": []} for _ in range(count - 1)]
    if error:
        others.append({"type": "alerting", "name": "Odd", "alerts": [], "lastError": error})
    return 200, {"status": "success", "data": {"groups": [{"name": "estate", "rules": [rule, *others]}]}}


def test_a_real_server_tells_what_is_on_and_which_rules_it_cannot_evaluate(prometheus):
    client = Prometheus(prometheus.url)
    found = wait.until(
        lambda: now if (now := client.alerts()).firing and now.broken else None,
        deadline_s=20,
        what="an alert",
    )
    assert found.rules == 3
    ((labels),) = found.firing
    assert (labels["alertname"], labels["pod"], labels["severity"]) == ("LoadHigh", "a", "page")
    (broken,) = found.broken
    assert broken.startswith("Broken: ")
    assert "many-to-many" in broken


def test_changes_are_kept_and_silence_resolves_nothing(peer):
    seen = []
    sampler = AlertSampler(Prometheus(peer.url), lambda kind, actor, **data: seen.append((kind, data)))
    for answer in (
        rules(),
        rules({"zone": "a"}),
        rules({"zone": "a"}),
        (503, "busy"),
        rules({"zone": "a"}),
        rules(),
    ):
        peer.answers["/api/v1/rules"] = answer
        if answer[0] == 503:
            with pytest.raises(TargetError, match="503"):
                sampler.sample()
        else:
            sampler.sample()
    assert [kind for kind, _ in seen] == ["alert.rules", "alert.fired", "alert.resolved"]
    assert (seen[0][1]["rules"], seen[0][1]["broken"]) == (1, [])
    for _, data in seen[1:]:
        assert (data["alert"], data["labels"]) == ("ZoneDown", {"zone": "a"})
    assert seen[0][1]["mono_ns"] < seen[1][1]["mono_ns"] < seen[2][1]["mono_ns"]


def test_a_rule_that_cannot_be_evaluated_is_told_once(peer):
    seen = []
    sampler = AlertSampler(Prometheus(peer.url), lambda kind, actor, **data: seen.append((kind, data)))
    for answer in (rules(), rules(error="parse error"), rules(error="parse error")):
        peer.answers["/api/v1/rules"] = answer
        sampler.sample()
    assert [(data["rules"], data["broken"]) for _, data in seen] == [(1, []), (2, ["Odd: parse error"])]


@pytest.mark.parametrize("answer", [(404, "404 page not found"), (200, {"status": "success", "data": {}})])
def test_a_server_without_rules_is_not_one_without_alerts(peer, answer):
    peer.answers["/api/v1/rules"] = answer
    with pytest.raises(TargetError):
        Prometheus(peer.url, bearer="t0ken").alerts()
    assert peer.asked[0][1]["Authorization"] == "Bearer t0ken"
