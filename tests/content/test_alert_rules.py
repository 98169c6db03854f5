"""The alerting rules of the lab's Prometheus, by Prometheus' own test of rules: what fires when, and what does not."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parents[2] / "topology" / "prometheus" / "rules.yml"
WELL_S, LOST_S = 60, 10  # a minute of health, then so long after the fault
CITY1 = {"city1-a": ("gateway-a", "pg-a", "canary-a"), "city1-b": ("gateway-b", "pg-b", "canary-b")}
CITY2 = {"city2-a": ("gateway-c", "pg-c", "canary-c")}
Series = dict[str, str]


def well() -> Series:
    """The estate in health, a sample a second: both sites of city1 serve, city2 follows."""
    found = {}
    for region, zones in (("city1", CITY1), ("city2", CITY2)):
        for zone, pods in zones.items():
            for pod in pods:
                where = f'region="{region}",zone="{zone}",pod="{pod}",instance="{pod}"'
                app = pod.partition("-")[0]
                found[f'up{{{where},app="{app}"}}'] = f"1x{WELL_S + LOST_S}"
                if app == "pg":
                    found |= _database(where, region, pod)
                if app == "gateway" and region == "city1":
                    requests = f'bank_requests_total{{{where},service="gateway"'
                    found[f'{requests},code="200"}}'] = f"0+40x{WELL_S + LOST_S}"
                    found[f'{requests},code="503"}}'] = f"0x{WELL_S + LOST_S}"
    return found


def more(name: str, before: str, after: str, **labels: str) -> Series:
    """One more series: a minute of one, then of the other."""
    told = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return {f"{name}{{{told}}}": f"{before}x{WELL_S} {after}x{LOST_S - 1}"}


def _database(where: str, region: str, pod: str) -> Series:
    about = f'{{{where},scope="{region}"}}'
    long = WELL_S + LOST_S
    remote = region == "city2"
    return {
        f"patroni_primary{about}": f"{int(pod == 'pg-a')}x{long}",
        f"patroni_sync_standby{about}": f"{int(pod == 'pg-b')}x{long}",
        f"patroni_standby_leader{about}": f"{int(remote)}x{long}",
        f"patroni_postgres_streaming{about}": f"{int(pod != 'pg-a')}x{long}",
        f"patroni_xlog_location{about}": f"1000000+1000x{long}" if pod == "pg-a" else f"0x{long}",
        f"patroni_xlog_received_location{about}": f"1000000+1000x{long}" if remote else f"0x{long}",
    }


def then(series: Series, **values: str) -> Series:
    """The same minute, then other values for series whose text holds every word of a name (`__` is between them)."""
    changed = {}
    for name, value in series.items():
        found = [after for words, after in values.items() if all(word in name for word in words.split("__"))]
        first, _, _ = value.rpartition("x")
        changed[name] = f"{first}x{WELL_S} {found[0]}x{LOST_S - 1}" if found else value
    return changed


def dead(series: Series, *zones: str) -> Series:
    """Zones that fall silent: their targets are down, and nothing of them is told any more."""
    changed = {}
    for name, value in series.items():
        lost = any(f'zone="{zone}"' in name for zone in zones)
        first, _, _ = value.rpartition("x")
        down = f"0x{LOST_S - 1}" if name.startswith("up{") else "stale"
        changed[name] = f"{first}x{WELL_S} {down}" if lost else value
    return changed


def of_cell(series: Series, cell: str) -> Series:
    """The databases of one more cell, in the same zones."""
    return {
        name.replace("pg-", f"pg-{cell}-").replace("{", f'{{cell="{cell}",', 1): value
        for name, value in series.items()
        if "pg-" in name
    }


AHEAD = {
    name: f"50000000+1000x{WELL_S + LOST_S}"
    for name in of_cell(well(), "cell1")
    if name.startswith("patroni_xlog_location") and "pg-cell1-a" in name
}

CASES: dict[str, tuple[Series, dict[str, int]]] = {
    "health": (well(), {}),
    "a city is lost": (
        dead(well(), *CITY1),
        {"ZoneDown": 2, "RegionDown": 1, "NoPrimaryAnywhere": 1, "DatabaseWithoutLeader": 1, "BankVolumeDropped": 1,
         "TargetDown": 6},
    ),
    "the zone of the primary is lost, nobody has taken over yet": (
        dead(well(), "city1-a"),
        {"ZoneDown": 1, "NoPrimaryAnywhere": 1, "DatabaseWithoutLeader": 1, "TargetDown": 3},
    ),
    "the primary is gone, its node answers": (
        then(well(), **{"patroni_primary__pg-a": "0"}), {"NoPrimaryAnywhere": 1, "DatabaseWithoutLeader": 1},
    ),
    "one target does not answer": (then(well(), **{"up{__canary-a": "0"}), {"TargetDown": 1}),
    "the standby is out of sync": (
        then(well(), **{"patroni_sync_standby__pg-b": "0"}), {"DatabaseWithoutSyncStandby": 1},
    ),
    "the remote city receives nothing": (
        then(well(), **{"patroni_postgres_streaming__pg-c": "0"}), {"RemoteSiteNotFollowing": 1},
    ),
    "one of two cells has lost its primary": (
        well() | then(of_cell(well(), "cell1"), **{"patroni_primary__pg-cell1-a": "0"}),
        {"NoPrimaryAnywhere": 1, "DatabaseWithoutLeader": 1},
    ),
    "one of two cells is far behind in the remote city": (
        well() | of_cell(well(), "cell1") | AHEAD, {"RemoteSiteBehind": 1},
    ),
    "tier A is given up, for want of time": (
        well() | more("bank_shed_total", "0", "20+20", region="city1", tier="A1", reason="deadline"),
        {"BankImportantWorkShed": 1},
    ),
    "tier C and whoever has too much are given up": (
        well() | more("bank_shed_total", "0", "50+50", region="city1", tier="C", reason="overload")
        | more("bank_shed_total", "0", "50+50", region="city1", tier="A1", reason="customer"), {},
    ),
    "the edge has no gateway left": (
        well() | more("haproxy_backend_active_servers", "2", "0", region="city1", zone="city1-a", proxy="gateways")
        | more("haproxy_backend_backup_servers", "2", "0", region="city1", zone="city1-a", proxy="gateways"),
        {"EdgeWithoutGateway": 1},
    ),
    "the edge has only the other zone's gateways": (
        well() | more("haproxy_backend_active_servers", "2", "0", region="city1", zone="city1-a", proxy="gateways")
        | more("haproxy_backend_backup_servers", "2", "2", region="city1", zone="city1-a", proxy="gateways"), {},
    ),
    "one request in ten fails": (then(well(), **{"503__gateway-a": "0+8"}), {"BankErrors": 1}),
}  # fmt: skip


LONG_S = 120  # before, and after
SLOWER: dict[str, tuple[Series, int, dict[str, int]]] = {
    "a member of etcd sees no leader": (
        {'etcd_server_has_leader{pod="etcd-a"}': f"1x{LONG_S} 0x{LONG_S}"}, 12, {"EtcdWithoutLeader": 1},
    ),
    "etcd elects another leader": (
        {'etcd_server_has_leader{pod="etcd-a"}': f"1x{LONG_S} 0x5 1x{LONG_S}"}, 7, {},
    ),
}  # fmt: skip


def archive(zone: str, **changed: str) -> Series:
    """What one archive tells: the fault comes after LONG_S seconds; promtool's clock begins at 0."""
    values = {
        "archive_receiving": f"1x{2 * LONG_S}",
        "archive_whole_until_seconds": f"0+1x{2 * LONG_S}",
        "archive_behind_bytes": f"0x{2 * LONG_S}",
        "archive_gaps_total": f"0x{2 * LONG_S}",
        "archive_stretch": f"1x{2 * LONG_S}",
    } | changed
    return {
        f'{name}{{app="archive",cell="cell0",zone="{zone}",pod="archive-{zone}"}}': value
        for name, value in values.items()
    }


