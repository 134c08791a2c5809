/* A small HTTP server for pages that are published, not computed, over libmicrohttpd. Shell.
 *
 * The loop publishes a page whenever it changes; a thread of libmicrohttpd's serves the last one.
 * So no request ever touches, waits for or slows the loop. A page that is not published again
 * within its `valid_us` is answered with 503: that is how a loop that hangs fails its health check.
 * GET and HEAD only (405 for others); bodies are refused (400); idle connections end after 10 s; at
 * most 64 connections, 16 from one address, 16 KB each. */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/units.h"

struct http;

/* Listen on "host:port" ("127.0.0.1:7710", "[::1]:7710": numeric host; port 0 picks one, see
 * http_port()). Returns 0, -EINVAL not of that form, -ENOMEM, -ELIBACC without libmicrohttpd, or
 * what bind gave. */
int http_start(const char *listen, struct http **ret_http);

/* The port that is listened on. */
int http_port(const struct http *http);

/* Set the page at `path` ("/metrics"): status 200 or 503, content type, `n` bytes, which are
 * copied. At most 16 paths of less than 64 bytes. May be called from any thread. Returns 0,
 * -ENOSPC, -ENOMEM. */
int http_publish(struct http *http, const char *path, int status, const char *content_type,
                 const char *bytes, size_t n, time_us valid_us);

/* Whether a page was asked for since this was asked last. */
bool http_was_asked(struct http *http);

/* Stop serving and free; NULL is fine. */
void http_stop(struct http *http);

#endif
