/* Links over nng. Shell. The only file that knows nng.
 *
 * Debian 12 ships nng 1.5.2, Debian 13 nng 1.10; one source serves both and calls nothing that is
 * deprecated. What 1.5.2 asks for, and how this file does it:
 *
 * The reaper. One thread a process destroys pipes. It wedges for ever when a pipe is closed while
 * a message is coming in on it (mended in 1.6): from then on every disconnect leaks a descriptor
 * and no dialer dials again, silently. Therefore a running pipe is never closed through nng.
 * Whoever must go is cut off by shutdown(2) of the descriptor, which is found by the two ends of
 * its connection (connection.h); only in ADD_PRE, before it runs, a pipe is rejected by closing
 * it. Our REQ has one request in flight on a connection: after an overdue reply the connection is
 * cut and the dialer makes another, so that a late reply and a new request never share one.
 * Strangers that send two requests and vanish can wedge the reaper all the same: the canary
 * notices.
 *
 * Closing. nng_close() waits for the reaper, for ever if it is wedged. It is called on a thread of
 * its own, and link_close() waits for that thread for a second at most. Notifications point to the
 * link until its socket is closed: it is freed when both its caller and its socket are done with
 * it. To close a socket is to close its pipes, and one close in ten thousand right after a reply
 * wedges the reaper: they are cut off first. A tcp connection that exchanges hellos while its
 * dialer or listener is being closed is never freed, nor its descriptor closed: sockets are opened
 * once and closed when all is over, and a dialer is kept from dialing in between (FAREWELL_MS).
 *
 * Queues. PUB keeps 16 messages a connection, SUB 128 for the whole socket: a fleet that reports
 * in phase loses some. Raised to 64 and 8192.
 *
 * Answering. Raw REP would do with less, but uses freed memory when strangers vanish with requests
 * in flight (1.10 aborts at once; 1.5.2 and 1.11 have the same lines): nni_msgq_aio_put() goes on
 * with an aio that is stopped. Therefore cooked REP, with a context for each request that is
 * parked or being answered, and RECEIVE_AHEAD more that receive. A context that is not going to
 * answer just receives again. What a connection has not read of its answers is bounded, too.
 *
 * Sizes. RECVMAXSZ is unlimited by default and counts for connections that start after it was
 * set: set on the dialer or listener before it starts. inproc ignores it, so lengths are looked at
 * again.
 *
 * Asking. REQ sends again after 60 s and when its connection ends, so that a request may run
 * twice: turned off. Then the end of a connection is told to a pending receive only, never by
 * RECVFD. Therefore a receive is always pending, and link_fd() is an eventfd that its callback
 * writes.
 *
 * A reply can come before nng has noted that its request is sent: then the connection counts as
 * busy, nothing tells when it is free, and the next request is tried again for a moment.
 *
 * Dialing. Without NNG_FLAG_NONBLOCK a first failure is the last: always with it. The wait before
 * dialing again is drawn from (-n, n) milliseconds instead of (0, n), so that half the time there
 * is none: about twice the attempts that one would think.
 *
 * Silence. Keepalive is off, there is no idle timeout after the 8 bytes of hello (10 s before),
 * and no option for TCP_USER_TIMEOUT: link_sweep() sets them on the descriptors, in one walk for
 * all new connections. TCP_USER_TIMEOUT also ends peers that ask and never read.
 *
 * Notifications run on nng's threads, REM_POST on the reaper. They take the link's mutex for a few
 * instructions, wait for nothing (but FAREWELL_MS), and call no nng function under it. REM_POST
 * may come before ADD_POST, a message never before ADD_PRE: a pipe is known from ADD_PRE to
 * REM_POST.
 *
 * ws:// and nng's http are not to be used (heap overflow): unknown schemes are refused.
 *
 * Unresolved: SUB's queue counts messages, not bytes; a peer that sends messages of
 * receive_bytes_max faster than they are taken can make it hold 8192 of them. An ipc connection is
 * known by its path and its peer's process only: cutting one off cuts off all that this process
 * has there. inproc connections, which are for tests, cannot be cut off. */
#include "common/link.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "common/clock.h"
#include "common/connection.h"
#include "common/limits.h"
#include "common/parking.h"

/* All 200 reconnected within 1 s of an aggregator's restart with 1 s at most, 4.9 s with 5 s. */
#define RECONNECT_MS_MIN 100
#define RECONNECT_MS_MAX 2000

/* A publisher's queue for one slow listener; at 240 KB a report that is 15 MB, once. */
#define PUB_QUEUE 64

/* The one queue of a SUB socket for the whole fleet, as long as nng allows. */
#define SUB_QUEUE 8192

/* Requests of one connection that wait for an answer, and answers that it has not read. Ours have
 * one; a stranger's must not push out everybody's. */
#define REQUESTS_PER_PIPE_MAX 32

/* Contexts that receive while the owner of the link is busy; nng keeps one more request for each
 * connection. */
#define RECEIVE_AHEAD 32

/* Contexts: those that receive, that wait, and that send to somebody who reads slowly. */
#define ANSWERERS_MAX (RECEIVE_AHEAD + 2 * REQUESTS_PARKED_MAX)

#define PIPE_BUCKETS 256 /* 16 pipes a bucket at LINK_PIPES_MAX */
#define TUNE_TRIES   3   /* sweeps that look for a connection's descriptor before giving up */
#define CLOSE_US_MAX SECONDS(1)
#define CUT_MS_MAX   50
#define BUSY_TRIES   20 /* each after BUSY_NS: 1 ms and a little */
#define BUSY_NS      50000L
#define FAREWELL_MS  5

#define DUE_TUNE  1U
#define DUE_CUT   2U
#define DUE_COUNT 4U /* with DUE_CUT: for the first time */

/* A connection that nng told us about. */
struct pipe {
    struct pipe *next; /* in its bucket */
    uint32_t id;
    unsigned n_sending; /* answers that it has not read */
    unsigned tune_left; /* sweeps that will still look for its descriptor */
    bool vouched;       /* since the last sweep */
    bool cut;           /* shut down by us, and counted */
    time_us good_at_us; /* last vouched for, in sweeps' time; 0: no sweep has seen it */
    struct connection_ends ends;
};

