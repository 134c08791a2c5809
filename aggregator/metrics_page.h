/* The aggregator's /metrics page. Pure: writes into a struct buffer. */
#ifndef AGGREGATOR_METRICS_PAGE_H
#define AGGREGATOR_METRICS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregator/aggregator.h"
#include "common/buffer.h"
#include "common/exposition.h"

/* One socket: connections now, and counters since it was opened. */
struct metrics_link {
    const char *name; /* "reports" */
    uint64_t n_pipes;
    uint64_t n_connected, n_disconnected, n_rejected, n_swept, n_kicked, n_dropped;
};

/* What only the shell knows. */
struct metrics_shell {
    const char *nng_version;
    bool nng_is_defective;
    bool reaper_is_alive;
    size_t n_links;
    struct metrics_link links[4];
    struct process_usage usage;
};

/* Room for a full fleet: some 25 families a broker at 200 bytes a line. */
#define METRICS_PAGE_BYTES_MAX (8 * 1024 * 1024)

/* Write the page as of the aggregator's last event. Values are shown of fresh brokers only: stale
 * is not a number. */
void metrics_page(struct aggregator *aggregator, const struct metrics_shell *shell,
                  struct buffer *to);

#endif
