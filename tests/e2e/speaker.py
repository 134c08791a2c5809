"""An independent speaker of evenkeel's protocol, written from docs/protocol.md alone.

It shares no code with the daemons, so that the end-to-end tests prove the page and not the program.

    agent = Agent("node-1", reports="tcp://127.0.0.1:7701", decisions="tcp://127.0.0.1:7702")
    agent.publish([{"id": "b1", "state": "up", "values": {"cpu_ratio": 0.5},
                    "topics_known": True, "topics": [{"name": "t1", "movable": True}]}])
    reply = agent.poll()                                     # waits for the reply
    agent.poll([receipt(reply["decisions"][0], "accepted")])

    client = Client("tcp://127.0.0.1:7703")
    client.query("assign", topic="t2")["placement"]["broker"]

    with Feed("tcp://127.0.0.1:7704") as feed:
        for message in feed.messages(timeout=5): ...         # ends when nothing comes for 5 s

Nouns are plain dicts with the names of docs/protocol.md. Enums are their words ("up", "assign",
"accepted"); numbers without a word stay numbers. A measured value is a number, or the word for why
it is absent ("first_sample"); unknown ones are left out. Decoding fills every default in; encoding
leaves defaults out, which gives the same bytes as the daemons do.

Everything that waits has a timeout and raises TimeoutError; a connection that ends raises
ConnectionError. For what must be refused, send bytes of your own: `agent.reports.send(b"...")`.
"""

import collections
import contextlib
import itertools
import math
import random
import socket
import struct
import threading
import time
import urllib.parse

import msgpack

MAJOR, MINOR = 1, 0

# -- Types: each says how a value becomes bytes, and how what msgpack gives becomes a value --------


def pack(scalar):
    return msgpack.packb(scalar, use_bin_type=True)


class Scalar:
    """An integer, flag or string, as it is. Floats that are whole numbers go as integers."""

    def encode(self, value):
        if isinstance(value, float) and value.is_integer() and 0 <= value <= 2**53:
            value = int(value)
        return pack(value)

    def decode(self, value):
        return value


class Enum:
    """A number with a word."""

    def __init__(self, **numbers):
        self.numbers = numbers
        self.words = {number: word for word, number in numbers.items()}

    def encode(self, word):
        return pack(self.numbers.get(word, word))

    def decode(self, number):
        return self.words.get(number, number)


class Flag:
    """Bit 0 of a set of bits."""

    def encode(self, flag):
        return pack(1 if flag else 0)

    def decode(self, bits):
        return bool(bits & 1)


STATES = Enum(unknown=1, first_sample=2, reset=3, unsupported=4, denied=5, failed=6, shared=7,
              unlimited=8, unconfigured=9, gone=10)


class Value:
    """A measured value: a number, or the word for why it is absent; None when unknown."""

    def encode(self, value):
        if value is None or value == "unknown":
            return pack(None)
        if isinstance(value, str):
            return pack([STATES.numbers[value]])
        if math.isfinite(value) and value < 2**53 and value != int(value):
            value = struct.unpack(">f", struct.pack(">f", value))[0]
            if value != int(value):
                return b"\xca" + struct.pack(">f", value)
        if math.isfinite(value) and 0 <= value <= 2**53:
            return pack(int(value))
        return pack(float(value))

    def decode(self, value):
        if isinstance(value, list):
            state = STATES.decode(value[0])
            return None if state == "unknown" or state not in STATES.numbers else state
        return value


class List:
    """Many of one type."""

    def __init__(self, item):
        self.item = item

    def encode(self, items):
        return (msgpack.Packer().pack_array_header(len(items)) +
                b"".join(self.item.encode(item) for item in items))

    def decode(self, items):
        return [self.item.decode(item) for item in items]


Field = collections.namedtuple("Field", "name type default required")


def field(name, type=Scalar(), default=0):
    return Field(name, type, default, False)


def required(name, type=Scalar()):
    return Field(name, type, None, True)