/* One context of REP. It is idle, receives, has arrived, is parked, or sends. */
struct answerer {
    struct link *link;
    nng_ctx context;
    nng_aio *aio; /* NULL: the context is not open yet */
    bool sending;
    uint32_t pipe;    /* where the request came from */
    uint32_t next;    /* in the list of idle or of arrived ones, or PARKING_NONE */
    nng_msg *request; /* arrived, not yet handed out */
};

struct answering {
    struct answerer *answerers; /* ANSWERERS_MAX, mostly untouched */
    uint32_t n_used;            /* have been used so far */
    uint32_t n_receiving;       /* receive, or have arrived */
    uint32_t idle;              /* list, or PARKING_NONE */
    uint32_t arrived_first;     /* queue, or PARKING_NONE */
    uint32_t arrived_last;
};

struct link {
    enum link_kind kind;
    struct link_options options;
    char *url;
    int fd;
    nng_socket socket;      /* id 0: not opened */
    nng_msg *received;      /* what the caller borrows */
    struct parking parking; /* LINK_ANSWER: slots are indices of answerers */
    nng_aio *aio;           /* LINK_ASK: the pending receive */
    bool asking;            /* LINK_ASK: a reply is awaited or not yet taken */

    pthread_mutex_t mutex; /* what follows is shared with nng's threads */
    struct pipe *buckets[PIPE_BUCKETS];
    size_t n_pipes;
    struct answering answering; /* LINK_ANSWER */
    bool is_closing;            /* new connections are rejected */
    bool pipes_went;            /* since requests of vanished pipes were last forgotten */
    bool has_reply;             /* LINK_ASK: the receive ended */
    int reply_result;           /* nng's code */
    nng_msg *reply;             /* when the result is 0 */
    unsigned n_owners;          /* the caller, and the socket until it is closed */
    struct link_statistics statistics;
};

/* -------- Errors and messages -------- */

static int errno_of(int nng_code)
{
    static const struct {
        int nng_code;
        int r;
    } table[] = {
        {0, 0},
        {NNG_EINTR, -EINTR},
        {NNG_ENOMEM, -ENOMEM},
        {NNG_EINVAL, -EINVAL},
        {NNG_EADDRINVAL, -EINVAL},
        {NNG_ENOTSUP, -EINVAL},
        {NNG_EBUSY, -EBUSY},
        {NNG_ETIMEDOUT, -ETIMEDOUT},
        {NNG_ECONNREFUSED, -ECONNREFUSED},
        {NNG_ECONNRESET, -ECONNRESET},
        {NNG_ECONNSHUT, -ECONNRESET},
        {NNG_ECONNABORTED, -ECONNRESET},
        {NNG_ECLOSED, -ECONNRESET},
        {NNG_ECANCELED, -ECANCELED},
        {NNG_EAGAIN, -EAGAIN},
        {NNG_EADDRINUSE, -EADDRINUSE},
        {NNG_ENOENT, -ENOENT},
        {NNG_EPROTO, -EPROTO},
        {NNG_EUNREACHABLE, -EHOSTUNREACH},
        {NNG_EPERM, -EACCES},
        {NNG_EMSGSIZE, -EMSGSIZE},
        {NNG_ENOFILES, -EMFILE},
        {NNG_ENOSPC, -ENOSPC},
        {NNG_EEXIST, -EEXIST},
    };
    size_t i;

    for (i = 0; i < N_ELEMENTS(table); i++) {
        if (table[i].nng_code == nng_code) {
            return table[i].r;
        }
    }
    return (nng_code & NNG_ESYSERR) != 0 ? -(nng_code & ~NNG_ESYSERR) : -EIO;
}

static int make_message(const uint8_t *bytes, size_t n, nng_msg **ret_message)
{
    nng_msg *message;

    if (nng_msg_alloc(&message, n) != 0) {
        return -ENOMEM;
    }
    if (n > 0) {
        memcpy(nng_msg_body(message), bytes, n);
    }
    *ret_message = message;
    return 0;
}

/* Send without waiting; takes `message` over, whatever happens. */
static int send_message(nng_socket socket, nng_msg *message)
{
    int code;

    code = nng_sendmsg(socket, message, NNG_FLAG_NONBLOCK);
    if (code != 0) {
        nng_msg_free(message);
    }
    return errno_of(code);
}

static void lend(struct link *link, nng_msg *message, struct link_message *ret_message)
{
    link->received = message;
    ret_message->bytes = nng_msg_body(message);
    ret_message->n = nng_msg_len(message);
    ret_message->pipe = (uint64_t)nng_msg_get_pipe(message).id;
    ret_message->request = 0;
}

static void take_back(struct link *link)
{
    if (link->received != NULL) {
        nng_msg_free(link->received);
        link->received = NULL;
    }
}

static void wake(const struct link *link)
{
    const uint64_t one = 1;
    ssize_t n;

    n = write(link->fd, &one, sizeof(one)); /* EAGAIN: it is readable already */
    (void)n;
}

/* -------- Pipes: known from ADD_PRE to REM_POST -------- */

static bool listens(enum link_kind kind)
{
    return kind == LINK_REPORTS_IN || kind == LINK_ANSWER || kind == LINK_FEED_OUT;
}

static bool receives(enum link_kind kind)
{
    return kind != LINK_REPORTS_OUT && kind != LINK_FEED_OUT;
}

/* Whether the link's descriptor is ours; nng's otherwise. */
static bool has_eventfd(enum link_kind kind)
{
    return kind == LINK_ASK || kind == LINK_ANSWER;
}

static struct pipe **pipe_place(struct link *link, uint64_t id)
{
    struct pipe **place = &link->buckets[id % PIPE_BUCKETS];

    while (*place != NULL && (*place)->id != id) {
        place = &(*place)->next;
    }
    return place;
}

/* The mutex is held by callers of what is named pipe_…. */
static struct pipe *pipe_find(struct link *link, uint64_t id)
{
    return *pipe_place(link, id);
}

