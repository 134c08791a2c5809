/* Pressure (PSI): how long tasks of a cgroup, or of the host, waited for a resource. Shell.
 *
 * The kernel's averages are of its own intervals; a ratio is taken from the total instead, over the
 * interval of the samples. */
#ifndef AGENT_PRESSURE_H
#define AGENT_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/chain.h"
#include "agent/held.h"
#include "agent/rate.h"
#include "common/metric.h"
#include "common/units.h"

enum pressure_resource { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_RESOURCES };

/* Zeroed is closed. */
struct pressure {
    enum value_state why;                  /* nothing is held open: why there is nothing */
    struct held files[PRESSURE_RESOURCES]; /* not wanted: nothing is held open */
    bool has_full[PRESSURE_RESOURCES];
    struct rate rates[PRESSURE_RESOURCES]; /* counter 0: some, 1: full */
};

/* Hold the cgroup's files open when it is the broker's own; else say why there is no pressure of
 * the broker's: the root's is the host's. */
void pressure_hold(struct pressure *pressure, const struct chain *chain);

/* Hold the host's files open, below the proc root. */
void pressure_hold_host(struct pressure *pressure, int proc_fd);

/* Try again what could not be opened. */
void pressure_retry(struct pressure *pressure);

/* Read it all once into the six pressure values. `owner` is whose they are. A kernel that has PSI
 * switched off is logged once: `was_said` keeps that. Returns 0, or -ENODEV when the cgroup is no
 * more. Adds to `n_resets`. */
int pressure_take(struct pressure *pressure, time_us now_us, uint64_t owner, struct reader *reader,
                  bool *was_said, uint64_t *n_resets, struct value *values);

/* Close all files. The rates stay, and will see a reset. */
void pressure_close(struct pressure *pressure);

#endif
