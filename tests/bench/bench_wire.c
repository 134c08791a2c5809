/* Measures reports of three brokers with 0, 100 and 1000 topics: bytes, and the time to encode and
 * to decode them, beside msgpack-c's own unpacking of the same bytes. Medians over many rounds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <msgpack.h>

#include "common/prng.h"
#include "common/wire.h"

#define ROUNDS 301

static struct report report;
static struct report heard;
static uint8_t bytes[MESSAGE_BYTES_MAX];
static size_t n_bytes;
static char why[TEXT_BYTES_MAX + 1];

static const struct envelope envelope = {.sender = "node-1",
                                         .boot_id = 0x1122334455667788,
                                         .seq = 1000,
                                         .sent_unix_us = 1700000000123456};

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct value fraction(struct prng *prng)
{
    return value_of((double)prng_below(prng, 1000000000) / 1000);
}

static void add_topic(struct prng *prng, int number)
{
    struct topic_load *topic = report_add_topic(&report);

    (void)snprintf(topic->name.text, sizeof(topic->name.text), "account/stream-of-orders-%03d",
                   number);
    topic->movable = true;
    topic->candidates = 3;
    for (int i = TOPIC_MESSAGES_IN_PER_S; i <= TOPIC_BYTES_OUT_PER_S; i++) {
        topic->values[i] = fraction(prng);
    }
    topic->values[TOPIC_STORAGE_BYTES] = value_of((double)(prng_next(prng) >> 28));
    topic->values[TOPIC_BACKLOG_MESSAGES] = value_of((double)prng_below(prng, 10000));
    topic->values[TOPIC_CONSUMERS] = value_of((double)prng_below(prng, 10));
}

static void add_broker(struct prng *prng, int number)
{
    struct broker_load *broker = report_add_broker(&report);

    (void)snprintf(broker->id, sizeof(broker->id), "nats-%d", number);
    (void)snprintf(broker->address, sizeof(broker->address), "nats://10.0.0.%d:4222", number);
    broker->state = BROKER_UP;
    broker->incarnation = prng_next(prng);
    broker->actuator = true;
    broker->topics_known = true;
    for (int i = 0; i < METRICS; i++) {
        broker->values[i] = fraction(prng);
    }
    broker->values[METRIC_NET_SPEED_BYTES_PER_S] = value_absent(VALUE_UNSUPPORTED);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(broker->peers[broker->n_peers++], ID_BYTES_MAX + 1, "nats-%d",
                       (number + i) % 3 + 1);
    }
}

static void build(int n_topics)
{
    struct prng prng = prng_of(1);

    report_clear(&report);
    report.at_us = SECONDS(5000);
    report.interval_us = SECONDS(5);
    report.applied_seq = 7;
    for (int i = 0; i < METRICS; i++) {
        report.host[i] = fraction(&prng);
    }
    for (int broker = 1; broker <= 3; broker++) {
        add_broker(&prng, broker);
        for (int i = 0; i < (n_topics + 3 - broker) / 3; i++) {
            add_topic(&prng, i);
        }
    }
}

static void encode(void)
{
    if (wire_put_report(&envelope, &report, bytes, sizeof(bytes), &n_bytes) < 0) {
        abort();
    }
}

static void decode(void)
{
    if (wire_get_report(bytes, n_bytes, &heard, why) < 0) {
        abort();
    }
}

static void unpack(void)
{
    msgpack_unpacked unpacked;

    msgpack_unpacked_init(&unpacked);
    if (msgpack_unpack_next(&unpacked, (const char *)bytes, n_bytes, NULL) !=
        MSGPACK_UNPACK_SUCCESS) {
        abort();
    }
    msgpack_unpacked_destroy(&unpacked);
}

static int compare(const void *a, const void *b)
{
    return CMP(*(const double *)a, *(const double *)b);
}

/* The median time of one call, each round being of ten. */
static double median_us(void (*work)(void))
{
    static double times[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        double start = now_us();

        for (int j = 0; j < 10; j++) {
            work();
        }
        times[i] = (now_us() - start) / 10;
    }
    qsort(times, ROUNDS, sizeof(times[0]), compare);
    return times[ROUNDS / 2];
}

int main(void)
{
    static const int n_topics[] = {0, 100, 1000};

    (void)printf("%8s %10s %12s %12s %18s\n", "topics", "bytes", "encode us", "decode us",
                 "msgpack_unpack us");
    for (size_t i = 0; i < N_ELEMENTS(n_topics); i++) {
        double encode_us;

        build(n_topics[i]);
        encode_us = median_us(encode);
        (void)printf("%8d %10zu %12.2f %12.2f %18.2f\n", n_topics[i], n_bytes, encode_us,
                     median_us(decode), median_us(unpack));
    }
    return EXIT_SUCCESS;
}
