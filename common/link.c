/* Links over nng. Shell. The only file that knows nng.
 *
 * Debian 12 ships nng 1.5.2, Debian 13 nng 1.10; one source serves both and calls nothing that is
 * deprecated. What 1.5.2 asks for, and how this file does it:
 *
 * 1. The reaper, one thread a process, wedges for ever when a pipe is closed while its receive
 *    callback runs (mended in 1.6). From then on no pipe is ever destroyed: every disconnect leaks
 *    a descriptor and no dialer dials again, silently. So:
 *    - a running pipe is never closed through nng. Whoever must go is cut off by shutdown(2) of the
 *      descriptor, found by the two ends of its connection (connection.h). The one exception is
 *      rejecting in ADD_PRE, before the pipe runs.
 *    - our REQ has one request in flight on a connection. After an overdue reply the socket is
 * given up for a fresh one, so that a late reply and a new request never share a pipe.
 *    - a socket is closed by a thread of its own (close_socket()), because nng_close() waits for
 * the reaper; link_close() waits for that thread for a second at most. A link is freed when its
 * last socket is closed, since notifications point to it until then.
 *    - a stranger that sends two requests and vanishes can still cause it: the canary notices.
 * 2. nng_send() of PUB keeps 16 messages a pipe, SUB 128 for the whole socket: a fleet that reports
 *    in phase loses some. Raised to 64 and 8192.
 * 3. RECVMAXSZ is unlimited by default, and is taken over by connections when they start: set on
 * the dialer or listener before that. inproc ignores it; lengths are checked once more on
 * receiving.
 * 4. REQ sends again after 60 s and when its pipe dies, so that a request may run twice: turned
 * off. Then a dead peer is told only to a pending receive, never through NNG_OPT_RECVFD. Therefore
 * a receive is always pending behind link_fd(), an eventfd of ours, which also outlives the socket.
 * 5. Dialing without NNG_FLAG_NONBLOCK does not try again after a first failure: always with it.
 * 6. Raw REP refuses to send without waiting unless its SENDBUF is raised, and drops what a pipe's
 *    own queue of 64 answers cannot hold.
 * 7. Keepalive is off, there is no idle timeout after the 8 bytes of hello (10 s before), and no
 *    option for TCP_USER_TIMEOUT: set on the descriptor by link_sweep(), in one walk for all new
 *    connections. TCP_USER_TIMEOUT also ends peers that ask and never read.
 * 8. Notifications run on nng's threads, REM_POST on the reaper: they take the link's mutex for a
 *    few instructions, wait for nothing, and call no nng function under it. REM_POST may come
 * before ADD_POST; a message never comes before ADD_PRE: pipes are known from ADD_PRE to REM_POST.
 * 9. ws:// and nng's http are not to be used (heap overflow): other schemes are refused.
 *
 * Unresolved: SUB's queue counts messages, not bytes. A peer that sends messages of
 * receive_bytes_max faster than the owner of the link takes them can make it hold 8192 of them.
 * An ipc connection is known by its path and its peer's process only: to cut one off is to cut off
 * all that this process has there. inproc connections cannot be cut off. */
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

/* All 200 reconnected within 1 s of an aggregator's restart with 1 s at most, 4.9 s with 5 s. */
#define RECONNECT_MS_MIN 100
#define RECONNECT_MS_MAX 2000

/* A publisher's queue for one slow listener; at 240 KB a report that is 15 MB, once. */
#define PUB_QUEUE 64

/* The one queue of a SUB socket for the whole fleet, as long as nng allows. */
#define SUB_QUEUE 8192

/* Answers handed to nng and not yet to their connection: all parked ones at once, twice. */
#define REP_QUEUE (2 * REQUESTS_PARKED_MAX)

/* Requests of one connection that wait for an answer. Ours have one; a stranger's must not push
 * out everybody's. */
#define REQUESTS_PARKED_PER_PIPE_MAX 32

/* The backtrace of a request: the pipe, and a word for each of at most 15 devices on the way. */
#define BACKTRACE_BYTES_MAX 64

