/* A small HTTP server for pages that are published, over libmicrohttpd.
 *
 * Each page is one of libmicrohttpd's responses, which it counts the users of: a request that is
 * still being sent keeps the old bytes alive while a new page takes their place. The mutex covers
 * the table of pages alone, never sending.
 *
 * libmicrohttpd's timeout is one of idleness: who drips a byte every few seconds stays. The
 * connection limits bound what that can cost, for all and for each address. */
#include "common/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "common/clock.h"
#include "common/library.h"
#include "common/units.h"

#define PAGES_MAX        16
#define CONNECTIONS_MAX  64
#define ADDRESS_MAX      16
#define CONNECTION_BYTES (16 * 1024)
#define IDLE_SECONDS_MAX 10

/* libmicrohttpd's functions, from the first server on. */
static struct {
    pthread_mutex_t lock;
    void *library;
    __typeof__(MHD_queue_response) *queue_response;
    __typeof__(MHD_lookup_connection_value) *lookup_connection_value;
    __typeof__(MHD_create_response_from_buffer) *create_response_from_buffer;
    __typeof__(MHD_add_response_header) *add_response_header;
    __typeof__(MHD_destroy_response) *destroy_response;
    __typeof__(MHD_stop_daemon) *stop_daemon;
    __typeof__(MHD_start_daemon) *start_daemon;
} mhd = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int load_library(void)
{
    static const struct library_function functions[] = {
        {"MHD_queue_response", &mhd.queue_response},
        {"MHD_lookup_connection_value", &mhd.lookup_connection_value},
        {"MHD_create_response_from_buffer", &mhd.create_response_from_buffer},
        {"MHD_add_response_header", &mhd.add_response_header},
        {"MHD_destroy_response", &mhd.destroy_response},
        {"MHD_stop_daemon", &mhd.stop_daemon},
        {"MHD_start_daemon", &mhd.start_daemon},
    };
    int r = 0;

    (void)pthread_mutex_lock(&mhd.lock);
    if (mhd.library == NULL) {
        r = library_load(LIBMICROHTTPD, functions, N_ELEMENTS(functions), &mhd.library);
    }
    (void)pthread_mutex_unlock(&mhd.lock);
    return r;
}

struct page {
    char path[64];
    unsigned status;
    struct MHD_Response *response;
    time_us valid_until_us; /* boot clock */
};

struct http {
    struct MHD_Daemon *daemon;
    int port;
    atomic_bool was_asked;
    struct MHD_Response *not_found, *bad_method, *has_body, *stale;
    pthread_mutex_t lock; /* of what follows */
    size_t n_pages;
    struct page pages[PAGES_MAX];
};

/* Answering: on libmicrohttpd's thread. */

static bool is_read_only(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* Whether a request announces a body. */
static bool has_body(struct MHD_Connection *connection)
{
    const char *length = mhd.lookup_connection_value(connection, MHD_HEADER_KIND,
                                                     MHD_HTTP_HEADER_CONTENT_LENGTH);

    return (length != NULL && strcmp(length, "0") != 0) ||
           mhd.lookup_connection_value(connection, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static struct page *find_page(struct http *http, const char *path)
{
    for (size_t i = 0; i < http->n_pages; i++) {
        if (strcmp(http->pages[i].path, path) == 0) {
            return &http->pages[i];
        }
    }
    return NULL;
}

static enum MHD_Result answer_page(struct http *http, struct MHD_Connection *connection,
                                   const char *path)
{
    time_us now_us = clock_now_us();
    enum MHD_Result result;
    struct page *page;

    atomic_store(&http->was_asked, true);
    (void)pthread_mutex_lock(&http->lock);
    page = find_page(http, path);
    if (page == NULL) {
        result = mhd.queue_response(connection, MHD_HTTP_NOT_FOUND, http->not_found);
    } else if (now_us > page->valid_until_us) {
        result = mhd.queue_response(connection, MHD_HTTP_SERVICE_UNAVAILABLE, http->stale);
    } else {
        result = mhd.queue_response(connection, page->status, page->response);
    }
    (void)pthread_mutex_unlock(&http->lock);
    return result;
}

/* libmicrohttpd calls this once when the headers are there, when an answer ends the connection
 * without reading a body, and again when the request is complete. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    static int seen;
    struct http *http = context;

    (void)version;
    (void)upload;
    (void)upload_size;
    if (!is_read_only(method)) {
        return mhd.queue_response(connection, MHD_HTTP_METHOD_NOT_ALLOWED, http->bad_method);
    }
    if (has_body(connection)) {
        return mhd.queue_response(connection, MHD_HTTP_BAD_REQUEST, http->has_body);
    }
    if (*request == NULL) {
        *request = &seen;
        return MHD_YES;
    }
    return answer_page(http, connection, url);
}

/* A response with the headers that every one has; NULL when memory is short. */
static struct MHD_Response *new_response(const char *content_type, const char *bytes, size_t n)
{
    /* The signature wants no const; the bytes are only copied. */
    struct MHD_Response *response = mhd.create_response_from_buffer(n, (void *)(uintptr_t)bytes,
                                                                    MHD_RESPMEM_MUST_COPY);

    if (response == NULL) {
        return NULL;
    }
    if (mhd.add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type) != MHD_YES ||
        mhd.add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") != MHD_YES ||
        mhd.add_response_header(response, "X-Content-Type-Options", "nosniff") != MHD_YES) {
        mhd.destroy_response(response);
        return NULL;
    }
    return response;
}

static struct MHD_Response *new_sentence(const char *sentence)
{
    return new_response("text/plain; charset=utf-8", sentence, strlen(sentence));
}

/* Starting and stopping. */

/* "127.0.0.1:7710" or "[::1]:7710". */
static int parse_listen(const char *listen, struct sockaddr_storage *ret_address,
                        socklen_t *ret_size)
{
    struct sockaddr_in *v4 = (void *)ret_address;
    struct sockaddr_in6 *v6 = (void *)ret_address;
    const char *colon = strrchr(listen, ':');
    char host[INET6_ADDRSTRLEN + 2];
    unsigned long port;
    size_t n;
    char *end;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9') {
        return -EINVAL;
    }
    n = (size_t)(colon - listen);
    port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port > UINT16_MAX || n >= sizeof(host)) {
        return -EINVAL;
    }
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(host, listen, n);
    host[n] = '\0';
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *ret_size = sizeof(*v4);
        return 0;
    }
    if (n < 2 || host[0] != '[' || host[n - 1] != ']') {
        return -EINVAL;
    }
    host[n - 1] = '\0';
    if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1) {
        return -EINVAL;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    *ret_size = sizeof(*v6);
    return 0;
}