class Noun:
    """Named fields in an order; as a dict in Python."""

    def __init__(self, *fields):
        self.fields = fields
        self.names = {f.name for f in fields}

    def _needed(self, noun):
        """For each field whether it must be said, and its bytes."""
        unknown = set(noun) - self.names
        if unknown:
            raise KeyError(f"no such field: {', '.join(sorted(unknown))}")
        for f in self.fields:
            value = noun.get(f.name, f.default)
            if f.required and f.name not in noun:
                raise KeyError(f"{f.name} is missing")
            yield f.required or value != f.default, f.type.encode(value) if value is not None \
                else pack(None)

    def _decode(self, given):
        """A dict from what was given by place; None and missing are the default."""
        noun = {}
        for place, f in enumerate(self.fields):
            value = given.get(place)
            if value is not None:
                noun[f.name] = f.type.decode(value)
            elif f.required:
                raise ValueError(f"{f.name} is missing")
            else:
                noun[f.name] = f.default.copy() if isinstance(f.default, (list, dict)) else f.default
        return noun


class Map(Noun):
    """A noun that travels as a map: keys count from 1."""

    def encode(self, noun):
        pairs = [(key, data) for key, (needed, data) in enumerate(self._needed(noun), 1) if needed]
        return (msgpack.Packer().pack_map_header(len(pairs)) +
                b"".join(pack(key) + data for key, data in pairs))

    def decode(self, value):
        return self._decode({key - 1: item for key, item in value.items() if isinstance(key, int)})


class Row(Noun):
    """A noun that travels as an array: what is default at its end is left off."""

    def encode(self, noun):
        places = list(self._needed(noun))
        while places and not places[-1][0]:
            places.pop()
        return (msgpack.Packer().pack_array_header(len(places)) +
                b"".join(data for _, data in places))

    def decode(self, value):
        return self._decode(dict(enumerate(value)))


class Values(Row):
    """Measured values by name; unknown ones are not in the dict."""

    def __init__(self, *names):
        super().__init__(*(field(name, Value(), None) for name in names))

    def decode(self, value):
        return {name: v for name, v in super().decode(value).items() if v is not None}


# -- The nouns of docs/protocol.md ------------------------------------------------------------------

METRICS = Values(
    "cpu_cores", "cpu_limit_cores", "cpu_ratio", "cpu_throttled_ratio", "memory_bytes",
    "memory_working_set_bytes", "memory_limit_bytes", "memory_ratio", "disk_read_bytes_per_s",
    "disk_write_bytes_per_s", "disk_used_bytes", "disk_total_bytes", "net_rx_bytes_per_s",
    "net_tx_bytes_per_s", "net_speed_bytes_per_s", "cpu_throttled_seconds_per_s",
    "cpu_pressure_some_ratio", "cpu_pressure_full_ratio", "memory_pressure_some_ratio",
    "memory_pressure_full_ratio", "io_pressure_some_ratio", "io_pressure_full_ratio",
    "memory_working_set_ratio", "memory_available_bytes", "swap_bytes", "oom_kills",
    "disk_reads_per_s", "disk_writes_per_s", "disk_busy_ratio", "disk_latency_seconds",
    "disk_available_bytes", "inodes_used", "inodes_total", "open_fds", "max_fds", "threads")

TOPIC_VALUES = ("messages_in_per_s", "bytes_in_per_s", "messages_out_per_s", "bytes_out_per_s",
                "storage_bytes", "backlog_messages", "producers", "consumers")

TOPIC = Row(
    required("name"), field("movable", Flag(), False), field("candidates"),
    *(field(name, Value(), None) for name in TOPIC_VALUES))

BROKER = Map(
    required("id"), field("address", default=""), required("state", Enum(up=1, down=2)),
    field("incarnation"), field("actuator", default=False), field("topics_known", default=False),
    field("values", METRICS, {}), field("peers", List(Scalar()), []),
    field("topics", List(TOPIC), []), field("n_topics_omitted"))

ENVIRONMENT = Row(
    field("kind", Enum(unknown=0, native=1, container=2, kubernetes=3), "unknown"),
    field("hierarchy", Enum(unknown=0, none=1, v1=2, v2=3, hybrid=4), "unknown"),
    field("cpu_version"), field("cpuset_version"), field("memory_version"), field("io_version"),
    field("pids_version"))

REPORT = Map(
    required("at_us"), required("interval_us"), field("applied_seq"), field("host", METRICS, {}),
    field("brokers", List(BROKER), []), field("environment", ENVIRONMENT, None))

