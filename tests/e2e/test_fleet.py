"""The fleet as an independent speaker of the protocol sees it: as agent, as broker, as listener."""
import threading
import time

import pytest

from daemons import http_get, wait_for
from speaker import Agent, Client, Feed, Sp, PUB, REQ, decode, encode, receipt


@pytest.fixture
def speak(aggregator):
    """speak.agent(node), speak.client(), speak.feed(): speakers that are closed at the end."""
    class Speak:
        opened = []

        def keep(self, speaker):
            self.opened.append(speaker)
            return speaker

        def agent(self, node, **options):
            return self.keep(Agent(node, reports=aggregator.reports,
                                   decisions=aggregator.decisions, **options))

        def client(self):
            return self.keep(Client(aggregator.queries))

        def feed(self):
            return self.keep(Feed(aggregator.feed))

    speak = Speak()
    yield speak
    for speaker in speak.opened:
        speaker.close()


def broker(name, cpu=None, memory=None, topics=(), **fields):
    """A broker of a report; cpu and memory in percent."""
    values = {}
    if cpu is not None:
        values["cpu_ratio"] = cpu / 100
    if memory is not None:
        values["memory_ratio"] = memory / 100
    peers = fields.pop("peers", [])
    loads = [{"name": topic, "movable": True, "candidates": (1 << len(peers)) - 1} for topic in topics]
    return {"id": name, "state": "up", "values": values, "topics_known": True, "topics": loads,
            "peers": peers, **fields}


def names(prefix, n):
    return [f"{prefix}{i}" for i in range(n)]


def publish_until(agent, brokers, condition, what, within=10):
    """Publishes the same brokers each 100 ms until it is true: a first report may come too early."""
    def step():
        agent.publish(brokers)
        return condition()
    return wait_for(step, within, what, every=0.1)


def ranked(client):
    return [row["id"] for row in client.query("ranking")["brokers"]]


def reports_counted(aggregator, reason=None):
    name = "evenkeel_reports_accepted_total"
    if reason:
        name = f'evenkeel_reports_refused_total{{reason="{reason}"}}'
    return aggregator.metrics().get(name, 0)


# The three brokers of the documentation: 10, 50, 30 % CPU; 20, 60, 40 % memory; 5, 10, 3 topics.
def test_ranking(speak):
    client = speak.client()
    loads = {"a": (10, 20, 5), "b": (50, 60, 10), "c": (30, 40, 3)}
    for node, (cpu, memory, n) in loads.items():
        brokers = [broker(node, cpu, memory, names(node, n))]
        publish_until(speak.agent(f"node-{node}"), brokers, lambda: node in ranked(client), node)
    answer = client.query("ranking")
    assert [row["id"] for row in answer["brokers"]] == ["a", "c", "b"]
    # Weights .25, .20 and .10 over what is known, each against the largest of the fleet.
    scores = {row["id"]: row["score"] for row in answer["brokers"]}
    for node, (cpu, memory, n) in loads.items():
        score = (.25 * cpu / 50 + .20 * memory / 60 + .10 * n / 10) / (.25 + .20 + .10)
        assert scores[node] == pytest.approx(score, abs=1e-6)


# A topic gets one broker, and keeps it until it is released.
def test_assign_lookup_release(speak):
    client = speak.client()
    publish_until(speak.agent("node-1"), [broker("b1", 10), broker("b2", 50)],
                  lambda: len(ranked(client)) == 2, "two brokers")
    assert client.query("lookup", topic="t")["status"] == "not_found"
    first = client.query("assign", topic="t")
    assert (first["status"], first["placement"]["broker"]) == ("ok", "b1")
    assert first["placement"]["source"] == "assigned"
    for verb in ("assign", "lookup"):
        assert client.query(verb, topic="t")["placement"] == first["placement"]
    assert client.query("release", topic="t")["status"] == "ok"
    assert client.query("lookup", topic="t")["status"] == "not_found"


# A broker that shows a topic owns it, whoever was assigned.
def test_observed_owner(speak):
    client = speak.client()
    agent = speak.agent("node-1")
    publish_until(agent, [broker("b1", 10), broker("b2", 50)], lambda: len(ranked(client)) == 2,
                  "two brokers")
    assert client.query("assign", topic="t")["placement"]["broker"] == "b1"
    publish_until(agent, [broker("b1", 10), broker("b2", 50, topics=["t"])],
                  lambda: client.query("lookup", topic="t")["placement"]["broker"] == "b2", "b2")
    assert client.query("lookup", topic="t")["placement"]["source"] == "observed"