#define PIPE_BUCKETS 256 /* 16 pipes a bucket at LINK_PIPES_MAX */
#define TUNE_TRIES   3   /* sweeps that look for a connection's descriptor before giving up */
#define CLOSE_MS_MAX 1000
#define CUT_MS_MAX   50
#define NONE         UINT32_MAX

#define TODO_TUNE 1U
#define TODO_CUT  2U

/* A connection that nng told us about. */
struct pipe {
    struct pipe *next; /* in its bucket */
    uint32_t id;
    uint32_t socket;    /* the socket it belongs to: an ask link goes through several */
    unsigned n_parked;  /* requests waiting for an answer */
    unsigned tune_left; /* sweeps that will still look for its descriptor */
    bool vouched;       /* since the last sweep */
    bool cut;           /* shut down by us, and counted */
    time_us good_at_us; /* last vouched for, in sweeps' time; 0: no sweep has seen it */
    struct connection_ends ends;
};

/* A request that waits for its answer. */
struct parked {
    uint32_t generation; /* grows each time the slot is freed, so that a stale id finds nothing */
    uint32_t pipe;       /* 0: the slot is free */
    uint32_t older;      /* neighbours by age; free slots are chained by `newer` */
    uint32_t newer;
    size_t n_backtrace;
    uint8_t backtrace[BACKTRACE_BYTES_MAX];
};

struct parking {
    struct parked *slots; /* REQUESTS_PARKED_MAX */
    uint32_t oldest;
    uint32_t newest;
    uint32_t free;
};

struct link {
    enum link_kind kind;
    struct link_options options;
    char *url;
    int fd;
    DIR *descriptors;  /* kept open: sweeping must work when the process is out of descriptors */
    nng_msg *received; /* what the caller borrows */
    struct parking parking; /* LINK_ANSWER */
    nng_aio *aio;           /* LINK_ASK: the pending receive */
    bool asking;            /* LINK_ASK: a reply is awaited or not yet taken */

    pthread_mutex_t mutex; /* what follows is shared with nng's threads */
    nng_socket socket;     /* id 0: none */
    struct pipe *buckets[PIPE_BUCKETS];
    size_t n_pipes;    /* of `socket` */
    size_t n_known;    /* of all sockets: an ask link may still have one that is being closed */
    bool pipes_went;   /* since requests of vanished pipes were last forgotten */
    bool has_reply;    /* LINK_ASK: the receive ended */
    int reply_result;  /* nng's code */
    nng_msg *reply;    /* when the result is 0 */
    unsigned n_owners; /* the caller, and each socket that is not closed yet */
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

static struct connection_ends ends_of_pipe(nng_pipe pipe)
{
    struct connection_ends ends;
    nng_sockaddr local;
    nng_sockaddr remote;
    uint64_t pid;

    memset(&ends, 0, sizeof(ends));
    if (nng_pipe_get_addr(pipe, NNG_OPT_LOCADDR, &local) != 0 ||
        nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &remote) != 0) {
        return ends;
    }
    if (local.s_family != NNG_AF_IPC) {
        ends_of_tcp(&local, &remote, &ends);
    } else if (local.s_ipc.sa_path[0] != '\0' &&
               nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &pid) == 0) {
        ends.family = AF_UNIX;
        ends.peer_pid = (pid_t)pid;
        memcpy(ends.local, local.s_ipc.sa_path,
               strnlen(local.s_ipc.sa_path, sizeof(ends.local) - 1));
    }
    return ends;
}

/* Take a new pipe in. False: it is one too many, or of a socket that is being given up. */
static bool pipe_add(struct link *link, struct pipe *pipe)
{
    if (pipe->socket != link->socket.id) {
        return false;
    }
    if (listens(link->kind) && link->n_pipes >= link->options.pipes_max) {
        link->statistics.n_rejected++;
        return false;
    }
    pipe->next = NULL;
    *pipe_place(link, pipe->id) = pipe;
    link->n_pipes++;
    link->n_known++;
    link->statistics.n_connected++;
    return true;
}

