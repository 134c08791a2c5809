/* The way back of requests that are answered later. Pure, but for one allocation. */
#include "common/parking.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

int parking_init(struct parking *parking, uint32_t n_max)
{
    uint32_t i;

    assert(n_max > 0);
    parking->slots = calloc(n_max, sizeof(*parking->slots));
    if (parking->slots == NULL) {
        return -ENOMEM;
    }
    for (i = 0; i < n_max; i++) {
        parking->slots[i].generation = 1;
        parking->slots[i].newer = i + 1 < n_max ? i + 1 : NONE;
    }
    parking->n_max = n_max;
    parking->free = 0;
    parking->oldest = NONE;
    parking->newest = NONE;
    return 0;
}

void parking_done(struct parking *parking)
{
    free(parking->slots);
    parking->slots = NULL;
    parking->n_max = 0;
}

static void release(struct parking *parking, uint32_t slot)
{
    struct parked *parked = &parking->slots[slot];

    if (parked->older != NONE) {
        parking->slots[parked->older].newer = parked->newer;
    } else {
        parking->oldest = parked->newer;
    }
    if (parked->newer != NONE) {
        parking->slots[parked->newer].older = parked->older;
    } else {
        parking->newest = parked->older;
    }
    parked->pipe = 0;
    parked->generation++;
    parked->newer = parking->free;
    parking->free = slot;
}

/* The slot that must go before `pipe` can have one more; NONE: there is room. */
static uint32_t one_too_many(const struct parking *parking, uint32_t pipe, uint32_t per_pipe_max)
{
    uint32_t oldest_of_pipe = NONE;
    uint32_t n_of_pipe = 0;
    uint32_t slot;

    for (slot = parking->newest; slot != NONE; slot = parking->slots[slot].older) {
        if (parking->slots[slot].pipe == pipe) {
            oldest_of_pipe = slot;
            n_of_pipe++;
        }
    }
    if (n_of_pipe >= per_pipe_max) {
        return oldest_of_pipe;
    }
    return parking->free == NONE ? parking->oldest : NONE;
}

static uint32_t claim_newest(struct parking *parking)
{
    uint32_t slot = parking->free;

    parking->free = parking->slots[slot].newer;
    parking->slots[slot].older = parking->newest;
    parking->slots[slot].newer = NONE;
    if (parking->newest != NONE) {
        parking->slots[parking->newest].newer = slot;
    } else {
        parking->oldest = slot;
    }
    parking->newest = slot;
    return slot;
}

uint64_t parking_put(struct parking *parking, uint32_t pipe, uint32_t per_pipe_max,
                     const uint8_t *bytes, size_t n, bool *ret_dropped)
{
    struct parked *parked;
    uint32_t too_many;
    uint32_t slot;

    assert(pipe != 0 && per_pipe_max > 0 && n <= PARKED_BYTES_MAX);
    too_many = one_too_many(parking, pipe, per_pipe_max);
    if (too_many != NONE) {
        release(parking, too_many);
    }
    slot = claim_newest(parking);
    parked = &parking->slots[slot];
    parked->pipe = pipe;
    parked->n = n;
    memcpy(parked->bytes, bytes, n);
    *ret_dropped = too_many != NONE;
    return ((uint64_t)parked->generation << 32) | slot;
}

bool parking_take(struct parking *parking, uint64_t id, struct parked *ret_parked)
{
    uint32_t slot = (uint32_t)id;
    const struct parked *parked;

    if (slot >= parking->n_max) {
        return false;
    }
    parked = &parking->slots[slot];
    if (parked->pipe == 0 || parked->generation != (uint32_t)(id >> 32)) {
        return false;
    }
    *ret_parked = *parked;
    release(parking, slot);
    return true;
}

size_t parking_forget(struct parking *parking, bool (*is_gone)(uint32_t pipe, void *arg), void *arg)
{
    uint32_t slot = parking->oldest;
    uint32_t newer;
    size_t n = 0;

    while (slot != NONE) {
        newer = parking->slots[slot].newer;
        if (is_gone(parking->slots[slot].pipe, arg)) {
            release(parking, slot);
            n++;
        }
        slot = newer;
    }
    return n;
}
