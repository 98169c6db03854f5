"""Prometheus queries: a timeout on every call, no silent retries, warnings kept, floats, NaN as None.

The library drops `warnings`, rounds times, keeps values as text and retries three times by default; all of
that is undone here. Only this module imports `prometheus_api_client`.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from urllib3 import Retry

from stormdrill.connection import why
from stormdrill.errors import InputError, TargetError

_MAX_POINTS = 10_000  # the server refuses more than 11,000 points a series
T = TypeVar("T")
_AGE = "time() - max(timestamp(up))"


@dataclass(frozen=True)
class Sample:
    """One series at one time. NaN is None; infinities are the largest floats (JSON has none)."""

    labels: Mapping[str, str]
    t_s: float
    value: float | None


@dataclass(frozen=True)
class Instant:
    """The answer to an instant query."""

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """One series over time: pairs of Unix time in seconds and value."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True)
class Range:
    """The answer to a range query, with what was asked."""

    query: str
    step_s: float
    start_s: float
    end_s: float
    series: tuple[Series, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The form kept in a run's `series/`. A partial answer (warnings) is not `fetched`."""
        return {
            **_asked(self.query, self.step_s, self.start_s, self.end_s),
            "fetched": not self.warnings,
            "error": "; ".join(self.warnings) or None,
            "series": [
                {"labels": dict(one.labels), "samples": [list(sample) for sample in one.samples]}
                for one in self.series
            ],
        }


@dataclass(frozen=True)
class Alerts:
    """What the server's alerting rules say now: how many there are, which cannot be evaluated, and what fires.

    `firing` holds the labels of each alert that is on (a rule that still waits for its `for` is not).
    """

    rules: int
    broken: tuple[str, ...]
    firing: tuple[Mapping[str, str], ...]


def failed_range(query: str, start_s: float, end_s: float, step_s: float, error: str) -> dict[str, Any]:
    """What is kept in `series/` when a range could not be fetched."""
    return {**_asked(query, step_s, start_s, end_s), "fetched": False, "error": error, "series": []}


def _asked(query: str, step_s: float, start_s: float, end_s: float) -> dict[str, Any]:
    return {"query": query, "step_s": step_s, "start_utc_s": start_s, "end_utc_s": end_s}


class Prometheus:
    """One Prometheus server. Safe to use from several threads.

    Queries raise TargetError when it does not answer, and InputError when it says the query is wrong.
    """

    def __init__(self, url: str, timeout_s: float = 5.0, bearer: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        self._local = threading.local()

    def instant(self, query: str, at_s: float | None = None) -> Instant:
        """The query at `at_s` (Unix seconds), or now by the server's clock."""
        params = self._params({} if at_s is None else {"time": repr(at_s)})
        return self._ask(
            lambda client: client.custom_query(query, params=params),
            lambda result, warnings: Instant(tuple(_sample(entry) for entry in _vector(result)), warnings),
        )

    def range(self, query: str, start_s: float, end_s: float, step_s: float) -> Range:
        """The query from `start_s` to `end_s`, both included; long ranges are asked for in parts."""
        parts: dict[tuple[tuple[str, str], ...], list[tuple[float, float | None]]] = {}
        warnings: dict[str, None] = {}

        def take(result: Any, said: tuple[str, ...]) -> None:
            warnings.update(dict.fromkeys(said))
            for entry in result:
                key = tuple(sorted(entry["metric"].items()))
                parts.setdefault(key, []).extend((float(t), _number(value)) for t, value in entry["values"])

        first = start_s
        while first <= end_s:
            last = min(end_s, first + (_MAX_POINTS - 1) * step_s)
            self._ask(self._range_call(query, first, last, step_s), take)
            first = last + step_s
        series = tuple(Series(dict(key), tuple(samples)) for key, samples in sorted(parts.items()))
        return Range(query, step_s, start_s, end_s, series, tuple(warnings))

    def sample_age_s(self) -> float:
        """Seconds since the newest sample of any `up`, by the server's own clock. TargetError without any."""
        values = [sample.value for sample in self.instant(_AGE).samples if sample.value is not None]
        if not values:
            raise TargetError(f"Prometheus at {self.url} has no samples: does it scrape anything?")
        return max(0.0, min(values))

    def alerts(self) -> Alerts:
        """The alerts that are on now, by the rules that the server evaluates."""

        def call(_: Any) -> Any:
            answer = self._local.session.get(
                f"{self.url}/api/v1/rules",
                params={"type": "alert"},
                headers=self._headers,
                timeout=self.timeout_s,
            )
            if not answer.ok:
                raise PrometheusApiClientException(answer.text)
            return answer.json()["data"]["groups"]

        return self._ask(call, lambda groups, _: _alerts(groups))

    def clock_s(self) -> float:
        """The server's time, Unix seconds."""
        for sample in self.instant("time()").samples:
            if sample.value is not None:
                return sample.value
        raise self._odd()

    def clock_offset_s(self) -> tuple[float, float]:
        """How far the server's clock is ahead of this machine's, and by how much that may be wrong, seconds."""
        asked_s, began = time.time(), time.monotonic()
        server_s = self.clock_s()
        half_s = (time.monotonic() - began) / 2
        return server_s - (asked_s + half_s), half_s

    def _params(self, params: Mapping[str, str]) -> dict[str, str]:
        return {**params, "timeout": f"{self.timeout_s:g}s"}

    def _range_call(self, query: str, start_s: float, end_s: float, step_s: float) -> Any:
        # The library rounds to whole seconds; what is in `params` goes last and wins.
        exact = self._params({"start": repr(start_s), "end": repr(end_s), "step": repr(step_s)})
        start, end = (datetime.fromtimestamp(t, UTC) for t in (start_s, end_s))
        return lambda client: client.custom_query_range(query, start, end, repr(step_s), params=exact)

    def _ask(self, call: Callable[[Any], Any], read: Callable[[Any, tuple[str, ...]], T]) -> T:
        """`call` the library, `read` its result with the answer's warnings."""
        self._local.answer = None
        try:
            result = call(self._client())
            warnings = _body(self._local.answer).get("warnings") or ()
            return read(result, tuple(str(text) for text in warnings))
        except PrometheusApiClientException:
            raise self._refused() from None
        except requests.JSONDecodeError:
            raise self._odd() from None
        except requests.RequestException as error:
            raise TargetError(f"Prometheus at {self.url} does not answer: {why(error)}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._odd() from None

    def _odd(self) -> TargetError:
        return TargetError(f"{self.url} answers, but not like a Prometheus")

    def _refused(self) -> InputError | TargetError:
        answer: requests.Response = self._local.answer
        body = _body(answer)
        if body.get("errorType") == "bad_data":
            return InputError(f"Prometheus at {self.url} refuses the query: {body.get('error')}")
        said = body.get("error") or answer.text[:200].strip() or answer.reason
        return TargetError(f"Prometheus at {self.url} answered {answer.status_code}: {said}")

    def _client(self) -> PrometheusConnect:
        """One client a thread: its session is where an answer's warnings are caught."""
        client = getattr(self._local, "client", None)
        if client is None:
            session = requests.Session()
            session.hooks["response"].append(self._keep)
            client = PrometheusConnect(
                url=self.url,
                headers=self._headers,
                retry=Retry(0, read=False),
                session=session,
                timeout=self.timeout_s,
            )
            self._local.client, self._local.session = client, session
        return client

    def _keep(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        self._local.answer = answer


def _vector(result: Any) -> list[dict[str, Any]]:
    """A scalar answer is a pair instead of a list of series."""
    if len(result) == 2 and not isinstance(result[0], dict):
        return [{"metric": {}, "value": result}]
    return list(result)


def _sample(entry: dict[str, Any]) -> Sample:
    at_s, value = entry["value"]
    return Sample(entry["metric"], float(at_s), _number(value))


def _alerts(groups: Any) -> Alerts:
    rules = [rule for group in groups for rule in group["rules"] if rule["type"] == "alerting"]
    return Alerts(
        rules=len(rules),
        broken=tuple(f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")),
        firing=tuple(
            {str(name): str(value) for name, value in alert["labels"].items()}
            for rule in rules
            for alert in rule.get("alerts") or ()
            if alert["state"] == "firing"
        ),
    )


def _number(text: str) -> float | None:
    value = float(text)
    if math.isnan(value):
        return None
    return max(-sys.float_info.max, min(sys.float_info.max, value))


def _body(answer: requests.Response | None) -> dict[str, Any]:
    try:
        body = answer.json() if answer is not None else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
