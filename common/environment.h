/* Where an agent runs: natively or in a container, and which cgroup hierarchy serves what. Pure.
 *
 * The numbers go over the wire: append only, never reuse. docs/protocol.md lists them. */
#ifndef COMMON_ENVIRONMENT_H
#define COMMON_ENVIRONMENT_H

#include <stdint.h>

enum environment_kind {
    ENVIRONMENT_UNKNOWN = 0,
    ENVIRONMENT_NATIVE = 1,
    ENVIRONMENT_CONTAINER = 2,
    ENVIRONMENT_KUBERNETES = 3,
    ENVIRONMENT_KINDS
};

enum environment_hierarchy {
    HIERARCHY_UNKNOWN = 0,
    HIERARCHY_NONE = 1, /* no cgroup file system can be seen */
    HIERARCHY_V1 = 2,
    HIERARCHY_V2 = 3,
    HIERARCHY_HYBRID = 4, /* both are mounted */
    HIERARCHIES
};

/* Controllers whose hierarchy is told, in this order. */
enum environment_controller {
    ENVIRONMENT_CPU,
    ENVIRONMENT_CPUSET,
    ENVIRONMENT_MEMORY,
    ENVIRONMENT_IO,
    ENVIRONMENT_PIDS,
    ENVIRONMENT_CONTROLLERS
};

struct environment {
    enum environment_kind kind;
    enum environment_hierarchy hierarchy;
    uint64_t versions[ENVIRONMENT_CONTROLLERS]; /* 1 or 2: who serves it; 0: nobody */
};

/* "native", "v1", "cpu", …; "unknown" for a number of a later version. */
const char *environment_kind_name(enum environment_kind kind);
const char *environment_hierarchy_name(enum environment_hierarchy hierarchy);
const char *environment_controller_name(enum environment_controller controller);

/* "v1", "v2", or "none". */
const char *environment_version_name(uint64_t version);

#endif
