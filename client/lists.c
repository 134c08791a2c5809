/* Answers as the lists of evenkeel.h. Pure; allocates.
 *
 * A list keeps the nouns that were decoded; the public rows point into them, so that a name is
 * stored once. The nouns' arrays are cut to what came before anything points into them. */
#include "client/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fleet_list {
    struct ek_ranking ranking;
    struct ek_reports reports;
    struct broker_view *views;
    struct topic_load *loads; /* NULL in a ranking */
    struct ek_broker *brokers;
    struct ek_topic *topics;
    struct ek_metric *metrics;
    const char **candidates;
    char peers[BROKER_PEERS_MAX][ID_BYTES_MAX + 1];
};

_Static_assert(EK_NAME_SIZE == NAME_BYTES_MAX + 1, "a topic's name is given whole");
_Static_assert(EK_ID_SIZE == ID_BYTES_MAX + 1, "an id is given whole");
_Static_assert(EK_ADDRESS_SIZE == ADDRESS_BYTES_MAX + 1, "an address is given whole");
_Static_assert(EK_TEXT_SIZE == TEXT_BYTES_MAX + 1, "a sentence is given whole");

#define SAME(public, ours) _Static_assert((int)(public) == (int)(ours), "one number, two names")
SAME(EK_OBSERVED, PLACEMENT_OBSERVED);
SAME(EK_ASSIGNED, PLACEMENT_ASSIGNED);
SAME(EK_FRESH, FRESH);
SAME(EK_STALE, STALE);
SAME(EK_GONE, GONE);
SAME(EK_MOVE_PLANNED, MOVE_PLANNED);
SAME(EK_MOVE_SENT, MOVE_SENT);
SAME(EK_MOVE_RUNNING, MOVE_RUNNING);
SAME(EK_MOVE_VERIFYING, MOVE_VERIFYING);
SAME(EK_MOVE_ENDED, MOVE_ENDED);
SAME(EK_UNDECIDED, MOVE_UNDECIDED);
SAME(EK_MOVED, MOVE_MOVED);
SAME(EK_NOOP, MOVE_NOOP);
SAME(EK_REFUSED, MOVE_REFUSED);
SAME(EK_ELSEWHERE, MOVE_ELSEWHERE);
SAME(EK_TIMED_OUT, MOVE_TIMED_OUT);
SAME(EK_FAILED, MOVE_FAILED);

void fleet_list_free(struct fleet_list *list)
{
    if (list == NULL) {
        return;
    }
    free(list->views);
    free(list->loads);
    free(list->brokers);
    free(list->topics);
    free(list->metrics);
    free((void *)list->candidates);
    free(list);
}

struct fleet_list *fleet_list_new(bool with_topics)
{
    struct fleet_list *list = calloc(1, sizeof(*list));

    if (list == NULL) {
        return NULL;
    }
    list->views = malloc(FLEET_BROKERS_MAX * sizeof(*list->views));
    list->loads = with_topics ? malloc(REPORT_TOPICS_MAX * sizeof(*list->loads)) : NULL;
    if (list->views == NULL || (with_topics && list->loads == NULL)) {
        fleet_list_free(list);
        return NULL;
    }
    return list;
}

void fleet_list_attach(struct fleet_list *list, struct answer *answer)
{
    answer->brokers = list->views;
    answer->n_brokers_max = FLEET_BROKERS_MAX;
    answer->topics = list->loads;
    answer->n_topics_max = list->loads != NULL ? REPORT_TOPICS_MAX : 0;
}

/* Cut an array to `n` elements. Returns where it is now; what cannot be cut stays as it is. */
static void *cut(void *array, size_t n, size_t size)
{
    void *shorter = realloc(array, n > 0 ? n * size : 1);

    return shorter != NULL ? shorter : array;
}

static size_t n_bits(uint64_t set)
{
    return (size_t)__builtin_popcountll(set);
}

/* Candidates that have a name: bits beyond the peers that came name nobody. */
static uint64_t named_candidates(const struct topic_load *load, size_t n_peers)
{
    uint64_t named = n_peers >= 64 ? UINT64_MAX : (UINT64_C(1) << n_peers) - 1;

    return load->candidates & named;
}

static int fleet_list_reserve(struct fleet_list *list, const struct answer *answer)
{
    size_t n_candidates = 0;
    size_t n_metrics = answer->n_brokers * METRICS + answer->n_topics * TOPIC_METRICS;

    for (size_t i = 0; i < answer->n_topics; i++) {
        n_candidates += n_bits(named_candidates(&answer->topics[i], answer->n_peers));
    }
    list->views = cut(list->views, answer->n_brokers, sizeof(*list->views));
    if (list->loads != NULL) {
        list->loads = cut(list->loads, answer->n_topics, sizeof(*list->loads));
    }
    list->brokers = calloc(answer->n_brokers + 1, sizeof(*list->brokers));
    list->topics = calloc(answer->n_topics + 1, sizeof(*list->topics));
    list->metrics = calloc(n_metrics + 1, sizeof(*list->metrics));
    list->candidates = calloc(n_candidates + 1, sizeof(*list->candidates));
    return list->brokers == NULL || list->topics == NULL || list->metrics == NULL ||
                   list->candidates == NULL
               ? -ENOMEM
               : 0;
}

static struct ek_metric metric_row(const char *name, struct value value)
{
    bool present = value_is_present(value);

    return (struct ek_metric){.name = name,
                              .value = present ? value.number : 0,
                              .absent = present ? NULL : value_state_name(value.state),
                              .present = present};
}

