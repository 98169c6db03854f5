"""The interface of the phones, as a document: not stale, every operation with its shape, every error with its code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema_rs

from stormbank import openapi
from stormbank.openapi.document import known_shapes
from stormbank.openapi.problems import problems
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


def test_no_two_problems_of_one_status_have_the_same_code_and_each_code_has_one_status():
    codes = [kind.error for kinds in problems().values() for kind in kinds]
    assert len(codes) == len(set(codes))
    assert {"bad_request", "malformed", "unauthorized", "shed", "unavailable", "deadline"} <= set(codes)