static void ends_of_tcp(const nng_sockaddr *local, const nng_sockaddr *remote,
                        struct connection_ends *ret_ends)
{
    if (local->s_family == NNG_AF_INET) {
        ret_ends->family = AF_INET;
        ret_ends->local_port = local->s_in.sa_port;
        ret_ends->remote_port = remote->s_in.sa_port;
        memcpy(ret_ends->local, &local->s_in.sa_addr, sizeof(local->s_in.sa_addr));
        memcpy(ret_ends->remote, &remote->s_in.sa_addr, sizeof(remote->s_in.sa_addr));
    } else if (local->s_family == NNG_AF_INET6) {
        ret_ends->family = AF_INET6;
        ret_ends->local_port = local->s_in6.sa_port;
        ret_ends->remote_port = remote->s_in6.sa_port;
        memcpy(ret_ends->local, local->s_in6.sa_addr, sizeof(local->s_in6.sa_addr));
        memcpy(ret_ends->remote, remote->s_in6.sa_addr, sizeof(remote->s_in6.sa_addr));
    }
}

/* Of the two ends only the listener's has a path. */
static void ends_of_ipc(nng_pipe pipe, const nng_sockaddr *local, const nng_sockaddr *remote,
                        struct connection_ends *ret_ends)
{
    const char *path = local->s_ipc.sa_path;
    uint64_t pid;

    if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &pid) != 0) {
        return;
    }
    if (path[0] == '\0') {
        path = remote->s_ipc.sa_path;
        ret_ends->dials = 1;
    }
    memcpy(ret_ends->local, path, strnlen(path, sizeof(ret_ends->local) - 1));
    ret_ends->peer_pid = (pid_t)pid;
    ret_ends->family = AF_UNIX;
}

static struct connection_ends ends_of_pipe(nng_pipe pipe)
{
    struct connection_ends ends;
    nng_sockaddr local;
    nng_sockaddr remote;

    memset(&ends, 0, sizeof(ends));
    if (nng_pipe_get_addr(pipe, NNG_OPT_LOCADDR, &local) != 0 ||
        nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &remote) != 0) {
        return ends;
    }
    if (local.s_family == NNG_AF_IPC || remote.s_family == NNG_AF_IPC) {
        ends_of_ipc(pipe, &local, &remote, &ends);
    } else {
        ends_of_tcp(&local, &remote, &ends);
    }
    return ends;
}

/* Take a new pipe in. False: it is one too many, or the link is being closed. */
static bool pipe_add(struct link *link, struct pipe *pipe)
{
    if (link->is_closing) {
        return false;
    }
    if (listens(link->kind) && link->n_pipes >= link->options.pipes_max) {
        link->statistics.n_rejected++;
        return false;
    }
    pipe->next = NULL;
    *pipe_place(link, pipe->id) = pipe;
    link->n_pipes++;
    link->statistics.n_connected++;
    return true;
}

static void pipe_added(nng_pipe new_pipe, nng_pipe_ev event, void *arg)
{
    struct link *link = arg;
    struct pipe *pipe;
    bool accepted = false;

    (void)event;
    pipe = calloc(1, sizeof(*pipe));
    if (pipe != NULL) {
        pipe->id = (uint32_t)nng_pipe_id(new_pipe);
        pipe->ends = ends_of_pipe(new_pipe);
        pipe->tune_left = pipe->ends.family == AF_INET || pipe->ends.family == AF_INET6 ? TUNE_TRIES
                                                                                        : 0;
        (void)pthread_mutex_lock(&link->mutex);
        accepted = pipe_add(link, pipe);
        (void)pthread_mutex_unlock(&link->mutex);
    }
    if (!accepted) {
        free(pipe);
        (void)nng_pipe_close(new_pipe); /* allowed, for it does not run yet */
    }
}

/* From here on requests can be sent. */
static void pipe_ready(nng_pipe new_pipe, nng_pipe_ev event, void *arg)
{
    (void)new_pipe;
    (void)event;
    wake(arg);
}

static void pipe_removed(nng_pipe old_pipe, nng_pipe_ev event, void *arg)
{
    struct link *link = arg;
    struct pipe **place;
    struct pipe *pipe;
    bool is_closing;

    (void)event;
    (void)pthread_mutex_lock(&link->mutex);
    place = pipe_place(link, (uint32_t)nng_pipe_id(old_pipe));
    pipe = *place;
    if (pipe != NULL) {
        *place = pipe->next;
        link->n_pipes--;
        link->pipes_went = true;
        link->statistics.n_disconnected++;
    }
    is_closing = link->is_closing;
    (void)pthread_mutex_unlock(&link->mutex);
    if (pipe != NULL && is_closing && !listens(link->kind)) {
        (void)poll(NULL, 0, FAREWELL_MS); /* lets close_socket() stop the dialer before it dials */
    }
    free(pipe);
}

/* -------- Cutting off and tuning -------- */