WELL_KEPT = archive("city1-b")
SLOWER |= {
    "archives that keep up": (WELL_KEPT | archive("city2-a"), 100, {}),
    "an archive has lost log": (
        WELL_KEPT | archive("city2-a", archive_gaps_total=f"0x{LONG_S} 1x{LONG_S}"), 2, {"ArchiveGap": 1},
    ),
    "an archive receives nothing": (
        WELL_KEPT | archive("city2-a", archive_receiving=f"1x{LONG_S} 0x{LONG_S}"), 35, {"ArchiveBehind": 1},
    ),
    "an archive changes to another primary": (
        WELL_KEPT | archive("city2-a", archive_receiving=f"1x{LONG_S} 0x20 1x{LONG_S}"), 40, {},
    ),
    "an archive receives, and is whole up to long ago": (
        WELL_KEPT | archive("city2-a", archive_whole_until_seconds=f"0+1x{LONG_S} {LONG_S}x{LONG_S}"), 95,
        {"ArchiveBehind": 1},
    ),
    "an archive is far behind": (
        WELL_KEPT | archive("city2-a", archive_behind_bytes=f"0x{LONG_S} 100000000x{LONG_S}"), 35,
        {"ArchiveBehind": 1},
    ),
}  # fmt: skip


def told(tmp_path: Path, series: Series, at_s: int, wanted: dict[str, int]) -> str:
    """What promtool says of rules and of alerts that were counted; empty when all came out."""
    queries = [
        {"expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})', "eval_time": f"{at_s}s",
         "exp_samples": [{"labels": "{}", "value": count}]}
        for name, count in wanted.items()
    ]  # fmt: skip
    others = "|".join(wanted) or "none"
    none = f'count(ALERTS{{alertname!~"{others}",alertstate="firing"}})'
    queries.append({"expr": none, "eval_time": f"{at_s}s", "exp_samples": []})
    body: dict[str, Any] = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1s",
        "tests": [
            {
                "interval": "1s",
                "input_series": [{"series": name, "values": value} for name, value in series.items()],
                "promql_expr_test": queries,
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps(body))  # JSON is YAML
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_what_is_on_some_seconds_after(tmp_path: Path, name: str) -> None:
    series, wanted = CASES[name]
    assert told(tmp_path, series, WELL_S + 8, wanted) == ""


def test_a_gap_is_seen_although_the_archive_that_found_it_counts_from_nought(tmp_path: Path) -> None:
    labels = '{app="archive",region="city2",zone="city2-a",cell="cell0",pod="archive-0"'
    away_s, back_s = 60, 400
    before, after = f'{labels},instance="10.0.0.1:8099"}}', f'{labels},instance="10.0.0.2:8099"}}'
    series = {
        f"archive_gaps_total{before}": f"0x{away_s} stale",
        f"archive_stretch{before}": f"1x{away_s} stale",
        f"archive_gaps_total{after}": f"_x{back_s} 1x100",
        f"archive_stretch{after}": f"_x{back_s} 2x100",
    }
    assert told(tmp_path, series, back_s - 1, {}) == ""
    assert told(tmp_path, series, back_s + 2, {"ArchiveGap": 1}) == ""
    same = series | {
        f"archive_stretch{after}": f"_x{back_s} 1x100",
        f"archive_gaps_total{after}": f"_x{back_s} 0x100",
    }
    assert told(tmp_path, same, back_s + 2, {}) == ""


@pytest.mark.parametrize("name", SLOWER)
def test_what_takes_longer_is_on_after_its_time(tmp_path: Path, name: str) -> None:
    series, after_s, wanted = SLOWER[name]
    assert told(tmp_path, series, LONG_S, {}) == ""
    assert told(tmp_path, series, LONG_S + after_s, wanted) == ""


def test_every_alert_has_a_case_in_which_it_is_on() -> None:
    rules = {
        rule["alert"]
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
    }  # fmt: skip
    assert rules == {alert for case in (*CASES.values(), *SLOWER.values()) for alert in case[-1]}
    burns = (RULES.with_name("slo.yml"), *RULES.parent.glob("tests/*.yml"))
    named = re.findall(r"(?:alert: |alertname=\")(\w+)", burns[0].read_text())
    cases = [
        expected["labels"]
        for path in burns[1:]
        for test in yaml.safe_load(path.read_text())["tests"]
        for asked in test["promql_expr_test"]
        for expected in asked["exp_samples"]
    ]
    assert set(named) == {found for text in cases for found in re.findall(r'alertname="(\w+)"', text)}


def test_a_lost_city_is_noticed_within_five_seconds_and_not_before(tmp_path: Path) -> None:
    series = dead(well(), *CITY1)
    assert told(tmp_path, series, WELL_S, {}) == ""
    assert told(tmp_path, series, WELL_S + 3, {"ZoneDown": 2, "RegionDown": 1, "NoPrimaryAnywhere": 1,
                                                "DatabaseWithoutLeader": 1}) == ""  # fmt: skip
