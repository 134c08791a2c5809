/* Serving: the loop that turns messages into events, and effects into messages. Shell. */
#ifndef AGGREGATOR_SERVE_H
#define AGGREGATOR_SERVE_H

#include "aggregator/aggregator_options.h"

struct serve;

/* Open all sockets and pages of `config`, which must outlive it. Signals must be blocked. What
 * fails is logged. Returns 0, or what opening gave. */
int serve_open(const struct aggregator_config *config, struct serve **ret_serve);

/* Serve until `signal_fd` (a signalfd) is readable, or nng is wedged. Returns the process's exit
 * code: EXIT_SUCCESS, EXIT_FAILURE, or EXIT_WEDGED. */
int serve_run(struct serve *serve, int signal_fd);

/* Close all and free; NULL is fine. */
void serve_close(struct serve *serve);

#endif
