/* The clocks and the kernel's chance. Shell. */
#include "common/clock.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock_us(clockid_t id)
{
    struct timespec now;
    int r;

    r = clock_gettime(id, &now);
    assert(r == 0); /* fails only for a clock that does not exist */
    (void)r;
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

time_us clock_now_us(void)
{
    return read_clock_us(CLOCK_BOOTTIME);
}

int64_t clock_unix_us(void)
{
    return read_clock_us(CLOCK_REALTIME);
}

uint64_t clock_random(void)
{
    uint64_t bits = 0;
    ssize_t n;

    do {
        n = getrandom(&bits, sizeof(bits), 0);
        assert(n == (ssize_t)sizeof(bits) || errno == EINTR);
    } while (n != (ssize_t)sizeof(bits) || bits == 0);
    return bits;
}
