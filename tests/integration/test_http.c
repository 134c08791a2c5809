/* The HTTP server, over real sockets on loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/http.h"

static struct http *http;
static char reply[1 << 20];

static int start(void **state)
{
    (void)state;
    return http_start("127.0.0.1:0", &http);
}

static int stop(void **state)
{
    (void)state;
    http_stop(http);
    return 0;
}

/* A connection from an address of loopback, which are many. */
static int connect_from(const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(http))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* Everything until the server closes, or nothing comes for five seconds. */
static const char *receive_all(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    size_t n = 0;

    while (n < sizeof(reply) - 1 && poll(&readable, 1, 5000) == 1) {
        ssize_t r = recv(fd, reply + n, sizeof(reply) - 1 - n, 0);

        if (r <= 0) {
            break;
        }
        n += (size_t)r;
    }
    reply[n] = '\0';
    return reply;
}

static const char *ask_from(const char *address, const char *request)
{
    int fd = connect_from(address);

    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    (void)receive_all(fd);
    (void)close(fd);
    return reply;
}

static const char *ask(const char *first_line)
{
    char request[512];

    (void)snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                   first_line);
    return ask_from("127.0.0.1", request);
}

static void publish(const char *path, int status, const char *text, time_us valid_us)
{
    assert_int_equal(
        http_publish(http, path, status, "text/plain; version=0.0.4", text, strlen(text), valid_us),
        0);
}

static void has_status(const char *status)
{
    assert_memory_equal(reply, "HTTP/1.1 ", 9);
    assert_memory_equal(reply + 9, status, strlen(status));
}

static void has_header(const char *header)
{
    char line[128];

    (void)snprintf(line, sizeof(line), "\r\n%s\r\n", header);
    assert_non_null(strstr(reply, line));
}

static void has_body(const char *body)
{
    const char *end = strstr(reply, "\r\n\r\n");

    assert_non_null(end);
    assert_string_equal(end + 4, body);
}

/* A page as it was published, with the headers that keep browsers from guessing and caching. */
static void test_get(void **state)
{
    (void)state;
    publish("/metrics", 200, "x 1\n", SECONDS(60));
    ask("GET /metrics");
    has_status("200 OK");
    has_header("Content-Type: text/plain; version=0.0.4");
    has_header("Content-Length: 4");
    has_header("Cache-Control: no-store");
    has_header("X-Content-Type-Options: nosniff");
    has_body("x 1\n");
    publish("/metrics", 200, "x 2\n", SECONDS(60));
    ask("GET /metrics?name=x");
    has_body("x 2\n");
}

/* The head alone, with the length of the body that is not there. */
static void test_head(void **state)
{
    (void)state;
    publish("/metrics", 200, "x 1\n", SECONDS(60));
    ask("HEAD /metrics");
    has_status("200 OK");
    has_header("Content-Length: 4");
    has_body("");
}

