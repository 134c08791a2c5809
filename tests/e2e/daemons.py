"""Real processes for end-to-end tests: started, awaited, stopped by their number.

Nothing here sleeps for a fixed time and hopes: wait_for() asks until it is true, or fails."""
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("EVENKEEL_BIN") or os.path.join(TREE, "build"))

# Sanitized binaries on a busy machine of two cores are slow to start.
START_S = 20


def binary(name):
    """The path of a binary of ours, in a build folder or a folder of binaries."""
    for folder in (BIN, os.path.join(BIN, "client"), os.path.join(BIN, "deploy", "demo")):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"there is no {name} in {BIN}; set EVENKEEL_BIN")


def wait_for(condition, within=START_S, what="it", every=0.05):
    """Asks until `condition()` gives something true, and returns that; fails after `within` s."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {within} s in vain for {what}; last seen: {value!r}")
        time.sleep(every)


_given_ports = set()


def free_port():
    """A TCP port of loopback that is free now, below those of outgoing connections, never twice."""
    for port in range(17000 + os.getpid() * 7 % 12000, 32000):
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_ports.add(port)
        return port
    raise RuntimeError("no free port")


def http_get(url, within=5):
    """(status, text) of a GET; status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=within) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, ValueError):
        return 0, ""


class Process:
    """A program that runs until stop() or kill(); what it says is in its log file."""

    def __init__(self, name, arguments, folder, environment=None, prefix=()):
        self.name = name
        self.arguments = [*prefix, *arguments]
        self.environment = {**os.environ, **(environment or {})}
        self.log_path = os.path.join(folder, f"{name}.log")
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment)
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def check(self):
        """Fails when it has ended by itself."""
        assert self.running, f"{self.name} ended with {self.process.poll()}:\n{self.log()[-3000:]}"

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, within=10, number=signal.SIGTERM):
        """Asks it to end. Returns its exit code; fails when it takes too long."""
        if self.running:
            self.process.send_signal(number)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {within} s") from None

    def kill(self):
        """SIGKILL, whatever it does."""
        if self.process is not None:
            if self.running:
                self.process.kill()
            self.process.wait()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def events(self, name=None):
        """The JSON events of the log, all or those of one name."""
        found = []
        for line in self.log().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and (name is None or event.get("event") == name):
                found.append(event)
        return found


class Daemon(Process):
    """One of ours: a configuration, and an HTTP port that says when it is ready."""

    def __init__(self, program, name, folder, config, environment=None):
        self.http_url = f"http://{config['http']['listen']}"
        self.config = config
        self.config_path = os.path.join(folder, f"{name}.yaml")
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
        super().__init__(name, [binary(program), "--config", self.config_path], folder, environment)

    def start(self, ready=True):
        super().start()
        if ready:
            self.wait_ready()
        return self

    def restart(self):
        if self.running:
            self.stop()
        return self.start()

    def wait_ready(self, page="/healthz"):
        def is_ready():
            self.check()
            return http_get(self.http_url + page)[0] == 200
        wait_for(is_ready, START_S, f"{self.name} to be ready")

    def metrics(self):
        """What /metrics says: {'name{label="x"}': number}."""
        status, text = http_get(self.http_url + "/metrics")
        assert status == 200, f"{self.name} /metrics: {status} {text[:200]}"
        found = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                key, value = line.rsplit(" ", 1)
                found[key] = float(value)
        return found


class Aggregator(Daemon):
    """An aggregator on free ports of loopback; reports, decisions, queries, feed are its urls."""

    def __init__(self, name, folder, changes=None):
        urls = {key: f"tcp://127.0.0.1:{free_port()}"
                for key in ("reports", "decisions", "queries", "feed")}
        config = {"listen": urls, "http": {"listen": f"127.0.0.1:{free_port()}"}}
        merge(config, changes or {})
        self.reports, self.decisions = urls["reports"], urls["decisions"]
        self.queries, self.feed = urls["queries"], urls["feed"]
        super().__init__("evenkeel-aggregator", name, folder, config)


class Agent(Daemon):
    """An agent that reports to `aggregators` (Aggregator objects) of `brokers` (configuration)."""

    def __init__(self, name, folder, aggregators, brokers, changes=None):
        config = {"node": name, "report": {"interval": "500ms"},
                  "aggregators": [{"reports": a.reports, "decisions": a.decisions}
                                  for a in aggregators],
                  "brokers": brokers, "http": {"listen": f"127.0.0.1:{free_port()}"}}
        merge(config, changes or {})
        super().__init__("evenkeel-agent", name, folder, config)


def merge(into, changes):
    """Puts `changes` into a configuration, mapping by mapping; None takes a key away."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value


class Result:
    """What a run of ekctl gave: code, out, err, and json (None when out is no document)."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        try:
            self.json = json.loads(done.stdout)
        except ValueError:
            self.json = None

    def __repr__(self):
        return f"exit {self.code}\n{self.out}{self.err}"


def run_ekctl(aggregator, *arguments, output="json", within=60):
    """Runs ekctl against an aggregator. Never fails by itself: look at .code."""
    command = [binary("ekctl"), "--server", aggregator.queries, "-o", output, *arguments]
    return Result(subprocess.run(command, text=True, stdin=subprocess.DEVNULL, check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=within))
