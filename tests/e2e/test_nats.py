"""The main job on a real NATS cluster: sample, rank, move, notice who is gone."""
import pytest

from daemons import wait_for


@pytest.fixture
def fleet(nats_cluster, aggregator, start_agent, processes):
    """Three brokers with different load, watched by one agent."""
    nats_cluster.add_load(("ORDERS", 800, 1024, "n1"), ("CLICKS", 400, 256, "n1"),
                          ("METRICS", 200, 256, "n2"), ("AUDIT", 20, 128, "n3"))
    processes.append(nats_cluster.load)
    for stream, node in (("ORDERS", "n1"), ("CLICKS", "n1"), ("METRICS", "n2"), ("AUDIT", "n3")):
        nats_cluster.lead(stream, node)
    start_agent("host-1", [aggregator], nats_cluster.brokers())
    return nats_cluster


def reports(ekctl):
    answer = ekctl("reports")
    return {broker["id"]: broker for broker in (answer.json or {}).get("brokers", [])}


def ranking(ekctl):
    return [broker["id"] for broker in (ekctl("ranking").json or {}).get("brokers", [])]


def owner(ekctl, topic):
    return (ekctl("lookup", topic).json or {}).get("broker")


def is_measured(ekctl):
    brokers = reports(ekctl)
    return len(brokers) == 3 and all(
        b["cpu_ratio"] and b["net_rx_bytes_per_s"] and b["topics"] for b in brokers.values())


# The broker with the load is last; its stream moves to the first; every NATS server says so, too.
def test_a_leader_moves(fleet, ekctl):
    wait_for(lambda: is_measured(ekctl), 30, "every broker's load")
    wait_for(lambda: ranking(ekctl)[-1:] == ["n1"], 30, "n1 to be the most loaded")
    brokers = reports(ekctl)
    assert {b["state"] for b in brokers.values()} == {"fresh"}
    assert brokers["n1"]["net_rx_bytes_per_s"] != brokers["n2"]["net_rx_bytes_per_s"]
    if fleet.in_cgroups:
        assert brokers["n1"]["memory_bytes"] > 1_000_000

    dry = ekctl("move", "DEMO/ORDERS", "--to", "n3", "--dry-run")
    assert dry.code == 0, dry
    assert fleet.nodes["n1"].leaders()["ORDERS"] == "n1"

    move = ekctl("move", "DEMO/ORDERS", "--to", "n3", "--wait")
    assert move.code == 0, move
    assert move.json["outcome"] == "moved", move
    for node in fleet.nodes.values():
        wait_for(lambda node=node: node.leaders().get("ORDERS") == "n3", 10, f"{node.name} to agree")
    assert owner(ekctl, "DEMO/ORDERS") == "n3"

    again = ekctl("move", "DEMO/ORDERS", "--to", "n3", "--wait")
    assert again.code == 0, again
    assert again.json["outcome"] == "noop", again
    assert ekctl("move", "DEMO/ORDERS", "--to", "n3", "--dry-run").code == 2


# A killed broker is gone within the staleness bound, neither ranked nor assigned to; its streams
# are seen where NATS has elected their new leaders.
def test_a_killed_broker_is_gone(fleet, ekctl):
    wait_for(lambda: is_measured(ekctl), 30, "every broker's load")
    fleet.nodes["n2"].kill()
    wait_for(lambda: reports(ekctl)["n2"]["state"] == "gone", 10, "n2 to be gone")
    assert sorted(ranking(ekctl)) == ["n1", "n3"]
    for i in range(6):
        placement = ekctl("assign", f"DEMO/new-{i}")
        assert placement.code == 0, placement
        assert placement.json["broker"] in ("n1", "n3")
    wait_for(lambda: owner(ekctl, "DEMO/METRICS") in ("n1", "n3"), 30, "METRICS to be led by another")
    fleet.nodes["n2"].start()
    wait_for(lambda: sorted(ranking(ekctl)) == ["n1", "n2", "n3"], 30, "n2 to be back")


# The aggregator is killed and comes back with nothing: the reports tell it everything again.
def test_the_aggregator_comes_back(fleet, aggregator, ekctl):
    wait_for(lambda: is_measured(ekctl), 30, "every broker's load")
    aggregator.kill()
    aggregator.start()
    wait_for(lambda: sorted(ranking(ekctl)) == ["n1", "n2", "n3"], 10, "the ranking to be whole")
    move = ekctl("move", "DEMO/CLICKS", "--to", "n2", "--wait")
    assert move.code == 0 and move.json["outcome"] == "moved", move
