"""A whole drill with faults that agents hold: one for a while, one until the end; Chaos Toolkit plays it."""

import json

METHOD = {
    "func: kill_pods\n      arguments: {service: web, zone: z1, count: 1}": "func: partition_zone\n      "
    "arguments: {zone: primary, cut_from: z3, duration: 1s}",
    "func: kill_pods\n      arguments: {service: web, zone: z2, count: 1}": "func: lose_zone\n      "
    "arguments: {zone: z2, lease: 5s}",
}


def test_agents_that_cannot_apply_make_it_inconclusive_and_leave_nothing(whole):
    whole.write_experiment(**METHOD)
    whole.fake.behave(agents="failed")
    done = whole.run()
    assert done.returncode == 3, done.stdout + done.stderr
    assert "node-z1 is failed: nft: no such program" in done.stdout + done.stderr
    verdict = json.loads((whole.only_run / "verdict.json").read_text())
    (rule,) = [rule for rule in verdict["validity"] if rule["id"] == "fault_proven"]
    assert (verdict["verdict"], rule["verdict"]) == ("inconclusive", "inconclusive")
    assert "nft: no such program" in rule["why"]
    assert whole.fake.calls().count("DELETE fault") == 1


def test_faults_are_held_proven_and_given_back(whole):
    whole.write_experiment(**METHOD)
    done = whole.run()
    assert done.returncode in (0, 3), done.stdout + done.stderr  # a busy machine may be told to be one
    events = [json.loads(line) for line in (whole.only_run / "history.jsonl").read_text().splitlines()]

    def of(kind):
        return [event["data"] for event in events if event["kind"] == kind]

    assert [(data["name"], data["ok"]) for data in of("fault.proven")] == [
        ("partition_zone-1", True),
        ("lose_zone-1", True),
    ]
    assert [data["name"] for data in of("fault.reverted")] == ["partition_zone-1", "lose_zone-1"]
    at = {(event["kind"], event["data"].get("name")): event["mono_ns"] for event in events}
    held_s = (at["fault.gone", "partition_zone-1"] - at["fault.applied", "partition_zone-1"]) / 1e9
    assert held_s >= 1
    assert at["fault.reverted", "partition_zone-1"] < at["fault.applied", "lose_zone-1"]
    assert {data["up"] for data in of("canary.changed")} >= {True, False}
    assert whole.fake.calls().count("DELETE fault") == 2
    verdict = json.loads((whole.only_run / "verdict.json").read_text())
    rules = {rule["id"]: rule["verdict"] for rule in verdict["validity"]}
    assert rules["fault_proven"] == rules["estate_whole"] == "pass"
