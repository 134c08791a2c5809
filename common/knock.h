/* Knocking: whether anybody listens at a tcp address, at the price of three system calls. Shell. */
#ifndef COMMON_KNOCK_H
#define COMMON_KNOCK_H

#include <stdbool.h>
#include <sys/socket.h>

struct knock {
    struct sockaddr_storage address;
    socklen_t size;    /* of the address; 0: it is not possible to knock there */
    int fd;            /* a knock that is not answered yet, or -1 */
    unsigned n_waited; /* calls that this one was waited for */
};

enum knock_answer {
    KNOCK_WAITING, /* no answer yet */
    KNOCK_OPEN,    /* somebody listens */
    KNOCK_CLOSED,  /* refused, unreachable, or no answer in time */
};

/* Begin. `url` is one of a link's: only tcp with a numeric host can be knocked at, for a name would
 * have to be looked up, which can take long. */
void knock_init(struct knock *knock, const char *url);

bool knock_is_possible(const struct knock *knock);

/* Knock, or ask for the answer to the last knock. Never waits; made to be called every second or
 * so. Whoever listens sees a connection that is reset at once. */
enum knock_answer knock_at(struct knock *knock);

/* Forget a knock that was not answered. */
void knock_done(struct knock *knock);

#endif
