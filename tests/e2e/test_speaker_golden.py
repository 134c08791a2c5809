"""The golden messages of version 1, read and written by the independent speaker."""

import pathlib

import pytest

import speaker

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "wire"

VALUES = {
    "cpu_cores": 1.5, "cpu_limit_cores": 4, "cpu_ratio": 0.375,
    "cpu_throttled_ratio": "first_sample", "memory_bytes": 268435456,
    "memory_working_set_bytes": "reset", "memory_limit_bytes": "unlimited",
    "memory_ratio": "unsupported", "disk_read_bytes_per_s": "denied",
    "disk_write_bytes_per_s": "failed", "disk_used_bytes": "unconfigured",
    "disk_total_bytes": "gone", "net_rx_bytes_per_s": "shared", "net_tx_bytes_per_s": 2**53,
}

NO_VALUES = dict.fromkeys(speaker.TOPIC_VALUES)

TOPICS = [
    {"name": "$G/orders", "movable": True, "candidates": 3, "messages_in_per_s": 1000.5,
     "bytes_in_per_s": 256128, "messages_out_per_s": 0.25, "bytes_out_per_s": 0,
     "storage_bytes": 5000000000, "backlog_messages": "unsupported", "producers": 2,
     "consumers": 300},
    {"name": "$G/größen", "movable": False, "candidates": 0, **NO_VALUES,
     "messages_in_per_s": "first_sample"},
]

VIEWS = [
    {"id": "nats-1", "node": "node-1", "address": "nats://10.0.0.1:4222", "freshness": "fresh",
     "score": 0.1, "age_us": 1234567, "n_topics": 2, "report_bytes": 512, "values": None},
    {"id": "nats-2", "node": "node-2", "address": "", "freshness": "gone", "score": None,
     "age_us": 0, "n_topics": 0, "report_bytes": 0, "values": None},
]

MOVE = {"id": 9, "topic": "$G/orders", "from": "nats-1", "to": "nats-2", "state": "ended",
        "outcome": "refused", "seconds": 2.7, "text": "busy"}

DECISION = {"kind": "move", "epoch": 1700000001, "boot_id": 0x1122334455667788, "from": "nats-1"}

ANSWER = {"verb": 0, "status": "ok", "text": "", "placement": None, "fleet": None, "brokers": [],
          "topics": [], "peers": [], "moves": []}

GOLDEN = {
    "report": ("report", {
        "at_us": 5000000123, "interval_us": 5000000, "applied_seq": 7,
        "host": {"cpu_ratio": 0.5, "memory_bytes": 8589934592},
        "brokers": [
            {"id": "nats-1", "address": "nats://10.0.0.1:4222", "state": "up",
             "incarnation": 0xfedcba9876543210, "actuator": True, "topics_known": True,
             "values": VALUES, "peers": ["nats-2", "nats-3"], "topics": TOPICS,
             "n_topics_omitted": 5},
            {"id": "rabbit@host-2", "address": "", "state": "down", "incarnation": 0,
             "actuator": False, "topics_known": False, "values": {}, "peers": [], "topics": [],
             "n_topics_omitted": 0},
        ], "environment": None}),
    "poll_request": ("poll", {
        "epoch_seen": 1700000001,
        "receipts": [
            {"epoch": 1700000000, "seq": 1, "status": "accepted", "text": ""},
            {"epoch": 1700000001, "seq": 2, "status": "failed", "text": "exit status 1"},
        ]}),
    "poll_reply": ("poll_reply", {
        "status": "ok", "text": "", "epoch": 1700000001,
        "decisions": [
            {**DECISION, "seq": 3, "expires_in_us": 30000000, "to": "nats-2",
             "topic": "$G/orders", "to_address": "nats://10.0.0.2:4222"},
            {**DECISION, "seq": 4, "expires_in_us": 1500000, "to": "nats-3",
             "topic": "$G/payments", "to_address": ""},
        ]}),
    "poll_refusal": ("poll_reply", {
        "status": "refused", "text": "another boot speaks for node-1", "epoch": 0,
        "decisions": []}),
    "query": ("query", {
        "verb": "move", "topic": "$G/orders", "broker": "nats-2", "dry_run": True, "move_id": 9}),
    "answer_status": ("answer", {
        **ANSWER, "verb": "status",
        "fleet": {"version": "0.1.0", "epoch": 1700000001, "uptime_s": 12.5,
                  "algorithm": "weighted_composite", "n_nodes": 3, "n_fresh": 2, "n_stale": 1,
                  "n_gone": 4, "n_topics": 70000, "n_assignments": 5, "n_moves_in_flight": 1,
                  "n_reports": 123456789012, "n_reports_refused": 6}}),
    "answer_assign": ("answer", {
        **ANSWER, "verb": "assign",
        "placement": {"topic": "$G/orders", "broker": "nats-1", "address": "nats://10.0.0.1:4222",
                      "source": "assigned"}}),
    "answer_reports": ("answer", {
        **ANSWER, "verb": "reports", "brokers": [{**VIEWS[0], "values": VALUES}, VIEWS[1]],
        "topics": TOPICS, "peers": ["nats-2", "nats-3"]}),
    "answer_moves": ("answer", {
        **ANSWER, "verb": "moves", "status": "not_found", "text": "no such move",
        "moves": [MOVE]}),
    "feed_ranking": ("feed", {
        "kind": "ranking", "version": 17, "epoch": 1700000001, "brokers": VIEWS, "move": None}),
    "feed_move": ("feed", {
        "kind": "move", "version": 0, "epoch": 1700000001, "brokers": [], "move": MOVE}),
}


def test_every_golden_message_is_here():
    assert {path.name for path in FIXTURES.glob("v1_*.bin")} == {f"v1_{n}.bin" for n in GOLDEN}


@pytest.mark.parametrize("name", GOLDEN)
def test_read(name):
    """What the daemons wrote says the same to a reader that knows only docs/protocol.md."""
    kind, noun = GOLDEN[name]
    message = speaker.decode((FIXTURES / f"v1_{name}.bin").read_bytes())
    assert message == speaker.Message(1, 0, kind, "node-1", 0x1122334455667788, 42,
                                      1700000000123456, "", noun, b"")


@pytest.mark.parametrize("name", GOLDEN)
def test_written(name):
    """What the speaker writes is what the daemons write, so they read it: their own test reads
    these bytes."""
    kind, noun = GOLDEN[name]
    data = speaker.encode(kind, noun, "node-1", 0x1122334455667788, 42, 1700000000123456)
    assert data == (FIXTURES / f"v1_{name}.bin").read_bytes()


def test_newer_major_is_refused():
    data = bytearray((FIXTURES / "v1_query.bin").read_bytes())
    data[1] = 2
    with pytest.raises(ValueError, match="version 2"):
        speaker.decode(bytes(data))
