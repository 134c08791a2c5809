/* Logging in to a NATS account whose user and password stand in a file. */
#ifndef DEPLOY_DEMO_ACCOUNT_H
#define DEPLOY_DEMO_ACCOUNT_H

#include <nats/nats.h>

/* Connect to the server at `url` as the user of `account`.
 *
 * `path` is a text file of lines "account user password"; lines that begin with # are skipped. The
 * connection reconnects by itself, for ever; connecting the first time takes at most `timeout_ms`.
 * `*ret_connection` is the caller's, to be destroyed with natsConnection_Destroy().
 * Returns 0; -ENOENT the file has no such account; what opening it gave; -ECONNREFUSED. */
int account_connect(const char *path, const char *account, const char *url, int64_t timeout_ms,
                    natsConnection **ret_connection);

#endif
