"""The alerting rules of the lab's Prometheus, by Prometheus' own test of rules: what fires when, and what does not."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

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
    "one request in ten fails": (then(well(), **{"503__gateway-a": "0+8"}), {"BankErrors": 1}),
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


def test_a_lost_city_is_noticed_within_five_seconds_and_not_before(tmp_path: Path) -> None:
    series = dead(well(), *CITY1)
    assert told(tmp_path, series, WELL_S, {}) == ""
    assert told(tmp_path, series, WELL_S + 3, {"ZoneDown": 2, "RegionDown": 1, "NoPrimaryAnywhere": 1,
                                                "DatabaseWithoutLeader": 1}) == ""  # fmt: skip
