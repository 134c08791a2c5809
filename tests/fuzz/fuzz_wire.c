/* Fuzzes the decoders of all messages. The first byte chooses the kind; 0 reads the envelope alone.
 *
 * What a decoder accepts must be fit to be encoded again, and to be decoded from that. */
#include <stdint.h>
#include <stdlib.h>

#include "common/wire.h"

#define LIST_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct envelope envelope = {.sender = "fuzz", .boot_id = 1, .seq = 1};
static uint8_t again[ANSWER_BYTES_MAX];
static char why[TEXT_BYTES_MAX + 1];

/* One of each noun for the bytes, and one for what is encoded again. */
static struct report reports[2];
static struct poll_request requests[2];
static struct poll_reply replies[2];
static struct query queries[2];
static struct broker_view brokers[2][LIST_MAX];
static struct topic_load topics[2][LIST_MAX];
static struct move_view moves[2][LIST_MAX];
static struct answer answers[2];
static struct feed feeds[2];

static void give_memory(void)
{
    for (int i = 0; i < 2; i++) {
        answers[i] = (struct answer){
            .brokers = brokers[i],
            .n_brokers_max = LIST_MAX,
            .topics = topics[i],
            .n_topics_max = LIST_MAX,
            .moves = moves[i],
            .n_moves_max = LIST_MAX,
        };
        feeds[i] = (struct feed){.brokers = brokers[i], .n_brokers_max = LIST_MAX};
    }
}

static void must(int r)
{
    if (r < 0) {
        abort();
    }
}

#define FUZZ(noun, nouns)                                                                          \
    static void fuzz_##noun(const uint8_t *bytes, size_t n)                                        \
    {                                                                                              \
        size_t n_again;                                                                            \
                                                                                                   \
        if (wire_get_##noun(bytes, n, &(nouns)[0], why) == 0) {                                    \
            must(wire_put_##noun(&envelope, &(nouns)[0], again, sizeof(again), &n_again));         \
            must(wire_get_##noun(again, n_again, &(nouns)[1], why));                               \
        }                                                                                          \
    }

FUZZ(report, reports)
FUZZ(poll_request, requests)
FUZZ(poll_reply, replies)
FUZZ(query, queries)
FUZZ(answer, answers)
FUZZ(feed, feeds)

static void fuzz_envelope(const uint8_t *bytes, size_t n)
{
    struct envelope heard;

    (void)wire_get_envelope(bytes, n, &heard, why);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static void (*const kinds[])(const uint8_t *bytes, size_t n) = {
        fuzz_envelope,
        [WIRE_REPORT] = fuzz_report,
        [WIRE_POLL_REQUEST] = fuzz_poll_request,
        [WIRE_POLL_REPLY] = fuzz_poll_reply,
        [WIRE_QUERY] = fuzz_query,
        [WIRE_ANSWER] = fuzz_answer,
        [WIRE_FEED] = fuzz_feed,
    };

    if (n > 0) {
        give_memory();
        kinds[bytes[0] % N_ELEMENTS(kinds)](bytes + 1, n - 1);
    }
    return 0;
}
