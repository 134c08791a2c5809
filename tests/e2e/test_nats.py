"""A real JetStream cluster: its streams as topics, their loads, and moves that the servers confirm."""
import pytest

from daemons import run_ekctl, wait_for

RATE, SIZE = 200, 512


@pytest.fixture
def fleet(nats_cluster, aggregator, start_agent):
    """Three NATS nodes with two streams, watched by one agent."""
    nats_cluster.add_load(("ORDERS", RATE, SIZE, "n1"), ("METRICS", 50, 64, "n2"))
    nats_cluster.lead("ORDERS", "n1")
    nats_cluster.lead("METRICS", "n2")
    start_agent("host-1", [aggregator], nats_cluster.brokers())
    wait_for(lambda: owner(aggregator, "DEMO/ORDERS") == "n1", what="ORDERS on n1")
    wait_for(lambda: owner(aggregator, "DEMO/METRICS") == "n2", what="METRICS on n2")
    return aggregator


def owner(aggregator, topic):
    answer = run_ekctl(aggregator, "lookup", topic)
    return answer.json["broker"] if answer.code == 0 else None


def topics(aggregator, broker):
    answer = run_ekctl(aggregator, "reports", "--broker", broker)
    return {topic["name"]: topic for topic in answer.json.get("topics", [])}


# A stream counts where it is led, and nowhere else; its rates are those of the publisher.
def test_topics(fleet):
    def measured():
        topic = topics(fleet, "n1").get("DEMO/ORDERS", {})
        return topic if topic.get("bytes_in_per_s") else None

    wait_for(measured, what="a rate")
    seen = [wait_for(measured, what="a rate")["messages_in_per_s"] for _ in range(5)]
    assert RATE * 0.5 < sorted(seen)[2] < RATE * 1.5
    topic = measured()
    # A stored message is longer than its payload by its subject and head.
    assert SIZE < topic["bytes_in_per_s"] / topic["messages_in_per_s"] < SIZE + 200
    assert topic["storage_bytes"] > SIZE
    assert sorted(topic["candidates"]) == ["n2", "n3"]
    assert "DEMO/ORDERS" not in topics(fleet, "n2")
    assert "DEMO/ORDERS" not in topics(fleet, "n3")


# The network of nodes that share a namespace is each node's own count.
def test_network_of_each(fleet):
    def rates():
        rows = run_ekctl(fleet, "reports").json["brokers"]
        values = [row["net_rx_bytes_per_s"] for row in rows]
        return values if len(values) == 3 and all(values) else None

    assert len(set(wait_for(rates, what="three rates"))) == 3


# A move through the real actuator, to a target of our choice; the servers agree on the outcome.
def test_move(fleet, nats_cluster):
    dry = run_ekctl(fleet, "move", "DEMO/ORDERS", "--to", "n3", "--dry-run")
    assert dry.code == 0 and owner(fleet, "DEMO/ORDERS") == "n1"
    done = run_ekctl(fleet, "move", "DEMO/ORDERS", "--to", "n3", "--wait")
    assert done.code == 0, done
    assert done.json["outcome"] == "moved"
    assert {node.leaders()["ORDERS"] for node in nats_cluster.nodes.values()} == {"n3"}
    assert owner(fleet, "DEMO/ORDERS") == "n3"
    again = run_ekctl(fleet, "move", "DEMO/ORDERS", "--to", "n3", "--wait")
    assert again.json["outcome"] == "noop"


# A node that is killed is gone, and its stream is found where the others elect a leader.
def test_node_killed(fleet, nats_cluster):
    nats_cluster.nodes["n1"].kill()
    wait_for(lambda: owner(fleet, "DEMO/ORDERS") in ("n2", "n3"), 40, what="a new leader")
    states = {row["id"]: row["state"] for row in run_ekctl(fleet, "reports").json["brokers"]}
    assert states == {"n1": "gone", "n2": "fresh", "n3": "fresh"}
    assert "n1" not in [row["id"] for row in run_ekctl(fleet, "ranking").json["brokers"]]


# A move whose target dies on the way does not end well, and says so.
def test_target_killed(fleet, nats_cluster):
    nats_cluster.nodes["n3"].kill()
    wait_for(lambda: {row["id"]: row["state"] for row in
                      run_ekctl(fleet, "reports").json["brokers"]}["n3"] == "gone", what="n3 gone")
    refused = run_ekctl(fleet, "move", "DEMO/ORDERS", "--to", "n3", "--wait")
    assert refused.code == 3, refused
    assert "n3 is gone" in refused.err
