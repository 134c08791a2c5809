/* The fleet: what all agents said last, who owns which topic, and what was assigned.
 *
 * A report is applied in three steps, so that it is applied whole or not at all. `judge` looks and
 * changes nothing. `reserve` makes every node, broker, topic and claim that is missing; when memory
 * ends on the way, exactly what it made is taken back. `commit` writes, and cannot fail.
 *
 * Freshness goes by our receive clock alone. The agent's clocks are only held against themselves:
 * the distance between our receive time and its sample time is least when nothing is in the way, so
 * what a report's distance is above that least is how long it was on its way. Two quartz clocks
 * drift apart by far less than a thousandth, so the least distance creeps up by a thousandth of the
 * time; without that, a slow clock would make every report late after some days.
 *
 * A broker whose topics its agent could not learn (topics_known is false) keeps its claims as they
 * were last seen, unless its process is another one: not knowing is not the same as having none.
 *
 * Unresolved: the hash is not seeded, so an agent that may report can make lookups slow with names
 * that collide; the number of names bounds how slow. */
#include "aggregator/fleet.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

/* Out of memory while adding leaves the element out, and its hh.tbl NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define DRIFT_DIVISOR 1000

struct fleet_topic {
    UT_hash_handle hh;
    struct fleet_claim *claims;
    struct fleet_broker *assigned; /* NULL: no assignment */
    bool pending;
    struct fleet_topic *next_assigned;
    size_t n_name;
    char name[];
};

/* The mark of a claim that reserve made and commit has not written. */
#define UNMARKED 0

const char *fleet_verdict_name(enum fleet_verdict verdict)
{
    static const char *const names[FLEET_VERDICTS] = {
        [FLEET_ACCEPTED] = "accepted",     [FLEET_OWNER_CONFLICT] = "owner_conflict",
        [FLEET_SEQ_BACK] = "seq_back",     [FLEET_OLD_BOOT] = "old_boot",
        [FLEET_TIME_BACK] = "time_back",   [FLEET_LATE] = "late",
        [FLEET_CLOCK_JUMP] = "clock_jump", [FLEET_FULL] = "full",
    };

    assert(verdict < FLEET_VERDICTS);
    return names[verdict];
}

void fleet_init(struct fleet *fleet, const struct fleet_settings *settings)
{
    assert(settings->stale_intervals > 0);
    assert(settings->gone_intervals > settings->stale_intervals);
    memset(fleet, 0, sizeof(*fleet));
    fleet->settings = *settings;
}

