"""Fixtures of the end-to-end tests: real daemons, real brokers, everything gone afterwards."""
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import brokers  # noqa: E402
import daemons  # noqa: E402


def need(condition, what):
    """Skips a test whose surroundings are missing; in CI (environment CI) they must be there."""
    if condition:
        return
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}, and CI must have it")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session", autouse=True)
def _binaries():
    for name in ("evenkeel-agent", "evenkeel-aggregator", "ekctl"):
        daemons.binary(name)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Puts the logs of the processes of a failed test beneath its failure."""
    outcome = yield
    report = outcome.get_result()
    if report.when in ("setup", "call") and report.failed:
        for process in getattr(item, "processes", []):
            if os.path.exists(process.log_path):
                report.sections.append((f"log of {process.name}", process.log()[-8000:]))


@pytest.fixture
def processes(request):
    """The processes of a test, for logs and for the end; append what you start."""
    request.node.processes = []
    yield request.node.processes
    for process in reversed(request.node.processes):
        process.kill()


@pytest.fixture
def folder(tmp_path):
    """A folder of the test's own."""
    return str(tmp_path)


@pytest.fixture
def start_aggregator(folder, processes):
    """start_aggregator(name="aggregator", **changes of its configuration) -> Aggregator, ready."""
    def start(name="aggregator", **changes):
        aggregator = daemons.Aggregator(name, folder, changes)
        processes.append(aggregator)
        return aggregator.start()
    return start


@pytest.fixture
def aggregator(start_aggregator):
    """One aggregator, ready."""
    return start_aggregator()


@pytest.fixture
def start_agent(folder, processes):
    """start_agent(name, aggregators, brokers, **changes of its configuration) -> Agent, ready."""
    def start(name, aggregators, brokers, **changes):
        agent = daemons.Agent(name, folder, aggregators, brokers, changes)
        processes.append(agent)
        return agent.start()
    return start


@pytest.fixture
def start_process(folder, processes):
    """start_process(name, *argv) -> Process: any other program, such as one to be sampled."""
    def start(name, *arguments):
        process = daemons.Process(name, arguments, folder)
        processes.append(process)
        return process.start()
    return start


@pytest.fixture
def ekctl(aggregator):
    """ekctl("ranking") -> Result with .code, .json, .out and .err, against `aggregator`."""
    def run(*arguments, **options):
        return daemons.run_ekctl(options.pop("server", aggregator), *arguments, **options)
    return run


@pytest.fixture
def nats_cluster(tmp_path_factory, request, processes):
    """Three real nats-server nodes with JetStream, without streams."""
    need(shutil.which("nats-server"), "nats-server")
    try:
        daemons.binary("nats-move-leader")
    except FileNotFoundError:
        need(False, "the programs of deploy/demo (libnats-dev)")
    cluster = brokers.Cluster(str(tmp_path_factory.mktemp("nats")))
    request.addfinalizer(cluster.stop)
    processes.extend(cluster.processes())
    return cluster.start()
