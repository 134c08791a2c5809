/* Where this agent runs. Shell: reads below the roots. */
#ifndef AGENT_ENVIRONMENT_H
#define AGENT_ENVIRONMENT_H

#include <stdbool.h>

#include "agent/cgroup.h"
#include "common/environment.h"

/* Where to look. */
struct environment_view {
    int root_fd;                   /* the agent's own root folder */
    int proc_fd;                   /* the proc root */
    bool has_kubernetes_variable;  /* KUBERNETES_SERVICE_HOST is set */
    const struct cgroups *cgroups; /* the mounts that can be seen */
};

/* Tell where the agent runs and which hierarchy serves what. What cannot be read counts as not
 * there. */
void environment_detect(const struct environment_view *view, struct environment *ret_environment);

/* Which namespaces of its own the agent is in; false, too, when that cannot be told. */
struct environment_namespaces {
    bool pid, cgroup;
    bool network; /* see environment_network() */
};
void environment_namespaces(int proc_fd, struct environment_namespaces *ret_namespaces);

/* Whether the agent is in the host's own network namespace: 1, 0, or -ENODATA where the kernel's
 * settings cannot be seen. */
int environment_network(int proc_fd);

#endif
