"""The status on one screen: what stands where, and what is said where nothing is known."""

import copy
import json
import signal
import subprocess
import sys
from itertools import combinations

import pytest

from stormlab.status.sections import sections, summary
from stormlab.status.show import show

SITES = ["outside", "city1-a", "city1-b", "city1-w", "city2-a"]
SHAPE = {"rtt_ms": 30.0, "jitter_ms": 0.0, "loss": 0.0, "bandwidth_mbit_s": None}


def link(*between, **more):
    told = {"between": list(between), **SHAPE, "up": True, "lost": 0, "overflowed": 0, "queue_ms": 0}
    return told | {"declared": SHAPE, "measured": {"rtt_ms": 30.12, "sent": 5, "answered": 5}} | more


def member(name, role, lag):
    return {
        "region": "city1",
        "scope": "cell0",
        "name": name,
        "role": role,
        "state": "running",
        "timeline": 2,
        "lag_bytes": lag,
    }


REPORT = {
    "name": "small",
    "at": "2026-01-02T03:04:05+00:00",
    "processes": [{"name": "relay", "running": True, "pid": 7, "age_s": 9.5}],
    "zones": [
        {
            "zone": zone,
            "region": zone[:5],
            "address": "10.77.1.1",
            "node": "Ready",
            "pods": 9,
            "pods_ready": 9,
        }
        for zone in SITES[1:]
    ],
    "pods": [],
    "links": [link(*pair) for pair in combinations(SITES, 2)],
    "link_carrier": "tun relay in user space",
    "databases": [member("pg-b", "sync_standby", 0), member("pg-a", "leader", None)],
    "rows": [{"name": f"row {number}", "query": "q", "samples": []} for number in range(6)],
    "faults": [],
    "fences": [],
    "endpoints": {"edge": "127.0.0.1:28081"},
    "notes": ["cell0 is unprotected after a promotion in city2: one member there"],
    "troubles": [],
}


def report(**changes):
    return copy.deepcopy(REPORT) | changes


def shown(capsys, **changes):
    show(lambda: report(**changes), as_json=False, everything=False)
    return capsys.readouterr().out


def section(title, **changes):
    """The rows of a section."""
    return next(
        one.rows for one in sections(report(**changes), everything=False) if one.title.startswith(title)
    )


def test_a_preset_with_four_zones_fits_a_screen(capsys):
    lines = shown(capsys).splitlines()
    assert len(lines) <= 46
    assert max(map(len, lines)) <= 100


def test_what_is_well_is_counted_and_what_is_not_is_named(capsys):
    assert summary(report()) == "lab small  1 of 1 processes run  2026-01-02T03:04:05+00:00"
    gone = [{"name": "relay", "running": False, "pid": None, "age_s": None}]
    assert "0 of 1 processes run  DEAD: relay" in summary(report(processes=gone))
    place = {"namespace": "bank", "address": None, "restarts": 2}
    pods = [
        {**place, "zone": None, "name": "stuck", "ready": False, "state": "Unschedulable no node"},
        {**place, "zone": "city1-a", "name": "fine", "ready": True, "state": "Ready"},
        {**place, "zone": "city1-a", "name": "done", "ready": False, "state": "Succeeded"},
    ]
    assert section("pods in trouble", pods=pods) == [("-", "bank/stuck", "-", "2", "Unschedulable no node")]
    assert "pods in trouble" not in shown(capsys)


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({}, ("30", "30.1", "-", "-", "-", "")),
        ({"measured": {"rtt_ms": 1.234, "sent": 5, "answered": 4}}, ("30", "1.23 (4/5)", "-", "-", "-", "")),
        ({"measured": {"rtt_ms": None, "sent": 5, "answered": 0}}, ("30", "no answer", "-", "-", "-", "")),
        ({"measured": {"rtt_ms": None, "sent": 0, "answered": 0}}, ("30", "?", "-", "-", "-", "")),
        ({"up": False}, ("30", "down", "-", "-", "-", "")),
        ({"rtt_ms": 20.0}, ("20", "30.1", "-", "-", "-", "not as in the file")),
        ({"declared": None}, ("30", "30.1", "-", "-", "-", "")),
        (
            {"jitter_ms": 2.5, "loss": 0.001, "bandwidth_mbit_s": 0.5, "declared": None}
            | {"lost": 3, "overflowed": 4, "queue_ms": 12.5},
            ("30", "30.1", "2.5", "0.1%", "500kbit/s", "3 lost, 4 overflowed, 12.5 ms queued"),
        ),
    ],
)
def test_links(changes, cells):
    assert section("links", links=[link("a", "b", **changes)]) == [("a - b", *cells)]


def test_databases_in_order_with_their_lag():
    assert section("databases") == [
        ("cell0", "pg-a", "leader", "running", "2", "-"),
        ("cell0", "pg-b", "sync standby", "running", "2", "0"),
    ]


def test_what_prometheus_answers():
    samples = [
        {"labels": {"cell": "c0", "zone": "a"}, "value": 83.14},
        {"labels": {"cell": "c0", "zone": "b"}, "value": 2.0},
        {"labels": {"cell": "c1", "zone": "b"}, "value": None},
    ]
    rows = [
        {"name": "several", "query": "q", "samples": samples},
        {"name": "one", "query": "q", "samples": [{"labels": {}, "value": 0.12345}]},
        {"name": "none", "query": "q", "samples": []},
        {"name": "unknown", "query": "q", "samples": None},
    ]
    assert section("asked of Prometheus", rows=rows) == [
        ("several", "c0/a 83.1  c0/b 2  c1/b NaN"),
        ("one", "0.123"),
        ("none", "-"),
        ("unknown", "?"),
    ]


