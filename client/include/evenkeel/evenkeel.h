/* libevenkeel: ask the aggregator of a broker fleet where topics belong, and how the fleet is.
 *
 *     struct ek_client *client;
 *     struct ek_placement placement;
 *
 *     if (ek_connect("tcp://127.0.0.1:7703", NULL, &client) == 0) {
 *         if (ek_assign(client, "orders", &placement) == 0) {
 *             printf("%s at %s\n", placement.broker, placement.address);
 *         }
 *         ek_disconnect(client);
 *     }
 *
 * Errors. Functions that can fail return 0 or a negative errno; outputs (`ret_…`) are untouched on
 * failure. ek_error() has the sentence for people, with the address that was asked.
 *     -EINVAL           an argument is malformed, or the server does not know such a question
 *     -ENOMEM           no memory
 *     -EHOSTUNREACH     no server could be reached; nothing was asked
 *     -ETIMEDOUT        a server was asked and did not answer in time; it may have acted
 *     -ECONNRESET       the connection went away before the answer came; the server may have acted
 *     -EAGAIN           not now: the server has just started, or no broker is fit; ask again later
 *     -ENOENT           no such topic, broker or move
 *     -EPERM            refused: against a rule of the fleet
 *     -ENOSPC           a bound of the server is reached
 *     -EPROTONOSUPPORT  the server speaks another major version of the protocol
 *     -EPROTO           the answer cannot be believed: garbage, or an answer to something else
 *
 * Threads. Every function may be called from any thread. Calls on one client wait for each other:
 * a client has one request in flight. Threads that must not wait use a client each.
 * ek_disconnect() is the exception: nothing may use the client then or later.
 *
 * Processes. Connecting starts threads, which take no signals. A process that has connected must
 * not fork() without exec. The library prints nothing, installs no signal handler and never exits.
 *
 * Stability. Structures that appear here never change size: new members take the place of
 * `reserved`, new functions and new enumerators are appended. Programs built against one version
 * run with every later one of the same soversion. Plain structures rather than accessors, because
 * a broker fills and reads them without a call each; their strings are bounded by EK_…_SIZE. */
#ifndef EVENKEEL_EVENKEEL_H
#define EVENKEEL_EVENKEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define EK_API __attribute__((visibility("default")))
#else
#define EK_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the strings, with the NUL. */
#define EK_NAME_SIZE    512 /* a topic */
#define EK_ID_SIZE      128 /* a broker, a node, a client */
#define EK_ADDRESS_SIZE 256 /* where clients reach a broker */
#define EK_TEXT_SIZE    256 /* a sentence for people */

/* Servers that one client can know. */
#define EK_SERVERS_MAX 7

#define EK_TIMEOUT_MS_DEFAULT         5000
#define EK_CONNECT_TIMEOUT_MS_DEFAULT 2000

/* A connection to the aggregators; opaque. */
struct ek_client;

/* Zero it, then set what matters: 0 and NULL mean the default. What `reserved` holds must be 0. */
struct ek_options {
    const char *client_id;       /* who asks: letters, digits and `._:@-`; default: host and pid */
    uint32_t timeout_ms;         /* for one call as a whole; default EK_TIMEOUT_MS_DEFAULT */
    uint32_t connect_timeout_ms; /* of it, for waiting until any server is connected; default
                                    EK_CONNECT_TIMEOUT_MS_DEFAULT */
    uint64_t reserved[6];
};

/* Where a placement comes from. */
enum ek_source {
    EK_OBSERVED = 1, /* the broker itself shows the topic */
    EK_ASSIGNED = 2, /* assigned, and not seen at the broker yet */
};

/* Which broker owns a topic. */
struct ek_placement {
    char topic[EK_NAME_SIZE];
    char broker[EK_ID_SIZE];
    char address[EK_ADDRESS_SIZE]; /* may be empty */
    enum ek_source source;
    uint64_t reserved[7];
};

/* How the aggregator sees a broker. */
enum ek_freshness {
    EK_FRESH = 1, /* reports, and is up */
    EK_STALE = 2, /* silent for a while; neither ranked nor assigned to */
    EK_GONE = 3,  /* down, or silent for long */
};

