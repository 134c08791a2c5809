"""deploy/quickstart --once, as a newcomer runs it, with binaries that are built already."""
import json
import os
import shutil
import subprocess

from conftest import need
from daemons import BIN, TREE


def run_quickstart(*arguments):
    return subprocess.run([os.path.join(TREE, "deploy", "quickstart"), *arguments], text=True,
                          env={**os.environ, "EVENKEEL_BIN": BIN}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240, check=False)


# Three brokers, measured and different; one move that the brokers themselves confirm; no traces.
def test_once():
    need(os.geteuid() == 0, "root")
    for program in ("nats-server", "cgcreate", "jq", "curl"):
        need(shutil.which(program), program)
    done = run_quickstart("--once")
    assert done.returncode == 0, done.stderr[-6000:]
    result = json.loads(done.stdout)

    assert sorted(broker["id"] for broker in result["brokers"]) == ["n1", "n2", "n3"]
    for key in ("cpu_ratio", "cpu_cores", "memory_bytes", "net_rx_bytes_per_s", "net_tx_bytes_per_s"):
        values = [broker[key] for broker in result["brokers"]]
        assert all(value > 0 for value in values), (key, values)
        assert len(set(values)) == 3, (key, values)
    assert all(broker["state"] == "fresh" for broker in result["brokers"])
    assert all(0 < broker["score"] <= 1 for broker in result["brokers"])

    scores = {broker["id"]: broker["score"] for broker in result["brokers"]}
    assert sorted(result["ranking"]) == ["n1", "n2", "n3"]
    assert scores[result["ranking"][0]] < scores[result["ranking"][-1]]
    move = result["move"]
    assert move["outcome"] == "moved"
    assert (move["from"], move["to"]) == (result["ranking"][-1], result["ranking"][0])
    assert 0 < move["seconds"] < 60
    assert f"is led by {move['to']}" in done.stderr

    assert not os.path.exists("/var/lib/evenkeel-quickstart")
    for controller in ("cpu", "cpuacct", "memory", "."):
        assert not os.path.exists(f"/sys/fs/cgroup/{controller}/evenkeel-quickstart")


# What it cannot read as an argument is told at once, before anything is installed.
def test_usage():
    done = run_quickstart("--twice")
    assert done.returncode == 64
    assert "usage: deploy/quickstart" in done.stderr
    assert run_quickstart("--help").returncode == 0
