/* Placement: which broker shall own a topic, and which one does. */
#include "aggregator/place.h"

#include <stdio.h>
#include <string.h>

static void say(struct answer *answer, enum answer_status status, const char *text)
{
    answer->status = status;
    (void)snprintf(answer->text, sizeof(answer->text), "%s", text);
}

static void set_placement(struct answer *answer, const char *topic,
                          const struct fleet_broker *broker, enum placement_source source)
{
    struct placement *placement = &answer->placement;

    say(answer, ANSWER_OK, "");
    (void)name_copy(placement->topic.text, sizeof(placement->topic.text), topic);
    memcpy(placement->broker, broker->id, sizeof(placement->broker));
    memcpy(placement->address, broker->address, sizeof(placement->address));
    placement->source = source;
}

/* The owner by what is shown and assigned. A silent broker keeps its topics until it is gone:
 * giving them to another one while it may still serve them would make two owners. */
static bool find(const struct fleet *fleet, const char *topic, time_us now_us,
                 struct answer *ret_answer)
{
    const struct fleet_claim *shown = fleet_owner(fleet, topic, STALE, now_us);
    const struct fleet_broker *assigned = fleet_assignment(fleet, topic);

    if (shown != NULL && fleet_freshness(fleet, shown->broker, now_us) == FRESH) {
        set_placement(ret_answer, topic, shown->broker, PLACEMENT_OBSERVED);
        return true;
    }
    if (assigned != NULL && fleet_freshness(fleet, assigned, now_us) != GONE) {
        set_placement(ret_answer, topic, assigned, PLACEMENT_ASSIGNED);
        return true;
    }
    if (shown != NULL) {
        set_placement(ret_answer, topic, shown->broker, PLACEMENT_OBSERVED);
        say(ret_answer, ANSWER_OK, "its broker has been silent lately");
        return true;
    }
    return false;
}

void place_assign(struct fleet *fleet, const struct ranking *ranking, const char *topic,
                  time_us now_us, struct answer *ret_answer)
{
    struct fleet_broker *best;

    if (find(fleet, topic, now_us, ret_answer)) {
        return;
    }
    if (ranking->n == 0) {
        say(ret_answer, ANSWER_NO_BROKER, "no broker is up, fresh and measured");
        return;
    }
    best = fleet->brokers[ranking->rows[0].index];
    if (fleet_assign(fleet, topic, best) < 0) {
        say(ret_answer, ANSWER_FULL, "no more assignments can be kept; release some");
        return;
    }
    set_placement(ret_answer, topic, best, PLACEMENT_ASSIGNED);
}

void place_lookup(const struct fleet *fleet, const char *topic, time_us now_us,
                  struct answer *ret_answer)
{
    if (!find(fleet, topic, now_us, ret_answer)) {
        say(ret_answer, ANSWER_NOT_FOUND, "no broker shows this topic, and none is assigned");
    }
}

void place_release(struct fleet *fleet, const char *topic, struct answer *ret_answer)
{
    const struct fleet_broker *assigned = fleet_assignment(fleet, topic);

    if (assigned == NULL) {
        say(ret_answer, ANSWER_NOT_FOUND, "this topic is not assigned");
        return;
    }
    set_placement(ret_answer, topic, assigned, PLACEMENT_ASSIGNED);
    (void)fleet_release(fleet, topic); /* was there a line above */
}
