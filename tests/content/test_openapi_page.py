"""The interface of the phones, as a document: not stale, every operation with its shape, every error with its code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema_rs

from stormbank import openapi
from stormbank.openapi.document import known_shapes
from stormbank.openapi.problems import EDGE, problems
from stormbank.operations import OPERATIONS

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads(openapi.text())


def test_the_page_is_what_the_bank_says():
    argv = [sys.executable, str(ROOT / "scripts" / "openapi_page.py"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_operation_of_the_phones_has_a_shape_and_no_other():
    outside = {each.name for each in OPERATIONS if not each.internal}
    assert set(known_shapes()) == outside, "a file of stormbank/openapi/shapes says how it looks"
    told = {method["operationId"] for path in DOCUMENT["paths"].values() for method in path.values()}
    assert told == outside


def test_every_answer_of_every_operation_has_a_schema():
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            assert {"400", "401", "413", "429", "503", "504"} <= set(operation["responses"])
            for told in operation["responses"].values():
                name = told.get("$ref", "").rpartition("/")[2]
                answer = DOCUMENT["components"]["responses"][name] if name else told
                jsonschema_rs.meta.validate(answer["content"]["application/json"]["schema"])


def test_what_the_edge_says_of_its_own_accord_is_in_the_document():
    config = (ROOT / "topology/kubernetes/base/edge/region/haproxy.cfg").read_text()
    answers = re.findall(
        r"^ *http-(?:error|response return) status (\d+) .*?string '(\{.*?\})'", config, re.MULTILINE
    )
    said = {(int(status), json.loads(body)["error"]) for status, body in answers}
    for to, of in re.findall(r"http-after-response set-status (\d+) if .*\{ status (\d+) \}", config):
        said |= {(int(to), error) for status, error in said if status == int(of)}
    assert {(each.status, each.error) for each in EDGE} == said
    assert len(re.findall(r"http-error|return status 5|set-status", config)) == len(answers) + 1, (
        "all were read"
    )
    for status, error in said:
        answer = DOCUMENT["components"]["responses"][f"Problem{status}"]
        assert error in answer["content"]["application/json"]["schema"]["properties"]["error"]["enum"]
        for path in DOCUMENT["paths"].values():
            assert all(str(status) in operation["responses"] for operation in path.values())


def test_no_two_problems_of_one_status_have_the_same_code_and_each_code_has_one_status():
    codes = [kind.error for kinds in problems().values() for kind in kinds]
    assert len(codes) == len(set(codes))
    assert {"bad_request", "malformed", "unauthorized", "shed", "unavailable", "deadline"} <= set(codes)
