/* The way back of requests that are answered later: a bounded table, oldest first. Pure, but for
 * one allocation at its start. */
#ifndef COMMON_PARKING_H
#define COMMON_PARKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the way back: the connection, and a word for each of at most 15 devices between. */
#define PARKED_BYTES_MAX 64

/* A request that waits. */
struct parked {
    uint32_t generation; /* grows when the slot is freed, so that a stale id finds nothing */
    uint32_t pipe;       /* the connection it came by; 0: the slot is free */
    uint32_t older;      /* neighbours by age; free slots are chained by `newer` */
    uint32_t newer;
    size_t n;
    uint8_t bytes[PARKED_BYTES_MAX];
};

struct parking {
    struct parked *slots;
    uint32_t n_max;
    uint32_t oldest;
    uint32_t newest;
    uint32_t free;
};

/* An empty table of `n_max` places, at least 1. Returns 0 or -ENOMEM. */
int parking_init(struct parking *parking, uint32_t n_max);

/* Free the table; one that was only zeroed is fine. */
void parking_done(struct parking *parking);

/* Park a request of `pipe` (not 0) with the `n` bytes of its way back, at most PARKED_BYTES_MAX.
 * When the table is full the oldest is dropped for it; when `pipe` has `per_pipe_max` already (at
 * least 1), the oldest of that pipe. Returns its id, never 0; `ret_dropped` tells whether one was
 * dropped. */
uint64_t parking_put(struct parking *parking, uint32_t pipe, uint32_t per_pipe_max,
                     const uint8_t *bytes, size_t n, bool *ret_dropped);

/* Take a request out. False: there is none of that id (any more). */
bool parking_take(struct parking *parking, uint64_t id, struct parked *ret_parked);

/* Drop the requests whose pipes are gone. Returns how many. */
size_t parking_forget(struct parking *parking, bool (*is_gone)(uint32_t pipe, void *arg),
                      void *arg);

#endif
