/* Containers as the names of their cgroups tell them. Pure.
 *
 * docker-ID.scope, /docker/ID, cri-containerd-ID.scope, crio-ID.scope, libpod-ID.scope,
 * /kubepods/…/ID, …:cri-containerd:ID: an id is what hexadecimal digits a name ends with. A
 * container's monitor (libpod-conmon-ID, crio-conmon-ID) bears its id, too, and is not in it. */
#ifndef AGENT_CONTAINER_H
#define AGENT_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>

/* An id that people give may be cut short, as docker ps does; in a path it has 64 digits. */
#define CONTAINER_ID_DIGITS_MIN 12
#define CONTAINER_ID_DIGITS_MAX 64

/* Whether `text` is such an id, or the first 12 or more digits of one. */
bool container_is_id(const char *text);

/* How much of a cgroup's path leads to the container whose id begins with `id`, that name included;
 * 0: it is not on the path. */
size_t container_on_path(const char *path, const char *id);

/* How much of it leads to the innermost container, whichever it is; 0: none. */
size_t container_innermost(const char *path);

/* Whether a process at `path` is in another container of the pod that a process at `own` is in:
 * both are names in the same cgroup. Seen from a cgroup namespace, `own` is "/" and siblings begin
 * with "/..". */
bool container_is_mate(const char *own, const char *path);

#endif