# What is wrong with a report is told by reason, counted, and nothing of it is applied.
def test_refused_reports(speak, aggregator):
    client = speak.client()
    agent = speak.agent("node-1", interval_s=5)
    publish_until(agent, [broker("b1", 10)], lambda: ranked(client) == ["b1"], "b1")

    def refused(reason, send):
        before = reports_counted(aggregator, reason)
        send()
        wait_for(lambda: reports_counted(aggregator, reason) == before + 1, 5, reason)

    late = [broker("b1", 90)]
    refused("seq_back", lambda: agent.publish(late, seq=1))
    refused("time_back", lambda: agent.publish(late, at_us=1))
    refused("clock_jump", lambda: agent.publish(
        late, sent_unix_us=time.time_ns() // 1000 + 3600 * 10**6))
    thief = speak.agent("node-2", interval_s=5)
    publish_until(thief, [broker("b2", 10)], lambda: "b2" in ranked(client), "b2")
    refused("owner_conflict", lambda: thief.publish([broker("b2", 10), broker("b1", 90)]))
    # A later boot of the agent speaks for the node; the earlier one is heard no more.
    old_boot, agent.boot_id = agent.boot_id, agent.boot_id ^ 1
    publish_until(agent, [broker("b1", 20)],
                  lambda: client.query("reports", broker="b1")["brokers"][0]["values"]["cpu_ratio"] ==
                  pytest.approx(0.2), "the new boot")
    agent.boot_id = old_boot
    refused("old_boot", lambda: agent.publish(late, seq=10**6))
    row = client.query("reports", broker="b1")["brokers"][0]
    assert row["values"]["cpu_ratio"] == pytest.approx(0.2)
    assert row["node"] == "node-1"


# A newer major version is told which one is spoken here; an unknown verb is a bad query.
def test_newer_version(speak, aggregator):
    with Sp(aggregator.queries, REQ) as sp:
        newer = b"\x9a\x02" + encode("query", {"verb": "status"}, "someone", 1, 1)[2:]
        answer = decode(sp.request(newer)).payload
        assert answer["status"] == "unsupported"
        assert "1" in answer["text"] and "2" in answer["text"]
        answer = decode(sp.request(encode("query", {"verb": 99}, "someone", 1, 2))).payload
        assert answer["status"] == "bad_query"
    with Sp(aggregator.decisions, REQ) as sp:
        newer = b"\x9a\x02" + encode("poll", {}, "node-1", 1, 1)[2:]
        assert decode(sp.request(newer)).payload["status"] == "unsupported"
    with Sp(aggregator.reports, PUB) as sp:
        sp.send(b"\x9a\x02" + encode("report", {"at_us": 1, "interval_us": 10**6}, "n", 1, 1)[2:])
        wait_for(lambda: reports_counted(aggregator, "unsupported") == 1, 5, "the count")


# The ranking is told on the feed as it changes, versions growing.
def test_feed(speak):
    feed, client = speak.feed(), speak.client()
    agent = speak.agent("node-1")
    versions = []

    def listen_for(order):
        for message in feed.messages(timeout=3):
            if message["kind"] == "ranking":
                versions.append(message["version"])
                if [row["id"] for row in message["brokers"]] == order:
                    return
        raise AssertionError(f"{order} was not told")

    publish_until(agent, [broker("a", 10), broker("b", 50)], lambda: len(ranked(client)) == 2, "two")
    listen_for(["a", "b"])
    agent.publish([broker("a", 90), broker("b", 50)])
    listen_for(["b", "a"])
    assert versions == sorted(set(versions))


class Pair:
    """Two brokers of one node that a speaker plays: topic "t" is on b1, and may move to b2."""

    def __init__(self, speak):
        self.client, self.agent = speak.client(), speak.agent("node-1", interval_s=0.5)
        self.owner = "b1"
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.report, daemon=True)
        self.thread.start()
        wait_for(lambda: self.client.query("lookup", topic="t")["status"] == "ok", 10, "topic t")

    def report(self):
        while not self.stop.is_set():
            self.agent.publish([
                broker(name, 10, topics=["t"] if self.owner == name else [], actuator=True,
                       peers=["b2", "b3"]) for name in ("b1", "b2", "b3")])
            self.stop.wait(0.1)

    def move(self, to="b2", **options):
        return self.client.query("move", topic="t", broker=to, **options)

    def outcome(self, within=10):
        """The move's row when it has ended."""
        def ended():
            move = self.client.query("moves")["moves"][0]
            return move if move["state"] == "ended" else None
        return wait_for(ended, within, "the end of the move")

    def close(self):
        self.stop.set()
        self.thread.join()


@pytest.fixture
def pair(speak):
    pair = Pair(speak)
    yield pair
    pair.close()


# From the query to the owner that a report shows, every step a message of the protocol.
def test_move(pair, speak):
    feed = speak.feed()
    states = []

    def judge(decision):
        assert (decision["from"], decision["to"], decision["topic"]) == ("b1", "b2", "t")
        assert decision["boot_id"] == pair.agent.boot_id
        # The deadline of 60 s, counted from when the poll was sent: held for at most 10 s.
        assert 0 < decision["expires_in_us"] <= 70 * 10**6
        pair.owner = "b2"
        pair.agent.applied_seq = decision["seq"]
        return [receipt(decision, "accepted"), receipt(decision, "succeeded")]

    with pair.agent.polling(judge) as decisions:
        assert pair.move()["moves"][0]["outcome"] == "undecided"
        assert pair.outcome()["outcome"] == "moved"
    assert len({(d["epoch"], d["seq"]) for d in decisions}) == 1
    for message in feed.messages(timeout=1):
        if message["kind"] == "move":
            states.append(message["move"]["state"])
    assert states[-1] == "ended"
    assert pair.client.query("lookup", topic="t")["placement"]["broker"] == "b2"


# The actuator's word is not believed: the topic is where the reports show it.
@pytest.mark.parametrize("said, shown, outcome", [
    ("succeeded", "b3", "elsewhere"), ("failed", "b1", "failed"), ("failed", "b2", "moved")])
def test_owner_decides(pair, said, shown, outcome):
    def judge(decision):
        pair.owner = shown
        pair.agent.applied_seq = decision["seq"]
        return [receipt(decision, "accepted"), receipt(decision, said, "so it says")]

    with pair.agent.polling(judge):
        pair.move()
        assert pair.outcome()["outcome"] == outcome


# A refusal of the agent ends the move, with the agent's words.
def test_refused_by_agent(pair):
    with pair.agent.polling(lambda d: [receipt(d, "no_actuator", "nothing here can move it")]):
        pair.move()
        ended = pair.outcome()
    assert (ended["outcome"], ended["text"]) == ("refused", "nothing here can move it")




# What a rule forbids is answered at once, and a dry run changes nothing.
def test_move_refusals(pair):
    assert pair.move(dry_run=True)["moves"][0]["outcome"] == "undecided"
    assert pair.move(to="b1", dry_run=True)["moves"][0]["outcome"] == "noop"
    assert pair.client.query("moves")["moves"] == []
    assert pair.move(to="nobody")["status"] == "not_found"
    assert pair.client.query("move", topic="no such", broker="b2")["status"] == "not_found"
    assert pair.move(to="b1")["moves"][0]["outcome"] == "noop"


# Two hundred agents that report in one instant: every report counts.
def test_burst_in_phase(speak, aggregator):
    agents = [speak.keep(Agent(f"node-{i:03}", reports=aggregator.reports)) for i in range(200)]
    client = speak.client()
    topics = [{"name": f"topic-{i:04}", "storage_bytes": i} for i in range(150)]

    def shout(number):
        for i, agent in enumerate(agents):
            agent.publish([{**broker(f"b-{i:03}", i % 100), "topics": []}] if number else
                          [{**broker(f"b-{i:03}", i % 100),
                            "topics": [{**t, "name": f"{i}-{t['name']}"} for t in topics]}])

    for number in range(3):
        shout(number)
        wait_for(lambda: reports_counted(aggregator) == 200 * (number + 1), 10,
                 f"all reports of round {number}")
    assert len(ranked(client)) == 200
    assert http_get(aggregator.http_url + "/healthz")[0] == 200


# An agent that takes the decision and never says a word about it: the deadline ends the move.
def test_deadline(start_aggregator):
    aggregator = start_aggregator("hasty", moves={"deadline": "2s"})

    class Speak:
        def agent(self, node, **options):
            return Agent(node, reports=aggregator.reports, decisions=aggregator.decisions, **options)

        def client(self):
            return Client(aggregator.queries)

    pair = Pair(Speak())
    try:
        with pair.agent.polling(lambda decision: []) as decisions:
            pair.move()
            ended = pair.outcome()
        assert ended["outcome"] == "timed_out"
        assert 1.9 < ended["seconds"] < 4
        # It is sent again for want of a receipt, always as the same decision.
        assert len({(d["epoch"], d["seq"]) for d in decisions}) == 1
    finally:
        pair.close()


# Two aggregators at once: both may move, and neither takes the other's decisions for its own, nor
# outbids the other's epoch when nothing is to be decided.
def test_two_aggregators(start_aggregator, start_agent, folder, start_process):
    aggregators = [start_aggregator(name, polls={"hold": "1s"}) for name in ("first", "second")]
    process = start_process("b1", "sleep", "300")
    with open(f"{folder}/b1.pid", "w", encoding="ascii") as file:
        file.write(str(process.pid))
    start_agent("host-1", aggregators, [{"id": "b1", "match": {"pid_file": f"{folder}/b1.pid"}}])
    clients = [Client(each.queries) for each in aggregators]
    try:
        for client in clients:
            wait_for(lambda: ranked(client) == ["b1"], what="b1")
        epochs = [client.query("status")["fleet"]["epoch"] for client in clients]
        time.sleep(3)  # three polls at each
        assert [client.query("status")["fleet"]["epoch"] for client in clients] == epochs
    finally:
        for client in clients:
            client.close()
