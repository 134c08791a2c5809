"""nng before 1.6 can wedge so that no connection of the process ever ends or is made again. Strangers
provoke it; the canary must notice, and the daemon end in order, to be started again."""
import socket
import struct
import time
from urllib.parse import urlparse

from daemons import run_ekctl, wait_for
from speaker import encode

STRANGERS, IN_FLIGHT = 64, 16
HELLO_REQ = b"\0SP\0" + struct.pack(">HH", 0x30, 0)


def vanish(url):
    """Many strangers with many queries each, that go away while they are answered."""
    strangers = []
    for _ in range(STRANGERS):
        stranger = socket.create_connection(("127.0.0.1", urlparse(url).port), timeout=5)
        strangers.append(stranger)
        stranger.sendall(HELLO_REQ)
    for number in range(IN_FLIGHT):
        body = struct.pack(">I", 0x80000000 | number) + encode("query", {"verb": "status"}, "s", 1, 1)
        for stranger in strangers:
            stranger.sendall(struct.pack(">Q", len(body)) + body)
    for stranger in strangers:
        stranger.close()


def n_ranked(aggregator):
    answer = run_ekctl(aggregator, "ranking")
    return len(answer.json["brokers"]) if answer.code == 0 else 0


def test_wedged_aggregator(aggregator, start_agent, start_process):
    brokers = []
    for i in range(3):
        process = start_process(f"b{i}", "sleep", "300")
        pid_file = f"{process.log_path}.pid"
        with open(pid_file, "w", encoding="ascii") as file:
            file.write(str(process.pid))
        brokers.append({"id": f"b{i}", "match": {"pid_file": pid_file}})
    agents = [start_agent(f"host-{i}", [aggregator], [entry]) for i, entry in enumerate(brokers)]
    wait_for(lambda: n_ranked(aggregator) == 3, what="three brokers")

    defective = any('version="1.5' in key for key in aggregator.metrics() if "nng_info" in key)
    end = time.monotonic() + 60
    while aggregator.running and time.monotonic() < end:
        try:
            vanish(aggregator.queries)
        except OSError:
            pass
        if not defective:
            break
        time.sleep(0.1)
    if not defective:
        assert run_ekctl(aggregator, "status").code == 0
        return
    assert aggregator.process.poll() == 75, aggregator.log()[-2000:]
    assert any(event["level"] == "error" for event in aggregator.events())

    aggregator.start()
    started = time.monotonic()
    wait_for(lambda: n_ranked(aggregator) == 3, 10, "the whole fleet")
    assert time.monotonic() - started < 3.5
    for agent in agents:
        agent.check()
