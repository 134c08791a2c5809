/* One full sample, taken at once: for people, and for `doctor`. Shell. */
#ifndef AGENT_ONCE_H
#define AGENT_ONCE_H

#include "agent/agent_options.h"
#include "agent/sampler.h"
#include "agent/source.h"
#include "common/report.h"
#include "common/units.h"

/* Between the two readings that rates need. */
#define ONCE_GAP_US_DEFAULT SECONDS(1)
#define ONCE_GAP_US_MIN     MILLISECONDS(100)
#define ONCE_GAP_US_MAX     SECONDS(60)

struct once {
    struct sampler *sampler;
    struct source *sources[NODE_BROKERS_MAX]; /* NULL: the broker has none */
    struct report report;
};

/* Read everything twice, `gap_us` apart, into `report`. Topic sources are asked twice as well, or
 * until one fails; the intervals in `config`, which must outlive the sample, are set to the gap.
 * Returns 0, -ENOMEM, -EAGAIN, or -ENOENT when the proc root cannot be opened. The caller frees
 * with once_free(), which NULL is fine for. */
int once_take(struct agent_config *config, time_us gap_us, struct once **ret_once);
void once_free(struct once *once);

#endif
