/* Views: the fleet as answers and the feed show it. Pure. */
#ifndef AGGREGATOR_VIEWS_H
#define AGGREGATOR_VIEWS_H

#include <stdbool.h>
#include <stddef.h>

#include "aggregator/fleet.h"
#include "aggregator/rank.h"
#include "common/query.h"

/* The ranked brokers in order, without values, into `ret_views` of FLEET_BROKERS_MAX. Returns how
 * many. */
size_t views_ranking(const struct fleet *fleet, const struct ranking *ranking, time_us now_us,
                     struct broker_view *ret_views);

/* All brokers by id, with values, into `ret_views` of FLEET_BROKERS_MAX. Returns how many. */
size_t views_reports(const struct fleet *fleet, const struct ranking *ranking, time_us now_us,
                     struct broker_view *ret_views);

/* One broker, with values. */
void views_broker(const struct fleet *fleet, const struct ranking *ranking,
                  const struct fleet_broker *broker, time_us now_us, struct broker_view *ret_view);

/* Its topics by name, into `ret_topics` of REPORT_TOPICS_MAX. Returns how many. */
size_t views_topics(const struct fleet_broker *broker, struct topic_load *ret_topics);

/* Whether two rankings say the same but for the age of their reports. */
bool views_are_equal(const struct broker_view *a, size_t n_a, const struct broker_view *b,
                     size_t n_b);

/* How many brokers of the fleet are fresh, stale and gone, added to the status. */
void views_count(const struct fleet *fleet, time_us now_us, struct aggregator_status *status);

#endif
