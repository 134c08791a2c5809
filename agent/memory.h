/* A broker's memory: use and limits, from its cgroup or its processes. Shell. */
#ifndef AGENT_MEMORY_H
#define AGENT_MEMORY_H

#include <stdbool.h>

#include "agent/chain.h"
#include "agent/family.h"
#include "agent/held.h"
#include "common/metric.h"

struct memory_level {
    bool is_used;       /* it has a limit, or is the broker's own */
    double limit_bytes; /* INFINITY: none */
    struct held usage, stat;
};

/* Zeroed is closed. */
struct memory {
    const struct chain *chain;
    enum value_state limit_error; /* VALUE_PRESENT, or why some limit is not known */
    struct memory_level levels[CHAIN_LEVELS_MAX];
    struct held swap, events; /* of the broker's own cgroup: swap space, and what was killed */
};

/* Look at the limits again, and hold open what is to be read of each level. `ram` is the host's: a
 * limit above it is none. */
void memory_refresh(struct memory *memory, struct value ram, struct reader *reader);

/* Read all of it into the memory values. Returns 0, or -ENODEV when the cgroup is no more. */
int memory_take(struct memory *memory, struct family *family, struct value ram,
                struct reader *reader, struct value *values);

/* Close all files. */
void memory_close(struct memory *memory);

#endif
