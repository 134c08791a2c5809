/* The ranking: brokers from the least to the most loaded. Pure. */
#ifndef AGGREGATOR_RANK_H
#define AGGREGATOR_RANK_H

#include <stddef.h>
#include <stdint.h>

#include "aggregator/fleet.h"
#include "common/limits.h"
#include "common/metric.h"
#include "common/units.h"

enum rank_algorithm {
    RANK_SIMPLE,             /* number of topics */
    RANK_WEIGHTED_COMPOSITE, /* weighted sum of resources, each relative to the fleet's largest */
    RANK_ALGORITHMS
};

/* What weighted_composite weighs, in these units. */
enum rank_resource {
    RANK_CPU,         /* percent of the broker's limit */
    RANK_MEMORY,      /* percent of the broker's limit */
    RANK_DISK_IO,     /* bytes/s, read and written */
    RANK_NETWORK_IO,  /* bytes/s, received and sent */
    RANK_THROUGHPUT,  /* Mbit/s of its topics, in and out */
    RANK_TOPIC_COUNT, /* with those assigned and not seen yet */
    RANK_DISK_USAGE,  /* GB (10^9 bytes) */
    RANK_PRESSURE,    /* percent of time that tasks waited: the worst of cpu, memory and I/O */
    RANK_RESOURCES
};

struct rank_settings {
    enum rank_algorithm algorithm;
    double weights[RANK_RESOURCES]; /* each >= 0 */
};

/* What is ranked: one broker's load. */
struct rank_load {
    const char *id; /* unique; the caller's */
    struct value values[RANK_RESOURCES];
};

struct rank_row {
    const char *id; /* the load's own */
    size_t index;   /* of the load */
    double score;   /* 0..1 */
};

#define RANK_NONE SIZE_MAX

struct ranking {
    size_t n;
    struct rank_row rows[FLEET_BROKERS_MAX]; /* least loaded first */
    size_t row_of[FLEET_BROKERS_MAX];        /* by load: its row, or RANK_NONE */
    size_t n_unrated;                        /* fresh, and nothing known that has a weight */
};

/* Order `n` <= FLEET_BROKERS_MAX loads.
 *
 * A resource's share is min(1, value / largest present value among the loads), that largest taken
 * as at least 1.0. weighted_composite: sum of weight x share over the resources present, divided by
 * the sum of their weights; a load with none of them is left out, and counted. simple: the share of
 * the topic count alone. Lower is less loaded; equal scores: lower id first. Values that are not
 * finite and >= 0 must not be given. */
void rank_order(const struct rank_settings *settings, const struct rank_load *loads, size_t n,
                struct ranking *ret_ranking);

/* The load of one broker. In weighted_composite the topic count is absent when its topics are not
 * known; in simple it is what is known, and assigned. */
void rank_load_of(const struct rank_settings *settings, const struct fleet_broker *broker,
                  struct rank_load *ret_load);

/* Order the fleet's fresh brokers; `index` and `row_of` are then places in fleet->brokers, valid
 * until the fleet changes. */
void rank_brokers(const struct rank_settings *settings, const struct fleet *fleet, time_us now_us,
                  struct ranking *ret_ranking);

/* "simple", "weighted_composite"; "cpu", "memory", …: the words of the configuration. */
const char *rank_algorithm_name(enum rank_algorithm algorithm);
const char *rank_resource_name(enum rank_resource resource);

#endif
