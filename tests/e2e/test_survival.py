"""Processes that die: brokers, agents, the aggregator."""
import os
import signal
import subprocess
import sys
import time

import pytest

from daemons import run_ekctl, wait_for

INTERVAL_S = 0.5

BURNER = """
import os, sys, time
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()))
share = float(sys.argv[2])
while True:
    end = time.thread_time() + 0.02 * share
    while time.thread_time() < end:
        pass
    time.sleep(0.02 * (1 - share))
"""


@pytest.fixture
def start_burner(start_process, folder):
    """start_burner(id, share) -> (process, its entry in an agent's configuration): uses CPU."""
    def start(broker, share=0.3):
        pid_file = os.path.join(folder, f"{broker}.pid")
        process = start_process(broker, sys.executable, "-c", BURNER, pid_file, str(share))
        wait_for(lambda: os.path.exists(pid_file) and open(pid_file, encoding="ascii").read(),
                 what="the burner's pid file")
        return process, {"id": broker, "match": {"pid_file": pid_file}}
    return start


def ranking(aggregator):
    answer = run_ekctl(aggregator, "ranking")
    return [row["id"] for row in answer.json["brokers"]] if answer.code == 0 else None


def broker(aggregator, broker_id):
    answer = run_ekctl(aggregator, "reports", "--broker", broker_id)
    return answer.json["brokers"][0] if answer.code == 0 else None


def await_ranking(aggregator, expected, within=15):
    return wait_for(lambda: ranking(aggregator) == expected and expected, within,
                    f"the ranking {expected}")


# The one that burns is below the one that idles, and its numbers are its own.
def test_burner_is_ranked_last(aggregator, start_agent, start_burner):
    _, busy = start_burner("a-busy", 0.5)
    _, idle = start_burner("b-idle", 0.05)
    start_agent("host-1", [aggregator], [busy, idle])
    wait_for(lambda: (broker(aggregator, "a-busy") or {}).get("cpu_cores"), what="a CPU rate")
    await_ranking(aggregator, ["b-idle", "a-busy"])
    cores = {name: broker(aggregator, name)["cpu_cores"] for name in ("a-busy", "b-idle")}
    assert 0 < cores["a-busy"] < 1.1
    assert cores["b-idle"] < cores["a-busy"] / 2


# A broker that is killed is gone within the staleness bound: not ranked, not assigned to.
def test_broker_killed(aggregator, start_agent, start_burner):
    process, dying = start_burner("dying")
    _, living = start_burner("living")
    start_agent("host-1", [aggregator], [dying, living])
    wait_for(lambda: sorted(ranking(aggregator) or []) == ["dying", "living"], what="both brokers")
    process.kill()
    started = time.monotonic()
    await_ranking(aggregator, ["living"])
    assert time.monotonic() - started < 3 * INTERVAL_S + 1
    assert broker(aggregator, "dying")["state"] == "gone"
    for i in range(5):
        assert run_ekctl(aggregator, "assign", f"topic-{i}").json["broker"] == "living"


# An agent that is stopped is stale after three intervals, and fresh again when it goes on.
def test_agent_stopped(aggregator, start_agent, start_burner):
    _, entry = start_burner("b1")
    agent = start_agent("host-1", [aggregator], [entry])
    await_ranking(aggregator, ["b1"])
    agent.send(signal.SIGSTOP)
    try:
        wait_for(lambda: broker(aggregator, "b1")["state"] == "stale", 10, what="staleness")
        assert not ranking(aggregator)
        assert run_ekctl(aggregator, "assign", "t").code == 75
    finally:
        agent.send(signal.SIGCONT)
    await_ranking(aggregator, ["b1"])


# After SIGKILL of the aggregator the agents carry on, and the ranking is whole within three
# intervals of its return.
def test_aggregator_killed(aggregator, start_agent, start_burner):
    entries = [start_burner(f"b{i}", 0.05)[1] for i in range(3)]
    agents = [start_agent(f"host-{i}", [aggregator], [entries[i]]) for i in range(3)]
    wait_for(lambda: len(ranking(aggregator) or []) == 3, what="three brokers")
    aggregator.kill()
    assert run_ekctl(aggregator, "--timeout", "1s", "status").code == 69
    aggregator.start()
    started = time.monotonic()
    wait_for(lambda: len(ranking(aggregator) or []) == 3, what="three brokers again")
    # Reconnecting takes up to 2 s and the time until the next report; the bound is of the issue's
    # five-second interval: three of them.
    assert time.monotonic() - started < 2.5 + 3 * INTERVAL_S
    for agent in agents:
        agent.check()


# The aggregator that is stopped for a while, and then goes on, believes nothing stale.
def test_aggregator_stopped(aggregator, start_agent, start_burner):
    _, entry = start_burner("b1")
    agent = start_agent("host-1", [aggregator], [entry])
    await_ranking(aggregator, ["b1"])
    aggregator.send(signal.SIGSTOP)
    agent.kill()
    subprocess.run(["sleep", "2"], check=True)  # longer than three intervals
    aggregator.send(signal.SIGCONT)
    wait_for(lambda: broker(aggregator, "b1")["state"] != "fresh", 10, what="staleness")


# The same host with a new agent process is the same broker again, at once.
def test_agent_restarted(aggregator, start_agent, start_burner):
    _, entry = start_burner("b1")
    agent = start_agent("host-1", [aggregator], [entry])
    await_ranking(aggregator, ["b1"])
    agent.kill()
    agent.start()
    wait_for(lambda: (broker(aggregator, "b1") or {}).get("cpu_cores") is not None,
             what="numbers of the new process")
    assert ranking(aggregator) == ["b1"]
    refused = sum(value for key, value in aggregator.metrics().items()
                  if key.startswith("evenkeel_reports_refused_total"))
    assert refused == 0


# An agent reports to every aggregator that it knows; one of them may be gone.
def test_two_aggregators(start_aggregator, start_agent, start_burner):
    first, second = start_aggregator("first"), start_aggregator("second")
    _, entry = start_burner("b1")
    start_agent("host-1", [first, second], [entry])
    for each in (first, second):
        await_ranking(each, ["b1"])
    first.kill()
    before = second.metrics()["evenkeel_reports_accepted_total"]
    wait_for(lambda: second.metrics()["evenkeel_reports_accepted_total"] > before + 2,
             what="reports to the second")
    assert ranking(second) == ["b1"]