static void do_todo(const struct connection_wanted *wanted, int fd)
{
    if ((wanted->todo & DUE_TUNE) != 0) {
        connection_tune(fd);
    }
    if ((wanted->todo & DUE_CUT) != 0) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

/* What is to be done with a pipe, 0: nothing. The mutex is held. */
typedef unsigned (*choose_fn)(struct link *link, struct pipe *pipe, int64_t argument);

static unsigned choose_id(struct link *link, struct pipe *pipe, int64_t id)
{
    (void)link;
    return (int64_t)pipe->id == id ? DUE_CUT : 0;
}

static unsigned choose_all(struct link *link, struct pipe *pipe, int64_t unused)
{
    (void)link;
    (void)pipe;
    (void)unused;
    return DUE_CUT;
}

static unsigned choose_due(struct link *link, struct pipe *pipe, int64_t now_us)
{
    unsigned todo = 0;

    if (pipe->tune_left > 0) {
        pipe->tune_left--;
        todo |= DUE_TUNE;
    }
    if (pipe->good_at_us == 0 || pipe->vouched) {
        pipe->good_at_us = now_us;
        pipe->vouched = false;
    } else if (link->options.silent_us_max > 0 &&
               now_us - pipe->good_at_us > link->options.silent_us_max) {
        todo |= DUE_CUT;
    }
    return todo;
}

static struct connection_wanted *gather(struct link *link, choose_fn choose, int64_t argument,
                                        size_t *ret_n)
{
    struct connection_wanted *wanted;
    struct pipe *pipe;
    unsigned todo;
    size_t i;

    *ret_n = 0;
    (void)pthread_mutex_lock(&link->mutex);
    wanted = calloc(link->n_pipes + 1, sizeof(*wanted));
    for (i = 0; i < PIPE_BUCKETS && wanted != NULL; i++) {
        for (pipe = link->buckets[i]; pipe != NULL; pipe = pipe->next) {
            todo = choose(link, pipe, argument);
            todo |= (todo & DUE_CUT) != 0 && !pipe->cut ? DUE_COUNT : 0;
            if (todo != 0 && pipe->ends.family != 0) {
                wanted[*ret_n].ends = pipe->ends;
                wanted[*ret_n].id = pipe->id;
                wanted[*ret_n].todo = todo;
                (*ret_n)++;
            }
        }
    }
    (void)pthread_mutex_unlock(&link->mutex);
    return wanted;
}

/* The pipe may be gone by now, just because it was cut off. The mutex is held. */
static void note_found(struct link *link, const struct connection_wanted *wanted,
                       uint64_t *cut_counter)
{
    struct pipe *pipe;

    if (!wanted->found) {
        return;
    }
    *cut_counter += (wanted->todo & DUE_COUNT) != 0 ? 1 : 0;
    pipe = pipe_find(link, wanted->id);
    if (pipe != NULL) {
        pipe->tune_left = 0;
        pipe->cut = pipe->cut || (wanted->todo & DUE_CUT) != 0;
    }
}

/* One open directory for all links: sweeping must work when the process is out of descriptors. */
static struct {
    pthread_mutex_t mutex;
    DIR *directory;
} descriptors = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void open_descriptors(void)
{
    (void)pthread_mutex_lock(&descriptors.mutex);
    if (descriptors.directory == NULL) {
        descriptors.directory = opendir("/proc/self/fd"); /* without /proc nothing is found */
    }
    (void)pthread_mutex_unlock(&descriptors.mutex);
}

static void find(struct connection_wanted *wanted, size_t n)
{
    (void)pthread_mutex_lock(&descriptors.mutex);
    if (descriptors.directory != NULL) {
        connection_find(descriptors.directory, wanted, n, do_todo);
    }
    (void)pthread_mutex_unlock(&descriptors.mutex);
}

/* Do what `choose` says to the descriptors of the pipes that it says it of; count in `cut_counter`,
 * a field of the statistics, the ones newly shut down. Returns how many were looked for. */
static size_t treat(struct link *link, choose_fn choose, int64_t argument, uint64_t *cut_counter)
{
    struct connection_wanted *wanted;
    size_t n;
    size_t i;

    wanted = gather(link, choose, argument, &n);
    if (n > 0) {
        find(wanted, n);
        (void)pthread_mutex_lock(&link->mutex);
        for (i = 0; i < n; i++) {
            note_found(link, &wanted[i], cut_counter);
        }
        (void)pthread_mutex_unlock(&link->mutex);
    }
    free(wanted);
    return n;
}

/* -------- Answerers -------- */

/* The mutex is held by callers of push_… and pop_…. */
static void push_idle(struct answering *answering, uint32_t i)
{
    answering->answerers[i].next = answering->idle;
    answering->idle = i;
}

static void push_arrived(struct answering *answering, uint32_t i)
{
    answering->answerers[i].next = PARKING_NONE;
    if (answering->arrived_first == PARKING_NONE) {
        answering->arrived_first = i;
    } else {
        answering->answerers[answering->arrived_last].next = i;
    }
    answering->arrived_last = i;
}

/* The next request that arrived, or PARKING_NONE. The descriptor is readable as long as there is
 * one. */
static uint32_t pop_arrived(struct link *link)
{
    struct answering *answering = &link->answering;
    uint32_t i = answering->arrived_first;
    uint64_t n_wakes;
    ssize_t n;

    if (i != PARKING_NONE) {
        answering->arrived_first = answering->answerers[i].next;
        answering->n_receiving--;
    }
    if (answering->arrived_first == PARKING_NONE) {
        n = read(link->fd, &n_wakes, sizeof(n_wakes));
        (void)n;
    }
    return i;
}

static void end_receive(struct answerer *answerer, uint32_t i, int code)
{
    struct link *link = answerer->link;

    if (code == 0) {
        answerer->request = nng_aio_get_msg(answerer->aio);
        answerer->pipe = (uint32_t)nng_msg_get_pipe(answerer->request).id;
        nng_aio_set_msg(answerer->aio, NULL);
    }
    (void)pthread_mutex_lock(&link->mutex);
    if (code == 0) {
        push_arrived(&link->answering, i);
        wake(link);
    } else {
        link->answering.n_receiving--;
        push_idle(&link->answering, i);
    }
    (void)pthread_mutex_unlock(&link->mutex);
}

static void end_send(struct answerer *answerer, uint32_t i, int code)
{
    struct link *link = answerer->link;
    struct pipe *pipe;

    if (code != 0) {
        nng_msg_free(nng_aio_get_msg(answerer->aio));
        nng_aio_set_msg(answerer->aio, NULL);
    }
    (void)pthread_mutex_lock(&link->mutex);
    pipe = pipe_find(link, answerer->pipe);
    if (pipe != NULL) {
        pipe->n_sending--;
    }
    push_idle(&link->answering, i);
    (void)pthread_mutex_unlock(&link->mutex);
}

/* A receive or a send ended. Runs on a thread of nng. */
static void answerer_ended(void *arg)
{
    struct answerer *answerer = arg;
    uint32_t i = (uint32_t)(answerer - answerer->link->answering.answerers);
    int code = nng_aio_result(answerer->aio);

    if (answerer->sending) {
        end_send(answerer, i, code);
    } else {
        end_receive(answerer, i, code);
    }
}

static bool open_answerer(struct link *link, struct answerer *answerer)
{
    nng_aio *aio;

    if (answerer->aio != NULL) {
        return true;
    }
    answerer->link = link;
    if (nng_aio_alloc(&aio, answerer_ended, answerer) != 0) {
        return false;
    }
    if (nng_ctx_open(&answerer->context, link->socket) != 0) {
        nng_aio_free(aio);
        return false;
    }
    answerer->aio = aio;
    return true;
}

/* One to receive with, or PARKING_NONE: enough do, or all are taken. The mutex is held. */
static uint32_t take_idle(struct answering *answering)
{
    uint32_t i = answering->idle;

    if (answering->n_receiving >= RECEIVE_AHEAD) {
        return PARKING_NONE;
    }
    if (i != PARKING_NONE) {
        answering->idle = answering->answerers[i].next;
    } else if (answering->n_used < ANSWERERS_MAX) {
        i = answering->n_used++;
    } else {
        return PARKING_NONE;
    }
    answering->n_receiving++;
    return i;
}

/* Have RECEIVE_AHEAD contexts receive, as far as memory allows. */
static void receive_ahead(struct link *link)
{
    struct answerer *answerer;
    uint32_t i;

    for (;;) {
        (void)pthread_mutex_lock(&link->mutex);
        i = take_idle(&link->answering);
        (void)pthread_mutex_unlock(&link->mutex);
        if (i == PARKING_NONE) {
            return;
        }
        answerer = &link->answering.answerers[i];
        if (!open_answerer(link, answerer)) {
            (void)pthread_mutex_lock(&link->mutex);
            link->answering.n_receiving--;
            push_idle(&link->answering, i);
            (void)pthread_mutex_unlock(&link->mutex);
            return;
        }
        nng_aio_wait(answerer->aio); /* its callback has freed it, but may not have returned */
        answerer->sending = false;
        nng_ctx_recv(answerer->context, answerer->aio);
    }
}

static int answering_init(struct link *link)
{
    struct answering *answering = &link->answering;

    answering->idle = PARKING_NONE;
    answering->arrived_first = PARKING_NONE;
    answering->answerers = calloc(ANSWERERS_MAX, sizeof(*answering->answerers));
    if (answering->answerers == NULL) {
        return -ENOMEM;
    }
    return parking_init(&link->parking, ANSWERERS_MAX);
}

/* When the socket is closed, or was never opened. */
static void answering_done(struct link *link)
{
    struct answerer *answerer;
    uint32_t i;

    for (i = 0; i < link->answering.n_used; i++) {
        answerer = &link->answering.answerers[i];
        nng_aio_free(answerer->aio);
        nng_msg_free(answerer->request);
    }
    free(link->answering.answerers);
    parking_done(&link->parking);
}

/* Forget the request in this slot. The mutex is held. */
static void unpark(struct link *link, uint32_t slot)
{
    parking_release(&link->parking, slot);
    push_idle(&link->answering, slot);
}

/* Forget the requests of connections that have gone. */
static void forget_gone(struct link *link)
{
    const struct parking *parking = &link->parking;
    uint32_t slot = parking->n > 0 ? parking->oldest : PARKING_NONE;
    uint32_t newer;

    (void)pthread_mutex_lock(&link->mutex);
    while (link->pipes_went && slot != PARKING_NONE) {
        newer = parking->slots[slot].newer;
        if (pipe_find(link, parking->slots[slot].pipe) == NULL) {
            unpark(link, slot);
            link->statistics.n_dropped++;
        }
        slot = newer;
    }
    link->pipes_went = false;
    (void)pthread_mutex_unlock(&link->mutex);
}

/* Make room for one more request of a connection; the oldest goes. The mutex is held. */
static void make_room(struct link *link, uint32_t pipe)
{
    uint32_t oldest;

    if (parking_of_pipe(&link->parking, pipe, &oldest) < REQUESTS_PER_PIPE_MAX) {
        oldest = link->parking.n < REQUESTS_PARKED_MAX ? PARKING_NONE : link->parking.oldest;
    }
    if (oldest != PARKING_NONE) {
        unpark(link, oldest);
        link->statistics.n_dropped++;
    }
}

/* Park the request that this answerer received. Returns its id, 0: it is not wanted, for its peer
 * has gone, or reads no answers. The mutex is held. */
static link_request park(struct link *link, uint32_t i)
{
    const struct answerer *answerer = &link->answering.answerers[i];
    const struct pipe *pipe;

    pipe = pipe_find(link, answerer->pipe);
    if (pipe == NULL || pipe->n_sending >= REQUESTS_PER_PIPE_MAX ||
        nng_msg_len(answerer->request) > link->options.receive_bytes_max) {
        push_idle(&link->answering, i);
        link->statistics.n_dropped++;
        return 0;
    }
    make_room(link, answerer->pipe);
    return parking_put(&link->parking, i, answerer->pipe);
}

static int receive_request(struct link *link, struct link_message *ret_message)
{
    link_request request = 0;
    nng_msg *message = NULL;
    uint32_t i;

    do {
        receive_ahead(link);
        (void)pthread_mutex_lock(&link->mutex);
        i = pop_arrived(link);
        if (i != PARKING_NONE) {
            request = park(link, i);
            message = link->answering.answerers[i].request;
            link->answering.answerers[i].request = NULL;
        }
        (void)pthread_mutex_unlock(&link->mutex);
        if (i == PARKING_NONE) {
            return -EAGAIN;
        }
        if (request == 0) {
            nng_msg_free(message);
        }
    } while (request == 0);
    lend(link, message, ret_message);
    ret_message->request = request;
    return 0;
}

/* Take the request out of the table. False: its peer is gone. */
static bool begin_answer(struct link *link, uint32_t slot)
{
    struct pipe *pipe;

    (void)pthread_mutex_lock(&link->mutex);
    pipe = pipe_find(link, link->answering.answerers[slot].pipe);
    if (pipe != NULL) {
        pipe->n_sending++;
        parking_release(&link->parking, slot);
    } else {
        unpark(link, slot);
        link->statistics.n_dropped++;
    }
    (void)pthread_mutex_unlock(&link->mutex);
    return pipe != NULL;
}

int link_answer(struct link *link, link_request request, const uint8_t *bytes, size_t n)
{
    uint32_t slot = parking_find(&link->parking, request);
    struct answerer *answerer;
    nng_msg *message;
    int r;

    if (slot == PARKING_NONE) {
        return -ENOTCONN; /* counted when it was dropped */
    }
    r = make_message(bytes, n, &message);
    if (r != 0) {
        link_drop(link, request);
        return r;
    }
    if (!begin_answer(link, slot)) {
        nng_msg_free(message);
        return -ENOTCONN;
    }
    answerer = &link->answering.answerers[slot];
    nng_aio_wait(answerer->aio); /* the callback of its receive may not have returned */
    answerer->sending = true;
    nng_aio_set_msg(answerer->aio, message);
    nng_ctx_send(answerer->context, answerer->aio);
    return 0;
}

void link_drop(struct link *link, link_request request)
{
    uint32_t slot = parking_find(&link->parking, request);

    if (slot != PARKING_NONE) {
        (void)pthread_mutex_lock(&link->mutex);
        unpark(link, slot);
        (void)pthread_mutex_unlock(&link->mutex);
    }
}

/* -------- Closing, out of everybody's way -------- */

static void disown(struct link *link)
{
    bool last;
    size_t i;

    (void)pthread_mutex_lock(&link->mutex);
    last = --link->n_owners == 0;
    (void)pthread_mutex_unlock(&link->mutex);
    if (!last) {
        return;
    }
    for (i = 0; i < PIPE_BUCKETS; i++) {
        assert(link->buckets[i] == NULL); /* the socket is closed: each has had its REM_POST */
    }
    if (has_eventfd(link->kind) && link->fd >= 0) {
        (void)close(link->fd);
    }
    answering_done(link);
    (void)pthread_mutex_destroy(&link->mutex);
    free(link->url);
    free(link);
}

/* Shut the connections down and wait until nng has noticed, so that nng_close() meets none on which
 * a message comes in. */
static void cut_all(struct link *link)
{
    uint64_t not_counted = 0;
    size_t n = 1;
    int i;

    for (i = 0; i < CUT_MS_MAX && n > 0; i++) {
        n = treat(link, choose_all, 0, &not_counted);
        (void)poll(NULL, 0, n > 0 ? 1 : 0);
    }
}

static void *close_socket(void *arg)
{
    struct link *link = arg;

    if (receives(link->kind)) {
        cut_all(link);
    }
    (void)nng_close(link->socket);
    disown(link);
    return NULL;
}

static int start_thread(void *(*run)(void *), void *arg)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    int r;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&thread, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0) {
        (void)pthread_detach(thread);
    }
    return r;
}

