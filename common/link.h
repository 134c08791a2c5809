/* Links: the sockets of evenkeel, over nng. Shell. The only file that knows nng is link.c; its head
 * lists the rules that Debian 12's nng 1.5.2 asks for, and why.
 *
 * One thread calls everything here. Waiting is poll(2) on link_fd(): readable whenever
 * link_receive() would give something other than -EAGAIN; receive until -EAGAIN, then poll again.
 * Signals must be blocked before the first call. Never fork without exec once a link is open. */
#ifndef COMMON_LINK_H
#define COMMON_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/units.h"

enum link_kind {
    LINK_REPORTS_OUT, /* PUB, dials: send */
    LINK_REPORTS_IN,  /* SUB, listens: receive */
    LINK_ASK,         /* REQ, dials: ask, receive the reply, one at a time */
    LINK_ANSWER,      /* REP, listens: receive requests, answer each later, in any order */
    LINK_FEED_OUT,    /* PUB, listens: send */
    LINK_FEED_IN,     /* SUB, dials: receive */
};

struct link_options {
    size_t receive_bytes_max; /* longer messages cost the sender its connection; 0:
                                 MESSAGE_BYTES_MAX */
    size_t pipes_max;      /* listening kinds: connections at a time, further ones are rejected; 0:
                              LINK_PIPES_MAX */
    time_us silent_us_max; /* listening kinds that receive: a connection from which no message was
                              accepted (see link_vouch()) for so long is shut down; 0: never */
};

struct link;

/* Where a request came from; opaque, never 0, to be handed back to link_answer() or link_drop(). At
 * most REQUESTS_PARKED_MAX are held for a socket, and 32 for a connection; the oldest is dropped
 * for a further one. One that is void (answered, dropped, its peer gone) is harmless. */
typedef uint64_t link_request;

struct link_message {
    const uint8_t *bytes; /* borrowed until the next call on the same link */
    size_t n;
    link_request request; /* LINK_ANSWER only */
    uint64_t pipe;        /* the connection it came by, for link_vouch() and link_kick() */
};

/* Open a link of `kind` at `url` (tcp://host:port, ipc:///path, inproc://name). Dialing never
 * blocks and never gives up: reconnects after 100 ms, doubling to 2 s, with jitter. `options` may
 * be NULL. Returns 0; -EINVAL a malformed url; -EADDRINUSE, -EACCES, -ENOMEM, … when listening
 * fails. */
int link_open(enum link_kind kind, const char *url, const struct link_options *options,
              struct link **ret_link);

/* Close and free; NULL is fine. What is queued may be lost. Takes a few milliseconds, a second at
 * most: a wedged library is left alone with its socket. */
void link_close(struct link *link);

/* The descriptor to poll for POLLIN; -1 for kinds that only send. It stays the same for the link's
 * life. LINK_ASK: readable also when a connection has been made (link_receive() then gives -EAGAIN
 * and the descriptor is quiet again), so that a link_ask() that said -EAGAIN can be tried at once.
 */
int link_fd(const struct link *link);

/* Take the next message. Returns 0; -EAGAIN nothing there; LINK_ASK only: -ECONNRESET the peer went
 * away before its reply came (send anew); -ETIMEDOUT the reply is overdue (its connection is
 * cut, for the reply may still come; send anew). */
int link_receive(struct link *link, struct link_message *ret_message);

/* PUB kinds: send to everybody who is connected; never blocks, and returns 0 even when nobody is.
 * -ENOMEM. */
int link_send(struct link *link, const uint8_t *bytes, size_t n);

/* LINK_ASK: send a request; link_receive() gives its reply, or an error, within `timeout_us`.
 * Returns 0; -EAGAIN nobody is connected (try again later); -EBUSY a reply is still awaited;
 * -ENOMEM. */
int link_ask(struct link *link, const uint8_t *bytes, size_t n, time_us timeout_us);

/* Answer a request, once. Returns 0, or -ENOTCONN when its peer is gone, or it was dropped (nothing
 * to do). -ENOMEM: the request is forgotten, its peer will find it overdue. Never blocks. */
int link_answer(struct link *link, link_request request, const uint8_t *bytes, size_t n);

/* Forget a request that will not be answered. */
void link_drop(struct link *link, link_request request);

/* Say that the message was good: its connection is not silent. */
void link_vouch(struct link *link, uint64_t pipe);

/* Cut a connection off, by shutdown(2) of its descriptor (nng_pipe_close() can wedge nng < 1.6). Of
 * ipc, all connections of the peer's process to this link; of inproc, none. One that has gone is
 * fine. */
void link_kick(struct link *link, uint64_t pipe);

/* Connections now. Dialing kinds: 0 or 1. */
size_t link_n_pipes(const struct link *link);

/* Do what is due: set keepalive and timeouts on the descriptors of new connections, shut down
 * silent ones, forget requests whose peers have gone. Call about once a second, on every kind.
 * (Overdue asks end by themselves.) `now_us` is on the boot clock. */
void link_sweep(struct link *link, time_us now_us);

/* Counters for /metrics. */
struct link_statistics {
    uint64_t n_connected; /* connections made */
    uint64_t n_disconnected;
    uint64_t n_rejected; /* over pipes_max */
    uint64_t n_swept;    /* silent ones shut down */
    uint64_t n_kicked;
    uint64_t n_dropped; /* requests of peers that had gone, or that were too many to keep */
};

/* What has been counted since the link was opened. */
void link_statistics(const struct link *link, struct link_statistics *ret_statistics);

/* "1.5.2": the version of the library in use. */
const char *link_library_version(void);

/* Whether it is older than 1.6, with the defects of link.c's head. */
bool link_library_is_defective(void);

/* The process ends with this code when the canary is dead (EX_TEMPFAIL), and is started again by
 * its supervisor. */
#define EXIT_WEDGED 75

/* Start the canary: at once, and then every 10 s, a pipe of its own is closed; when its end is not
 * told within 2 s, nng's reaper is wedged and no dialer of this process will ever reconnect. Runs
 * on a thread of its own, for the life of the process. Returns 0 (also when it runs already);
 * -ENOMEM, -EAGAIN. */
int link_canary_start(void);

/* False: the library is wedged, for ever. The process must end in order with EXIT_WEDGED;
 * link_close() still returns, within a second a link. True before link_canary_start(). */
bool link_canary_is_alive(void);

#endif
