/* The decision: what the aggregator asks of an agent, and the receipt for it. Pure.
 *
 * An agent keeps one poll (a request) open at every aggregator. It carries the receipts of earlier
 * decisions; its reply carries new ones, or none when the hold time is over. */
#ifndef COMMON_DECISION_H
#define COMMON_DECISION_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/name.h"
#include "common/units.h"

enum decision_kind {
    DECISION_MOVE = 1, /* make broker `to` the owner of `topic`, which broker `from` owns now */
};

struct decision {
    enum decision_kind kind;
    uint64_t
        epoch;    /* of the aggregator that decided; agents refuse one below the highest they saw */
    uint64_t seq; /* its id: 1, 2, … within the epoch; reports answer with applied_seq */
    uint64_t boot_id;      /* of the agent's process it is for: one that restarted refuses it */
    time_us expires_in_us; /* after the poll that it answers was sent; no wall clock takes part */
    char from[ID_BYTES_MAX + 1];
    char to[ID_BYTES_MAX + 1];
    char to_address[ADDRESS_BYTES_MAX + 1]; /* may be empty */
    struct topic_name topic;
};

/* What became of a decision. The first group answers at once, the second when the actuator has
 * ended. */
enum receipt_status {
    RECEIPT_ACCEPTED = 1,
    RECEIPT_BUSY = 2,          /* too many actuators running; send it again later */
    RECEIPT_UNKNOWN_TOPIC = 3, /* this node's brokers lead no such topic */
    RECEIPT_WRONG_OWNER =
        4, /* the topic is led by another broker than `from`, or `from` is not here */
    RECEIPT_OLD_EPOCH = 5,
    RECEIPT_EXPIRED = 6,     /* too late, or for an earlier boot of the agent */
    RECEIPT_NO_ACTUATOR = 7, /* nothing is configured that could move it */

    RECEIPT_SUCCEEDED = 16, /* the actuator says so; the owner in the next reports decides */
    RECEIPT_FAILED = 17,    /* the actuator says no, or could not be run */
    RECEIPT_TIMED_OUT = 18, /* the actuator was ended at its deadline */
};

struct receipt {
    uint64_t epoch;
    uint64_t seq;
    enum receipt_status status;
    char text[TEXT_BYTES_MAX + 1]; /* for people: the actuator's last words; may be empty */
};

/* Agent to aggregator. */
struct poll_request {
    char node[ID_BYTES_MAX + 1]; /* from the envelope */
    uint64_t boot_id;            /* from the envelope */
    uint64_t epoch_seen;         /* the highest epoch this agent has seen; 0: none */
    size_t n_receipts;
    struct receipt receipts[RECEIPTS_PER_REQUEST_MAX];
};

enum poll_status {
    POLL_OK = 0,
    POLL_UNSUPPORTED =
        1, /* the agent speaks a newer major version; `text` says which is spoken here */
    POLL_REFUSED =
        2, /* malformed, superseded by a newer poll of the node, or another boot speaks for it */
};

/* Aggregator to agent. */
struct poll_reply {
    enum poll_status status;
    char text[TEXT_BYTES_MAX + 1];
    uint64_t epoch;
    size_t n_decisions;
    struct decision decisions[DECISIONS_PER_REPLY_MAX];
};

/* Whether a decision is well-formed: ids, name, from != to, expiry 0 … 1 h.
 * Returns 0, or -EBADMSG with one sentence in `ret_why` (TEXT_BYTES_MAX + 1 bytes). */
int decision_check(const struct decision *decision, char *ret_why);

/* "accepted", "busy", …, or "unknown" for a number that this version does not know. */
const char *receipt_status_name(enum receipt_status status);

#endif
