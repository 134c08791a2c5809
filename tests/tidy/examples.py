"""Every example configuration beneath deploy/ passes the daemon's own check.

usage: examples.py ROOT agent=BINARY aggregator=BINARY    a file's name begins with its daemon's"""
import os
import subprocess

from tree import Complaints, root_argument, walk
import sys


def main():
    root = root_argument()
    binaries = dict(argument.split("=", 1) for argument in sys.argv[2:])
    complaints = Complaints(root)
    n = 0
    for path in walk(root, (".yaml",), ("deploy",)):
        daemon = os.path.basename(path).split(".")[0].split("-")[0]
        if daemon not in binaries:
            continue
        n += 1
        done = subprocess.run([binaries[daemon], "--config", path, "--check-config"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            complaints.add(path, 1, f"refused by {daemon}: {done.stdout.strip()}")
    complaints.finish(n, "example configurations")


main()
