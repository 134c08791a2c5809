/* Knocking: whether anybody listens at a tcp address, at the price of three system calls. */
#include "common/knock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Calls that an answer is waited for: the kernel's own patience, two minutes, ends with ever longer
 * pauses in which a host that is back goes unnoticed. */
#define WAITS_MAX 3

/* Split "host:port" or "[host]:port"; false: it is neither, or too long. */
static bool split(const char *text, char host[64], const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;

    if (n > 1 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n == 0 || n >= 64) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    *ret_port = colon + 1;
    return true;
}

void knock_init(struct knock *knock, const char *url)
{
    static const struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                            .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const char *port;
    char host[64];

    *knock = (struct knock){.fd = -1};
    if (strncmp(url, "tcp://", strlen("tcp://")) != 0 ||
        !split(url + strlen("tcp://"), host, &port) ||
        getaddrinfo(host, port, &numeric, &found) != 0) {
        return;
    }
    memcpy(&knock->address, found->ai_addr, found->ai_addrlen);
    knock->size = found->ai_addrlen;
    freeaddrinfo(found);
}

bool knock_is_possible(const struct knock *knock)
{
    return knock->size > 0;
}

void knock_done(struct knock *knock)
{
    if (knock->fd >= 0) {
        (void)close(knock->fd);
        knock->fd = -1;
    }
    knock->n_waited = 0;
}

static enum knock_answer end(struct knock *knock, enum knock_answer answer)
{
    knock_done(knock);
    return answer;
}

static enum knock_answer ask(struct knock *knock)
{
    struct pollfd pollfd = {.fd = knock->fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof(error);

    if (poll(&pollfd, 1, 0) <= 0) {
        return ++knock->n_waited < WAITS_MAX ? KNOCK_WAITING : end(knock, KNOCK_CLOSED);
    }
    if (getsockopt(knock->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
        error = errno;
    }
    return end(knock, error == 0 ? KNOCK_OPEN : KNOCK_CLOSED);
}

enum knock_answer knock_at(struct knock *knock)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    if (knock->fd >= 0) {
        return ask(knock);
    }
    knock->fd = socket(knock->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (knock->fd < 0) {
        return KNOCK_WAITING;
    }
    (void)setsockopt(knock->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (connect(knock->fd, (const struct sockaddr *)&knock->address, knock->size) == 0) {
        return end(knock, KNOCK_OPEN);
    }
    return errno == EINPROGRESS ? KNOCK_WAITING : end(knock, KNOCK_CLOSED);
}
