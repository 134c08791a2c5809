/* Seeded chance: Vigna's splitmix64 (https://prng.di.unimi.it/splitmix64.c). Pure. */
#include "common/prng.h"

#include <assert.h>

struct prng prng_of(uint64_t seed)
{
    return (struct prng){.state = seed};
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t z;

    prng->state += 0x9e3779b97f4a7c15U;
    z = prng->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* The remainder favours small numbers by n / 2^64: nothing that could be seen. */
uint64_t prng_below(struct prng *prng, uint64_t n)
{
    assert(n > 0);
    return prng_next(prng) % n;
}
