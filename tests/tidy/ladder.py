"""The include ladder: who may include whom, foreign headers in one file each, no circles.

usage: ladder.py ROOT"""
import os
import re

from tree import LAYERS, Complaints, includes, read, root_argument, walk

# Each folder may include the folders beside it, and nothing else of ours.
MAY_INCLUDE = {
    "common": {"common"},
    "agent": {"agent", "common"},
    "aggregator": {"aggregator", "common"},
    "client": {"client", "common", "evenkeel"},
}

# A library's headers stand in one .c file, so that replacing it touches one file.
FOREIGN = {
    r"nng/": {"common/link.c"},
    r"msgpack": {"common/wire.c"},
    r"yaml\.h": {"common/config.c"},
    r"microhttpd\.h": {"common/http.c"},
    r"libcgroup": {"agent/cgroup.c"},
    r"curl/": {"agent/source.c"},
    r"yajl/": {"agent/nats.c", "client/ekctl_json.c", "common/json.c"},
    r"mbedtls/": set(),
}

PUBLIC = "evenkeel/evenkeel.h"


def is_public(path):
    return path.endswith(PUBLIC)


def check_foreign(complaints, root, path, line, name):
    place = os.path.relpath(path, root)
    for pattern, places in FOREIGN.items():
        if re.match(pattern, name) and place not in places:
            where = " or ".join(sorted(places)) or "no file yet"
            complaints.add(path, line, f"<{name}> belongs into {where}")


def check_ours(complaints, root, path, line, name):
    place = os.path.relpath(path, root)
    layer = place.split(os.sep)[0]
    if os.path.basename(path).startswith("ekctl"):
        if name != PUBLIC and not name.startswith("client/ekctl"):
            complaints.add(path, line, f'ekctl lives on {PUBLIC} alone, not on "{name}"')
        return
    if is_public(path):
        complaints.add(path, line, f'the public header includes nothing of ours, not "{name}"')
        return
    if name.split("/")[0] not in MAY_INCLUDE[layer]:
        complaints.add(path, line, f'{layer} may not include "{name}"')
    elif name != PUBLIC and not os.path.exists(os.path.join(root, name)):
        complaints.add(path, line, f'"{name}" is not written from the root of the tree')


def check_purity(complaints, root, path, line, name, pure):
    target = os.path.join(root, name)
    if os.path.relpath(path, root) not in pure or not os.path.exists(target):
        return
    if re.match(r"/\*(?:(?!\*/).)*?\bShell\b", read(target), re.S):
        complaints.add(path, line, f'a pure file may not include "{name}", which is a shell\'s')


def pure_names(root):
    build = os.path.join(root, "meson.build")
    if not os.path.exists(build):
        return set()
    listed = re.search(r"pure_names\s*=\s*\[(.*?)\]", read(build), re.S)
    return set(re.findall(r"'([^']+)'", listed.group(1))) if listed else set()


def check_circles(complaints, graph):
    """Depth first over the include graph; an edge back to the path walked is a circle."""
    done = set()

    def visit(node, walked):
        for line, to in graph.get(node, ()):
            if to in walked:
                circle = walked[walked.index(to):] + [to]
                names = " -> ".join(os.path.basename(c) for c in circle)
                complaints.add(node, line, f"include circle: {names}")
            elif to not in done:
                visit(to, walked + [to])
        done.add(node)

    for node in sorted(graph):
        if node not in done:
            visit(node, [node])


def main():
    root = root_argument()
    complaints = Complaints(root)
    pure = pure_names(root)
    graph = {}
    paths = list(walk(root, (".c", ".h"), LAYERS))
    for path in paths:
        graph[path] = []
        for line, name, ours in includes(read(path)):
            if ours or name == PUBLIC:
                graph[path].append((line, os.path.join(root, name)))
                check_ours(complaints, root, path, line, name)
                check_purity(complaints, root, path, line, name, pure)
            else:
                check_foreign(complaints, root, path, line, name)
    check_circles(complaints, graph)
    complaints.finish(len(paths), "sources")


main()