static bool others_own(struct link *link)
{
    bool others;

    (void)pthread_mutex_lock(&link->mutex);
    others = link->n_owners > 1;
    (void)pthread_mutex_unlock(&link->mutex);
    return others;
}

void link_close(struct link *link)
{
    time_us deadline_us = clock_now_us() + CLOSE_US_MAX;

    if (link == NULL) {
        return;
    }
    if (link->aio != NULL) {
        nng_aio_stop(link->aio);
        nng_aio_free(link->aio);
        nng_msg_free(link->reply);
    }
    (void)pthread_mutex_lock(&link->mutex);
    link->is_closing = true;
    link->n_owners += link->socket.id != 0 ? 1 : 0;
    (void)pthread_mutex_unlock(&link->mutex);
    if (link->socket.id != 0) {
        /* Without memory for a thread the socket stays open, and rejects everybody. */
        (void)start_thread(close_socket, link);
    }
    while (others_own(link) && clock_now_us() < deadline_us) {
        (void)poll(NULL, 0, 1);
    }
    take_back(link);
    disown(link);
}

/* -------- Opening -------- */

/* The reply is there, or will never be. Runs on a thread of nng. */
static void reply_arrived(void *arg)
{
    struct link *link = arg;

    (void)pthread_mutex_lock(&link->mutex);
    link->has_reply = true;
    link->reply_result = nng_aio_result(link->aio);
    link->reply = link->reply_result == 0 ? nng_aio_get_msg(link->aio) : NULL;
    (void)pthread_mutex_unlock(&link->mutex);
    wake(link);
}

