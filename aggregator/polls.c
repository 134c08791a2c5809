/* Parked polls: the requests of agents that wait for a decision, one for each node. */
#include "aggregator/polls.h"

#include <assert.h>
#include <string.h>

struct poll polls_take(struct polls *polls, size_t i)
{
    struct poll poll;

    assert(i < polls->n);
    poll = polls->parked[i];
    polls->n--;
    memmove(&polls->parked[i], &polls->parked[i + 1], (polls->n - i) * sizeof(poll));
    return poll;
}

bool polls_park(struct polls *polls, const struct poll *poll, struct poll *ret_displaced)
{
    size_t i = 0;
    bool displaced;

    while (i < polls->n && strcmp(polls->parked[i].node, poll->node) != 0) {
        i++;
    }
    displaced = i < polls->n || polls->n == N_ELEMENTS(polls->parked);
    if (displaced) {
        *ret_displaced = polls_take(polls, i < polls->n ? i : 0);
    }
    polls->parked[polls->n++] = *poll;
    return displaced;
}
