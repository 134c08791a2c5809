/* Bytes to nouns and back: the messages of docs/protocol.md. Pure.
 *
 * Encoding is msgpack-c's; decoding is the bounded cursor of cursor.h, which allocates nothing. A
 * message is decoded whole or not at all: on error the outputs hold nothing that may be used.
 *
 * Errors of every wire_get_…: -EBADMSG malformed, or well-formed and not to be believed; -EMSGSIZE
 * a list or a string is longer than limits.h allows; -EPROTONOSUPPORT a newer major version, or a
 * kind not known here
 * (`ret_why` says which). `ret_why` holds TEXT_BYTES_MAX + 1 bytes.
 * Errors of every wire_put_…: -ENOSPC the buffer is too small (`ret_n` untouched), -EBADMSG the
 * noun fails its own check. */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/decision.h"
#include "common/query.h"
#include "common/report.h"

#define WIRE_MAJOR 1
#define WIRE_MINOR 0

enum wire_kind {
    WIRE_REPORT = 1,
    WIRE_POLL_REQUEST = 2,
    WIRE_POLL_REPLY = 3,
    WIRE_QUERY = 4,
    WIRE_ANSWER = 5,
    WIRE_FEED = 6,
};

/* Who says it, and when: the first elements of every message. */
struct envelope {
    uint8_t major, minor;
    enum wire_kind kind;
    char sender[ID_BYTES_MAX + 1]; /* node, aggregator or client id */
    uint64_t boot_id;              /* of the sender's process */
    uint64_t seq;                  /* of the sender: grows by one with each message on a socket */
    int64_t sent_unix_us;
    char key_id[ID_BYTES_MAX + 1]; /* names the key of the MAC; empty: no MAC */
};

/* Encode a noun into `size` bytes at `bytes`, which stay the caller's. `ret_n` is the message's
 * length. `envelope->kind`, `major` and `minor` are filled in here; a report's and a poll's own
 * node, boot_id, seq and sent_unix_us are taken from the envelope, never from the noun. */
int wire_put_report(const struct envelope *envelope, const struct report *report, uint8_t *bytes,
                    size_t size, size_t *ret_n);
int wire_put_poll_request(const struct envelope *envelope, const struct poll_request *request,
                          uint8_t *bytes, size_t size, size_t *ret_n);
int wire_put_poll_reply(const struct envelope *envelope, const struct poll_reply *reply,
                        uint8_t *bytes, size_t size, size_t *ret_n);
int wire_put_query(const struct envelope *envelope, const struct query *query, uint8_t *bytes,
                   size_t size, size_t *ret_n);
int wire_put_answer(const struct envelope *envelope, const struct answer *answer, uint8_t *bytes,
                    size_t size, size_t *ret_n);
int wire_put_feed(const struct envelope *envelope, const struct feed *feed, uint8_t *bytes,
                  size_t size, size_t *ret_n);

/* Read the envelope alone: enough to tell who sent what, and in which version. Works for every
 * major version as far as `major` (-EPROTONOSUPPORT then, with `ret_envelope->major` set and no
 * more; 255 stands for all above). Any `kind` is given, also one that is not known here. The
 * payload is not looked at. */
int wire_get_envelope(const uint8_t *bytes, size_t n, struct envelope *ret_envelope, char *ret_why);

/* Decode a message of the kind that the name says; another kind is -EPROTONOSUPPORT. Unknown fields
 * are skipped, missing optional ones take the default of docs/protocol.md. The noun's own check has
 * passed. */
int wire_get_report(const uint8_t *bytes, size_t n, struct report *ret_report, char *ret_why);
int wire_get_poll_request(const uint8_t *bytes, size_t n, struct poll_request *ret_request,
                          char *ret_why);
int wire_get_poll_reply(const uint8_t *bytes, size_t n, struct poll_reply *ret_reply,
                        char *ret_why);
int wire_get_query(const uint8_t *bytes, size_t n, struct query *ret_query, char *ret_why);
int wire_get_answer(const uint8_t *bytes, size_t n, struct answer *ret_answer, char *ret_why);
int wire_get_feed(const uint8_t *bytes, size_t n, struct feed *ret_feed, char *ret_why);

#endif