static int open_by_kind(enum link_kind kind, nng_socket *ret_socket)
{
    int code = NNG_EINVAL;

    switch (kind) {
    case LINK_REPORTS_OUT:
    case LINK_FEED_OUT:
        code = nng_pub0_open(ret_socket);
        return code != 0 ? code : nng_socket_set_int(*ret_socket, NNG_OPT_SENDBUF, PUB_QUEUE);
    case LINK_REPORTS_IN:
    case LINK_FEED_IN:
        code = nng_sub0_open(ret_socket);
        if (code == 0) {
            code = nng_socket_set_int(*ret_socket, NNG_OPT_RECVBUF, SUB_QUEUE);
        }
        return code != 0 ? code : nng_socket_set(*ret_socket, NNG_OPT_SUB_SUBSCRIBE, "", 0);
    case LINK_ASK:
        code = nng_req0_open(ret_socket);
        return code != 0
                   ? code
                   : nng_socket_set_ms(*ret_socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    case LINK_ANSWER:
        return nng_rep0_open(ret_socket);
    }
    return code;
}

static int dial(const struct link *link)
{
    nng_dialer dialer;
    int code;

    code = nng_dialer_create(&dialer, link->socket, link->url);
    if (code == 0) {
        code = nng_dialer_set_size(dialer, NNG_OPT_RECVMAXSZ, link->options.receive_bytes_max);
        code = code == NNG_ENOTSUP ? 0 : code; /* inproc */
    }
    if (code == 0) {
        code = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, RECONNECT_MS_MIN);
    }
    if (code == 0) {
        code = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, RECONNECT_MS_MAX);
    }
    return code != 0 ? code : nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
}

static int listen_at(const struct link *link)
{
    nng_listener listener;
    int code;

    code = nng_listener_create(&listener, link->socket, link->url);
    if (code == 0) {
        code = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ, link->options.receive_bytes_max);
        code = code == NNG_ENOTSUP ? 0 : code; /* inproc */
    }
    return code != 0 ? code : nng_listener_start(listener, 0);
}

static int watch_pipes(struct link *link)
{
    int code;

    code = nng_pipe_notify(link->socket, NNG_PIPE_EV_ADD_PRE, pipe_added, link);
    if (code == 0 && link->kind == LINK_ASK) {
        code = nng_pipe_notify(link->socket, NNG_PIPE_EV_ADD_POST, pipe_ready, link);
    }
    return code != 0 ? code
                     : nng_pipe_notify(link->socket, NNG_PIPE_EV_REM_POST, pipe_removed, link);
}

