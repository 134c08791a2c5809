/* The aggregator's configuration: `evenkeel-aggregator --config FILE`. */
#ifndef AGGREGATOR_AGGREGATOR_OPTIONS_H
#define AGGREGATOR_AGGREGATOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/aggregator.h"
#include "aggregator/rank.h"
#include "common/config.h"
#include "common/log_options.h"
#include "common/units.h"

/* Where each socket listens: tcp://host:port or ipc:///path. */
struct listen_options {
    char *reports;
    char *decisions;
    char *queries;
    char *feed;
};

struct aggregator_config {
    char *id;      /* of this aggregator; "" = its host name */
    bool insecure; /* allow plain tcp from other hosts */
    struct listen_options listen;
    char *http_listen; /* "127.0.0.1:7700"; "" = no HTTP */
    int algorithm;     /* enum rank_algorithm */
    double weights[RANK_RESOURCES];
    int64_t stale_intervals;
    int64_t gone_intervals;
    time_us forget_after_us;
    time_us move_deadline_us;
    time_us poll_hold_us;
    struct log_options log;
};

extern const struct option_row aggregator_rows[];

/* Read and check the whole of `path`; see config_read(). What rows cannot say is checked here: the
 * id, urls, plain tcp beyond loopback only when `insecure`, the sum of the weights (1.0 ± 0.001),
 * gone after stale. */
int aggregator_config_read(const char *path, struct aggregator_config *ret_config, char *ret_error);

/* The same from bytes in memory; see config_read_bytes(). */
int aggregator_config_read_bytes(const char *name, const char *bytes, size_t n,
                                 struct aggregator_config *ret_config, char *ret_error);

/* Release and zero; NULL is fine. */
void aggregator_config_done(struct aggregator_config *config);

/* What the core needs of it; version and epoch are the caller's to set. */
struct aggregator_settings aggregator_config_settings(const struct aggregator_config *config);

#endif
