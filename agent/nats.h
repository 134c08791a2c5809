/* NATS's monitoring pages, read as they arrive, and the rates between two answers. Shell only in
 * that it allocates yajl's parser; it does no I/O and reads no clock.
 *
 * One answer is made of two pages: /varz names the server and counts its traffic; then
 * /jsz?accounts=1&streams=1&consumers=1&config=1 lists the streams that it knows. NATS calls its
 * members by server_name, so the broker's id in the fleet must be its server_name. */
#ifndef AGENT_NATS_H
#define AGENT_NATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/metric.h"
#include "common/name.h"
#include "common/report.h"
#include "common/units.h"

/* The pages' paths after the url of the monitoring port. */
#define NATS_VARZ_PATH "/varz"
#define NATS_JSZ_PATH  "/jsz?accounts=1&streams=1&consumers=1&config=1"

enum nats_page {
    NATS_VARZ,
    NATS_JSZ,
};

/* A number of a page; absent when the page does not have it as a whole number below 2^64. */
struct nats_count {
    uint64_t number;
    bool known;
};

/* A stream that this server leads. */
struct nats_stream {
    struct topic_name name;      /* "account/stream" */
    char created[40];            /* its birth; tells one made anew under the same name */
    uint64_t candidates;         /* bit i: peers[i] of the answer has a replica and is online */
    struct nats_count last_seq;  /* messages ever stored: a counter */
    struct nats_count messages;  /* stored now */
    struct nats_count bytes;     /* stored now */
    struct nats_count consumers; /* of it */
    struct nats_count backlog;   /* the most that a consumer led here has pending */
    double bytes_per_message;    /* the last known average; negative: never known */
    struct value messages_in_per_s, bytes_in_per_s; /* set by nats_rate() */
};

/* One complete answer. Large (about 3 MB of address space), touched as far as it is filled. */
struct nats_answer {
    time_us at_us; /* when it was asked for */
    char server_name[ID_BYTES_MAX + 1];
    struct nats_count in_bytes, out_bytes; /* of the server, counters */
    struct value rx_bytes_per_s, tx_bytes_per_s;
    size_t n_peers;
    char peers[BROKER_PEERS_MAX][ID_BYTES_MAX + 1];
    size_t n_streams;
    struct nats_stream streams[REPORT_TOPICS_MAX];
    uint64_t n_streams_omitted; /* over REPORT_TOPICS_MAX */
    uint64_t n_names_skipped;   /* streams and peers whose name is too long or holds control
                                   characters */
};

/* Make an answer empty. */
void nats_answer_clear(struct nats_answer *answer);

struct nats_parser;

/* A parser that adds what it reads of one page to `answer`, which must outlive it; /jsz needs the
 * answer's server_name. Returns 0 or -ENOMEM. */
int nats_parser_new(enum nats_page page, struct nats_answer *answer,
                    struct nats_parser **ret_parser);

/* Take the next `n` bytes of the page. Returns 0; -EBADMSG what came is not JSON or too deep;
 * -EMSGSIZE one token is longer than any that is meant here. After an error only freeing is left.
 */
int nats_parse(struct nats_parser *parser, const char *bytes, size_t n);

/* The page is whole. Returns 0, or -EBADMSG: it is cut off, or it is not the page that it should
 * be. */
int nats_parse_end(struct nats_parser *parser);

/* NULL is fine. */
void nats_parser_free(struct nats_parser *parser);

/* Bring a whole answer into order: streams sorted by name. Call before nats_rate(). */
void nats_answer_finish(struct nats_answer *answer);

/* Work out the rates of `answer` against `before` (NULL: there was none), both finished. A stream
 * that was not led here before starts anew, whatever its counter. */
void nats_rate(const struct nats_answer *before, struct nats_answer *answer);

/* Add the answer's topics and peers to `broker`, the one added last to `report`, and fill in its
 * network rates where the kernel could not tell brokers apart (VALUE_SHARED). */
void nats_fill(const struct nats_answer *answer, struct report *report, struct broker_load *broker);

#endif
