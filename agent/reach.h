/* Whether somebody listens at a link's address. Shell: connects to it. */
#ifndef AGENT_REACH_H
#define AGENT_REACH_H

/* Connect to `url`, which url_check() took (tcp://host:port or ipc:///path), and hang up. Returns 0
 * when somebody listens there, -ETIMEDOUT when nobody answers within `timeout_ms`, -EHOSTUNREACH
 * when the name is not known, or what connecting gave. */
int reach(const char *url, int timeout_ms);

#endif