def test_what_the_estate_cannot_do_is_said(capsys):
    assert section("mind") == [("cell0 is unprotected after a promotion in city2: one member there",)]
    assert "mind" not in shown(capsys, notes=[])


def test_what_holds_on_purpose(capsys):
    fault = {"name": "f", "region": "city1", "namespace": "bank", "kind": "partition", "where": ["city1-a"]}
    fault |= {"state": "applied", "since": "2026-01-02T03:03:35Z"}
    assert section("faults", faults=[fault]) == [("f", "partition", "city1-a", "applied", "30 s ago")]
    fence = {"site": "city1", "state": "armed", "how": None, "by": "drill", "since": "2026-01-02T01:04:05Z"}
    assert section("fences", fences=[fence]) == [("city1", "armed", "-", "drill", "2 h ago")]
    assert "# faults in force: none\n" in shown(capsys)


def test_nothing_is_called_none_that_could_not_be_asked(capsys):
    zones = [{**REPORT["zones"][0], "node": "unknown", "pods": None, "pods_ready": None}]
    out = shown(capsys, zones=zones, links=[], link_carrier=None, databases=[])
    assert "faults in force: none in the regions that answer\n" in out
    assert "city1-a  city1   10.77.1.1  unknown  ?/?" in out
    assert "# links: nothing carries them\n" in out


def test_everything_has_processes_pods_and_endpoints():
    titles = [one.title for one in sections(report(pods=[]), everything=True)]
    assert titles[-2:] == ["processes", "endpoints"]


WATCHER = """\
import json, sys
from stormlab.status.show import watch
watch(lambda: json.loads(sys.argv[1]), 0.05, as_json="--json" in sys.argv, everything=False)
"""


@pytest.mark.parametrize("as_json", [True, False])
def test_a_watch_goes_on_until_it_is_interrupted_and_ends_quietly(as_json):
    argv = [sys.executable, "-c", WATCHER, json.dumps(REPORT), *(["--json"] if as_json else [])]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        while process.stdout.readline() != first:
            pass
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")
    if as_json:
        assert json.loads(first) == REPORT


def test_a_terminal_shows_the_same_on_one_screen():
    from rich.console import Console

    from stormlab.status.show import _rich

    console = Console(width=100, height=50, record=True, force_terminal=True, file=sys.stderr)
    console.print(_rich(report(links=[link("a", "b", up=False)] * 10), everything=False))
    lines = console.export_text().splitlines()
    assert len(lines) <= 46
    assert "a - b    30      down      -" in lines[11]


ZONES = ("city1-a", "city1-b", "city2-a")
FOLLOWERS = ("pg-cell1-city1-a-0", "pg-cell1-city2-a-0", "pg-city1-b-0", "pg-city2-a-0")
ARCHIVES = tuple(f"archive-{cell}-{zone}-0" for cell in ("cell0", "cell1") for zone in ("city1-b", "city2-a"))
ASKED = {
    "requests/s by zone": dict(zip(ZONES, (123.4, 98.7, 0.0), strict=True)),
    "share of traffic by zone, %": dict(zip(ZONES, (55.6, 44.4, 0.0), strict=True)),
    "not served by zone, %": dict(zip(ZONES, (0.123, 12.3, 0.0), strict=True)),
    "behind the primary, bytes": dict.fromkeys(FOLLOWERS, 16777216.0),
    "archive behind, s": dict.fromkeys(ARCHIVES, 1234.5),
    "epoch by cell": {f"{cell}/{of}": 12.0 for cell in ("cell0", "cell1") for of in ("promotion", "version")},
    "alerts firing": {"DatabaseWithoutLeader": 1.0},
}


def full():
    """What `lab status` has of preset `full`."""
    roles = (
        ("pg-{}city1-a-0", "leader"),
        ("pg-{}city1-b-0", "sync_standby"),
        ("pg-{}city2-a-0", "standby_leader"),
    )
    members = [member(name.format(cell), role, 0) for cell in ("", "cell1-") for name, role in roles]
    rows = [
        {
            "name": name,
            "query": "q",
            "samples": [{"labels": {"of": label}, "value": value} for label, value in samples.items()],
        }
        for name, samples in ASKED.items()
    ]
    note = "{} is unprotected after a promotion in city2: one member there"
    return report(rows=rows, databases=members, notes=[note.format(cell) for cell in ("cell0", "cell1")])


def printed(capsys):
    show(full, as_json=False, everything=False)
    return capsys.readouterr().out


def on_a_terminal(width):
    from rich.console import Console

    from stormlab.status.show import _rich

    console = Console(width=width, height=50, record=True, force_terminal=True, file=sys.stderr)
    console.print(_rich(full(), everything=False, width=width))
    return console.export_text()


@pytest.mark.parametrize("text", [printed, lambda _: on_a_terminal(100)], ids=["in columns", "on a terminal"])
def test_two_cells_fit_a_screen_and_nothing_of_them_is_cut(capsys, text):
    shown = text(capsys)
    lines = shown.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 100
    for name, samples in ASKED.items():
        assert sum(line.startswith(name) for line in lines) == 1, name
        assert [label for label in samples if f"{label} " not in shown] == []
    assert shown.count(" 16777216") == len(FOLLOWERS)
    assert shown.count(" 1234.5") == len(ARCHIVES)
    second = lines[next(i for i, line in enumerate(lines) if line.startswith("archive behind")) + 1]
    assert second.startswith(" " * len("share of traffic by zone, %") + "  archive-cell1-")


def test_a_narrow_terminal_has_more_lines_and_all_of_them(capsys):
    lines = on_a_terminal(60).splitlines()
    assert max(map(len, lines)) <= 60
    assert [name for name in (*ARCHIVES, *FOLLOWERS) if f"{name} " not in "\n".join(lines)] == []