RECEIPT_STATUS = Enum(accepted=1, busy=2, unknown_topic=3, wrong_owner=4, old_epoch=5, expired=6,
                      no_actuator=7, succeeded=16, failed=17, timed_out=18)

RECEIPT = Row(required("epoch"), required("seq"), required("status", RECEIPT_STATUS),
              field("text", default=""))

POLL = Map(field("epoch_seen"), field("receipts", List(RECEIPT), []))

DECISION = Row(
    required("kind", Enum(move=1)), required("epoch"), required("seq"), required("boot_id"),
    required("expires_in_us"), required("from"), required("to"), required("topic"),
    field("to_address", default=""))

POLL_REPLY = Map(
    field("status", Enum(ok=0, unsupported=1, refused=2), "ok"), field("text", default=""),
    field("epoch"), field("decisions", List(DECISION), []))

VERB = Enum(status=1, ranking=2, reports=3, assign=4, lookup=5, release=6, move=7, moves=8)

QUERY = Map(required("verb", VERB), field("topic", default=""), field("broker", default=""),
            field("dry_run", default=False), field("move_id"))

PLACEMENT = Row(field("topic", default=""), field("broker", default=""),
                field("address", default=""), field("source", Enum(observed=1, assigned=2)))

STATUS = Row(
    field("version", default=""), field("epoch"), field("uptime_s"),
    field("algorithm", default=""), field("n_nodes"), field("n_fresh"), field("n_stale"),
    field("n_gone"), field("n_topics"), field("n_assignments"), field("n_moves_in_flight"),
    field("n_reports"), field("n_reports_refused"))

BROKER_VIEW = Row(
    required("id"), required("node"), required("address"),
    required("freshness", Enum(fresh=1, stale=2, gone=3)), field("score", default=None),
    field("age_us"), field("n_topics"), field("report_bytes"), field("values", METRICS, None))

MOVE = Row(
    required("id"), required("topic"), required("from"), required("to"),
    required("state", Enum(planned=1, sent=2, running=3, verifying=4, ended=5)),
    field("outcome", Enum(undecided=0, moved=1, noop=2, refused=3, elsewhere=4, timed_out=5,
                          failed=6), "undecided"),
    field("seconds"), field("text", default=""))

ANSWER = Map(
    field("verb", VERB),
    field("status", Enum(ok=0, bad_query=1, unsupported=2, not_found=3, no_broker=4, refused=5,
                         not_ready=6, full=7), "ok"),
    field("text", default=""), field("placement", PLACEMENT, None), field("fleet", STATUS, None),
    field("brokers", List(BROKER_VIEW), []), field("topics", List(TOPIC), []),
    field("peers", List(Scalar()), []), field("moves", List(MOVE), []))

FEED = Map(
    required("kind", Enum(ranking=1, move=2)), field("version"), field("epoch"),
    field("brokers", List(BROKER_VIEW), []), field("move", MOVE, None))

KINDS = {"report": (1, REPORT), "poll": (2, POLL), "poll_reply": (3, POLL_REPLY),
         "query": (4, QUERY), "answer": (5, ANSWER), "feed": (6, FEED)}

Message = collections.namedtuple(
    "Message", "major minor kind sender boot_id seq sent_unix_us key_id payload mac")


def encode(kind, payload, sender, boot_id, seq, sent_unix_us=None):
    """A message of `kind` ("report", "poll", ...) as bytes; `payload` is the noun's dict."""
    number, noun = KINDS[kind]
    if sent_unix_us is None:
        sent_unix_us = time.time_ns() // 1000
    head = (MAJOR, MINOR, number, sender, boot_id, seq, sent_unix_us, "")
    return (msgpack.Packer().pack_array_header(10) + b"".join(pack(element) for element in head) +
            noun.encode(payload) + pack(b""))