/* Give the link a socket that dials or listens. */
static int open_socket(struct link *link)
{
    int code;

    code = open_by_kind(link->kind, &link->socket);
    if (code == 0) {
        code = watch_pipes(link);
    }
    if (code == 0) {
        code = listens(link->kind) ? listen_at(link) : dial(link);
    }
    return errno_of(code);
}

static struct link_options with_defaults(const struct link_options *options)
{
    struct link_options full = {0};

    if (options != NULL) {
        full = *options;
    }
    if (full.receive_bytes_max == 0) {
        full.receive_bytes_max = (size_t)MESSAGE_BYTES_MAX;
    }
    if (full.pipes_max == 0) {
        full.pipes_max = LINK_PIPES_MAX;
    }
    return full;
}

static bool is_usable(const char *url)
{
    static const char *const schemes[] = {"tcp://", "tcp4://", "tcp6://", "ipc://", "inproc://"};
    size_t i;

    for (i = 0; i < N_ELEMENTS(schemes); i++) {
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* What the kind needs beside a socket. */
static int prepare(struct link *link)
{
    int r = 0;

    open_descriptors();
    if (has_eventfd(link->kind)) {
        link->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = link->fd < 0 ? -errno : 0;
    }
    if (r == 0 && link->kind == LINK_ANSWER) {
        r = answering_init(link);
    }
    if (r == 0 && link->kind == LINK_ASK) {
        r = errno_of(nng_aio_alloc(&link->aio, reply_arrived, link));
    }
    return r;
}

int link_open(enum link_kind kind, const char *url, const struct link_options *options,
              struct link **ret_link)
{
    struct link *link;
    int r;

    if (!is_usable(url)) {
        return -EINVAL;
    }
    link = calloc(1, sizeof(*link));
    if (link == NULL) {
        return -ENOMEM;
    }
    link->kind = kind;
    link->fd = -1;
    link->n_owners = 1;
    link->options = with_defaults(options);
    (void)pthread_mutex_init(&link->mutex, NULL);
    link->url = strdup(url);
    r = link->url == NULL ? -ENOMEM : prepare(link);
    if (r == 0) {
        r = open_socket(link);
    }
    if (r == 0 && receives(kind) && !has_eventfd(kind)) {
        r = errno_of(nng_socket_get_int(link->socket, NNG_OPT_RECVFD, &link->fd));
    }
    if (r != 0) {
        link_close(link);
        return r;
    }
    if (kind == LINK_ANSWER) {
        receive_ahead(link);
    }
    *ret_link = link;
    return 0;
}

int link_fd(const struct link *link)
{
    return link->fd;
}

/* -------- Sending, asking, receiving -------- */

int link_send(struct link *link, const uint8_t *bytes, size_t n)
{
    nng_msg *message;
    int r;

    r = make_message(bytes, n, &message);
    if (r != 0) {
        return r;
    }
    return send_message(link->socket, message);
}

static nng_duration whole_ms(time_us duration_us)
{
    return (nng_duration)CLAMP((duration_us + US_PER_MS - 1) / US_PER_MS, 1, INT_MAX);
}

/* Whether there is a connection that was not cut off. */
static bool can_ask(struct link *link)
{
    const struct pipe *pipe;
    bool can = false;
    size_t i;

    (void)pthread_mutex_lock(&link->mutex);
    for (i = 0; i < PIPE_BUCKETS && link->n_pipes > 0 && !can; i++) {
        for (pipe = link->buckets[i]; pipe != NULL; pipe = pipe->next) {
            can = can || !pipe->cut;
        }
    }
    (void)pthread_mutex_unlock(&link->mutex);
    return can;
}

/* Send a request; takes `message` over, whatever happens. */
static int send_request(struct link *link, nng_msg *message)
{
    const struct timespec moment = {.tv_nsec = BUSY_NS};
    int code = NNG_EAGAIN;
    int i;

    for (i = 0; i < BUSY_TRIES && code == NNG_EAGAIN && can_ask(link); i++) {
        if (i > 0) {
            (void)nanosleep(&moment, NULL);
        }
        code = nng_sendmsg(link->socket, message, NNG_FLAG_NONBLOCK);
    }
    if (code != 0) {
        nng_msg_free(message);
    }
    return errno_of(code);
}

int link_ask(struct link *link, const uint8_t *bytes, size_t n, time_us timeout_us)
{
    nng_msg *message;
    int r;

    assert(link->kind == LINK_ASK);
    if (link->asking) {
        return -EBUSY;
    }
    if (!can_ask(link)) {
        return -EAGAIN;
    }
    r = make_message(bytes, n, &message);
    if (r != 0) {
        return r;
    }
    r = send_request(link, message);
    if (r != 0) {
        return r;
    }
    link->asking = true;
    nng_aio_wait(link->aio); /* its callback has woken us, but may not have returned */
    nng_aio_set_timeout(link->aio, whole_ms(timeout_us));
    nng_recv_aio(link->socket, link->aio);
    return 0;
}

/* An overdue reply may still come: not to the connection of the next request. */
static int end_ask(struct link *link, int result, nng_msg *reply, struct link_message *ret_message)
{
    uint64_t not_counted = 0;

    link->asking = false;
    if (result == 0) {
        lend(link, reply, ret_message);
        return 0;
    }
    if (result != NNG_ECONNRESET) {
        (void)treat(link, choose_all, 0, &not_counted);
    }
    return result == NNG_ETIMEDOUT ? -ETIMEDOUT : -ECONNRESET;
}

static int receive_reply(struct link *link, struct link_message *ret_message)
{
    uint64_t n_wakes;
    nng_msg *reply;
    bool has_reply;
    int result;

    if (read(link->fd, &n_wakes, sizeof(n_wakes)) < 0) {
        return -EAGAIN;
    }
    (void)pthread_mutex_lock(&link->mutex);
    has_reply = link->has_reply;
    result = link->reply_result;
    reply = link->reply;
    link->has_reply = false;
    link->reply = NULL;
    (void)pthread_mutex_unlock(&link->mutex);
    return has_reply ? end_ask(link, result, reply, ret_message) : -EAGAIN;
}

int link_receive(struct link *link, struct link_message *ret_message)
{
    nng_msg *message;
    int code;

    take_back(link);
    if (link->kind == LINK_ASK) {
        return receive_reply(link, ret_message);
    }
    if (link->kind == LINK_ANSWER) {
        return receive_request(link, ret_message);
    }
    for (;;) {
        code = nng_recvmsg(link->socket, &message, NNG_FLAG_NONBLOCK);
        if (code != 0) {
            return errno_of(code);
        }
        if (nng_msg_len(message) <= link->options.receive_bytes_max) {
            break;
        }
        nng_msg_free(message); /* inproc only */
    }
    lend(link, message, ret_message);
    return 0;
}

/* -------- Keeping connections in order -------- */

void link_vouch(struct link *link, uint64_t pipe_id)
{
    struct pipe *pipe;

    (void)pthread_mutex_lock(&link->mutex);
    pipe = pipe_find(link, pipe_id);
    if (pipe != NULL) {
        pipe->vouched = true;
    }
    (void)pthread_mutex_unlock(&link->mutex);
}

void link_kick(struct link *link, uint64_t pipe)
{
    (void)treat(link, choose_id, (int64_t)pipe, &link->statistics.n_kicked);
}

void link_sweep(struct link *link, time_us now_us)
{
    (void)treat(link, choose_due, now_us, &link->statistics.n_swept);
    if (link->kind == LINK_ANSWER) {
        forget_gone(link);
        receive_ahead(link);
    }
}

size_t link_n_pipes(const struct link *link)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&link->mutex; /* const but for its lock */
    size_t n;

    (void)pthread_mutex_lock(mutex);
    n = link->n_pipes;
    (void)pthread_mutex_unlock(mutex);
    return n;
}

void link_statistics(const struct link *link, struct link_statistics *ret_statistics)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&link->mutex;

    (void)pthread_mutex_lock(mutex);
    *ret_statistics = link->statistics;
    (void)pthread_mutex_unlock(mutex);
}