/* Where `id` stands, or would stand, among `n` pointers to structs that begin with their id. */
static size_t place_of(void *const *items, size_t n, const char *id, bool *ret_found)
{
    size_t low = 0, high = n;

    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp((const char *)items[middle], id);

        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static_assert(offsetof(struct fleet_node, id) == 0, "place_of() reads the id there");
static_assert(offsetof(struct fleet_broker, id) == 0, "place_of() reads the id there");

struct fleet_node *fleet_node(const struct fleet *fleet, const char *id)
{
    bool found;
    size_t i = place_of((void *const *)fleet->nodes, fleet->n_nodes, id, &found);

    return found ? fleet->nodes[i] : NULL;
}

struct fleet_broker *fleet_broker(const struct fleet *fleet, const char *id)
{
    bool found;
    size_t i = place_of((void *const *)fleet->brokers, fleet->n_brokers, id, &found);

    return found ? fleet->brokers[i] : NULL;
}

static void insert_at(void **items, size_t *n, size_t at, void *item)
{
    memmove(items + at + 1, items + at, (*n - at) * sizeof(*items));
    items[at] = item;
    (*n)++;
}

static void remove_item(void **items, size_t *n, const char *id)
{
    bool found;
    size_t at = place_of(items, *n, id, &found);

    assert(found);
    (*n)--;
    memmove(items + at, items + at + 1, (*n - at) * sizeof(*items));
}

/* The node or broker `id`, made with its id alone when it is not there; NULL: no room. */
static void *find_or_add(void **items, size_t *n, size_t n_max, size_t size, const char *id)
{
    bool found;
    size_t at = place_of(items, *n, id, &found);
    char *item;

    if (found) {
        return items[at];
    }
    item = *n < n_max ? calloc(1, size) : NULL;
    if (item != NULL) {
        memcpy(item, id, strlen(id) + 1);
        insert_at(items, n, at, item);
    }
    return item;
}

static struct fleet_topic *topic_find(const struct fleet *fleet, const char *name)
{
    struct fleet_topic *topic;

    HASH_FIND(hh, fleet->topics, name, strlen(name), topic);
    return topic;
}

static struct fleet_topic *topic_find_or_add(struct fleet *fleet, const char *name)
{
    size_t n_name = strlen(name);
    struct fleet_topic *topic = topic_find(fleet, name);

    if (topic != NULL) {
        return topic;
    }
    topic = calloc(1, sizeof(*topic) + n_name + 1);
    if (topic == NULL) {
        return NULL;
    }
    topic->n_name = n_name;
    memcpy(topic->name, name, n_name + 1);
    HASH_ADD_KEYPTR(hh, fleet->topics, topic->name, topic->n_name, topic);
    if (topic->hh.tbl == NULL) {
        free(topic);
        return NULL;
    }
    return topic;
}

static void topic_drop_if_unused(struct fleet *fleet, struct fleet_topic *topic)
{
    if (topic->claims == NULL && topic->assigned == NULL) {
        HASH_DELETE(hh, fleet->topics, topic);
        free(topic);
    }
}

static struct fleet_claim *claim_find(const struct fleet_topic *topic,
                                      const struct fleet_broker *broker)
{
    struct fleet_claim *claim = topic->claims;

    while (claim != NULL && claim->broker != broker) {
        claim = claim->next_of_topic;
    }
    return claim;
}

/* Unlink a claim from its topic and free it; its broker's list is the caller's business. */
static void claim_free(struct fleet *fleet, struct fleet_claim *claim)
{
    struct fleet_claim **link = &claim->topic->claims;

    while (*link != claim) {
        link = &(*link)->next_of_topic;
    }
    *link = claim->next_of_topic;
    topic_drop_if_unused(fleet, claim->topic);
    claim->broker->n_claims--;
    fleet->n_claims--;
    free(claim);
}

/* Free a broker's claims whose mark lies in `first` … `last`. */
static void broker_sweep(struct fleet *fleet, struct fleet_broker *broker, uint64_t first,
                         uint64_t last)
{
    struct fleet_claim **link = &broker->claims;

    while (*link != NULL) {
        struct fleet_claim *claim = *link;

        if (claim->mark < first || claim->mark > last) {
            link = &claim->next_of_broker;
        } else {
            *link = claim->next_of_broker;
            claim_free(fleet, claim);
        }
    }
}

static void pending_end(struct fleet_topic *topic)
{
    if (topic->pending) {
        topic->pending = false;
        topic->assigned->n_pending--;
    }
}

static void assignment_drop(struct fleet *fleet, struct fleet_topic *topic)
{
    struct fleet_topic **link = &topic->assigned->assigned;

    pending_end(topic);
    while (*link != topic) {
        link = &(*link)->next_assigned;
    }
    *link = topic->next_assigned;
    topic->assigned = NULL;
    fleet->n_assignments--;
}

static void assignment_set(struct fleet *fleet, struct fleet_topic *topic,
                           struct fleet_broker *broker)
{
    topic->assigned = broker;
    topic->next_assigned = broker->assigned;
    broker->assigned = topic;
    fleet->n_assignments++;
}

static void broker_free(struct fleet *fleet, struct fleet_broker *broker)
{
    while (broker->assigned != NULL) {
        struct fleet_topic *topic = broker->assigned;

        assignment_drop(fleet, topic);
        topic_drop_if_unused(fleet, topic);
    }
    broker_sweep(fleet, broker, UNMARKED, fleet->mark);
    remove_item((void **)fleet->brokers, &fleet->n_brokers, broker->id);
    free(broker);
}

static void node_free(struct fleet *fleet, struct fleet_node *node)
{
    remove_item((void **)fleet->nodes, &fleet->n_nodes, node->id);
    free(node);
}

void fleet_done(struct fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    while (fleet->n_brokers > 0) {
        broker_free(fleet, fleet->brokers[fleet->n_brokers - 1]);
    }
    while (fleet->n_nodes > 0) {
        node_free(fleet, fleet->nodes[fleet->n_nodes - 1]);
    }
}

/* Intervals are at most an hour and counts small, so the product stays far from overflow. */
static time_us stale_after_us(const struct fleet *fleet, time_us interval_us)
{
    return fleet->settings.stale_intervals * interval_us;
}

static time_us gone_after_us(const struct fleet *fleet, time_us interval_us)
{
    return fleet->settings.gone_intervals * interval_us;
}

/* Silent for so long that nobody will ask for it; never before it is gone. */
static bool node_is_forgotten(const struct fleet *fleet, const struct fleet_node *node,
                              time_us now_us)
{
    time_us gone_us = gone_after_us(fleet, node->interval_us);

    return now_us - node->received_us > MAX(fleet->settings.forget_after_us, gone_us);
}

size_t fleet_forget(struct fleet *fleet, time_us now_us)
{
    size_t n = fleet->n_brokers;

    for (size_t i = fleet->n_brokers; i-- > 0;) {
        struct fleet_broker *broker = fleet->brokers[i];

        if (node_is_forgotten(fleet, broker->node, now_us) ||
            (!broker->listed && now_us - broker->listed_us > fleet->settings.forget_after_us)) {
            broker_free(fleet, broker);
        }
    }
    for (size_t i = fleet->n_nodes; i-- > 0;) {
        if (node_is_forgotten(fleet, fleet->nodes[i], now_us)) {
            node_free(fleet, fleet->nodes[i]);
        }
    }
    return n - fleet->n_brokers;
}

static bool node_is_fresh(const struct fleet *fleet, const struct fleet_node *node, time_us now_us)
{
    return now_us - node->received_us <= stale_after_us(fleet, node->interval_us);
}

enum freshness fleet_freshness(const struct fleet *fleet, const struct fleet_broker *broker,
                               time_us now_us)
{
    const struct fleet_node *node = broker->node;

    if (!broker->listed || broker->state != BROKER_UP ||
        now_us - node->received_us > gone_after_us(fleet, node->interval_us)) {
        return GONE;
    }
    return node_is_fresh(fleet, node, now_us) ? FRESH : STALE;
}

time_us fleet_next_change_us(const struct fleet *fleet, time_us now_us)
{
    time_us next_us = TIME_NEVER;

    for (size_t i = 0; i < fleet->n_nodes; i++) {
        const struct fleet_node *node = fleet->nodes[i];
        time_us stale_us = node->received_us + stale_after_us(fleet, node->interval_us) + 1;
        time_us gone_us = node->received_us + gone_after_us(fleet, node->interval_us) + 1;

        if (stale_us > now_us) {
            next_us = MIN(next_us, stale_us);
        } else if (gone_us > now_us) {
            next_us = MIN(next_us, gone_us);
        }
    }
    return next_us;
}

static bool node_had_boot(const struct fleet_node *node, uint64_t boot_id)
{
    for (size_t i = 0; i < FLEET_OLD_BOOTS; i++) {
        if (node->old_boots[i] == boot_id && boot_id != 0) {
            return true;
        }
    }
    return false;
}

bool fleet_boot_is_old(const struct fleet *fleet, const char *node, uint64_t boot_id)
{
    const struct fleet_node *known = fleet_node(fleet, node);

    return known != NULL && known->boot_id != boot_id && node_had_boot(known, boot_id);
}

/* Differences of what an outsider wrote must not overflow. */
static time_us bounded(int64_t moment_us)
{
    return CLAMP(moment_us, 0, TIME_NEVER);
}

static time_us distance_us(const struct report *report, time_us now_us)
{
    return now_us - bounded(report->at_us);
}

static int64_t wall_distance_us(const struct report *report)
{
    return bounded(report->sent_unix_us) - bounded(report->at_us);
}

/* The least distance so far, with what the clocks may have drifted since the last report. */
static time_us least_distance_us(const struct fleet_node *node, time_us now_us)
{
    return node->least_distance_us + (now_us - node->received_us) / DRIFT_DIVISOR;
}

/* Whether the reports come late by the same as the one before. What waited in a queue comes less
 * and less late, by an interval each; a clock that stood still (a paused virtual machine) stays
 * behind, and its reports are in time again from the second one on. */
static bool is_offset(const struct fleet_node *node, const struct report *report, time_us now_us)
{
    time_us change_us = distance_us(report, now_us) - node->late_distance_us;

    return node->late_distance_us != 0 && change_us < report->interval_us / 2 &&
           -change_us < report->interval_us / 2;
}

/* A report of the boot that is known already. */
static enum fleet_verdict judge_sequel(const struct fleet *fleet, const struct fleet_node *node,
                                       const struct report *report, time_us now_us)
{
    int64_t jump_us = wall_distance_us(report) - node->wall_distance_us;

    if (report->seq <= node->seq) {
        return FLEET_SEQ_BACK;
    }
    if (report->at_us <= node->at_us) {
        return FLEET_TIME_BACK;
    }
    if (distance_us(report, now_us) - least_distance_us(node, now_us) >
            stale_after_us(fleet, report->interval_us) &&
        !is_offset(node, report, now_us)) {
        return FLEET_LATE;
    }
    if (jump_us > CLOCK_JUMP_US_MAX || jump_us < -CLOCK_JUMP_US_MAX) {
        return FLEET_CLOCK_JUMP;
    }
    return FLEET_ACCEPTED;
}

/* Whether another node that is fresh speaks for one of the report's brokers. */
static bool conflicts(const struct fleet *fleet, const struct report *report, time_us now_us)
{
    for (size_t i = 0; i < report->n_brokers; i++) {
        const struct fleet_broker *broker = fleet_broker(fleet, report->brokers[i].id);

        if (broker != NULL && broker->listed && strcmp(broker->node->id, report->node) != 0 &&
            node_is_fresh(fleet, broker->node, now_us)) {
            return true;
        }
    }
    return false;
}

static enum fleet_verdict judge(const struct fleet *fleet, const struct fleet_node *node,
                                const struct report *report, time_us now_us)
{
    enum fleet_verdict verdict = FLEET_ACCEPTED;

    if (node != NULL && report->boot_id == node->boot_id) {
        verdict = judge_sequel(fleet, node, report, now_us);
    } else if (node != NULL && node_had_boot(node, report->boot_id)) {
        verdict = FLEET_OLD_BOOT;
    }
    if (verdict == FLEET_ACCEPTED && conflicts(fleet, report, now_us)) {
        verdict = FLEET_OWNER_CONFLICT;
    }
    return verdict;
}

static int reserve_claim(struct fleet *fleet, struct fleet_broker *broker, const char *name,
                         time_us now_us)
{
    struct fleet_topic *topic = topic_find_or_add(fleet, name);
    struct fleet_claim *claim;

    if (topic == NULL) {
        return -ENOMEM;
    }
    if (claim_find(topic, broker) != NULL) {
        return 0;
    }
    claim = fleet->n_claims < FLEET_TOPICS_MAX ? calloc(1, sizeof(*claim)) : NULL;
    if (claim == NULL) {
        topic_drop_if_unused(fleet, topic);
        return -ENOMEM;
    }
    *claim = (struct fleet_claim){.topic = topic,
                                  .broker = broker,
                                  .since_us = now_us,
                                  .mark = UNMARKED,
                                  .first_mark = fleet->mark + 1,
                                  .next_of_topic = topic->claims,
                                  .next_of_broker = broker->claims};
    topic->claims = claim;
    broker->claims = claim;
    broker->n_claims++;
    fleet->n_claims++;
    return 0;
}

static int reserve_broker(struct fleet *fleet, const struct report *report,
                          const struct broker_load *load, time_us now_us)
{
    struct fleet_broker *broker = find_or_add((void **)fleet->brokers, &fleet->n_brokers,
                                              FLEET_BROKERS_MAX, sizeof(*broker), load->id);
    int r;

    if (broker == NULL) {
        return -ENOSPC;
    }
    for (size_t i = 0; i < load->n_topics; i++) {
        r = reserve_claim(fleet, broker, report->topics[load->first_topic + i].name.text, now_us);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Take back what reserve made: what commit has not written has no node, or was never shown. */
static void unreserve(struct fleet *fleet, const struct report *report)
{
    struct fleet_node *node = fleet_node(fleet, report->node);

    for (size_t i = 0; i < report->n_brokers; i++) {
        struct fleet_broker *broker = fleet_broker(fleet, report->brokers[i].id);

        if (broker == NULL) {
            continue;
        }
        broker_sweep(fleet, broker, UNMARKED, UNMARKED);
        if (broker->node == NULL) {
            broker_free(fleet, broker);
        }
    }
    if (node != NULL && node->n_reports == 0) {
        node_free(fleet, node);
    }
}

static int reserve(struct fleet *fleet, const struct report *report, time_us now_us)
{
    void *node = find_or_add((void **)fleet->nodes, &fleet->n_nodes, FLEET_NODES_MAX,
                             sizeof(struct fleet_node), report->node);
    int r = node != NULL ? 0 : -ENOSPC;

    for (size_t i = 0; i < report->n_brokers && r == 0; i++) {
        r = reserve_broker(fleet, report, &report->brokers[i], now_us);
    }
    if (r < 0) {
        unreserve(fleet, report);
    }
    return r;
}

static void commit_node(struct fleet_node *node, const struct report *report, size_t bytes,
                        time_us now_us)
{
    bool sequel = node->n_reports > 0 && node->boot_id == report->boot_id;
    time_us distance = distance_us(report, now_us);

    if (sequel) {
        node->n_missed += report->seq - node->seq - 1;
        node->least_distance_us = is_offset(node, report, now_us)
                                      ? distance
                                      : MIN(least_distance_us(node, now_us), distance);
    } else {
        node->old_boots[node->next_old_boot] = node->boot_id;
        node->next_old_boot = (node->next_old_boot + 1) % FLEET_OLD_BOOTS;
        node->boot_id = report->boot_id;
        node->least_distance_us = distance;
    }
    node->late_distance_us = 0;
    node->seq = report->seq;
    node->applied_seq = report->applied_seq;
    node->received_us = now_us;
    node->interval_us = report->interval_us;
    node->at_us = report->at_us;
    node->wall_distance_us = wall_distance_us(report);
    node->report_bytes = bytes;
    node->n_reports++;
    memcpy(node->host, report->host, sizeof(node->host));
}

static void add_present(struct value *sum, struct value value)
{
    if (value_is_present(value)) {
        *sum = value_of(MIN(sum->number + value.number, DBL_MAX));
    }
}

static void commit_claim(struct fleet_claim *claim, const struct topic_load *load, uint64_t mark,
                         time_us now_us)
{
    claim->mark = mark;
    claim->shown_us = now_us;
    claim->movable = load->movable;
    claim->candidates = load->candidates;
    memcpy(claim->values, load->values, sizeof(claim->values));
}

/* The broker's claims become what the report shows. */
static void commit_topics(struct fleet *fleet, struct fleet_broker *broker,
                          const struct report *report, const struct broker_load *load,
                          time_us now_us)
{
    broker->topics_bytes_per_s = load->n_topics == 0 && load->topics_known
                                     ? value_of(0)
                                     : value_absent(VALUE_UNKNOWN);
    for (size_t i = 0; i < load->n_topics; i++) {
        const struct topic_load *shown = &report->topics[load->first_topic + i];
        struct fleet_topic *topic = topic_find(fleet, shown->name.text);

        commit_claim(claim_find(topic, broker), shown, fleet->mark, now_us);
        add_present(&broker->topics_bytes_per_s, shown->values[TOPIC_BYTES_IN_PER_S]);
        add_present(&broker->topics_bytes_per_s, shown->values[TOPIC_BYTES_OUT_PER_S]);
    }
    broker_sweep(fleet, broker, UNMARKED, fleet->mark - 1);
    broker->n_topics_omitted = load->n_topics_omitted;
}

static void commit_broker(struct fleet *fleet, struct fleet_node *node, const struct report *report,
                          const struct broker_load *load, time_us now_us)
{
    struct fleet_broker *broker = fleet_broker(fleet, load->id);
    bool another = broker->incarnation != load->incarnation;

    broker->node = node;
    broker->listed = true;
    broker->mark = fleet->mark;
    broker->listed_us = now_us;
    memcpy(broker->address, load->address, sizeof(broker->address));
    broker->state = load->state;
    broker->incarnation = load->incarnation;
    broker->actuator = load->actuator;
    broker->topics_known = load->topics_known;
    memcpy(broker->values, load->values, sizeof(broker->values));
    broker->n_peers = load->n_peers;
    memcpy(broker->peers, load->peers, sizeof(broker->peers[0]) * load->n_peers);
    if (load->topics_known || load->n_topics > 0 || another) {
        commit_topics(fleet, broker, report, load, now_us);
    } else {
        broker->topics_bytes_per_s = value_absent(VALUE_UNKNOWN);
    }
}

/* What follows from a claim that began with this report. */
static void settle_claim(struct fleet *fleet, const struct fleet_claim *claim, time_us now_us)
{
    struct fleet_topic *topic = claim->topic;
    const struct fleet_claim *other = topic->claims;

    while (other != NULL &&
           (other == claim || fleet_freshness(fleet, other->broker, now_us) != FRESH)) {
        other = other->next_of_topic;
    }
    if (other != NULL) {
        fleet->n_conflicts++;
    }
    if (topic->assigned != NULL) {
        assignment_drop(fleet, topic);
        assignment_set(fleet, topic, claim->broker);
    }
}

static void settle_claims(struct fleet *fleet, const struct fleet_broker *broker, time_us now_us)
{
    for (const struct fleet_claim *claim = broker->claims; claim != NULL;
         claim = claim->next_of_broker) {
        if (claim->first_mark == fleet->mark) {
            settle_claim(fleet, claim, now_us);
        }
    }
}

/* Brokers of the node that its report lists no more. */
static void commit_absence(struct fleet *fleet, const struct fleet_node *node)
{
    for (size_t i = 0; i < fleet->n_brokers; i++) {
        struct fleet_broker *broker = fleet->brokers[i];

        if (broker->node == node && broker->listed && broker->mark != fleet->mark) {
            broker->listed = false;
            broker_sweep(fleet, broker, UNMARKED, fleet->mark);
        }
    }
}

static void commit(struct fleet *fleet, const struct report *report, size_t bytes, time_us now_us)
{
    struct fleet_node *node = fleet_node(fleet, report->node);

    fleet->mark++;
    commit_node(node, report, bytes, now_us);
    for (size_t i = 0; i < report->n_brokers; i++) {
        commit_broker(fleet, node, report, &report->brokers[i], now_us);
    }
    commit_absence(fleet, node);
    for (size_t i = 0; i < report->n_brokers; i++) {
        settle_claims(fleet, fleet_broker(fleet, report->brokers[i].id), now_us);
    }
}

enum fleet_verdict fleet_report(struct fleet *fleet, const struct report *report, size_t bytes,
                                time_us now_us)
{
    struct fleet_node *node = fleet_node(fleet, report->node);
    enum fleet_verdict verdict = judge(fleet, node, report, now_us);

    if (verdict == FLEET_ACCEPTED && reserve(fleet, report, now_us) < 0) {
        verdict = FLEET_FULL;
    }
    if (verdict == FLEET_ACCEPTED) {
        commit(fleet, report, bytes, now_us);
    } else if (node != NULL) {
        node->n_refused++;
        if (verdict == FLEET_CLOCK_JUMP) {
            node->wall_distance_us = wall_distance_us(report);
        } else if (verdict == FLEET_LATE) {
            node->late_distance_us = distance_us(report, now_us);
        }
    }
    return verdict;
}

/* Whether claim `a` speaks louder than `b`. */
static bool claim_is_before(const struct fleet_claim *a, enum freshness freshness_a,
                            const struct fleet_claim *b, enum freshness freshness_b)
{
    int order = CMP(freshness_a, freshness_b);

    order = order != 0 ? order : CMP(b->since_us, a->since_us);
    order = order != 0 ? order : strcmp(a->broker->id, b->broker->id);
    return order < 0;
}

const struct fleet_claim *fleet_owner(const struct fleet *fleet, const char *topic,
                                      enum freshness worst, time_us now_us)
{
    const struct fleet_topic *entry = topic_find(fleet, topic);
    const struct fleet_claim *best = NULL;
    enum freshness best_freshness = GONE;

    for (const struct fleet_claim *claim = entry != NULL ? entry->claims : NULL; claim != NULL;
         claim = claim->next_of_topic) {
        enum freshness freshness = fleet_freshness(fleet, claim->broker, now_us);

        if (freshness <= worst &&
            (best == NULL || claim_is_before(claim, freshness, best, best_freshness))) {
            best = claim;
            best_freshness = freshness;
        }
    }
    return best;
}

const char *fleet_claim_topic(const struct fleet_claim *claim)
{
    return claim->topic->name;
}

uint64_t fleet_topic_count(const struct fleet_broker *broker)
{
    return broker->n_claims + broker->n_topics_omitted + broker->n_pending;
}

size_t fleet_n_topics(const struct fleet *fleet)
{
    return HASH_COUNT(fleet->topics);
}

int fleet_assign(struct fleet *fleet, const char *topic, struct fleet_broker *broker)
{
    struct fleet_topic *entry = topic_find_or_add(fleet, topic);

    if (entry == NULL) {
        return -ENOMEM;
    }
    if (entry->assigned == NULL && fleet->n_assignments >= FLEET_TOPICS_MAX) {
        topic_drop_if_unused(fleet, entry);
        return -ENOSPC;
    }
    if (entry->assigned != NULL) {
        assignment_drop(fleet, entry);
    }
    assignment_set(fleet, entry, broker);
    entry->pending = claim_find(entry, broker) == NULL;
    broker->n_pending += entry->pending;
    return 0;
}

struct fleet_broker *fleet_assignment(const struct fleet *fleet, const char *topic)
{
    const struct fleet_topic *entry = topic_find(fleet, topic);

    return entry != NULL ? entry->assigned : NULL;
}

int fleet_release(struct fleet *fleet, const char *topic)
{
    struct fleet_topic *entry = topic_find(fleet, topic);

    if (entry == NULL || entry->assigned == NULL) {
        return -ENOENT;
    }
    assignment_drop(fleet, entry);
    topic_drop_if_unused(fleet, entry);
    return 0;
}
