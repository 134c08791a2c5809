/* Seeded chance (splitmix64): jitter in production, everything in a simulation. Pure. */
#ifndef COMMON_PRNG_H
#define COMMON_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state;
};

/* A generator; the same seed gives the same numbers for ever. */
struct prng prng_of(uint64_t seed);

/* The next 64 bits. */
uint64_t prng_next(struct prng *prng);

/* A number in 0 … n - 1, without bias to speak of; n > 0. */
uint64_t prng_below(struct prng *prng, uint64_t n);

#endif
