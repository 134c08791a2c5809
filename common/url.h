/* Addresses of links, as configurations write them. Pure. */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>

/* Whether `url` is `ipc:///path`, or `tcp://host:port` with a host that is this one itself
 * (127.0.0.0/8, ::1, localhost) unless `insecure` allows plain tcp to others.
 * Returns 0, or -EINVAL with one sentence in `ret_why` (TEXT_BYTES_MAX + 1 bytes). */
int url_check(const char *url, bool insecure, char *ret_why);

#endif