def decode(data):
    """A Message whose kind is a word and whose payload is the noun's dict. Raises ValueError when
    the bytes are no message of version 1."""
    elements = msgpack.unpackb(data, raw=False, strict_map_key=False)
    if not isinstance(elements, list) or len(elements) < 2:
        raise ValueError("no message")
    if elements[0] != MAJOR:
        raise ValueError(f"protocol version {elements[0]} is not spoken here")
    if len(elements) != 10:
        raise ValueError(f"{len(elements)} elements instead of 10")
    message = Message(*elements)
    for kind, (number, noun) in KINDS.items():
        if number == message.kind:
            return message._replace(kind=kind, payload=noun.decode(message.payload))
    raise ValueError(f"kind {message.kind} is not known here")


# -- SP over TCP ------------------------------------------------------------------------------------

PUB, SUB, REQ, REP = 0x20, 0x21, 0x30, 0x31
COUNTERPART = {PUB: SUB, SUB: PUB, REQ: REP, REP: REQ}
FRAME_BYTES_MAX = 2 * 1024 * 1024


class Sp:
    """One connection that dialed an SP socket. Greets when it is made; whole frames from then on.

    A receive() that times out loses nothing: the next one goes on where it stopped."""

    def __init__(self, url, protocol, timeout=5.0):
        """Dial `url` ("tcp://host:port") as PUB, SUB or REQ. Raises OSError when nobody is there,
        ConnectionError when it is another protocol, TimeoutError when it does not greet."""
        parts = urllib.parse.urlsplit(url)
        self.protocol = protocol
        self.timeout = timeout
        self.buffer = b""
        self.request_ids = itertools.count(random.getrandbits(30))
        self.request_id = None
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(struct.pack(">4sHH", b"\0SP\0", protocol, 0))
            greeting = self._take(8, time.monotonic() + timeout)
            if greeting != struct.pack(">4sHH", b"\0SP\0", COUNTERPART[protocol], 0):
                raise ConnectionError(f"greeted with {greeting.hex(' ')}")
        except BaseException:
            self.close()
            raise

    def _fill(self, n, deadline):
        """Read until the buffer holds `n` bytes."""
        while len(self.buffer) < n:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("nothing came in time")
            self.socket.settimeout(left)
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the peer closed the connection")
            self.buffer += data

    def _take(self, n, deadline):
        self._fill(n, deadline)
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def send(self, body):
        """Send one frame."""
        self.socket.settimeout(self.timeout)
        self.socket.sendall(struct.pack(">Q", len(body)) + body)

    def receive(self, timeout=None):
        """The body of the next frame."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        self._fill(8, deadline)
        length = struct.unpack(">Q", self.buffer[:8])[0]
        if length > FRAME_BYTES_MAX:
            raise ConnectionError(f"a frame of {length} bytes")
        self._fill(8 + length, deadline)
        return self._take(8 + length, deadline)[8:]

    def ask(self, body):
        """REQ: send a request. Its reply is what receive_reply() gives."""
        self.request_id = struct.pack(">I", 0x80000000 | next(self.request_ids) & 0x7fffffff)
        self.send(self.request_id + body)

    def receive_reply(self, timeout=None):
        """REQ: the reply to the request that was sent last; others are ignored."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            body = self.receive(max(0.0, deadline - time.monotonic()))
            if body[:4] == self.request_id:
                return body[4:]

    def request(self, body, timeout=None):
        """REQ: send a request and wait for its reply."""
        self.ask(body)
        return self.receive_reply(timeout)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# -- Who speaks ---------------------------------------------------------------------------------------


class Speaker:
    """Somebody with an identity, a boot and a sequence. Context manager that closes its sockets."""

    def __init__(self, name, boot_id=None):
        self.name = name
        self.boot_id = boot_id if boot_id is not None else random.getrandbits(64) or 1
        self.sockets = []

    def open(self, url, protocol, timeout):
        if url is None:
            return None
        self.sockets.append(Sp(url, protocol, timeout))
        return self.sockets[-1]

    def close(self):
        for sp in self.sockets:
            sp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def receipt(decision, status, text=""):
    """A receipt for a decision: receipt(decision, "accepted")."""
    return {"epoch": decision["epoch"], "seq": decision["seq"], "status": status, "text": text}


