"""Strangers on every listening port: nobody crashes, memory stays bounded, good peers are served."""
import os
import random
import resource
import socket
import struct
import threading
from urllib.parse import urlparse

import pytest

from conftest import need
from daemons import http_get, run_ekctl, wait_for

PUB, SUB, REQ, REP = 0x20, 0x21, 0x30, 0x31


def hello(protocol):
    return b"\0SP\0" + struct.pack(">HH", protocol, 0)


def frame(n_announced, body=b""):
    return struct.pack(">Q", n_announced) + body


def port_of(url):
    return urlparse(url).port


def ports(aggregator):
    """What strangers find: (port, the protocol that is welcome there)."""
    return [(port_of(aggregator.reports), PUB), (port_of(aggregator.decisions), REQ),
            (port_of(aggregator.queries), REQ), (port_of(aggregator.feed), SUB),
            (port_of(aggregator.http_url), 0)]


def stranger_at(port):
    """A connection from an address of its own: one that holds all the HTTP connections which an
    address may have cannot scrape either."""
    return socket.create_connection(("127.0.0.1", port), 10, source_address=("127.0.0.2", 0))


def attack(port, *pieces):
    """Connects, sends, and goes away without listening."""
    with stranger_at(port) as stranger:
        for piece in pieces:
            try:
                stranger.sendall(piece)
            except OSError:
                return


def resident_bytes(daemon):
    with open(f"/proc/{daemon.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def still_serves(aggregator):
    aggregator.check()
    answer = run_ekctl(aggregator, "status")
    assert answer.code == 0, answer
    assert http_get(aggregator.http_url + "/healthz")[0] == 200


@pytest.fixture
def fleet(aggregator, start_agent):
    """An aggregator with an agent that reports to it throughout."""
    start_agent("host-1", [aggregator], [{"id": "b1", "match": {"pid_file": "/nonexistent"}}])
    wait_for(lambda: http_get(aggregator.http_url + "/readyz")[0] == 200, what="a report")
    return aggregator


# Random bytes, with and without a proper beginning, on every port.
def test_random_bytes(fleet):
    chance = random.Random(7)
    before = resident_bytes(fleet)
    for _ in range(60):
        for port, protocol in ports(fleet):
            noise = chance.randbytes(chance.randrange(1, 2000))
            attack(port, noise)
            attack(port, hello(protocol), frame(len(noise)), noise)
            attack(port, hello(protocol), frame(len(noise) + 1), noise)
    still_serves(fleet)
    assert resident_bytes(fleet) - before < 32 << 20


# Lengths that no message has: 1 GiB, 2^63, all ones; nothing is set aside for them.
@pytest.mark.parametrize("length", [1 << 30, 1 << 63, (1 << 64) - 1])
def test_huge_length(fleet, length):
    before = resident_bytes(fleet)
    for port, protocol in ports(fleet):
        for _ in range(10):
            attack(port, hello(protocol), frame(length, b"x" * 1000))
    still_serves(fleet)
    assert resident_bytes(fleet) - before < 16 << 20


# Half hellos and half messages that stay open: the rest of the world does not wait for them.
def test_half_messages(fleet):
    strangers = []
    try:
        for port, protocol in ports(fleet):
            for text in (b"\0SP", hello(protocol), hello(protocol) + frame(500, b"half"), b"GET /"):
                for _ in range(10):
                    strangers.append(stranger_at(port))
                    strangers[-1].sendall(text)
        still_serves(fleet)
    finally:
        for stranger in strangers:
            stranger.close()
    still_serves(fleet)


# A thousand connections on every socket at once that only say hello, to an aggregator that was
# started with the usual limit of 1024 descriptors.
def test_thousand_connections(start_aggregator, start_agent):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    need(hard >= 8192, "a hard limit of 8192 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        aggregator = start_aggregator()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (8192, hard))
    start_agent("host-1", [aggregator], [{"id": "b1", "match": {"pid_file": "/nonexistent"}}])
    before = resident_bytes(aggregator)
    strangers = []
    try:
        for port, protocol in ports(aggregator)[:4]:
            for _ in range(1000):
                strangers.append(stranger_at(port))
                strangers[-1].sendall(hello(protocol))
        still_serves(aggregator)
    finally:
        for stranger in strangers:
            stranger.close()
    still_serves(aggregator)
    assert resident_bytes(aggregator) - before < 128 << 20


# A peer that asks and never reads, and a listener of the feed that never reads.
def test_slow_peers(fleet):
    queries, feed = port_of(fleet.queries), port_of(fleet.feed)
    lazy, asker = stranger_at(feed), stranger_at(queries)
    try:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(hello(SUB))
        asker.sendall(hello(REQ))
        asker.settimeout(0.2)
        body = struct.pack(">I", 0x80000001) + b"\x9a\x01"
        try:
            for _ in range(2000):
                asker.sendall(frame(len(body), body))
        except OSError:
            pass
        still_serves(fleet)
    finally:
        asker.close()
        lazy.close()
    still_serves(fleet)


# The page of numbers flooded from many sides: the queries go on.
def test_http_flood(fleet):
    stop = threading.Event()

    def scrape():
        while not stop.is_set():
            http_get(fleet.http_url + "/metrics", within=2)

    floods = [threading.Thread(target=scrape) for _ in range(8)]
    for flood in floods:
        flood.start()
    try:
        for _ in range(20):
            assert run_ekctl(fleet, "ranking").code == 0
    finally:
        stop.set()
        for flood in floods:
            flood.join()


# HTTP that is no GET, or none at all, is turned away.
@pytest.mark.parametrize("request_line, status", [
    (b"POST /metrics HTTP/1.1", b"405"), (b"DELETE / HTTP/1.1", b"405"),
    (b"GET /%00 HTTP/1.1", b"404"), (b"GET /../../etc/passwd HTTP/1.1", b"404"),
])
def test_http_refusals(fleet, request_line, status):
    with socket.create_connection(("127.0.0.1", port_of(fleet.http_url)), timeout=5) as stranger:
        stranger.sendall(request_line + b"\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert stranger.recv(100).split()[1] == status
