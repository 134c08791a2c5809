/* Where an agent runs, in words. Pure. */
#include "common/environment.h"

#include <assert.h>
#include <stddef.h>

#include "common/units.h"

const char *environment_kind_name(enum environment_kind kind)
{
    static const char *const names[ENVIRONMENT_KINDS] = {
        [ENVIRONMENT_UNKNOWN] = "unknown",
        [ENVIRONMENT_NATIVE] = "native",
        [ENVIRONMENT_CONTAINER] = "container",
        [ENVIRONMENT_KUBERNETES] = "kubernetes",
    };

    return (size_t)kind < N_ELEMENTS(names) ? names[kind] : "unknown";
}

const char *environment_hierarchy_name(enum environment_hierarchy hierarchy)
{
    static const char *const names[HIERARCHIES] = {
        [HIERARCHY_UNKNOWN] = "unknown", [HIERARCHY_NONE] = "none",     [HIERARCHY_V1] = "v1",
        [HIERARCHY_V2] = "v2",           [HIERARCHY_HYBRID] = "hybrid",
    };

    return (size_t)hierarchy < N_ELEMENTS(names) ? names[hierarchy] : "unknown";
}

const char *environment_controller_name(enum environment_controller controller)
{
    static const char *const names[ENVIRONMENT_CONTROLLERS] = {
        [ENVIRONMENT_CPU] = "cpu", [ENVIRONMENT_CPUSET] = "cpuset", [ENVIRONMENT_MEMORY] = "memory",
        [ENVIRONMENT_IO] = "io",   [ENVIRONMENT_PIDS] = "pids",
    };

    assert(controller < ENVIRONMENT_CONTROLLERS);
    return names[controller];
}

const char *environment_version_name(uint64_t version)
{
    return version == 1 ? "v1" : version == 2 ? "v2" : "none";
}
