"""The node's DNS server: answers for its region, asks a node of another region for that region's names."""

from __future__ import annotations

import asyncio
import random
import struct
from contextlib import suppress
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from stormlab.node import names
from stormlab.node.context import NodeContext, log
from stormlab.node.services import ServiceTable

PORT = 53
_FORWARD_S = 0.7
_IN = dns.rdataclass.IN


class DnsServer:
    """UDP and TCP on the node's address."""

    def __init__(self, node: NodeContext, table: ServiceTable) -> None:
        self._node = node
        self._table = table
        self._regions = [region.name for region in node.estate.regions]
        self._answered: dict[str, str] = {}
        """Of another region, the address that answered last: a dead zone costs one wait, not each."""

    async def run(self) -> None:
        """Serve for ever. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        place = (self._node.zone.address, PORT)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=place)
        try:
            server = await asyncio.start_server(self._serve_stream, *place, backlog=64)
            async with server:
                await server.serve_forever()
        finally:
            transport.close()

    async def _serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                async with asyncio.timeout(10.0):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    wire = await reader.readexactly(length)
                answer = await self.answer(wire)
                if answer is None:
                    break
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        writer.close()

    async def answer(self, wire: bytes, limit: int = 65535) -> bytes | None:
        """Answer a query; longer than `limit` bytes is cut with the truncated flag; None for no query."""
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.flags & dns.flags.QR or len(query.question) != 1:
            return None
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        region = names.other_region(name, [one for one in self._regions if one != self._node.region.name])
        if region is not None:
            return await self._forward(region, wire) or _refuse(query, dns.rcode.SERVFAIL)
        response = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif not self._table.complete:
            response.set_rcode(dns.rcode.SERVFAIL)  # not "does not exist": nothing is known yet
        else:
            self._fill(response, name)
        try:
            return response.to_wire(max_size=limit)
        except dns.exception.TooBig:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str) -> None:
        local = names.local_part(name, self._node.region.name)
        domain = f"{self._node.region.name}.local"
        answer = names.NOTHING if local is None else names.resolve(local, self._table, domain)
        response.flags |= dns.flags.AA
        if not answer.found:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return
        question = response.question[0]
        records: dict[int, list[str]] = {
            dns.rdatatype.A: random.sample(answer.addresses, len(answer.addresses)),
            dns.rdatatype.SRV: [f"0 10 {port} {host}." for port, host in answer.targets],
        }
        if answer.alias:
            records = {question.rdtype: [f"{answer.alias}."]}
        values = records.get(question.rdtype)
        if values:
            kind = dns.rdatatype.CNAME if answer.alias else question.rdtype
            response.answer.append(dns.rrset.from_text_list(question.name, names.TTL_S, _IN, kind, values))

    async def _forward(self, region: str, wire: bytes) -> bytes | None:
        """Ask the nodes of another region one after the other, None when none answers."""
        addresses = [zone.address for zone in self._node.estate.region(region).zones]
        addresses.sort(key=lambda address: address != self._answered.get(region))
        for address in addresses:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_FORWARD_S):
                    answer = await _ask(address, wire)
                self._answered[region] = address
                return answer
        log.warning("no node of region %s answers DNS", region)
        return None


def _refuse(query: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(code)
    return response.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        task = asyncio.create_task(self._reply(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, data: bytes, addr: Any) -> None:
        answer = await self._server.answer(data, limit=1232)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


class _Question(asyncio.DatagramProtocol):
    def __init__(self, done: asyncio.Future[bytes]) -> None:
        self._done = done

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
        if not self._done.done():
            self._done.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(exc)


async def _ask(address: str, wire: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Question(done), remote_addr=(address, PORT))
    try:
        transport.sendto(wire)
        return await done
    finally:
        transport.close()
