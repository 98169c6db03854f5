"""A writer of its own, to measure against: it posts transfers on a fixed schedule and logs what became of each.

It shares no code with what it checks. Phones log in before it begins; a line on its standard input begins it, SIGTERM
ends it. A transfer is due whether or not the one before was answered. As the bank's app does, a phone keeps what the
name said for as long as it may, goes to the next edge when one is silent, and asks again, under the same key, about a
transfer of which nobody knows what became of it. With `--stay` every phone keeps to one edge, whatever happens.

    python writer.py --name URL --edge NAME=URL ... --customers 9901-9932 --every-ms 50 --log FILE

Each line of the log: {"due_ns", "good_ns" (null: never), "edge"}, by the machine's monotonic clock.
"""

import argparse
import asyncio
import itertools
import json
import random
import signal
import sys
import time
import uuid
from pathlib import Path

import aiohttp

_CONNECT_S, _TIMEOUT_S, _PATIENCE_S = 1.0, 3.0, 10.0
_BACK_OFF_S = 0.3
_TRIES = 8


class Phone:
    """One customer's phone."""

    def __init__(self, customer, known, stay):
        self.customer, self.known, self.stay = customer, known, stay
        self.token, self.payee = "", 0
        self.at, self.edges, self.until_s = customer % len(known.edges), list(known.edges), 0.0

    def edge(self):
        """Where it goes now."""
        if not self.stay and time.monotonic() >= self.until_s:
            here = self.edges[self.at]
            self.edges, self.until_s = list(known_now := self.known.said), time.monotonic() + self.known.ttl_s
            self.at = known_now.index(here) if here in known_now else self.customer % len(known_now)
        return self.edges[self.at]

    def leave(self, edge):
        """That edge is silent."""
        if not self.stay and self.edges[self.at] == edge:
            self.at = (self.at + 1) % len(self.edges)


class Known:
    """What the name says, asked once a second."""

    def __init__(self, url, edges):
        self.url, self.edges, self.said, self.ttl_s = url, edges, list(edges), 5.0

    async def ask(self, http):
        async with http.get(self.url, timeout=aiohttp.ClientTimeout(2)) as answer:
            said = await answer.json(content_type=None)
        self.said, self.ttl_s = [one for one in said["edges"] if one in self.edges], float(said["ttl_s"])

    async def keep_asking(self, http):
        while True:
            await asyncio.sleep(1)
            try:
                await self.ask(http)
            except (aiohttp.ClientError, TimeoutError):
                continue  # the last answer stands


async def log_in(http, phone, url):
    name = phone.customer
    body = {"customer": name, "device": f"device-{name}", "password": f"pw-{name}"}
    async with http.post(f"{url}/v1/login", json=body) as answer:
        phone.token = (await answer.json())["token"]


async def attempt(http, phone, key, timeout_s):
    """Try once: "good", "not done" or "unknown", and where."""
    edge = phone.edge()
    headers = {
        "Authorization": f"Bearer {phone.token}", "Idempotency-Key": key,
        "X-Deadline-Ms": str(max(1, int(timeout_s * 1000))),
    }  # fmt: skip
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S)
    body = {"to": phone.payee, "amount": 1}
    try:
        async with http.post(
            f"{phone.known.edges[edge]}/v1/transfers", json=body, headers=headers, timeout=timeout
        ) as answer:
            said = await answer.json(content_type=None)
            if answer.status == 201:
                return ("good" if said["key"] == key else "unknown"), edge
            refused = answer.status < 500 or (isinstance(said, dict) and said.get("outcome") == "none")
            return ("not done" if refused else "unknown"), edge
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        phone.leave(edge)
        return "not done", edge
    except TimeoutError:
        phone.leave(edge)
        return "unknown", edge
    except (aiohttp.ClientError, ValueError):
        return "unknown", edge


async def transfer(http, phone, due_ns, log):
    """One transfer, asked about until it is known what became of it."""
    key, in_doubt, result, edge = str(uuid.uuid4()), False, "", ""
    for number in range(_TRIES):
        left_s = _PATIENCE_S - (time.monotonic_ns() - due_ns) / 1e9
        if left_s <= 0:
            break
        result, edge = await attempt(http, phone, key, min(_TIMEOUT_S, left_s))
        good_ns = time.monotonic_ns()
        in_doubt |= result == "unknown"
        if result == "good" or not in_doubt:
            break
        # Nobody pauses beyond his patience: who ends this waits for every try under way.
        pause_s = _BACK_OFF_S * 2**number * random.uniform(0.5, 1.5)
        await asyncio.sleep(min(pause_s, max(0.0, _PATIENCE_S - (time.monotonic_ns() - due_ns) / 1e9)))
    line = {"due_ns": due_ns, "good_ns": good_ns if result == "good" else None, "edge": edge}
    log.write(json.dumps(line) + "\n")
    log.flush()


async def write(http, phones, every_ns, log, ended):
    """Post until the end, then wait for what is under way."""
    turn, under_way = itertools.cycle(phones), set()
    due_ns = time.monotonic_ns()
    while not ended.is_set():
        task = asyncio.create_task(transfer(http, next(turn), due_ns, log))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        due_ns += every_ns
        await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
    await asyncio.gather(*under_way)


async def main(options, log):
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    known = Known(options.name, dict(edge.split("=", 1) for edge in options.edge))
    first, last = map(int, options.customers.split("-"))
    phones = [Phone(customer, known, options.stay) for customer in range(first, last + 1)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await known.ask(http)
        for phone, other in zip(phones, [*phones[1:], phones[0]], strict=True):
            phone.payee = other.customer
            await log_in(http, phone, known.edges[known.said[0]])
        asking = asyncio.create_task(known.keep_asking(http))
        print("ready", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        await write(http, phones, options.every_ms * 1_000_000, log, ended)
        asking.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--edge", action="append", required=True)
    parser.add_argument("--customers", required=True)
    parser.add_argument("--every-ms", type=int, default=50)
    parser.add_argument("--log", required=True)
    parser.add_argument("--stay", action="store_true")
    given = parser.parse_args()
    with Path(given.log).open("w", encoding="ascii") as written:
        asyncio.run(main(given, written))