class Agent(Speaker):
    """An agent of one aggregator. Its attributes may be changed between calls: `boot_id` and
    `report_seq` to play a restart, `epoch_seen`, `applied_seq`."""

    def __init__(self, node, reports=None, decisions=None, boot_id=None, interval_s=1.0,
                 timeout=5.0):
        """Dial the sockets that are given; without `reports` or `decisions` that half is not
        there."""
        super().__init__(node, boot_id)
        self.interval_s = interval_s
        self.report_seq = 0
        self.poll_seq = 0
        self.epoch_seen = 0
        self.applied_seq = 0
        self.reports = self.open(reports, PUB, timeout)
        self.decisions = self.open(decisions, REQ, timeout)

    def report(self, brokers, host=None, **changes):
        """The next report as a dict; `changes` replace fields of it."""
        report = {"at_us": time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000,
                  "interval_us": round(self.interval_s * 1e6), "applied_seq": self.applied_seq,
                  "host": host or {}, "brokers": brokers}
        report.update(changes)
        return report

    def publish(self, brokers, host=None, seq=None, sent_unix_us=None, **changes):
        """Publish a report of `brokers` (dicts). Gives the bytes that were sent."""
        if seq is None:
            self.report_seq += 1
            seq = self.report_seq
        data = encode("report", self.report(brokers, host, **changes), self.name, self.boot_id, seq,
                      sent_unix_us)
        self.reports.send(data)
        return data

    def send_poll(self, receipts=()):
        """Send a poll with `receipts`; receive_reply() waits for its reply."""
        self.poll_seq += 1
        self.decisions.ask(encode("poll", {"epoch_seen": self.epoch_seen,
                                           "receipts": list(receipts)},
                                  self.name, self.boot_id, self.poll_seq))

    def receive_reply(self, timeout=15.0):
        """The reply to the poll that is open, as a dict; remembers its epoch."""
        reply = decode(self.decisions.receive_reply(timeout)).payload
        self.epoch_seen = max(self.epoch_seen, reply["epoch"])
        return reply

    def poll(self, receipts=(), timeout=15.0):
        """Send a poll and wait for its reply: longer than the aggregator's hold time."""
        self.send_poll(receipts)
        return self.receive_reply(timeout)

    @contextlib.contextmanager
    def polling(self, judge):
        """Keep a poll open in a thread for as long as the block lasts. For each decision, `judge`
        is called with it and gives the receipts to tell, in order: each goes with a poll of its
        own. Gives the list of decisions, which grows.

            with agent.polling(lambda d: [receipt(d, "accepted"), receipt(d, "succeeded")]) as got:
        """
        decisions, stop, failures = [], threading.Event(), []

        def run():
            waiting = collections.deque()
            try:
                while not stop.is_set():
                    self.send_poll([waiting.popleft()] if waiting else [])
                    while not stop.is_set():
                        try:
                            reply = self.receive_reply(0.1)
                            break
                        except TimeoutError:
                            continue
                    else:
                        return
                    for decision in reply["decisions"]:
                        decisions.append(decision)
                        waiting.extend(judge(decision))
                    if not reply["decisions"] and not waiting:
                        stop.wait(0.02)
            except (OSError, ValueError) as failure:
                failures.append(failure)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield decisions
        finally:
            stop.set()
            thread.join(5)
            if failures:
                raise failures[0]


class Client(Speaker):
    """A broker, client or operator that asks queries."""

    def __init__(self, queries, name="speaker", timeout=5.0):
        super().__init__(name)
        self.seq = 0
        self.queries = self.open(queries, REQ, timeout)

    def query(self, verb, timeout=None, **fields):
        """Ask, and give the answer as a dict: query("move", topic="t", broker="b", dry_run=True).
        Look at its "status": nothing is raised for a refusal."""
        self.seq += 1
        data = encode("query", {"verb": verb, **fields}, self.name, self.boot_id, self.seq)
        return decode(self.queries.request(data, timeout)).payload


class Feed(Speaker):
    """A listener on the feed."""

    def __init__(self, feed, timeout=5.0):
        super().__init__("speaker")
        self.feed = self.open(feed, SUB, timeout)

    def receive(self, timeout=None):
        """The next message as a dict, its "kind" being "ranking" or "move"."""
        return decode(self.feed.receive(timeout)).payload

    def messages(self, timeout=5.0):
        """Messages as they come, until none comes for `timeout` seconds."""
        while True:
            try:
                yield self.receive(timeout)
            except TimeoutError:
                return
