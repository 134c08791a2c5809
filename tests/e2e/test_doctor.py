"""What the agent sees at once: --once and doctor, on this host and in namespaces like a pod's."""
import json
import os
import shutil
import subprocess

import pytest

from conftest import need
from daemons import binary, free_port

METRICS = ("cpu_cores", "memory_bytes", "disk_read_bytes_per_s", "net_rx_bytes_per_s")


def agent(*arguments, prefix=()):
    """(exit code, document) of the agent with -o json."""
    done = subprocess.run([*prefix, binary("evenkeel-agent"), *arguments, "-o", "json"], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


def write(folder, text):
    path = f"{folder}/agent.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"aggregators: [{{reports: 'tcp://127.0.0.1:{free_port()}', "
                   f"decisions: 'tcp://127.0.0.1:{free_port()}'}}]\n{text}")
    return path


def findings(document):
    """The findings by of and check."""
    return {(f["of"], f["check"]): f for f in document["findings"]}


# Without a configuration the host is looked at; every value is there, or why it is not.
def test_once_of_host():
    code, document = agent("--once", "--gap", "0.2")
    assert code == 0
    assert document["api_version"] == "evenkeel/v1"
    assert document["brokers"] == []
    assert document["environment"]["kind"] in ("native", "container", "kubernetes")
    assert set(document["environment"]["controllers"]) == {"cpu", "cpuset", "memory", "io", "pids"}
    for metric in METRICS:
        assert (document["host"][metric] is None) == (metric in document["host"]["absent"])
    assert document["host"]["cpu_cores"] is not None
    assert document["host"]["memory_bytes"] > 0


# A broker is sampled with rates, and one that is not there is down with its reason.
def test_once_of_brokers(folder):
    path = write(folder, f"brokers:\n- {{id: me, match: {{pid_file: {folder}/pid}}}}\n"
                         "- {id: nobody, match: {executable: no-such-program}}\n")
    with open(f"{folder}/pid", "w", encoding="utf-8") as file:
        file.write(str(os.getpid()))
    code, document = agent("--once", "--config", path, "--gap", "0.2")
    assert code == 0
    me, nobody = document["brokers"]
    assert me["state"] == "up" and me["cpu_cores"] is not None and me["incarnation"] > 0
    assert nobody["state"] == "down" and nobody["cpu_cores"] is None
    assert nobody["absent"]["cpu_cores"] == "gone"


# A host alone has nothing that fails.
def test_doctor_of_host():
    code, document = agent("doctor")
    found = findings(document)
    assert code == 0 and document["fail"] == 0
    assert found["agent", "configuration"]["level"] == "warn"
    assert found["host", "proc"]["level"] == "ok"


# What is configured and does not work fails, each with a remedy.
def test_doctor_fails(folder):
    port = free_port()
    path = write(folder, f"""brokers:
- id: n1
  match: {{executable: no-such-program}}
  data_directory: {folder}/nowhere
  source: {{type: nats, url: 'http://127.0.0.1:{port}'}}
  actuator: {{type: exec, command: [{folder}/nothing]}}
""")
    code, document = agent("doctor", "--config", path)
    failed = {key for key, f in findings(document).items() if f["level"] == "fail"}
    assert code == 1
    assert failed >= {("agent", "aggregator"), ("n1", "match"), ("n1", "data directory"),
                      ("n1", "source"), ("n1", "actuator")}
    assert all(f["remedy"] for f in document["findings"] if f["level"] == "fail")


# A configuration that is refused is a finding, too.
def test_doctor_of_bad_configuration(folder):
    path = write(folder, "colour: blue\n")
    code, document = agent("doctor", "--config", path)
    assert code == 1
    assert "colour" in findings(document)["agent", "configuration"]["text"]


def can_unshare(*options):
    return shutil.which("unshare") is not None and subprocess.run(
        ["unshare", *options, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


# A stale mount makes libcgroup fail as a whole: told, and nothing of it on stdout.
def test_libcgroup_fails(folder):
    need(can_unshare("-m"), "the right to make namespaces")
    script = (f"mkdir {folder}/c && mount -t cgroup2 none {folder}/c && "
              f"mount -t tmpfs none {folder}/c && exec \"$@\"")
    code, document = agent("doctor", prefix=("unshare", "-m", "sh", "-c", script, "sh"))
    found = findings(document)
    assert code == 0
    assert found["host", "cpu"]["level"] == "ok"
    assert found["host", "libcgroup"]["level"] == "warn"


AGENT, BROKER, SANDBOX = "a9e1" * 16, "b20c" * 16, "5a5d" * 16


def hierarchies():
    """The folders in which cgroups can be made: v1's controllers, or v2's root."""
    root = "/sys/fs/cgroup"
    if os.path.exists(f"{root}/cgroup.controllers"):
        return [root]
    return [f"{root}/{c}" for c in ("cpu", "cpuacct", "memory") if os.path.isdir(f"{root}/{c}")]


@pytest.fixture
def pod():
    """The name of a cgroup with those of a pod's three containers in it."""
    name = f"evenkeel-pod-{os.getpid()}"
    folders = [f"{root}/{name}" for root in hierarchies()]
    try:
        for folder in folders:
            for container in ("", AGENT, BROKER, SANDBOX):
                os.mkdir(os.path.join(folder, container))
    except OSError as error:
        need(False, f"the right to make cgroups ({error})")
    yield name
    for folder in folders:
        for container in (AGENT, BROKER, SANDBOX, ""):
            if os.path.isdir(os.path.join(folder, container)):
                os.rmdir(os.path.join(folder, container))


def enter(pod, container):
    """Shell words that put the shell itself into a container's cgroups; 0 is the writer."""
    return " && ".join(f"echo 0 >{root}/{pod}/{container}/cgroup.procs" for root in hierarchies())


# Beside a broker in a pod's namespaces, the agent finds it without knowing its name: neither
# itself nor the sandbox, which is process 1. The pod's network is the broker's own.
@pytest.mark.parametrize("namespace", ["", "unshare -C"])
def test_pod_mate(folder, pod, namespace):
    need(can_unshare("-p", "-f", "-m", "-n", "-C"), "the right to make namespaces")
    path = write(folder, "brokers:\n- {id: n1, match: {pod_mate: yes}}\n")
    script = f"""{enter(pod, SANDBOX)} || exit 9
        sh -c '{enter(pod, BROKER)} && echo >{folder}/up && exec sleep 60' & broker=$!
        while [ ! -e {folder}/up ]; do sleep 0.05; done
        sh -c '{enter(pod, AGENT)} && exec "$@"' sh {namespace} "$@"
        status=$?
        kill $broker
        wait
        exit $status"""
    code, document = agent("--once", "--config", path, "--gap", "0.2",
                           prefix=("unshare", "-p", "-f", "--mount-proc", "-n", "sh", "-c", script,
                                   "sh"))
    broker = document["brokers"][0]
    assert code == 0
    assert broker["state"] == "up"
    assert broker["absent"].get("net_rx_bytes_per_s") != "shared"
    assert broker["cpu_cores"] is not None