static void pipe_added(nng_pipe nng_pipe, nng_pipe_ev event, void *arg)
{
    struct link *link = arg;
    struct pipe *pipe;
    bool accepted = false;

    (void)event;
    pipe = calloc(1, sizeof(*pipe));
    if (pipe != NULL) {
        pipe->id = (uint32_t)nng_pipe_id(nng_pipe);
        pipe->socket = nng_pipe_socket(nng_pipe).id;
        pipe->ends = ends_of_pipe(nng_pipe);
        pipe->tune_left = pipe->ends.family == AF_INET || pipe->ends.family == AF_INET6 ? TUNE_TRIES
                                                                                        : 0;
        (void)pthread_mutex_lock(&link->mutex);
        accepted = pipe_add(link, pipe);
        (void)pthread_mutex_unlock(&link->mutex);
    }
    if (!accepted) {
        free(pipe);
        (void)nng_pipe_close(nng_pipe); /* it does not run yet: rule 1 */
    }
}

/* From here on requests can be sent. */
static void pipe_ready(nng_pipe nng_pipe, nng_pipe_ev event, void *arg)
{
    (void)nng_pipe;
    (void)event;
    wake(arg);
}

static void pipe_removed(nng_pipe nng_pipe, nng_pipe_ev event, void *arg)
{
    struct link *link = arg;
    struct pipe **place;
    struct pipe *pipe;

    (void)event;
    (void)pthread_mutex_lock(&link->mutex);
    place = pipe_place(link, (uint32_t)nng_pipe_id(nng_pipe));
    pipe = *place;
    if (pipe != NULL) {
        *place = pipe->next;
        link->n_pipes -= pipe->socket == link->socket.id ? 1 : 0;
        link->n_known--;
        link->pipes_went = link->pipes_went || pipe->n_parked > 0;
        link->statistics.n_disconnected++;
    }
    (void)pthread_mutex_unlock(&link->mutex);
    free(pipe);
}

static void count(struct link *link, uint64_t *counter)
{
    (void)pthread_mutex_lock(&link->mutex);
    (*counter)++;
    (void)pthread_mutex_unlock(&link->mutex);
}

/* -------- Cutting off and tuning -------- */

