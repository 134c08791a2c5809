/* The round trip of an assignment through libevenkeel, against a running aggregator.
 *
 *   bench_assign SERVERS COUNT
 *
 * Prints one line: questions a second, and the median and 99th percentile of the round trip in
 * microseconds. tests/bench/roundtrip runs it beside the bare echo of bench_echo. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <evenkeel/evenkeel.h>

#include "common/clock.h"
#include "common/units.h"

#define WARM_UP 200

static int by_length(const void *left, const void *right)
{
    const time_us *a = left, *b = right;

    return CMP(*a, *b);
}

static int ask(struct ek_client *client, size_t number)
{
    struct ek_placement placement;
    char topic[64];
    int r;

    /* A thousand topics: the first time each is placed, from then on it is looked up. */
    (void)snprintf(topic, sizeof(topic), "bench/topic-%zu", number % 1000);
    r = ek_assign(client, topic, &placement);
    if (r < 0) {
        (void)fprintf(stderr, "bench_assign: %s: %s\n", topic, ek_strerror(r));
    }
    return r;
}

static int measure(struct ek_client *client, time_us *lengths_us, size_t n)
{
    time_us started_us;

    for (size_t i = 0; i < WARM_UP; i++) {
        if (ask(client, i) < 0) {
            return EXIT_FAILURE;
        }
    }
    started_us = clock_now_us();
    for (size_t i = 0; i < n; i++) {
        time_us before_us = clock_now_us();

        if (ask(client, i) < 0) {
            return EXIT_FAILURE;
        }
        lengths_us[i] = clock_now_us() - before_us;
    }
    started_us = clock_now_us() - started_us;
    qsort(lengths_us, n, sizeof(lengths_us[0]), by_length);
    (void)printf("%.0f/s  p50 %lld us  p99 %lld us\n", (double)n * 1e6 / (double)started_us,
                 (long long)lengths_us[n / 2], (long long)lengths_us[n * 99 / 100]);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    struct ek_client *client = NULL;
    time_us *lengths_us;
    int status = EXIT_FAILURE;

    if (n == 0 || n > 10000000) {
        (void)fprintf(stderr, "usage: bench_assign SERVERS COUNT\n");
        return 64;
    }
    lengths_us = calloc(n, sizeof(*lengths_us));
    if (lengths_us != NULL && ek_connect(argv[1], NULL, &client) == 0) {
        status = measure(client, lengths_us, n);
    }
    ek_disconnect(client);
    free(lengths_us);
    return status;
}