/* A measured value. Names and units are those of the reports: "cpu_ratio" (0..1),
 * "memory_bytes", "net_rx_bytes_per_s", … */
struct ek_metric {
    const char *name;
    double value;       /* 0 when absent */
    const char *absent; /* NULL when present; else why not: "first_sample", "denied", … */
    bool present;
};

/* One broker. What it points to belongs to the list that it stands in. */
struct ek_broker {
    const char *id;
    const char *node;    /* the host that its agent reports as */
    const char *address; /* where clients reach it; may be empty */
    enum ek_freshness freshness;
    bool ranked;           /* `score` holds */
    double score;          /* 0..1, lower is less loaded */
    double age_seconds;    /* since its last report arrived */
    uint64_t topics;       /* that it owns */
    uint64_t report_bytes; /* size of its node's last report */
    size_t n_metrics;      /* 0 in a ranking */
    const struct ek_metric *metrics;
    uint64_t reserved[4];
};

/* One topic of a broker. What it points to belongs to the list that it stands in. */
struct ek_topic {
    const char *name;
    bool movable;
    size_t n_candidates; /* other brokers that may own it */
    const char *const *candidates;
    size_t n_metrics;
    const struct ek_metric *metrics;
    uint64_t reserved[4];
};

/* The brokers that are fit to be assigned to, from the least to the most loaded. */
struct ek_ranking {
    size_t n_brokers;
    const struct ek_broker *brokers;
    uint64_t reserved[4];
};

/* All brokers with their metrics, by id; or one of them, and its topics. */
struct ek_reports {
    size_t n_brokers;
    const struct ek_broker *brokers;
    size_t n_topics;
    const struct ek_topic *topics;
    uint64_t reserved[4];
};

enum ek_move_state {
    EK_MOVE_PLANNED = 1,   /* waits for the agent */
    EK_MOVE_SENT = 2,      /* handed to the agent */
    EK_MOVE_RUNNING = 3,   /* under way */
    EK_MOVE_VERIFYING = 4, /* done, as the agent says; waits for a report that shows it */
    EK_MOVE_ENDED = 5,     /* `outcome` holds */
};

enum ek_move_outcome {
    EK_UNDECIDED = 0,
    EK_MOVED = 1,     /* the reports show the target as the owner */
    EK_NOOP = 2,      /* the target owned it already */
    EK_REFUSED = 3,   /* the agent said no; `text` says why */
    EK_ELSEWHERE = 4, /* a third broker owns it */
    EK_TIMED_OUT = 5, /* nothing was verified in time */
    EK_FAILED = 6,    /* it did not work; the former owner still owns it */
};

/* A move of a topic from one broker to another. */
struct ek_move {
    uint64_t id; /* 0: a dry run */
    char topic[EK_NAME_SIZE];
    char from[EK_ID_SIZE];
    char to[EK_ID_SIZE];
    enum ek_move_state state;
    enum ek_move_outcome outcome;
    double seconds; /* from the question to the outcome, or to now */
    char text[EK_TEXT_SIZE];
    uint64_t reserved[4];
};

/* Moves, newest first. */
struct ek_moves {
    size_t n_moves;
    const struct ek_move *moves;
    uint64_t reserved[4];
};

/* How the aggregator and its fleet are. */
struct ek_status {
    char version[32];   /* of the aggregator */
    char algorithm[32]; /* that ranks */
    uint64_t epoch;     /* grows with every start of an aggregator */
    double uptime_seconds;
    uint64_t nodes; /* with an agent */
    uint64_t brokers_fresh;
    uint64_t brokers_stale;
    uint64_t brokers_gone;
    uint64_t topics;
    uint64_t assignments;
    uint64_t moves_in_flight;
    uint64_t reports; /* accepted since the start */
    uint64_t reports_refused;
    uint64_t reserved[8];
};

/* Make a client of the aggregators at `servers`: one or up to EK_SERVERS_MAX addresses of their
 * query sockets (tcp://host:port, ipc:///path), separated by commas. Connects in the background,
 * reconnects for ever, and never waits: that a server is not there is told by the first call.
 * Calls go to the first server that answers; it is kept until it fails, then the next is asked.
 *
 * `options` may be NULL; nothing that was given is kept. `ret_client` is the caller's, to be given
 * to ek_disconnect(). Returns 0, -EINVAL or -ENOMEM. */
