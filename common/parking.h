/* Requests that wait for their answers, by age and by connection: a bounded table. Pure, but for
 * one allocation at its start.
 *
 * The caller says in which slot a request waits (whatever it keeps for the request is at the same
 * index); the table knows the ages, and makes ids that are void once the slot is free again. */
#ifndef COMMON_PARKING_H
#define COMMON_PARKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARKING_NONE UINT32_MAX

/* A slot. */
struct parked {
    uint32_t generation; /* grows when the slot is freed, so that a stale id finds nothing */
    uint32_t pipe;       /* the connection that the request came by; 0: the slot is free */
    uint32_t older;      /* neighbours by age, or PARKING_NONE */
    uint32_t newer;
};

struct parking {
    struct parked *slots;
    uint32_t n_max;
    uint32_t n;
    uint32_t oldest; /* or PARKING_NONE */
    uint32_t newest;
};

/* An empty table of `n_max` slots. Returns 0 or -ENOMEM. */
int parking_init(struct parking *parking, uint32_t n_max);

/* Free the table; one that was only zeroed is fine. */
void parking_done(struct parking *parking);

/* Park a request of connection `pipe` (not 0) in `slot`, which is free. Returns its id, never 0. */
uint64_t parking_put(struct parking *parking, uint32_t slot, uint32_t pipe);

/* The slot of a request, or PARKING_NONE: there is none of that id (any more). */
uint32_t parking_find(const struct parking *parking, uint64_t id);

/* Free a slot; its id is void. */
void parking_release(struct parking *parking, uint32_t slot);

/* How many wait of that connection, and in which slot the oldest of them (PARKING_NONE: none). */
uint32_t parking_of_pipe(const struct parking *parking, uint32_t pipe, uint32_t *ret_oldest);

#endif
