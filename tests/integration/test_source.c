/* The topic source against a small HTTP server of the test's own: good, slow, huge, broken. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/source.h"
#include "common/clock.h"

#define VARZ "{\"server_name\":\"n1\",\"in_bytes\":%llu,\"out_bytes\":%llu}"
#define JSZ                                                                                        \
    "{\"account_details\":[{\"name\":\"A\",\"stream_detail\":[{\"name\":\"S\",\"state\":{"         \
    "\"messages\":10,\"bytes\":1000,\"last_seq\":%llu,\"consumer_count\":0}}]}]}"

enum manner {
    GOOD,
    SLOW,     /* accepts, and says nothing */
    ENDLESS,  /* a page without end */
    BROKEN,   /* half a page, and then the connection ends */
    NOT_JSON, /* a page of another kind */
    MISSING,  /* 404 */
    REDIRECT,
};

struct world {
    struct broker_options options;
    struct source *source;
    struct report *report;
    char url[64];
    int listener;
    pthread_t server;
    atomic_bool stopping;
    _Atomic(enum manner) manner;
    unsigned long long n_pages; /* the server's own */
};

static void send_text(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void send_page(struct world *w, int fd, const char *request)
{
    char body[512];
    char head[256];

    w->n_pages++;
    if (strncmp(request, "GET /varz ", strlen("GET /varz ")) == 0) {
        (void)snprintf(body, sizeof(body), VARZ, w->n_pages * 1000, w->n_pages * 2000);
    } else if (strncmp(request, "GET /jsz?accounts=1&streams=1&consumers=1&config=1 ", 51) == 0) {
        (void)snprintf(body, sizeof(body), JSZ, w->n_pages * 100);
    } else {
        (void)snprintf(body, sizeof(body), "?");
    }
    (void)snprintf(
        head, sizeof(head),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n%zx\r\n",
        strlen(body));
    send_text(fd, head);
    send_text(fd, body);
    send_text(fd, "\r\n0\r\n\r\n");
}

static void send_endless(struct world *w, int fd)
{
    char blanks[4096];

    memset(blanks, ' ', sizeof(blanks));
    send_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{");
    while (!atomic_load(&w->stopping) &&
           send(fd, blanks, sizeof(blanks), MSG_NOSIGNAL) == (ssize_t)sizeof(blanks)) {
    }
}

static void serve(struct world *w, int fd)
{
    char request[1024] = {0};

    if (recv(fd, request, sizeof(request) - 1, 0) <= 0) {
        return;
    }
    switch (atomic_load(&w->manner)) {
    case GOOD:
        send_page(w, fd, request);
        break;
    case SLOW: /* until the client gives up */
        (void)recv(fd, request, sizeof(request), 0);
        break;
    case ENDLESS:
        send_endless(w, fd);
        break;
    case BROKEN:
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"server_name\":\"n1\",");
        break;
    case NOT_JSON:
        send_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>welcome</html>");
        break;
    case MISSING:
        send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
        break;
    case REDIRECT:
        send_text(fd, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
                      "Content-Length: 2\r\n\r\n{}");
        break;
    }
}

static void *run_server(void *context)
{
    struct world *w = context;

    while (!atomic_load(&w->stopping)) {
        const int fd = accept(w->listener, NULL, NULL);

        if (fd >= 0) {
            serve(w, fd);
            (void)close(fd);
        }
    }
    return NULL;
}

static void listen_somewhere(struct world *w)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);

    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w->listener >= 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(w->listener, 16), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&address, &n), 0);
    (void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
}

static int set_up(void **state)
{
    static char id[] = "n1";
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->report = calloc(1, sizeof(*w->report));
    assert_non_null(w->report);
    listen_somewhere(w);
    w->options.id = id;
    w->options.source = (struct source_options){.type = SOURCE_NATS,
                                                .url = w->url,
                                                .interval_us = MILLISECONDS(200),
                                                .timeout_us = MILLISECONDS(300),
                                                .body_bytes_max = 65536};
    assert_int_equal(pthread_create(&w->server, NULL, run_server, w), 0);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    atomic_store(&w->stopping, true);
    source_stop(w->source);
    (void)shutdown(w->listener, SHUT_RDWR);
    (void)pthread_join(w->server, NULL);
    (void)close(w->listener);
    free(w->report);
    free(w);
    return 0;
}

static void start(struct world *w, enum manner manner)
{
    atomic_store(&w->manner, manner);
    assert_int_equal(source_start(&w->options, &w->source), 0);
}

