/* The aggregators that a client knows: a link to each, and which to ask next. Shell.
 *
 * A call asks one server after the other until one answers; struct attempt carries what is left of
 * its time and of the servers. The one that answered last is asked first next time. */
#ifndef CLIENT_SERVERS_H
#define CLIENT_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/link.h"
#include "common/units.h"

struct server {
    char url[ADDRESS_BYTES_MAX + 1];
    struct link *link;
};

struct servers {
    size_t n;
    size_t preferred; /* the one to ask first */
    struct server list[AGGREGATORS_MAX];
};

/* One call: begin with attempt_begin(). */
struct attempt {
    time_us deadline_us;
    time_us connect_us;          /* how long to wait for a connection, each time */
    bool repeatable;             /* asking a second time does no harm */
    bool tried[AGGREGATORS_MAX]; /* will not be asked again in this call */
    size_t server;               /* the one that was asked last */
};

/* Open a link to each of the comma-separated addresses in `urls`. `ret_servers` is the caller's, to
 * be given to servers_done(). Returns 0; -EINVAL malformed, empty, or more than AGGREGATORS_MAX;
 * -ENOMEM. */
int servers_init(const char *urls, struct servers *ret_servers);

/* Close the links. */
void servers_done(struct servers *servers);

/* Start a call that may take `timeout_us` in all, `connect_us` of it until a server is connected.
 */
struct attempt attempt_begin(time_us timeout_us, time_us connect_us, bool repeatable);

/* Whether servers and time are left to ask again. */
bool attempt_is_open(const struct servers *servers, const struct attempt *attempt);

/* Send `n` bytes to the next server and wait for its reply, which is borrowed until the next call.
 * A server is asked once in an attempt; after a broken connection a repeatable question goes to it
 * again. `attempt->server` says who was asked.
 * Returns 0; -EHOSTUNREACH none of those left is connected: nothing was sent; -ETIMEDOUT sent, and
 * no answer; -ECONNRESET sent, and the connection broke; -ENOMEM. */
int servers_ask(struct servers *servers, struct attempt *attempt, const uint8_t *bytes, size_t n,
                struct link_message *ret_reply);

#endif
