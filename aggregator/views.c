/* Views: the fleet as answers and the feed show it. */
#include "aggregator/views.h"

#include <stdlib.h>
#include <string.h>

static void fill(const struct fleet *fleet, const struct ranking *ranking, size_t index,
                 time_us now_us, struct broker_view *ret_view)
{
    const struct fleet_broker *broker = fleet->brokers[index];
    size_t row = ranking->row_of[index];

    memcpy(ret_view->id, broker->id, sizeof(ret_view->id));
    memcpy(ret_view->node, broker->node->id, sizeof(ret_view->node));
    memcpy(ret_view->address, broker->address, sizeof(ret_view->address));
    ret_view->freshness = fleet_freshness(fleet, broker, now_us);
    ret_view->ranked = row != RANK_NONE;
    ret_view->score = row != RANK_NONE ? ranking->rows[row].score : 0;
    ret_view->age_us = now_us - broker->listed_us;
    ret_view->n_topics = fleet_topic_count(broker);
    ret_view->report_bytes = broker->node->report_bytes;
    ret_view->with_values = false;
}

static void fill_values(const struct fleet_broker *broker, struct broker_view *view)
{
    view->with_values = true;
    memcpy(view->values, broker->values, sizeof(view->values));
}

size_t views_ranking(const struct fleet *fleet, const struct ranking *ranking, time_us now_us,
                     struct broker_view *ret_views)
{
    for (size_t i = 0; i < ranking->n; i++) {
        fill(fleet, ranking, ranking->rows[i].index, now_us, &ret_views[i]);
    }
    return ranking->n;
}

size_t views_reports(const struct fleet *fleet, const struct ranking *ranking, time_us now_us,
                     struct broker_view *ret_views)
{
    for (size_t i = 0; i < fleet->n_brokers; i++) {
        fill(fleet, ranking, i, now_us, &ret_views[i]);
        fill_values(fleet->brokers[i], &ret_views[i]);
    }
    return fleet->n_brokers;
}

void views_broker(const struct fleet *fleet, const struct ranking *ranking,
                  const struct fleet_broker *broker, time_us now_us, struct broker_view *ret_view)
{
    size_t index = 0;

    while (fleet->brokers[index] != broker) {
        index++;
    }
    fill(fleet, ranking, index, now_us, ret_view);
    fill_values(broker, ret_view);
}

static int by_name(const void *left, const void *right)
{
    const struct topic_load *a = left, *b = right;

    return strcmp(a->name.text, b->name.text);
}

size_t views_topics(const struct fleet_broker *broker, struct topic_load *ret_topics)
{
    size_t n = 0;

    for (const struct fleet_claim *claim = broker->claims; claim != NULL && n < REPORT_TOPICS_MAX;
         claim = claim->next_of_broker) {
        struct topic_load *topic = &ret_topics[n++];

        (void)name_copy(topic->name.text, sizeof(topic->name.text), fleet_claim_topic(claim));
        topic->movable = claim->movable;
        topic->candidates = claim->candidates;
        memcpy(topic->values, claim->values, sizeof(topic->values));
    }
    qsort(ret_topics, n, sizeof(ret_topics[0]), by_name);
    return n;
}

bool views_are_equal(const struct broker_view *a, size_t n_a, const struct broker_view *b,
                     size_t n_b)
{
    if (n_a != n_b) {
        return false;
    }
    for (size_t i = 0; i < n_a; i++) {
        if (strcmp(a[i].id, b[i].id) != 0 || CMP(a[i].score, b[i].score) != 0 ||
            strcmp(a[i].address, b[i].address) != 0 || a[i].n_topics != b[i].n_topics) {
            return false;
        }
    }
    return true;
}

void views_count(const struct fleet *fleet, time_us now_us, struct aggregator_status *status)
{
    for (size_t i = 0; i < fleet->n_brokers; i++) {
        enum freshness freshness = fleet_freshness(fleet, fleet->brokers[i], now_us);

        status->n_fresh += freshness == FRESH;
        status->n_stale += freshness == STALE;
        status->n_gone += freshness == GONE;
    }
}
