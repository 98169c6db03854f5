"""Alerts as a real Prometheus tells them, and what a drill's history keeps of them."""

from __future__ import annotations

import pytest

from stormdrill import wait
from stormdrill.drill.alert_sampler import AlertSampler
from stormdrill.drill.sayings import alerts_are
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


def sampler_of(peer, seen, said):
    """What it puts on record goes to `seen`, what a watcher is told to `said`."""
    record = lambda kind, actor, **data: seen.append((kind, data))  # noqa: E731
    return AlertSampler(Prometheus(peer.url), record, said.append)


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
    sampler = sampler_of(peer, seen, [])
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
    sampler = sampler_of(peer, seen, [])
    for answer in (rules(), rules(error="parse error"), rules(error="parse error")):
        peer.answers["/api/v1/rules"] = answer
        sampler.sample()
    assert [(data["rules"], data["broken"]) for _, data in seen] == [(1, []), (2, ["Odd: parse error"])]


def test_a_watcher_is_told_of_each_name_once_a_look(peer):
    """On record is each alert for itself."""
    seen, said = [], []
    sampler = sampler_of(peer, seen, said)
    down = [
        {
            "zone": zone,
            "region": "city1",
            "instance": f"10.77.2.{n}:7402",
            "app": "agent",
            "severity": "ticket",
        }
        for n, zone in enumerate(("city1-w", "city1-a", "city1-b", "city1-a"))
    ]
    other = {"alertname": "RegionDown", "region": "city1", "severity": "page"}
    for answer in (rules(*down, other), rules(*down, other), rules(down[0]), rules()):
        peer.answers["/api/v1/rules"] = answer
        sampler.sample()
    assert said == [
        "alert RegionDown is on (city1)",
        "alert ZoneDown is on: 4 (city1-a, city1-b, city1-w)",
        "alert RegionDown is off (city1)",
        "alert ZoneDown is off: 3 (city1-a, city1-b)",
        "alert ZoneDown is off (city1-w)",
    ]
    assert [kind for kind, _ in seen].count("alert.fired") == 5
    assert down[0] in [data["labels"] for _, data in seen[1:]]


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ([{}], "alert A is on"),
        ([{}, {}], "alert A is on: 2"),
        (
            [{"scope": "cell0", "instance": "h:1", "host": "10.0.0.1:80", "v6": "[fd00::1]:80"}],
            "alert A is on (cell0)",
        ),
        ([{"app": "pg", "scope": "cell0"}], "alert A is on (pg, cell0)"),
        ([{"zone": "", "region": "r", "pod": "p"}], "alert A is on (r)"),
        ([{"zone": f"z{n}"} for n in range(8)], "alert A is on: 8 (z0, z1, z2, z3, z4, z5 and 2 more)"),
    ],
)
def test_where_an_alert_is_on_is_a_place(labels, line):
    assert alerts_are("on", "A", labels) == line


@pytest.mark.parametrize("answer", [(404, "404 page not found"), (200, {"status": "success", "data": {}})])
def test_a_server_without_rules_is_not_one_without_alerts(peer, answer):
    peer.answers["/api/v1/rules"] = answer
    with pytest.raises(TargetError):
        Prometheus(peer.url, bearer="t0ken").alerts()
    assert peer.asked[0][1]["Authorization"] == "Bearer t0ken"
