"""A real NATS cluster for end-to-end tests: three nodes with JetStream on loopback."""
import json
import os
import shutil
import subprocess

from daemons import TREE, Process, binary, free_port, http_get, wait_for

CONTROLLERS = ("cpu", "cpuacct", "memory")
NODES = ("n1", "n2", "n3")


def cgroup_controllers():
    """The controllers that a cgroup can be made with: of version 1, else of version 2."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        options = [line.split()[3].split(",") for line in mounts if line.split()[2] == "cgroup"]
    found = [c for c in CONTROLLERS if any(c in each for each in options)]
    path = "/sys/fs/cgroup/cgroup.controllers"
    if not found and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            found = [c for c in file.read().split() if c in ("cpu", "memory", "io")]
    return found


def _quiet(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


class Node(Process):
    """One nats-server."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.client_port, self.http_port, self.cluster_port = (free_port() for _ in range(3))
        self.url = f"nats://127.0.0.1:{self.client_port}"
        self.http_url = f"http://127.0.0.1:{self.http_port}"
        self.pid_file = os.path.join(cluster.folder, f"{name}.pid")
        self.config_path = os.path.join(cluster.folder, f"{name}.conf")
        prefix = ()
        if cluster.in_cgroups:
            prefix = ("cgexec", "-g", f"{','.join(cluster.controllers)}:{cluster.cgroup}/{name}")
        super().__init__(name, [shutil.which("nats-server") or "nats-server", "-c",
                                self.config_path], cluster.folder, prefix=prefix)

    def page(self, path):
        """A page of its monitoring port, or None."""
        status, text = http_get(self.http_url + path)
        return json.loads(text) if status == 200 else None

    def leaders(self):
        """{stream: leader} as this node says."""
        page = self.page("/jsz?accounts=1&streams=1") or {}
        return {stream["name"]: (stream.get("cluster") or {}).get("leader", "")
                for account in page.get("account_details") or []
                for stream in account.get("stream_detail") or []}

    def is_ready(self):
        page = self.page("/jsz") or {}
        return self.page("/healthz") and (page.get("meta_cluster") or {}).get("leader")


class Cluster:
    """Three nodes, n1 to n3, each in a cgroup of its own when that can be had."""

    def __init__(self, folder):
        self.folder = folder
        self.logins = os.path.join(folder, "logins")
        self.password = os.urandom(12).hex()
        self.cgroup = f"/evenkeel-e2e-{os.getpid()}-{os.path.basename(folder)}"
        self.controllers = cgroup_controllers()
        self.load = None
        self.in_cgroups = self._make_cgroups()
        self.nodes = {name: Node(self, name) for name in NODES}

    def _make_cgroups(self):
        if os.geteuid() != 0 or not self.controllers or not shutil.which("cgcreate"):
            return False
        group = ",".join(self.controllers)
        return all(_quiet("cgcreate", "-g", f"{group}:{self.cgroup}/{name}") for name in NODES)

    def start(self):
        with open(self.logins, "w", encoding="utf-8") as file:
            os.chmod(self.logins, 0o600)
            file.write(f"DEMO demo {self.password}\n")
        with open(os.path.join(TREE, "deploy", "demo", "nats.conf.in"), encoding="utf-8") as file:
            template = file.read()
        routes = ", ".join(f"nats://127.0.0.1:{n.cluster_port}" for n in self.nodes.values())
        for name, node in self.nodes.items():
            text = template
            for key, value in {"NAME": name, "DIRECTORY": self.folder, "PASSWORD": self.password,
                               "CLIENT_PORT": node.client_port, "HTTP_PORT": node.http_port,
                               "CLUSTER_PORT": node.cluster_port, "ROUTES": routes}.items():
                text = text.replace(f"@{key}@", str(value))
            with open(node.config_path, "w", encoding="utf-8") as file:
                file.write(text)
            node.start()
        wait_for(self._ready, 60, "the NATS cluster")
        return self

    def _ready(self):
        for node in self.nodes.values():
            node.check()
        return all(node.is_ready() for node in self.nodes.values())

    def add_load(self, *flows):
        """Creates streams and publishes to them: ("ORDERS", 200, 512, "n1") is 200 messages of 512
        bytes a second through n1."""
        arguments = [f"{stream}={rate}x{size}@{self.nodes[node].url}"
                     for stream, rate, size, node in flows]
        self.load = Process("load", [binary("evenkeel-demo-load"), self.logins, "DEMO", *arguments],
                            self.folder).start()
        wanted = {flow[0] for flow in flows}

        def all_led():
            self.load.check()
            led = self.nodes["n1"].leaders()
            return all(led.get(stream) for stream in wanted)
        wait_for(all_led, 60, "the streams")

    def lead(self, stream, node, within=30):
        """Makes a node the leader of a stream, with the actuator itself."""
        environment = {**os.environ, "EVENKEEL_TOPIC": f"DEMO/{stream}", "EVENKEEL_TO": node,
                       "EVENKEEL_DEADLINE_MS": str(within * 1000)}
        environment.pop("EVENKEEL_FROM", None)
        done = subprocess.run(self.actuator("n1"), env=environment, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert done.returncode in (0, 2), f"{stream} to {node}: {done.returncode} {done.stdout}"

    def actuator(self, name):
        """The argv of the actuator, for an agent's configuration."""
        return [binary("nats-move-leader"), "--server", self.nodes[name].url, "--logins", self.logins]

    def brokers(self):
        """The brokers of an agent's configuration that watches all nodes."""
        return [{"id": name, "address": node.url,
                 "match": {"cgroup": f"{self.cgroup}/{name}"} if self.in_cgroups
                 else {"pid_file": node.pid_file},
                 "data_directory": os.path.join(self.folder, name),
                 "source": {"type": "nats", "url": node.http_url, "interval": "500ms"},
                 "actuator": {"type": "exec", "command": self.actuator(name), "timeout": "30s"}}
                for name, node in self.nodes.items()]

    def processes(self):
        return [*([self.load] if self.load else []), *self.nodes.values()]

    def stop(self):
        for process in self.processes():
            process.kill()
        for controller in self.controllers if self.in_cgroups else ():
            _quiet("cgdelete", "-r", "-g", f"{controller}:{self.cgroup}")
