/* Descriptors by the two ends of their connection. Shell. */
#include "common/connection.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/units.h"

/* 3 s + 2 probes each 2 s: a black-holed peer is gone after 7 s, well within two report intervals.
 */
#define KEEPALIVE_IDLE_S     3
#define KEEPALIVE_INTERVAL_S 2
#define KEEPALIVE_PROBES     2
#define UNACKNOWLEDGED_MS    6000

_Static_assert(sizeof(struct connection_ends) == 140, "compared as bytes: no padding");

static int compare_wanted(const void *a, const void *b)
{
    const struct connection_wanted *x = a;
    const struct connection_wanted *y = b;

    return memcmp(&x->ends, &y->ends, sizeof(x->ends));
}

static void read_inet(const struct sockaddr_storage *address, uint16_t *ret_port, uint8_t *ret_host)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->ss_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        *ret_port = v4.sin_port;
        memcpy(ret_host, &v4.sin_addr, sizeof(v4.sin_addr));
    } else {
        memcpy(&v6, address, sizeof(v6));
        *ret_port = v6.sin6_port;
        memcpy(ret_host, &v6.sin6_addr, sizeof(v6.sin6_addr));
    }
}

static bool read_unix(int fd, const struct sockaddr_storage *local,
                      const struct sockaddr_storage *remote, struct connection_ends *ends)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);
    struct sockaddr_un address;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0) {
        return false;
    }
    memcpy(&address, local, sizeof(address));
    if (address.sun_path[0] == '\0') {
        memcpy(&address, remote, sizeof(address));
        ends->dials = 1;
    }
    memcpy(ends->local, address.sun_path, sizeof(ends->local) - 1);
    ends->peer_pid = peer.pid;
    return ends->local[0] != '\0';
}

static bool read_ends(int fd, struct connection_ends *ret_ends)
{
    struct sockaddr_storage local = {0};
    struct sockaddr_storage remote = {0};
    socklen_t n_local = sizeof(local);
    socklen_t n_remote = sizeof(remote);

    memset(ret_ends, 0, sizeof(*ret_ends));
    if (getsockname(fd, (struct sockaddr *)&local, &n_local) != 0 ||
        getpeername(fd, (struct sockaddr *)&remote, &n_remote) != 0) {
        return false;
    }
    ret_ends->family = local.ss_family;
    if (local.ss_family == AF_UNIX) {
        return read_unix(fd, &local, &remote, ret_ends);
    }
    if (local.ss_family != AF_INET && local.ss_family != AF_INET6) {
        return false;
    }
    read_inet(&local, &ret_ends->local_port, ret_ends->local);
    read_inet(&remote, &ret_ends->remote_port, ret_ends->remote);
    return true;
}

/* The number may have passed to another connection since it was looked at: its duplicate is looked
 * at again. Without a descriptor left for a duplicate, better the number itself than nothing. */
static void act_on(int fd, struct connection_wanted *wanted,
                   void (*act)(const struct connection_wanted *wanted, int fd))
{
    struct connection_ends ends;
    int duplicate;

    duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) {
        act(wanted, fd);
        wanted->found = true;
        return;
    }
    if (read_ends(duplicate, &ends) && memcmp(&ends, &wanted->ends, sizeof(ends)) == 0) {
        act(wanted, duplicate);
        wanted->found = true;
    }
    (void)close(duplicate);
}

void connection_find(DIR *descriptors, struct connection_wanted *wanted, size_t n_wanted,
                     void (*act)(const struct connection_wanted *wanted, int fd))
{
    struct connection_wanted here;
    struct connection_wanted *match;
    const struct dirent *entry;
    int fd;

    if (n_wanted == 0) {
        return;
    }
    qsort(wanted, n_wanted, sizeof(*wanted), compare_wanted);
    rewinddir(descriptors);
    while ((entry = readdir(descriptors)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        fd = (int)strtol(entry->d_name, NULL, 10);
        if (!read_ends(fd, &here.ends)) {
            continue;
        }
        match = bsearch(&here, wanted, n_wanted, sizeof(*wanted), compare_wanted);
        if (match != NULL) {
            act_on(fd, match, act);
        }
    }
}

void connection_tune(int fd)
{
    static const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
    };
    size_t i;

    for (i = 0; i < N_ELEMENTS(options); i++) {
        /* An old kernel without one of them still serves with the others. */
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
    }
}
