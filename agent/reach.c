/* Whether somebody listens at a link's address. Shell: connects to it. */
#include "agent/reach.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "common/limits.h"

/* Connect within the time. */
static int try(const struct sockaddr *address, socklen_t n, int family, int timeout_ms)
{
    cleanup_close int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    socklen_t n_error = sizeof(int);
    int error = 0;

    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, address, n) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return -errno;
    }
    if (poll(&wait, 1, timeout_ms) <= 0) {
        return -ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n_error) < 0 ? -errno : -error;
}

static int reach_path(const char *path, int timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return try((const struct sockaddr *)&address, sizeof(address), AF_UNIX, timeout_ms);
}

/* Any of the name's addresses will do. */
static int reach_host(const char *host, const char *port, int timeout_ms)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int r = -EHOSTUNREACH;

    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return r;
    }
    for (const struct addrinfo *at = found; at != NULL && r < 0; at = at->ai_next) {
        r = try(at->ai_addr, at->ai_addrlen, at->ai_family, timeout_ms);
    }
    freeaddrinfo(found);
    return r;
}

int reach(const char *url, int timeout_ms)
{
    char text[ADDRESS_BYTES_MAX + 1];
    char *host = text, *colon;

    if (strncmp(url, "ipc://", strlen("ipc://")) == 0) {
        return reach_path(url + strlen("ipc://"), timeout_ms);
    }
    (void)snprintf(text, sizeof(text), "%s", url + strlen("tcp://"));
    colon = strrchr(text, ':');
    if (colon == NULL) {
        return -EINVAL;
    }
    *colon = '\0';
    if (host[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        host++;
    }
    return reach_host(host, colon + 1, timeout_ms);
}