static void do_todo(const struct connection_wanted *wanted, int fd)
{
    if ((wanted->todo & TODO_TUNE) != 0) {
        connection_tune(fd);
    }
    if ((wanted->todo & TODO_CUT) != 0) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

/* What is to be done with a pipe, 0: nothing. The mutex is held. */
typedef unsigned (*choose_fn)(struct link *link, struct pipe *pipe, int64_t argument);

static unsigned choose_id(struct link *link, struct pipe *pipe, int64_t id)
{
    (void)link;
    return (int64_t)pipe->id == id ? TODO_CUT : 0;
}

static unsigned choose_socket(struct link *link, struct pipe *pipe, int64_t socket)
{
    (void)link;
    return (int64_t)pipe->socket == socket ? TODO_CUT : 0;
}

static unsigned choose_due(struct link *link, struct pipe *pipe, int64_t now_us)
{
    unsigned todo = 0;

    if (pipe->tune_left > 0) {
        pipe->tune_left--;
        todo |= TODO_TUNE;
    }
    if (pipe->good_at_us == 0 || pipe->vouched) {
        pipe->good_at_us = now_us;
        pipe->vouched = false;
    } else if (link->options.silent_us_max > 0 &&
               now_us - pipe->good_at_us > link->options.silent_us_max) {
        todo |= TODO_CUT;
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
    wanted = calloc(link->n_known + 1, sizeof(*wanted));
    for (i = 0; i < PIPE_BUCKETS && wanted != NULL; i++) {
        for (pipe = link->buckets[i]; pipe != NULL; pipe = pipe->next) {
            todo = choose(link, pipe, argument);
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

static void note_found(struct link *link, const struct connection_wanted *wanted,
                       uint64_t *cut_counter)
{
    struct pipe *pipe;

    pipe = wanted->found ? pipe_find(link, wanted->id) : NULL;
    if (pipe == NULL) {
        return;
    }
    pipe->tune_left = 0;
    if ((wanted->todo & TODO_CUT) != 0 && !pipe->cut) {
        pipe->cut = true;
        (*cut_counter)++;
    }
}

static void find_in(DIR *kept, struct connection_wanted *wanted, size_t n)
{
    DIR *descriptors = kept;

    if (descriptors == NULL) {
        descriptors = opendir("/proc/self/fd");
    }
    if (descriptors != NULL) {
        connection_find(descriptors, wanted, n, do_todo);
    }
    if (descriptors != NULL && kept == NULL) {
        (void)closedir(descriptors);
    }
}

/* Do what `choose` says to the descriptors of the pipes that it says it of; count in `cut_counter`,
 * a field of the statistics, the ones newly shut down. Returns how many were looked for. */
static size_t treat(struct link *link, DIR *kept, choose_fn choose, int64_t argument,
                    uint64_t *cut_counter)
{
    struct connection_wanted *wanted;
    size_t n;
    size_t i;

    wanted = gather(link, choose, argument, &n);
    if (n > 0) {
        find_in(kept, wanted, n);
        (void)pthread_mutex_lock(&link->mutex);
        for (i = 0; i < n; i++) {
            note_found(link, &wanted[i], cut_counter);
        }
        (void)pthread_mutex_unlock(&link->mutex);
    }
    free(wanted);
    return n;
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
        assert(link->buckets[i] ==
               NULL); /* every ADD_PRE has had its REM_POST: sockets are closed */
    }
    if (link->kind == LINK_ASK && link->fd >= 0) {
        (void)close(link->fd);
    }
    (void)pthread_mutex_destroy(&link->mutex);
    free(link->url);
    free(link);
}

struct closing {
    struct link *link;
    nng_socket socket;
};

/* Shut the connections down and give nng a moment to notice, so that nng_close() meets none that
 * runs (rule 1). */
static void cut_all(struct link *link, nng_socket socket)
{
    uint64_t not_counted = 0;
    size_t n = 1;
    int i;

    for (i = 0; i < CUT_MS_MAX && n > 0; i++) {
        n = treat(link, NULL, choose_socket, (int64_t)socket.id, &not_counted);
        (void)poll(NULL, 0, n > 0 ? 1 : 0);
    }
}

static void *close_socket(void *arg)
{
    struct closing *closing = arg;

    cut_all(closing->link, closing->socket);
    (void)nng_close(closing->socket);
    disown(closing->link);
    free(closing);
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

/* Give the socket up. Without memory for a thread it stays open, with its memory, until the process
 * ends: its pipes are rejected from now on. */
static void give_up_socket(struct link *link)
{
    struct closing *closing;

    closing = calloc(1, sizeof(*closing));
    (void)pthread_mutex_lock(&link->mutex);
    if (closing != NULL) {
        closing->link = link;
        closing->socket = link->socket;
    }
    link->socket.id = 0;
    link->n_pipes = 0;
    (void)pthread_mutex_unlock(&link->mutex);
    if (closing != NULL && start_thread(close_socket, closing) != 0) {
        free(closing);
    }
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
    int i;

    if (link == NULL) {
        return;
    }
    if (link->aio != NULL) {
        nng_aio_stop(link->aio);
        nng_aio_free(link->aio);
        nng_msg_free(link->reply);
    }
    if (link->socket.id != 0) {
        give_up_socket(link);
    }
    for (i = 0; i < CLOSE_MS_MAX && others_own(link); i++) {
        (void)poll(NULL, 0, 1);
    }
    take_back(link);
    free(link->parking.slots);
    if (link->descriptors != NULL) {
        (void)closedir(link->descriptors);
    }
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
        code = nng_rep0_open_raw(ret_socket);
        return code != 0 ? code : nng_socket_set_int(*ret_socket, NNG_OPT_SENDBUF, REP_QUEUE);
    }
    return code;
}

static int dial(const struct link *link, nng_socket socket)
{
    nng_dialer dialer;
    int code;

    code = nng_dialer_create(&dialer, socket, link->url);
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

static int listen_at(const struct link *link, nng_socket socket)
{
    nng_listener listener;
    int code;

    code = nng_listener_create(&listener, socket, link->url);
    if (code == 0) {
        code = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ, link->options.receive_bytes_max);
        code = code == NNG_ENOTSUP ? 0 : code; /* inproc */
    }
    return code != 0 ? code : nng_listener_start(listener, 0);
}

static int watch_pipes(struct link *link, nng_socket socket)
{
    int code;

    code = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_PRE, pipe_added, link);
    if (code == 0 && link->kind == LINK_ASK) {
        code = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_POST, pipe_ready, link);
    }
    return code != 0 ? code : nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, pipe_removed, link);
}

/* Give the link a socket that dials or listens. */
static int open_socket(struct link *link)
{
    nng_socket socket = NNG_SOCKET_INITIALIZER;
    int code;

    code = open_by_kind(link->kind, &socket);
    if (code != 0) {
        (void)nng_close(
            socket); /* has no pipes: does not wait; nothing at all when it was not opened */
        return errno_of(code);
    }
    (void)pthread_mutex_lock(&link->mutex);
    link->socket = socket;
    link->n_owners++;
    (void)pthread_mutex_unlock(&link->mutex);
    code = watch_pipes(link, socket);
    if (code == 0) {
        code = listens(link->kind) ? listen_at(link, socket) : dial(link, socket);
    }
    if (code != 0) {
        give_up_socket(link);
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
        full.receive_bytes_max = MESSAGE_BYTES_MAX;
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

static int parking_init(struct parking *parking)
{
    uint32_t i;

    parking->slots = calloc(REQUESTS_PARKED_MAX, sizeof(*parking->slots));
    if (parking->slots == NULL) {
        return -ENOMEM;
    }
    for (i = 0; i < REQUESTS_PARKED_MAX; i++) {
        parking->slots[i].generation = 1;
        parking->slots[i].newer = i + 1 < REQUESTS_PARKED_MAX ? i + 1 : NONE;
    }
    parking->free = 0;
    parking->oldest = NONE;
    parking->newest = NONE;
    return 0;
}

/* What the kind needs beside a socket. */
static int prepare(struct link *link)
{
    if (listens(link->kind)) {
        link->descriptors = opendir("/proc/self/fd");
    }
    if (link->kind == LINK_ANSWER) {
        return parking_init(&link->parking);
    }
    if (link->kind == LINK_ASK) {
        link->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return link->fd < 0 ? -errno : errno_of(nng_aio_alloc(&link->aio, reply_arrived, link));
    }
    return 0;
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
    if (r == 0 && (kind == LINK_REPORTS_IN || kind == LINK_FEED_IN || kind == LINK_ANSWER)) {
        r = errno_of(nng_socket_get_int(link->socket, NNG_OPT_RECVFD, &link->fd));
    }
    if (r != 0) {
        link_close(link);
        return r;
    }
    *ret_link = link;
    return 0;
}

int link_fd(const struct link *link)
{
    return link->fd;
}

/* -------- Parked requests -------- */

static void unchain(struct parking *parking, uint32_t slot)
{
    struct parked *parked = &parking->slots[slot];

    if (parked->older != NONE) {
        parking->slots[parked->older].newer = parked->newer;
    } else {
        parking->oldest = parked->newer;
    }
    if (parked->newer != NONE) {
        parking->slots[parked->newer].older = parked->older;
    } else {
        parking->newest = parked->older;
    }
}

/* Free a slot; what its id said is void. The mutex is held. */
static void unpark(struct link *link, uint32_t slot)
{
    struct parking *parking = &link->parking;
    struct parked *parked = &parking->slots[slot];
    struct pipe *pipe;

    pipe = pipe_find(link, parked->pipe);
    if (pipe != NULL) {
        pipe->n_parked--;
    }
    unchain(parking, slot);
    parked->pipe = 0;
    parked->generation++;
    parked->newer = parking->free;
    parking->free = slot;
}

/* Forget the requests of pipes that have gone. The mutex is held. */
static void forget_gone(struct link *link)
{
    uint32_t slot = link->parking.oldest;
    uint32_t newer;

    while (slot != NONE) {
        newer = link->parking.slots[slot].newer;
        if (pipe_find(link, link->parking.slots[slot].pipe) == NULL) {
            unpark(link, slot);
            link->statistics.n_dropped++;
        }
        slot = newer;
    }
    link->pipes_went = false;
}

/* Make room for a further request of `pipe`. The mutex is held. */
static void make_room(struct link *link, const struct pipe *pipe)
{
    uint32_t slot;

    if (link->parking.free == NONE && link->pipes_went) {
        forget_gone(link);
    }
    slot = NONE;
    if (pipe->n_parked >= REQUESTS_PARKED_PER_PIPE_MAX) {
        slot = link->parking.oldest;
        while (link->parking.slots[slot].pipe != pipe->id) {
            slot = link->parking.slots[slot].newer;
        }
    } else if (link->parking.free == NONE) {
        slot = link->parking.oldest;
    }
    if (slot != NONE) {
        unpark(link, slot);
        link->statistics.n_dropped++;
    }
}

/* Keep where a request came from. Returns its id, 0: its peer is gone already. The mutex is held.
 */
static link_request park(struct link *link, nng_msg *message, uint64_t pipe_id)
{
    struct parking *parking = &link->parking;
    struct parked *parked;
    struct pipe *pipe;
    uint32_t slot;

    pipe = pipe_find(link, pipe_id);
    if (pipe == NULL || nng_msg_header_len(message) > BACKTRACE_BYTES_MAX) {
        link->statistics.n_dropped++;
        return 0;
    }
    make_room(link, pipe);
    slot = parking->free;
    parked = &parking->slots[slot];
    parking->free = parked->newer;
    parked->pipe = pipe->id;
    parked->n_backtrace = nng_msg_header_len(message);
    memcpy(parked->backtrace, nng_msg_header(message), parked->n_backtrace);
    parked->older = parking->newest;
    parked->newer = NONE;
    if (parking->newest != NONE) {
        parking->slots[parking->newest].newer = slot;
    } else {
        parking->oldest = slot;
    }
    parking->newest = slot;
    pipe->n_parked++;
    return ((uint64_t)parked->generation << 32) | slot;
}

/* Take a request out of the table. False: it is not there. The mutex is held. */
static bool claim(struct link *link, link_request request, struct parked *ret_parked)
{
    uint32_t slot = (uint32_t)request;
    const struct parked *parked;

    if (link->parking.slots == NULL || slot >= REQUESTS_PARKED_MAX) {
        return false;
    }
    parked = &link->parking.slots[slot];
    if (parked->pipe == 0 || parked->generation != (uint32_t)(request >> 32)) {
        return false;
    }
    *ret_parked = *parked;
    unpark(link, slot);
    return true;
}

int link_answer(struct link *link, link_request request, const uint8_t *bytes, size_t n)
{
    struct parked parked = {0};
    nng_msg *message = NULL;
    bool reachable;
    int r;

    (void)pthread_mutex_lock(&link->mutex);
    reachable = claim(link, request, &parked) && pipe_find(link, parked.pipe) != NULL;
    (void)pthread_mutex_unlock(&link->mutex);
    if (!reachable) {
        count(link, &link->statistics.n_dropped);
        return -ENOTCONN;
    }
    r = make_message(bytes, n, &message);
    if (r == 0 && nng_msg_header_append(message, parked.backtrace, parked.n_backtrace) != 0) {
        nng_msg_free(message);
        r = -ENOMEM;
    }
    if (r == 0) {
        r = send_message(link->socket, message);
    }
    if (r != 0) {
        count(link, &link->statistics.n_dropped);
    }
    return r == -EAGAIN ? -ENOBUFS : r;
}

void link_drop(struct link *link, link_request request)
{
    struct parked parked;

    (void)pthread_mutex_lock(&link->mutex);
    (void)claim(link, request, &parked);
    (void)pthread_mutex_unlock(&link->mutex);
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

int link_ask(struct link *link, const uint8_t *bytes, size_t n, time_us timeout_us)
{
    nng_msg *message;
    int r;

    assert(link->kind == LINK_ASK);
    if (link->asking) {
        return -EBUSY;
    }
    if (link->socket.id == 0) {
        r = open_socket(link); /* there was no memory for it when the last one was given up */
        if (r != 0) {
            return r;
        }
    }
    if (link_n_pipes(link) == 0) {
        return -EAGAIN;
    }
    r = make_message(bytes, n, &message);
    if (r != 0) {
        return r;
    }
    r = send_message(link->socket, message);
    if (r != 0) {
        return r;
    }
    link->asking = true;
    nng_aio_wait(link->aio); /* its callback has woken us, but may not have returned */
    nng_aio_set_timeout(link->aio, whole_ms(timeout_us));
    nng_recv_aio(link->socket, link->aio);
    return 0;
}

/* An overdue reply may still come: not on the socket of the next request. */
static int end_ask(struct link *link, int result, nng_msg *reply, struct link_message *ret_message)
{
    link->asking = false;
    if (result == 0) {
        lend(link, reply, ret_message);
        return 0;
    }
    if (result == NNG_ECONNRESET) {
        return -ECONNRESET;
    }
    give_up_socket(link);
    (void)open_socket(link); /* link_ask() tries again */
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

/* True when the message is to be handed out. */
static bool admit(struct link *link, nng_msg *message, link_request *ret_request)
{
    if (nng_msg_len(message) > link->options.receive_bytes_max) {
        return false; /* inproc only */
    }
    if (link->kind != LINK_ANSWER) {
        *ret_request = 0;
        return true;
    }
    (void)pthread_mutex_lock(&link->mutex);
    *ret_request = park(link, message, (uint64_t)nng_msg_get_pipe(message).id);
    (void)pthread_mutex_unlock(&link->mutex);
    return *ret_request != 0;
}

int link_receive(struct link *link, struct link_message *ret_message)
{
    link_request request;
    nng_msg *message;
    int code;

    take_back(link);
    if (link->kind == LINK_ASK) {
        return receive_reply(link, ret_message);
    }
    for (;;) {
        code = nng_recvmsg(link->socket, &message, NNG_FLAG_NONBLOCK);
        if (code != 0) {
            return errno_of(code);
        }
        if (admit(link, message, &request)) {
            break;
        }
        nng_msg_free(message);
    }
    lend(link, message, ret_message);
    ret_message->request = request;
    return 0;
}

static int wait_for_wake(const struct link *link, time_us deadline_us)
{
    struct pollfd pollfd = {.fd = link->fd, .events = POLLIN};
    time_us left_us;

    left_us = deadline_us - clock_now_us();
    if (left_us <= 0) {
        return -ETIMEDOUT;
    }
    (void)poll(&pollfd, 1, whole_ms(left_us));
    return 0;
}

int link_ask_wait(struct link *link, const uint8_t *bytes, size_t n, time_us timeout_us,
                  struct link_message *ret_reply)
{
    time_us deadline_us = clock_now_us() + timeout_us;
    int r;

    for (;;) {
        r = link_ask(link, bytes, n, deadline_us - clock_now_us());
        if (r != -EAGAIN) {
            break;
        }
        r = wait_for_wake(link, deadline_us);
        if (r != 0) {
            return r;
        }
        (void)link_receive(link, ret_reply); /* takes the wake, there is nothing else */
    }
    while (r == 0) {
        r = link_receive(link, ret_reply);
        if (r != -EAGAIN) {
            return r;
        }
        /* The receive ends by itself at the deadline; the wait is only a little longer. */
        r = wait_for_wake(link, deadline_us + SECONDS(1));
    }
    return r;
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
    (void)treat(link, link->descriptors, choose_id, (int64_t)pipe, &link->statistics.n_kicked);
}

void link_sweep(struct link *link, time_us now_us)
{
    (void)treat(link, link->descriptors, choose_due, now_us, &link->statistics.n_swept);
    (void)pthread_mutex_lock(&link->mutex);
    if (link->pipes_went) {
        forget_gone(link);
    }
    (void)pthread_mutex_unlock(&link->mutex);
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
