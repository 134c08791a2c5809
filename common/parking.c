/* Requests that wait for their answers. Pure, but for one allocation. */
#include "common/parking.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int parking_init(struct parking *parking, uint32_t n_max)
{
    uint32_t slot;

    parking->slots = calloc(n_max, sizeof(*parking->slots));
    if (parking->slots == NULL) {
        return -ENOMEM;
    }
    for (slot = 0; slot < n_max; slot++) {
        parking->slots[slot].generation = 1;
    }
    parking->n_max = n_max;
    parking->n = 0;
    parking->oldest = PARKING_NONE;
    parking->newest = PARKING_NONE;
    return 0;
}

void parking_done(struct parking *parking)
{
    free(parking->slots);
    parking->slots = NULL;
    parking->n_max = 0;
}

uint64_t parking_put(struct parking *parking, uint32_t slot, uint32_t pipe)
{
    struct parked *parked = &parking->slots[slot];

    assert(slot < parking->n_max && parked->pipe == 0 && pipe != 0);
    parked->pipe = pipe;
    parked->older = parking->newest;
    parked->newer = PARKING_NONE;
    if (parking->newest != PARKING_NONE) {
        parking->slots[parking->newest].newer = slot;
    } else {
        parking->oldest = slot;
    }
    parking->newest = slot;
    parking->n++;
    return ((uint64_t)parked->generation << 32) | slot;
}

uint32_t parking_find(const struct parking *parking, uint64_t id)
{
    uint32_t slot = (uint32_t)id;

    if (slot >= parking->n_max || parking->slots[slot].pipe == 0 ||
        parking->slots[slot].generation != (uint32_t)(id >> 32)) {
        return PARKING_NONE;
    }
    return slot;
}

void parking_release(struct parking *parking, uint32_t slot)
{
    struct parked *parked = &parking->slots[slot];

    assert(slot < parking->n_max && parked->pipe != 0);
    if (parked->older != PARKING_NONE) {
        parking->slots[parked->older].newer = parked->newer;
    } else {
        parking->oldest = parked->newer;
    }
    if (parked->newer != PARKING_NONE) {
        parking->slots[parked->newer].older = parked->older;
    } else {
        parking->newest = parked->older;
    }
    parked->pipe = 0;
    parked->generation++;
    parking->n--;
}

uint32_t parking_of_pipe(const struct parking *parking, uint32_t pipe, uint32_t *ret_oldest)
{
    uint32_t oldest = PARKING_NONE;
    uint32_t slot;
    uint32_t n = 0;

    for (slot = parking->newest; slot != PARKING_NONE; slot = parking->slots[slot].older) {
        if (parking->slots[slot].pipe == pipe) {
            oldest = slot;
            n++;
        }
    }
    *ret_oldest = oldest;
    return n;
}