/* A report with what is known now of the one broker. */
static const struct broker_load *fill(struct world *w, time_us *ret_at_us)
{
    struct broker_load *broker;

    report_clear(w->report);
    broker = report_add_broker(w->report);
    broker->state = BROKER_UP;
    broker->values[METRIC_NET_RX_BYTES_PER_S] = value_absent(VALUE_SHARED);
    *ret_at_us = source_fill(w->source, clock_now_us(), w->report, broker);
    return broker;
}

/* Wait until the source has polled so often with success, and failed so often. */
static struct source_statistics wait_for(struct world *w, uint64_t n_good, uint64_t n_failures)
{
    const time_us give_up_us = clock_now_us() + SECONDS(10);
    struct source_statistics statistics;

    for (;;) {
        source_statistics(w->source, &statistics);
        if (statistics.n_polls - statistics.n_failures >= n_good &&
            statistics.n_failures >= n_failures) {
            return statistics;
        }
        assert_true(clock_now_us() < give_up_us);
        (void)poll(NULL, 0, 5);
    }
}

/* Two good answers make topics with rates, and the server's own network rate. */
static void test_good(void **state)
{
    struct world *w = *state;
    const struct broker_load *broker;
    const time_us began_us = clock_now_us();
    time_us at_us;

    start(w, GOOD);
    (void)wait_for(w, 2, 0);
    (void)poll(NULL, 0, 20);
    broker = fill(w, &at_us);
    assert_true(broker->topics_known);
    assert_true(at_us >= began_us && at_us <= clock_now_us());
    assert_int_equal(broker->n_topics, 1);
    assert_string_equal(w->report->topics[0].name.text, "A/S");
    assert_true(value_is_present(w->report->topics[0].values[TOPIC_MESSAGES_IN_PER_S]));
    assert_true(w->report->topics[0].values[TOPIC_BYTES_IN_PER_S].number > 0);
    assert_true(value_is_present(broker->values[METRIC_NET_RX_BYTES_PER_S]));
}

/* An answer gets old: topics are unknown then, not gone and not the same for ever. */
static void test_stale(void **state)
{
    struct world *w = *state;
    time_us at_us;

    start(w, GOOD);
    (void)wait_for(w, 1, 0);
    atomic_store(&w->manner, MISSING);
    (void)wait_for(w, 1, 5);
    assert_false(fill(w, &at_us)->topics_known);
    assert_int_equal(at_us, TIME_NEVER);
    assert_int_equal(w->report->n_topics, 0);
    atomic_store(&w->manner, GOOD);
    (void)wait_for(w, 3, 5);
    assert_true(fill(w, &at_us)->topics_known);
}

/* A broker that is down has no topics that are known, however fresh the answer. */
static void test_down(void **state)
{
    struct world *w = *state;
    struct broker_load *broker;

    start(w, GOOD);
    (void)wait_for(w, 1, 0);
    report_clear(w->report);
    broker = report_add_broker(w->report);
    broker->state = BROKER_DOWN;
    assert_int_equal(source_fill(w->source, clock_now_us(), w->report, broker), TIME_NEVER);
    assert_false(broker->topics_known);
}

/* Answers that are no good are failures, each by itself, and none is believed in part. */
static void test_bad_answers(void **state)
{
    static const enum manner manners[] = {SLOW, ENDLESS, BROKEN, NOT_JSON, MISSING, REDIRECT};
    struct world *w = *state;
    struct source_statistics statistics = {0};
    time_us at_us;

    start(w, NOT_JSON);
    for (size_t i = 0; i < N_ELEMENTS(manners); i++) {
        atomic_store(&w->manner, manners[i]);
        statistics = wait_for(w, 0, statistics.n_failures + 2);
        assert_int_equal(statistics.n_polls, statistics.n_failures);
        assert_false(fill(w, &at_us)->topics_known);
    }
}

/* Nobody listens: a failure like others. */
static void test_refused(void **state)
{
    static char url[] = "http://127.0.0.1:1";
    struct world *w = *state;

    w->options.source.url = url;
    start(w, GOOD);
    (void)wait_for(w, 0, 2);
}

/* Stopping does not wait for a slow broker. */
static void test_stop(void **state)
{
    struct world *w = *state;
    time_us began_us;

    w->options.source.timeout_us = SECONDS(30);
    start(w, SLOW);
    (void)poll(NULL, 0, 100);
    began_us = clock_now_us();
    source_stop(w->source);
    w->source = NULL;
    assert_true(clock_now_us() - began_us < MILLISECONDS(500));
    source_stop(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_good),        CASE(test_stale),   CASE(test_down),
        CASE(test_bad_answers), CASE(test_refused), CASE(test_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