static struct ek_broker broker_row(const struct broker_view *view)
{
    return (struct ek_broker){.id = view->id,
                              .node = view->node,
                              .address = view->address,
                              .freshness = (enum ek_freshness)view->freshness,
                              .ranked = view->ranked,
                              .score = view->ranked ? view->score : 0,
                              .age_seconds = (double)view->age_us / (double)US_PER_S,
                              .topics = view->n_topics,
                              .report_bytes = view->report_bytes};
}

/* Fill the brokers' rows; their metrics go to `metrics`. Returns where the next ones go. */
static struct ek_metric *fill_brokers(struct fleet_list *list, size_t n, struct ek_metric *metrics)
{
    for (size_t i = 0; i < n; i++) {
        const struct broker_view *view = &list->views[i];

        list->brokers[i] = broker_row(view);
        list->brokers[i].metrics = metrics;
        list->brokers[i].n_metrics = view->with_values ? METRICS : 0;
        for (size_t m = 0; m < list->brokers[i].n_metrics; m++) {
            *metrics++ = metric_row(metric_info((enum metric)m)->name, view->values[m]);
        }
    }
    return metrics;
}

static void fill_topics(struct fleet_list *list, size_t n, size_t n_peers,
                        struct ek_metric *metrics)
{
    const char **candidates = list->candidates;

    for (size_t i = 0; i < n; i++) {
        const struct topic_load *load = &list->loads[i];
        uint64_t set = named_candidates(load, n_peers);

        list->topics[i] = (struct ek_topic){.name = load->name.text,
                                            .movable = load->movable,
                                            .candidates = candidates,
                                            .n_candidates = n_bits(set),
                                            .metrics = metrics,
                                            .n_metrics = TOPIC_METRICS};
        for (; set != 0; set &= set - 1) {
            *candidates++ = list->peers[__builtin_ctzll(set)];
        }
        for (size_t m = 0; m < TOPIC_METRICS; m++) {
            *metrics++ = metric_row(topic_metric_name((enum topic_metric)m), load->values[m]);
        }
    }
}

int fleet_list_fill(struct fleet_list *list, const struct answer *answer)
{
    int r = fleet_list_reserve(list, answer);

    if (r < 0) {
        return r;
    }
    memcpy(list->peers, answer->peers, answer->n_peers * sizeof(list->peers[0]));
    fill_topics(list, answer->n_topics, answer->n_peers,
                fill_brokers(list, answer->n_brokers, list->metrics));
    list->ranking = (struct ek_ranking){.n_brokers = answer->n_brokers, .brokers = list->brokers};
    list->reports = (struct ek_reports){.n_brokers = answer->n_brokers,
                                        .brokers = list->brokers,
                                        .n_topics = answer->n_topics,
                                        .topics = list->topics};
    return 0;
}

struct ek_ranking *fleet_list_ranking(struct fleet_list *list)
{
    return &list->ranking;
}

struct ek_reports *fleet_list_reports(struct fleet_list *list)
{
    return &list->reports;
}

struct fleet_list *fleet_list_of_ranking(struct ek_ranking *ranking)
{
    if (ranking == NULL) {
        return NULL;
    }
    return (struct fleet_list *)(void *)((char *)ranking - offsetof(struct fleet_list, ranking));
}

struct fleet_list *fleet_list_of_reports(struct ek_reports *reports)
{
    if (reports == NULL) {
        return NULL;
    }
    return (struct fleet_list *)(void *)((char *)reports - offsetof(struct fleet_list, reports));
}

struct ek_move move_row(const struct move_view *view)
{
    struct ek_move move = {.id = view->id,
                           .state = (enum ek_move_state)view->state,
                           .outcome = (enum ek_move_outcome)view->outcome,
                           .seconds = view->seconds};

    (void)name_copy(move.topic, sizeof(move.topic), view->topic.text);
    (void)name_copy(move.from, sizeof(move.from), view->from);
    (void)name_copy(move.to, sizeof(move.to), view->to);
    (void)name_copy(move.text, sizeof(move.text), view->text);
    return move;
}

/* The head is what the caller gets, and what free() takes back with the rows behind it. */
struct move_list {
    struct ek_moves head;
    struct ek_move rows[];
};

struct ek_moves *move_list_new(const struct move_view *views, size_t n)
{
    struct move_list *list = calloc(1, sizeof(*list) + n * sizeof(list->rows[0]));

    if (list == NULL) {
        return NULL;
    }
    list->head.n_moves = n;
    list->head.moves = list->rows;
    for (size_t i = 0; i < n; i++) {
        list->rows[i] = move_row(&views[i]);
    }
    return &list->head;
}

struct ek_placement placement_row(const struct placement *placement)
{
    struct ek_placement row = {.source = (enum ek_source)placement->source};

    (void)name_copy(row.topic, sizeof(row.topic), placement->topic.text);
    (void)name_copy(row.broker, sizeof(row.broker), placement->broker);
    (void)name_copy(row.address, sizeof(row.address), placement->address);
    return row;
}

struct ek_status status_row(const struct aggregator_status *status)
{
    struct ek_status row = {.epoch = status->epoch,
                            .uptime_seconds = status->uptime_s,
                            .nodes = status->n_nodes,
                            .brokers_fresh = status->n_fresh,
                            .brokers_stale = status->n_stale,
                            .brokers_gone = status->n_gone,
                            .topics = status->n_topics,
                            .assignments = status->n_assignments,
                            .moves_in_flight = status->n_moves_in_flight,
                            .reports = status->n_reports,
                            .reports_refused = status->n_reports_refused};

    (void)name_copy(row.version, sizeof(row.version), status->version);
    (void)name_copy(row.algorithm, sizeof(row.algorithm), status->algorithm);
    return row;
}