/* -------- The library and its canary -------- */

const char *link_library_version(void)
{
    return nng_version();
}

bool link_library_is_defective(void)
{
    char *end;
    long major;
    long minor;

    major = strtol(nng_version(), &end, 10);
    minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return major < 1 || (major == 1 && minor < 6);
}

/* Two PAIR sockets over inproc, and one pipe between them. Each round the canary closes its pipe,
 * waits for the news that it is gone, and the dialer makes a new one. Nothing is ever sent, so that
 * no receive callback can run while the pipe is closed (rule 1); and closing a pipe, unlike closing
 * a socket, waits for nobody. */
static struct {
    atomic_bool is_alive;
    atomic_bool is_started;
    nng_socket listening;
    nng_socket dialing;
    atomic_uint pipe;      /* the dialer's, while there is one */
    atomic_uint n_removed; /* told so far */
} canary = {.is_alive = true};

#define CANARY_PERIOD_MS 10000
#define CANARY_SLICE_MS  100
#define CANARY_SLICES    20

static void canary_added(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    (void)arg;
    atomic_store(&canary.pipe, (unsigned)nng_pipe_id(pipe));
}

static void canary_removed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)pipe;
    (void)event;
    (void)arg;
    atomic_store(&canary.pipe, 0);
    atomic_fetch_add(&canary.n_removed, 1);
}

/* In slices, so that a process that was stopped for long (SIGSTOP, a suspended machine) does not
 * take its own standstill for the library's. */
static bool canary_wait(bool (*is_true)(unsigned), unsigned argument)
{
    int slice;

    for (slice = 0; slice < CANARY_SLICES && !is_true(argument); slice++) {
        (void)poll(NULL, 0, CANARY_SLICE_MS);
    }
    return is_true(argument);
}

static bool canary_has_pipe(unsigned unused)
{
    (void)unused;
    return atomic_load(&canary.pipe) != 0;
}

static bool canary_was_told(unsigned n_removed_before)
{
    return atomic_load(&canary.n_removed) != n_removed_before;
}

static void *canary_run(void *unused)
{
    unsigned n_removed;
    nng_pipe pipe;

    (void)unused;
    while (canary_wait(canary_has_pipe, 0)) {
        (void)poll(NULL, 0, CANARY_SLICE_MS); /* known since ADD_PRE; let it start */
        n_removed = atomic_load(&canary.n_removed);
        pipe.id = atomic_load(&canary.pipe);
        if (pipe.id == 0) {
            continue; /* went by itself: that it was told is all we ask */
        }
        (void)nng_pipe_close(pipe);
        if (!canary_wait(canary_was_told, n_removed)) {
            break;
        }
        (void)poll(NULL, 0, CANARY_PERIOD_MS);
    }
    atomic_store(&canary.is_alive, false);
    return NULL;
}

static int canary_open(void)
{
    static const char url[] = "inproc://evenkeel-canary";
    nng_dialer dialer;
    int code;

    code = nng_pair0_open(&canary.listening);
    if (code == 0) {
        code = nng_pair0_open(&canary.dialing);
    }
    if (code == 0) {
        code = nng_listen(canary.listening, url, NULL, 0);
    }
    if (code == 0) {
        code = nng_pipe_notify(canary.dialing, NNG_PIPE_EV_ADD_PRE, canary_added, NULL);
    }
    if (code == 0) {
        code = nng_pipe_notify(canary.dialing, NNG_PIPE_EV_REM_POST, canary_removed, NULL);
    }
    if (code == 0) {
        code = nng_dialer_create(&dialer, canary.dialing, url);
    }
    if (code == 0) {
        code = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, RECONNECT_MS_MIN);
    }
    return errno_of(code != 0 ? code : nng_dialer_start(dialer, NNG_FLAG_NONBLOCK));
}

int link_canary_start(void)
{
    int r;

    if (atomic_exchange(&canary.is_started, true)) {
        return 0;
    }
    r = canary_open();
    return r != 0 ? r : start_thread(canary_run, NULL);
}

bool link_canary_is_alive(void)
{
    return atomic_load(&canary.is_alive);
}
