/* Answers as the lists of evenkeel.h: their memory, and the way into it. Pure; allocates. */
#ifndef CLIENT_LISTS_H
#define CLIENT_LISTS_H

#include <stdbool.h>

#include <evenkeel/evenkeel.h>

#include "common/query.h"

/* Brokers, and the topics of one, behind a ranking or reports; opaque. */
struct fleet_list;

/* Memory for as many brokers as a fleet may have and, `with_topics`, for the topics of one broker.
 * Returns the list, to be given to fleet_list_free(), or NULL for want of memory. */
struct fleet_list *fleet_list_new(bool with_topics);
void fleet_list_free(struct fleet_list *list); /* NULL is fine */

/* Make an answer decode into the list's memory. */
void fleet_list_attach(struct fleet_list *list, struct answer *answer);

/* Turn what was decoded into rows; memory that is not needed is given back. `answer` must have been
 * attached. Returns 0 or -ENOMEM. */
int fleet_list_fill(struct fleet_list *list, const struct answer *answer);

/* The two faces of a list, which live as long as it does, and the way back from them. */
struct ek_ranking *fleet_list_ranking(struct fleet_list *list);
struct ek_reports *fleet_list_reports(struct fleet_list *list);
struct fleet_list *fleet_list_of_ranking(struct ek_ranking *ranking); /* NULL gives NULL */
struct fleet_list *fleet_list_of_reports(struct ek_reports *reports); /* NULL gives NULL */

/* A list of `n` moves in one piece, to be freed with free(); NULL for want of memory. */
struct ek_moves *move_list_new(const struct move_view *views, size_t n);

/* One row each. */
struct ek_move move_row(const struct move_view *view);
struct ek_placement placement_row(const struct placement *placement);
struct ek_status status_row(const struct aggregator_status *status);

#endif