/* A listening socket, non-blocking, and its port; or a negative error. Made here rather than by
 * libmicrohttpd because that would not tell the error. */
static int open_listener(const char *listen_at, int *ret_port)
{
    struct sockaddr_storage address;
    socklen_t size;
    int fd, r;

    r = parse_listen(listen_at, &address, &size);
    if (r < 0) {
        return r;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        r = -errno;
        (void)close(fd);
        return r;
    }
    *ret_port = ntohs(address.ss_family == AF_INET
                          ? ((struct sockaddr_in *)(void *)&address)->sin_port
                          : ((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return fd;
}

static void destroy_response(struct MHD_Response *response)
{
    if (response != NULL) {
        mhd.destroy_response(response);
    }
}

void http_stop(struct http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->daemon != NULL) {
        mhd.stop_daemon(http->daemon);
    }
    for (size_t i = 0; i < http->n_pages; i++) {
        mhd.destroy_response(http->pages[i].response);
    }
    destroy_response(http->not_found);
    destroy_response(http->bad_method);
    destroy_response(http->has_body);
    destroy_response(http->stale);
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
}

static struct http *new_http(void)
{
    struct http *http = calloc(1, sizeof(*http));

    if (http == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&http->lock, NULL);
    http->not_found = new_sentence("no such page\n");
    http->bad_method = new_sentence("GET and HEAD only\n");
    http->has_body = new_sentence("a request with a body is refused\n");
    http->stale = new_sentence("stale\n");
    if (http->not_found == NULL || http->bad_method == NULL || http->has_body == NULL ||
        http->stale == NULL ||
        mhd.add_response_header(http->bad_method, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") != MHD_YES) {
        http_stop(http);
        return NULL;
    }
    return http;
}

int http_start(const char *listen, struct http **ret_http)
{
    struct http *http;
    int fd, r;

    r = load_library();
    if (r < 0) {
        return r;
    }
    http = new_http();
    if (http == NULL) {
        return -ENOMEM;
    }
    fd = open_listener(listen, &http->port);
    if (fd < 0) {
        http_stop(http);
        return fd;
    }
    http->daemon = mhd.start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, http, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)ADDRESS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS_MAX, MHD_OPTION_END);
    if (http->daemon == NULL) {
        /* Whether the listener is closed depends on how far libmicrohttpd came: leave it, the
         * process is about to end. */
        http_stop(http);
        return -ENOMEM;
    }
    *ret_http = http;
    return 0;
}

int http_port(const struct http *http)
{
    return http->port;
}

bool http_was_asked(struct http *http)
{
    return atomic_exchange(&http->was_asked, false);
}

int http_publish(struct http *http, const char *path, int status, const char *content_type,
                 const char *bytes, size_t n, time_us valid_us)
{
    struct MHD_Response *response = new_response(content_type, bytes, n), *before = NULL;
    struct page *page;

    if (response == NULL) {
        return -ENOMEM;
    }
    (void)pthread_mutex_lock(&http->lock);
    page = find_page(http, path);
    if (page == NULL && (http->n_pages == PAGES_MAX || strlen(path) >= sizeof(page->path))) {
        (void)pthread_mutex_unlock(&http->lock);
        mhd.destroy_response(response);
        return -ENOSPC;
    }
    if (page == NULL) {
        page = &http->pages[http->n_pages++];
        memcpy(page->path, path, strlen(path) + 1);
    }
    before = page->response;
    page->response = response;
    page->status = (unsigned)status;
    page->valid_until_us = clock_now_us() + valid_us;
    (void)pthread_mutex_unlock(&http->lock);
    destroy_response(before);
    return 0;
}
