/* Names of nodes, brokers and topics: what may stand in a log line, a label, a file name. Pure. */
#ifndef COMMON_NAME_H
#define COMMON_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/limits.h"

/* A topic's name as its broker spells it, NUL-terminated. */
struct topic_name {
    char text[NAME_BYTES_MAX + 1];
};

/* Whether `n` bytes are valid UTF-8 without control characters (C0, DEL, C1), and not empty. */
bool name_is_clean(const char *bytes, size_t n);

/* Replace in place every byte of NUL-terminated `text` that is no part of a clean character by `?`:
 * for sentences whose words come from elsewhere (an actuator's last words). */
void name_make_clean(char *text);

/* Whether NUL-terminated `id` is an identity: 1..ID_BYTES_MAX of letters, digits and `._:@-`, as in
 * host names, RabbitMQ's `rabbit@host` and NATS's server names. */
bool name_is_id(const char *id);

/* Copy NUL-terminated `from` into `to` of `size` bytes. Returns 0, or -ENAMETOOLONG with `to`
 * untouched. */
int name_copy(char *to, size_t size, const char *from);

#endif
