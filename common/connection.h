/* Which descriptor belongs to a connection that a library holds, found by the connection's two
 * ends. Shell.
 *
 * A library that hides its descriptors cannot be asked to set a socket option or to shut a
 * connection down; the kernel can, once the descriptor is known. It is looked for anew each time,
 * for a number is used again as soon as its connection is closed. */
#ifndef COMMON_CONNECTION_H
#define COMMON_CONNECTION_H

#include <dirent.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

/* The two ends of a connection, as seen from this process. Both ends of a loopback connection may
 * live in one process: they differ, for what is local to one is remote to the other. Made zeroed
 * and compared as bytes. */
struct connection_ends {
    int family;           /* AF_INET, AF_INET6 or AF_UNIX; 0: unknown, never found */
    uint16_t local_port;  /* network order; tcp */
    uint16_t remote_port; /* network order; tcp */
    pid_t peer_pid;       /* AF_UNIX: connections of one process to one path look the same */
    int dials;            /* AF_UNIX: 1 when the path is the peer's, not ours */
    uint8_t remote[16];   /* address, 4 or 16 bytes; tcp */
    uint8_t local[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* address, or path */
};

/* A connection to find, and what the caller wants with it. */
struct connection_wanted {
    struct connection_ends ends;
    uint64_t id;   /* the caller's */
    unsigned todo; /* the caller's */
    bool found;    /* set by connection_find() */
};

/* Walk the descriptors of this process once and call `act` for each whose ends are wanted. `act`
 * gets a duplicate, closed afterwards, so that it never meets another connection that took over
 * the number.
 *
 * `descriptors` is an open /proc/self/fd (kept open by the caller, for it must work when the
 * process is out of descriptors). `wanted` is sorted in place. One walk costs two system calls a
 * descriptor. */
void connection_find(DIR *descriptors, struct connection_wanted *wanted, size_t n_wanted,
                     void (*act)(const struct connection_wanted *wanted, int fd));

/* Find a dead peer soon: keepalive after 3 s of silence, each 2 s, twice; unacknowledged or
 * unwanted bytes for 6 s end the connection. The kernel's own defaults are hours. TCP only. */
void connection_tune(int fd);

#endif