/* Two requests on one connection. */
static void test_keep_alive(void **state)
{
    (void)state;
    publish("/a", 200, "first", SECONDS(60));
    publish("/b", 200, "second", SECONDS(60));
    ask_from("127.0.0.1", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
                          "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    has_status("200 OK");
    assert_non_null(strstr(reply, "\r\n\r\nfirstHTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(reply, "\r\n\r\nsecond"));
}

/* A path that nobody published. */
static void test_not_found(void **state)
{
    (void)state;
    ask("GET /metrics");
    has_status("404 Not Found");
    has_header("X-Content-Type-Options: nosniff");
    has_body("no such page\n");
    publish("/metrics", 200, "x", SECONDS(60));
    ask("GET /metrics/");
    has_status("404 Not Found");
    ask("GET /../etc/passwd");
    has_status("404 Not Found");
    ask("GET /%00metrics");
    has_status("404 Not Found");
}

/* Other methods, and bodies with any method, are refused without being read. */
static void test_bad_method(void **state)
{
    (void)state;
    publish("/metrics", 200, "x", SECONDS(60));
    ask_from("127.0.0.1", "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    has_status("405 Method Not Allowed");
    has_header("Allow: GET, HEAD");
    has_body("GET and HEAD only\n");
    ask("DELETE /metrics");
    has_status("405 Method Not Allowed");
    ask("FROB /nothing");
    has_status("405 Method Not Allowed");
    ask_from("127.0.0.1", "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    has_status("400 Bad Request");
    ask_from("127.0.0.1", "GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    has_status("400 Bad Request");
}

/* A page that says that all is not well, and one that was not published again in time. */
static void test_unavailable(void **state)
{
    (void)state;
    publish("/readyz", 503, "no aggregator\n", SECONDS(60));
    ask("GET /readyz");
    has_status("503 Service Unavailable");
    has_body("no aggregator\n");
    publish("/healthz", 200, "ok\n", -1);
    ask("GET /healthz");
    has_status("503 Service Unavailable");
    has_body("stale\n");
    publish("/healthz", 200, "ok\n", SECONDS(60));
    ask("GET /healthz");
    has_status("200 OK");
    publish("/healthz", 200, "ok\n", TIME_NEVER);
    ask("GET /healthz");
    has_status("200 OK");
}

/* Headers larger than a connection's memory. */
static void test_large_header(void **state)
{
    static char request[40000];
    size_t n = (size_t)snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nX: ");
    int fd = connect_from("127.0.0.1");

    (void)state;
    publish("/metrics", 200, "x", SECONDS(60));
    memset(request + n, 'a', sizeof(request) - n);
    (void)send(fd, request, sizeof(request), MSG_NOSIGNAL);
    (void)receive_all(fd);
    assert_true(*reply == '\0' || strncmp(reply, "HTTP/1.1 4", 10) == 0);
    (void)close(fd);
    ask("GET /metrics");
    has_status("200 OK");
}

/* Bytes that are no HTTP. */
static void test_garbage(void **state)
{
    static const char *const requests[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "\x16\x03\x01\x02",
        "GET /x HTTP/9.9\r\n\r\n",
        "GET http://[::1:::/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /% HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"};

    (void)state;
    publish("/metrics", 200, "x", SECONDS(60));
    for (size_t i = 0; i < N_ELEMENTS(requests); i++) {
        int fd = connect_from("127.0.0.3");

        (void)send(fd, requests[i], strlen(requests[i]), MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_WR);
        ask("GET /metrics");
        has_status("200 OK");
        (void)close(fd);
    }
}

/* Two hundred connections that drip a byte now and then take the sixteen places of their own
 * address; another address is served at once. */
static void test_slow_clients(void **state)
{
    int fds[200];

    (void)state;
    publish("/healthz", 200, "ok\n", SECONDS(60));
    for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
        fds[i] = connect_from("127.0.0.1");
        (void)send(fds[i], "GET /healthz HT", 15, MSG_NOSIGNAL);
    }
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
            (void)send(fds[i], "T", 1, MSG_NOSIGNAL);
        }
        ask_from("127.0.0.2", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        has_status("200 OK");
        has_body("ok\n");
    }
    for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
        (void)close(fds[i]);
    }
}

/* A client that goes away in the middle of a large page harms nobody. */
static void test_client_gone(void **state)
{
    static char large[4 << 20];
    const char *request = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";

    (void)state;
    memset(large, 'x', sizeof(large));
    assert_int_equal(
        http_publish(http, "/large", 200, "text/plain", large, sizeof(large), SECONDS(60)), 0);
    publish("/healthz", 200, "ok\n", SECONDS(60));
    for (int i = 0; i < 20; i++) {
        int fd = connect_from("127.0.0.1");

        assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
        (void)recv(fd, reply, 1000, 0);
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                         sizeof(struct linger));
        (void)close(fd);
    }
    ask_from("127.0.0.2", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    has_status("200 OK");
}

static atomic_bool enough;

static void *publish_on(void *context)
{
    static char page[100000];

    (void)context;
    for (unsigned i = 0; !atomic_load(&enough); i++) {
        memset(page, 'a' + (int)(i % 26), sizeof(page));
        (void)http_publish(http, "/page", 200, "text/plain", page, sizeof(page) - i % 1000,
                           SECONDS(60));
    }
    return NULL;
}

/* A page that is replaced while it is sent is sent whole: all of its bytes are of one publishing.
 */
static void test_publish_while_serving(void **state)
{
    pthread_t thread;

    (void)state;
    publish("/page", 200, "a", SECONDS(60));
    atomic_store(&enough, false);
    assert_int_equal(pthread_create(&thread, NULL, publish_on, NULL), 0);
    for (int i = 0; i < 200; i++) {
        const char *body = strstr(ask("GET /page"), "\r\n\r\n") + 4;
        size_t n = strtoul(strstr(reply, "Content-Length: ") + 16, NULL, 10);

        has_status("200 OK");
        assert_int_equal(strlen(body), n);
        assert_int_equal(strspn(body, (char[]){body[0], '\0'}), n);
    }
    atomic_store(&enough, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* The table of pages has an end. */
static void test_too_many_pages(void **state)
{
    char path[100];

    (void)state;
    for (int i = 0; i < 16; i++) {
        (void)snprintf(path, sizeof(path), "/%d", i);
        publish(path, 200, path, SECONDS(60));
    }
    assert_int_equal(http_publish(http, "/16", 200, "text/plain", "", 0, 0), -ENOSPC);
    publish("/15", 200, "again", SECONDS(60));
    ask("GET /15");
    has_body("again");
    http_stop(http);
    assert_int_equal(http_start("127.0.0.1:0", &http), 0);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(http_publish(http, path, 200, "text/plain", "", 0, 0), -ENOSPC);
}

/* Where one can listen, and where not. */
static void test_listen(void **state)
{
    static const char *const refused[] = {
        "",       "127.0.0.1", "127.0.0.1:",     ":80",          "localhost:80", "127.0.0.1:65536",
        "::1:80", "[::1]",     "[127.0.0.1]:80", "127.0.0.1:8x", "127.0.0.1:-1", "127.0.0.1: 1"};
    struct http *other = NULL;
    char listen[32];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        assert_int_equal(http_start(refused[i], &other), -EINVAL);
        assert_null(other);
    }
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%d", http_port(http));
    assert_int_equal(http_start(listen, &other), -EADDRINUSE);
    assert_int_equal(http_start("192.0.2.1:80", &other), -EADDRNOTAVAIL);
    assert_null(other);
    http_stop(NULL);
}

/* IPv6, where this machine has it. */
static void test_ipv6(void **state)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const char *request = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct http *other = NULL;
    int r = http_start("[::1]:0", &other), fd;

    (void)state;
    if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) {
        skip();
    }
    assert_int_equal(r, 0);
    assert_int_equal(http_publish(other, "/x", 200, "text/plain", "six", 3, SECONDS(60)), 0);
    to.sin6_port = htons((uint16_t)http_port(other));
    fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    (void)receive_all(fd);
    has_status("200 OK");
    has_body("six");
    (void)close(fd);
    http_stop(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, start, stop),
        cmocka_unit_test_setup_teardown(test_head, start, stop),
        cmocka_unit_test_setup_teardown(test_keep_alive, start, stop),
        cmocka_unit_test_setup_teardown(test_not_found, start, stop),
        cmocka_unit_test_setup_teardown(test_bad_method, start, stop),
        cmocka_unit_test_setup_teardown(test_unavailable, start, stop),
        cmocka_unit_test_setup_teardown(test_large_header, start, stop),
        cmocka_unit_test_setup_teardown(test_garbage, start, stop),
        cmocka_unit_test_setup_teardown(test_slow_clients, start, stop),
        cmocka_unit_test_setup_teardown(test_client_gone, start, stop),
        cmocka_unit_test_setup_teardown(test_publish_while_serving, start, stop),
        cmocka_unit_test_setup_teardown(test_too_many_pages, start, stop),
        cmocka_unit_test_setup_teardown(test_listen, start, stop),
        cmocka_unit_test_setup_teardown(test_ipv6, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
