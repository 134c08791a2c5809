/* The ranking: brokers from the least to the most loaded. */
#include "aggregator/rank.h"

#include <assert.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

const char *rank_algorithm_name(enum rank_algorithm algorithm)
{
    return algorithm == RANK_SIMPLE ? "simple" : "weighted_composite";
}

const char *rank_resource_name(enum rank_resource resource)
{
    static const char *const names[RANK_RESOURCES] = {
        [RANK_CPU] = "cpu",
        [RANK_MEMORY] = "memory",
        [RANK_DISK_IO] = "disk_io",
        [RANK_NETWORK_IO] = "network_io",
        [RANK_THROUGHPUT] = "throughput",
        [RANK_TOPIC_COUNT] = "topic_count",
        [RANK_DISK_USAGE] = "disk_usage",
        [RANK_PRESSURE] = "pressure",
    };

    assert(resource < RANK_RESOURCES);
    return names[resource];
}

/* A sum of believable numbers can still leave the range of a double. */
static struct value value_within(double number)
{
    return value_of(MIN(number, DBL_MAX));
}

static struct value scaled(struct value value, double factor)
{
    return value_is_present(value) ? value_within(value.number * factor) : value;
}

/* Both when both are known, else the one that is; absent only when both are. */
static struct value sum_of(struct value a, struct value b)
{
    if (value_is_present(a) && value_is_present(b)) {
        return value_within(a.number + b.number);
    }
    return value_is_present(a) ? a : b;
}

/* The larger one when both are known, else the one that is. */
static struct value worst_of(struct value a, struct value b)
{
    if (value_is_present(a) && value_is_present(b)) {
        return a.number > b.number ? a : b;
    }
    return value_is_present(a) ? a : b;
}

/* A broker waits for what it lacks most. */
static struct value worst_pressure(const struct value *values)
{
    return worst_of(
        values[METRIC_CPU_PRESSURE_SOME_RATIO],
        worst_of(values[METRIC_MEMORY_PRESSURE_SOME_RATIO], values[METRIC_IO_PRESSURE_SOME_RATIO]));
}

static struct value topic_count(const struct rank_settings *settings,
                                const struct fleet_broker *broker)
{
    if (!broker->topics_known && settings->algorithm == RANK_WEIGHTED_COMPOSITE) {
        return value_absent(VALUE_UNKNOWN);
    }
    return value_of((double)fleet_topic_count(broker));
}

void rank_load_of(const struct rank_settings *settings, const struct fleet_broker *broker,
                  struct rank_load *ret_load)
{
    const struct value *values = broker->values;

    ret_load->id = broker->id;
    ret_load->values[RANK_CPU] = scaled(values[METRIC_CPU_RATIO], 100);
    ret_load->values[RANK_MEMORY] = scaled(values[METRIC_MEMORY_RATIO], 100);
    ret_load->values[RANK_DISK_IO] = sum_of(values[METRIC_DISK_READ_BYTES_PER_S],
                                            values[METRIC_DISK_WRITE_BYTES_PER_S]);
    ret_load->values[RANK_NETWORK_IO] = sum_of(values[METRIC_NET_RX_BYTES_PER_S],
                                               values[METRIC_NET_TX_BYTES_PER_S]);
    ret_load->values[RANK_THROUGHPUT] = scaled(broker->topics_bytes_per_s, 8 / 1e6);
    ret_load->values[RANK_TOPIC_COUNT] = topic_count(settings, broker);
    ret_load->values[RANK_DISK_USAGE] = scaled(values[METRIC_DISK_USED_BYTES], 1e-9);
    ret_load->values[RANK_PRESSURE] = scaled(worst_pressure(values), 100);
}

/* The largest value of each resource, at least 1.0. */
static void largest_values(const struct rank_load *loads, size_t n,
                           double ret_largest[RANK_RESOURCES])
{
    for (size_t resource = 0; resource < RANK_RESOURCES; resource++) {
        ret_largest[resource] = 1.0;
        for (size_t i = 0; i < n; i++) {
            struct value value = loads[i].values[resource];

            if (value_is_present(value)) {
                ret_largest[resource] = MAX(ret_largest[resource], value.number);
            }
        }
    }
}

/* Whether anything that has a weight is known of the load; `ret_score` is set then. */
static bool rate(const double weights[RANK_RESOURCES], const double largest[RANK_RESOURCES],
                 const struct rank_load *load, double *ret_score)
{
    double score = 0, weight_present = 0;

    for (size_t resource = 0; resource < RANK_RESOURCES; resource++) {
        struct value value = load->values[resource];

        if (value_is_present(value)) {
            score += weights[resource] * MIN(1.0, value.number / largest[resource]);
            weight_present += weights[resource];
        }
    }
    if (!(weight_present > 0)) {
        return false;
    }
    *ret_score = MIN(1.0, score / weight_present);
    return true;
}

static int compare_rows(const void *left, const void *right)
{
    const struct rank_row *a = left, *b = right;
    int order = CMP(a->score, b->score);

    return order != 0 ? order : strcmp(a->id, b->id);
}

void rank_order(const struct rank_settings *settings, const struct rank_load *loads, size_t n,
                struct ranking *ret_ranking)
{
    static const double topics_alone[RANK_RESOURCES] = {[RANK_TOPIC_COUNT] = 1};
    const double *weights = settings->algorithm == RANK_SIMPLE ? topics_alone : settings->weights;
    double largest[RANK_RESOURCES];

    assert(n <= FLEET_BROKERS_MAX);
    largest_values(loads, n, largest);
    ret_ranking->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct rank_row *row = &ret_ranking->rows[ret_ranking->n];

        row->id = loads[i].id;
        row->index = i;
        ret_ranking->row_of[i] = RANK_NONE;
        ret_ranking->n += rate(weights, largest, &loads[i], &row->score);
    }
    ret_ranking->n_unrated = n - ret_ranking->n;
    qsort(ret_ranking->rows, ret_ranking->n, sizeof(ret_ranking->rows[0]), compare_rows);
    for (size_t i = 0; i < ret_ranking->n; i++) {
        ret_ranking->row_of[ret_ranking->rows[i].index] = i;
    }
}

/* Turn places among the fresh ones into places in the fleet. */
static void renumber(struct ranking *ranking, const size_t *place, size_t n_brokers)
{
    for (size_t i = 0; i < n_brokers; i++) {
        ranking->row_of[i] = RANK_NONE;
    }
    for (size_t i = 0; i < ranking->n; i++) {
        ranking->rows[i].index = place[ranking->rows[i].index];
        ranking->row_of[ranking->rows[i].index] = i;
    }
}

void rank_brokers(const struct rank_settings *settings, const struct fleet *fleet, time_us now_us,
                  struct ranking *ret_ranking)
{
    struct rank_load loads[FLEET_BROKERS_MAX];
    size_t place[FLEET_BROKERS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < fleet->n_brokers; i++) {
        if (fleet_freshness(fleet, fleet->brokers[i], now_us) == FRESH) {
            rank_load_of(settings, fleet->brokers[i], &loads[n]);
            place[n++] = i;
        }
    }
    rank_order(settings, loads, n, ret_ranking);
    renumber(ret_ranking, place, fleet->n_brokers);
}