EK_API int ek_connect(const char *servers, const struct ek_options *options,
                      struct ek_client **ret_client);

/* Close the connections and free the client; lists that it gave stay valid. NULL is fine. */
EK_API void ek_disconnect(struct ek_client *client);

/* Copy the sentence of the call that failed last on this client, from whichever thread, into
 * `size` bytes at `ret_text`, cut if need be and NUL-terminated; empty when none has failed.
 * Returns its whole length, as snprintf() does. */
EK_API size_t ek_error(struct ek_client *client, char *ret_text, size_t size);

/* What a negative errno of this library means, in a few words. Never NULL; not to be freed. */
EK_API const char *ek_strerror(int error);

/* Ask which broker shall own `topic`. The first call assigns it to the least loaded broker, later
 * ones give the same answer until it is released. Repeated at another server when one fails.
 * `ret_placement` is the caller's. Any error of the table but -ENOENT; -EAGAIN: no broker is fit.
 */
EK_API int ek_assign(struct ek_client *client, const char *topic,
                     struct ek_placement *ret_placement);

/* Ask which broker owns `topic`. `ret_placement` is the caller's. -ENOENT: nobody does. */
EK_API int ek_lookup(struct ek_client *client, const char *topic,
                     struct ek_placement *ret_placement);

/* Forget the assignment of `topic`; what a broker shows by itself stays. -ENOENT: there was none.
 * Not repeated when the connection breaks: -ECONNRESET and -ETIMEDOUT leave it open. */
EK_API int ek_release(struct ek_client *client, const char *topic);

/* Ask for the ranking. `ret_ranking` is the caller's, to be given to ek_ranking_free(). An empty
 * ranking is no error. */
EK_API int ek_ranking(struct ek_client *client, struct ek_ranking **ret_ranking);
EK_API void ek_ranking_free(struct ek_ranking *ranking); /* NULL is fine */

/* Ask for all brokers with their metrics (`broker` NULL), or for one and its topics (-ENOENT: no
 * such broker). `ret_reports` is the caller's, to be given to ek_reports_free(). */
EK_API int ek_reports(struct ek_client *client, const char *broker,
                      struct ek_reports **ret_reports);
EK_API void ek_reports_free(struct ek_reports *reports); /* NULL is fine */

/* Ask how the aggregator and its fleet are. `ret_status` is the caller's. */
EK_API int ek_status(struct ek_client *client, struct ek_status *ret_status);

/* Move `topic` to broker `to`, or with `dry_run` only ask what would happen. Returns as soon as the
 * move is planned: follow it with ek_moves(). When the target owns the topic already, the move
 * has ended with EK_NOOP. `ret_move` is the caller's.
 * -ENOENT: no such topic or broker; -EPERM: not a candidate, not movable, already moving, …
 * A move that is not a dry run is never repeated: after -ECONNRESET or -ETIMEDOUT, look for it
 * with ek_moves(). */
EK_API int ek_move(struct ek_client *client, const char *topic, const char *to, bool dry_run,
                   struct ek_move *ret_move);

/* Ask for the recent moves (`id` 0), or for one (-ENOENT: no longer known). `ret_moves` is the
 * caller's, to be given to ek_moves_free(). */
EK_API int ek_moves(struct ek_client *client, uint64_t id, struct ek_moves **ret_moves);
EK_API void ek_moves_free(struct ek_moves *moves); /* NULL is fine */

/* Words for people and JSON: "fresh", "running", "moved", "observed"; "unknown" for a number of a
 * later version. Never NULL; not to be freed. */
EK_API const char *ek_freshness_name(enum ek_freshness freshness);
EK_API const char *ek_move_state_name(enum ek_move_state state);
EK_API const char *ek_move_outcome_name(enum ek_move_outcome outcome);
EK_API const char *ek_source_name(enum ek_source source);

/* The version of the library in use: "0.1.0". */
EK_API const char *ek_version(void);

#ifdef __cplusplus
}
#endif

#endif
