/* The aggregators that a client knows. Shell: waits on real links. */
#include "client/servers.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

/* How long the preferred server may take to connect while another one is connected already: well
 * above a round trip, well below what a person notices. */
#define PREFERRED_GRACE_US MILLISECONDS(200)

/* Between two looks at whether a link can be asked: its connections are made by threads of their
 * own, and several links have no one descriptor to wait on. */
#define LOOK_US MILLISECONDS(1)

static void sleep_us(time_us us)
{
    struct timespec pause = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};

    (void)nanosleep(&pause, NULL);
}

static int server_open(struct server *server, const char *url, size_t n)
{
    const struct link_options options = {.receive_bytes_max = (size_t)ANSWER_BYTES_MAX};

    if (n == 0 || n >= sizeof(server->url)) {
        return -EINVAL;
    }
    memcpy(server->url, url, n);
    server->url[n] = '\0';
    return link_open(LINK_ASK, server->url, &options, &server->link);
}

void servers_done(struct servers *servers)
{
    for (size_t i = 0; i < servers->n; i++) {
        link_close(servers->list[i].link);
    }
    servers->n = 0;
}

int servers_init(const char *urls, struct servers *ret_servers)
{
    struct servers servers = {0};
    int r;

    for (const char *url = urls;; url++) {
        size_t n = strcspn(url, ",");

        r = servers.n == AGGREGATORS_MAX ? -EINVAL : server_open(&servers.list[servers.n], url, n);
        if (r < 0) {
            servers_done(&servers);
            return r == -ENOMEM ? r : -EINVAL;
        }
        servers.n++;
        url += n;
        if (*url == '\0') {
            break;
        }
    }
    *ret_servers = servers;
    return 0;
}

struct attempt attempt_begin(time_us timeout_us, time_us connect_us, bool repeatable)
{
    return (struct attempt){.deadline_us = clock_now_us() + timeout_us,
                            .connect_us = connect_us,
                            .repeatable = repeatable};
}

static size_t n_untried(const struct servers *servers, const struct attempt *attempt)
{
    size_t n = 0;

    for (size_t i = 0; i < servers->n; i++) {
        n += attempt->tried[i] ? 0 : 1;
    }
    return n;
}

bool attempt_is_open(const struct servers *servers, const struct attempt *attempt)
{
    return n_untried(servers, attempt) > 0 && clock_now_us() < attempt->deadline_us;
}

static bool is_candidate(const struct servers *servers, const struct attempt *attempt, size_t i)
{
    return !attempt->tried[i] && link_n_pipes(servers->list[i].link) > 0;
}

/* The first connected server that was not tried, in the order of the list from the preferred one.
 * Returns its index, or -1. */
static int first_connected(const struct servers *servers, const struct attempt *attempt)
{
    for (size_t k = 0; k < servers->n; k++) {
        size_t i = (servers->preferred + k) % servers->n;

        if (is_candidate(servers, attempt, i)) {
            return (int)i;
        }
    }
    return -1;
}

/* The server to ask now: the preferred one if it connects within its grace, else any. Returns its
 * index, or -1 when none connects in time. */
static int wait_connected(const struct servers *servers, const struct attempt *attempt)
{
    time_us started_us = clock_now_us();
    time_us ends_us = MIN(started_us + attempt->connect_us, attempt->deadline_us);
    time_us grace_ends_us = started_us + PREFERRED_GRACE_US;

    if (attempt->tried[servers->preferred]) {
        grace_ends_us = 0;
    }
    for (;;) {
        time_us now_us = clock_now_us();
        int i = first_connected(servers, attempt);

        if (i >= 0 && ((size_t)i == servers->preferred || now_us >= grace_ends_us)) {
            return i;
        }
        if (now_us >= ends_us) {
            return i;
        }
        sleep_us(LOOK_US);
    }
}

/* What one server may use of the time that is left: a fair share when others can be asked after
 * it. */
static time_us share_us(const struct servers *servers, const struct attempt *attempt)
{
    time_us left_us = MAX(attempt->deadline_us - clock_now_us(), MILLISECONDS(1));
    size_t n = n_untried(servers, attempt);

    return attempt->repeatable && n > 1 ? left_us / (time_us)n : left_us;
}

/* Send as soon as the link takes it: a connection that was told of may still be busy with the
 * request before, which ends within microseconds, or be about to go. */
static int send_question(struct link *link, const uint8_t *bytes, size_t n, time_us until_us,
                         time_us deadline_us)
{
    for (;;) {
        time_us now_us = clock_now_us();
        int r = link_ask(link, bytes, n, MAX(deadline_us - now_us, MILLISECONDS(1)));

        if (r != -EAGAIN) {
            return r;
        }
        if (now_us >= until_us) {
            return -EHOSTUNREACH;
        }
        sleep_us(LOOK_US);
    }
}

/* Wait for what link_ask() brings: it ends by itself at the deadline, and is given a little more.
 */
static int await_reply(struct link *link, time_us deadline_us, struct link_message *ret_reply)
{
    const time_us ends_us = deadline_us + SECONDS(1);

    for (;;) {
        struct pollfd readable = {.fd = link_fd(link), .events = POLLIN};
        time_us left_us = ends_us - clock_now_us();
        int r = link_receive(link, ret_reply);

        if (r != -EAGAIN) {
            return r;
        }
        if (left_us <= 0) {
            return -ETIMEDOUT;
        }
        (void)poll(&readable, 1, (int)(left_us / US_PER_MS) + 1);
    }
}

static int server_ask(struct link *link, const struct attempt *attempt, time_us timeout_us,
                      const uint8_t *bytes, size_t n, struct link_message *ret_reply)
{
    time_us now_us = clock_now_us();
    int r = send_question(link, bytes, n, now_us + MIN(timeout_us, attempt->connect_us),
                          now_us + timeout_us);

    if (r == 0) {
        r = await_reply(link, now_us + timeout_us, ret_reply);
    }
    return r == -EBUSY ? -ETIMEDOUT : r; /* the one before has not ended, long after its deadline */
}

int servers_ask(struct servers *servers, struct attempt *attempt, const uint8_t *bytes, size_t n,
                struct link_message *ret_reply)
{
    int r = -EHOSTUNREACH;
    int i;

    while (r == -EHOSTUNREACH && (i = wait_connected(servers, attempt)) >= 0) {
        time_us timeout_us = share_us(servers, attempt);

        attempt->server = (size_t)i;
        attempt->tried[i] = true;
        r = server_ask(servers->list[i].link, attempt, timeout_us, bytes, n, ret_reply);
        servers->preferred = r == 0 ? (size_t)i : ((size_t)i + 1) % servers->n;
        if (r == -ECONNRESET) {
            attempt->tried[i] = !attempt->repeatable;
        }
    }
    return r;
}
