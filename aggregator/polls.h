/* Parked polls: the requests of agents that wait for a decision, one for each node. Pure. */
#ifndef AGGREGATOR_POLLS_H
#define AGGREGATOR_POLLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/units.h"

struct poll {
    char node[ID_BYTES_MAX + 1];
    uint64_t boot_id;
    uint64_t token; /* the link's request, to answer it */
    time_us arrived_us;
};

struct polls {
    size_t n;
    struct poll parked[REQUESTS_PARKED_MAX]; /* in order of arrival */
};

/* Park a poll. The one that must be answered now for it goes to `ret_displaced`: the node's former
 * poll, or the oldest of all when there is no room. Returns whether there is one. */
bool polls_park(struct polls *polls, const struct poll *poll, struct poll *ret_displaced);

/* Take out the poll at place `i` < n; the order of the others stays. */
struct poll polls_take(struct polls *polls, size_t i);

#endif
