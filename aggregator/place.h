/* Placement: which broker shall own a topic, and which one does. Pure. */
#ifndef AGGREGATOR_PLACE_H
#define AGGREGATOR_PLACE_H

#include "aggregator/fleet.h"
#include "aggregator/rank.h"
#include "common/query.h"

/* Each fills `status`, `text` and `placement` of the answer and leaves the rest of it alone. */

/* Say which broker shall own `topic`, the same one each time it is asked: a fresh broker that shows
 * it, else the one it is assigned to as long as that is not gone, else a silent one that showed it
 * last and is not gone, else the first of `ranking`, to which it is assigned then. `ranking` must
 * be that of the fleet now. NO_BROKER when nobody is ranked; FULL when no assignment can be kept.
 */
void place_assign(struct fleet *fleet, const struct ranking *ranking, const char *topic,
                  time_us now_us, struct answer *ret_answer);

/* Say who owns `topic` by the same order, and assign nothing: NOT_FOUND then. */
void place_lookup(const struct fleet *fleet, const char *topic, time_us now_us,
                  struct answer *ret_answer);

/* Forget the assignment of `topic`; the placement is the one forgotten. NOT_FOUND when there is
 * none: what a broker shows cannot be released. */
void place_release(struct fleet *fleet, const char *topic, struct answer *ret_answer);

#endif
