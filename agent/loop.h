/* The agent's loop: sockets, children and time in, messages, samples and children out. Shell. */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include "agent/agent_options.h"

struct loop;

/* Open everything that `config` names, which must outlive the loop. Signals are blocked before
 * (they stay so, and are read by the loop), and the log is started. What fails is logged with its
 * name. Returns 0 or a negative errno. */
int loop_new(const struct agent_config *config, struct loop **ret_loop);

/* Run until SIGTERM or SIGINT. Returns the process's exit status: 0, or EXIT_WEDGED when the
 * messaging library is wedged; the process must then end by _exit() without loop_free(). */
int loop_run(struct loop *loop);

/* End actuators and sources, close everything, within about a second. NULL is fine. */
void loop_free(struct loop *loop);

#endif
