"""The daemons as programs: what they say of a bad configuration, how they end."""
import signal
import subprocess
import time

import pytest

from daemons import Agent, Aggregator, binary, http_get, wait_for


def run(program, *arguments):
    return subprocess.run([binary(program), *arguments], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20, check=False)


def check(program, folder, text):
    """--check-config of `text`: (exit code, stderr), the file's folder taken out of the sentence."""
    path = f"{folder}/daemon.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = run(program, "--config", path, "--check-config")
    return done.returncode, done.stderr.replace(f"{folder}/", "")


AGGREGATORS = "aggregators: [{reports: tcp://127.0.0.1:7701, decisions: tcp://127.0.0.1:7702}]\n"


# Each mistake is told with file, line and key, before anything is started.
@pytest.mark.parametrize("program, text, sentence", [
    ("evenkeel-agent", AGGREGATORS + "report:\n  interval: 5ms\n",
     "daemon.yaml:3: report.interval: 5ms is below 100ms"),
    ("evenkeel-agent", AGGREGATORS + "report: {interval: 5s}\nreport: {interval: 6s}\n",
     "daemon.yaml:3: report:"),
    ("evenkeel-agent", AGGREGATORS + "colour: blue\n", "daemon.yaml:2: colour:"),
    ("evenkeel-agent", "node: n1\n", "aggregators"),
    ("evenkeel-agent",
     "aggregators: [{reports: tcp://192.0.2.1:7701, decisions: tcp://127.0.0.1:7702}]\n",
     "daemon.yaml:1: aggregators[0].reports:"),
    ("evenkeel-aggregator", "ranking:\n  algorithm: fastest\n",
     "daemon.yaml:2: ranking.algorithm:"),
    ("evenkeel-aggregator", "ranking:\n  weights:\n    cpu: 0.5\n", "ranking.weights: "),
    ("evenkeel-aggregator", "listen: {queries: tcp://0.0.0.0:7703}\n",
     "daemon.yaml:1: listen.queries:"),
])
def test_bad_configuration(program, text, sentence, folder):
    code, error = check(program, folder, text)
    assert code == 78
    assert sentence in error
    assert len(error.splitlines()) == 1


# What is printed as the effective configuration is a configuration with the same effect.
@pytest.mark.parametrize("program, text", [
    ("evenkeel-agent", AGGREGATORS + "brokers: [{id: a, match: {port: 4222}}]\n"),
    ("evenkeel-aggregator", "ranking: {algorithm: simple}\n"),
])
def test_printed_configuration(program, text, folder):
    path = f"{folder}/daemon.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    first = run(program, "--config", path, "--print-config")
    assert first.returncode == 0, first.stderr
    with open(path, "w", encoding="utf-8") as file:
        file.write(first.stdout)
    assert run(program, "--config", path, "--check-config").returncode == 0
    assert run(program, "--config", path, "--print-config").stdout == first.stdout


@pytest.mark.parametrize("program", ["evenkeel-agent", "evenkeel-aggregator", "ekctl"])
def test_help_and_version(program):
    helped, versioned = run(program, "--help"), run(program, "--version")
    assert helped.returncode == versioned.returncode == 0
    assert program in helped.stdout and "--version" in helped.stdout
    assert versioned.stdout.split()[0] == program
    assert run(program, "--no-such-option").returncode == 64


def test_config_that_is_not_there():
    done = run("evenkeel-agent", "--config", "/nonexistent/agent.yaml")
    assert done.returncode == 78
    assert "/nonexistent/agent.yaml" in done.stderr


# A port that is taken is named, and the daemon does not start half.
def test_port_taken(start_aggregator, folder, processes):
    first = start_aggregator()
    second = Aggregator("second", folder, {"listen": {"queries": first.queries}})
    processes.append(second)
    second.start(ready=False)
    wait_for(lambda: not second.running, what="the second aggregator to give up")
    assert second.process.returncode == 1
    assert first.queries in second.log()


# SIGTERM and SIGINT end both daemons in order, within a second, also with a fleet connected.
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_end(number, aggregator, start_agent):
    agent = start_agent("host-1", [aggregator], [{"id": "b1", "match": {"port": 1}}])
    wait_for(lambda: http_get(aggregator.http_url + "/readyz")[0] == 200, what="a report")
    for daemon in (agent, aggregator):
        started = time.monotonic()
        assert daemon.stop(number=number) == 0
        assert time.monotonic() - started < 1.5


# SIGHUP, which reloads many a daemon, is told to change nothing; it ends neither.
def test_hangup(aggregator, start_agent):
    agent = start_agent("host-1", [aggregator], [])
    for daemon in (agent, aggregator):
        daemon.send(signal.SIGHUP)
        wait_for(lambda: daemon.events("reload_unsupported"), what="the event")
        daemon.check()


# An agent without anybody to report to keeps its loop quiet: under 2 % of a core.
def test_waiting_is_cheap(aggregator, start_agent):
    agent = start_agent("host-1", [aggregator], [{"id": "b1", "match": {"pid_file": "/none"}}])
    aggregator.kill()
    before = agent.metrics()["process_cpu_seconds_total"]
    started = time.monotonic()
    wait_for(lambda: time.monotonic() - started > 5, 10, "five seconds to pass", every=0.5)
    spent = agent.metrics()["process_cpu_seconds_total"] - before
    assert spent < 0.1


# Every line of the log is one JSON event.
def test_log_is_json(aggregator, start_agent):
    agent = start_agent("host-1", [aggregator], [])
    assert isinstance(agent, Agent)
    for daemon in (agent, aggregator):
        daemon.stop()
        lines = daemon.log().splitlines()
        assert lines and len(daemon.events()) == len(lines)
        assert all({"ts", "level", "component", "event"} <= set(e) for e in daemon.events())
