/* What the tests of links share: ports, raw sockets that speak SP by hand, waiting with a deadline.
 */
#ifndef TESTS_INTEGRATION_LINK_BED_H
#define TESTS_INTEGRATION_LINK_BED_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/link.h"

#define SP_PUB 0x20
#define SP_SUB 0x21
#define SP_REQ 0x30
#define SP_REP 0x31

/* Wait until `condition` holds, sweeping nothing; fail after `seconds`. */
#define UNTIL(condition, seconds)                                                                  \
    do {                                                                                           \
        time_us until_us = clock_now_us() + SECONDS(seconds);                                      \
        while (!(condition)) {                                                                     \
            if (clock_now_us() > until_us) {                                                       \
                fail_msg("not within %d s: %s", (int)(seconds), #condition);                       \
            }                                                                                      \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (0)

/* A loopback port that nobody listens on now. */
static inline uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);
    int fd;

    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &n), errno);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* Its url, in memory that is used again after four calls. */
static inline const char *url_of(uint16_t port)
{
    static char urls[4][64];
    static unsigned i;
    char *url = urls[i++ % 4];

    (void)snprintf(url, sizeof(urls[0]), "tcp://127.0.0.1:%u", port);
    return url;
}

/* As many descriptors as we may have: a thousand connections have two thousand ends here. */
static inline void raise_descriptors(void)
{
    struct rlimit limit;

    assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
}

static inline struct link *open_link(enum link_kind kind, const char *url)
{
    struct link *link = NULL;

    assert_int_equal(link_open(kind, url, NULL, &link), 0);
    return link;
}

/* Whether the link's descriptor becomes readable within so many milliseconds. */
static inline bool is_readable(const struct link *link, int ms)
{
    struct pollfd pollfd = {.fd = link_fd(link), .events = POLLIN};

    return poll(&pollfd, 1, ms) == 1;
}

/* The next message or error, within 5 s. */
static inline int receive_soon(struct link *link, struct link_message *ret_message)
{
    time_us deadline_us = clock_now_us() + SECONDS(5);
    int r;

    for (;;) {
        r = link_receive(link, ret_message);
        if (r != -EAGAIN) {
            return r;
        }
        if (clock_now_us() > deadline_us) {
            fail_msg("nothing received within 5 s");
        }
        (void)is_readable(link, 1000);
    }
}

/* Ask as soon as there is a connection. */
static inline void ask_soon(struct link *link, const char *text, time_us timeout_us)
{
    time_us deadline_us = clock_now_us() + SECONDS(5);
    int r;

    for (;;) {
        r = link_ask(link, (const uint8_t *)text, strlen(text), timeout_us);
        if (r != -EAGAIN) {
            assert_int_equal(r, 0);
            return;
        }
        if (clock_now_us() > deadline_us) {
            fail_msg("no connection within 5 s");
        }
        (void)poll(NULL, 0, 1);
    }
}

static inline void assert_text(const struct link_message *message, const char *text)
{
    assert_int_equal(message->n, strlen(text));
    assert_memory_equal(message->bytes, text, message->n);
}

static inline struct link_statistics statistics_of(const struct link *link)
{
    struct link_statistics statistics;

    link_statistics(link, &statistics);
    return statistics;
}

/* Connect a raw socket. */
static inline int raw_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 5};
    int fd;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), errno);
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), errno);
    return fd;
}

/* Write; a connection that was ended meanwhile is fine. */
static inline void raw_write(int fd, const void *bytes, size_t n)
{
    ssize_t written;

    written = send(fd, bytes, n, MSG_NOSIGNAL);
    (void)written;
}

/* Say who we are: the 8 bytes that open every SP connection. */
static inline void raw_hello(int fd, uint8_t protocol)
{
    const uint8_t hello[8] = {0, 'S', 'P', 0, 0, protocol, 0, 0};

    raw_write(fd, hello, sizeof(hello));
}

/* One SP message: its length, big-endian, and its bytes. */
static inline void raw_message(int fd, const void *bytes, size_t n)
{
    uint8_t length[8] = {0};
    size_t i;

    for (i = 0; i < 8; i++) {
        length[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
    }
    raw_write(fd, length, sizeof(length));
    raw_write(fd, bytes, n);
}

/* A request with this number, its body one byte. */
static inline void raw_request(int fd, uint32_t number)
{
    const uint8_t bytes[5] = {(uint8_t)(0x80U | (number >> 24)), (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8), (uint8_t)number, 'r'};

    raw_message(fd, bytes, sizeof(bytes));
}

/* Connect and exchange hellos. */
static inline int raw_peer(uint16_t port, uint8_t protocol)
{
    uint8_t hello[8];
    int fd;

    fd = raw_connect(port);
    raw_hello(fd, protocol);
    assert_int_equal(recv(fd, hello, sizeof(hello), MSG_WAITALL), sizeof(hello));
    return fd;
}

/* Whether the other side ends this connection within 5 s; what it sends before is skipped. */
static inline bool raw_is_ended(int fd)
{
    uint8_t bytes[4096];
    ssize_t n;

    do {
        n = recv(fd, bytes, sizeof(bytes), 0);
    } while (n > 0);
    return n == 0 || errno == ECONNRESET;
}

#endif
