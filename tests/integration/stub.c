/* A stub aggregator for tests. It aborts when it cannot do its part: then the test means nothing.
 */
#include "tests/integration/stub.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/link.h"
#include "common/wire.h"

void free_url(char *ret_url, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &n) < 0) {
        abort();
    }
    (void)close(fd);
    (void)snprintf(ret_url, size, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
}

static struct broker_view view(const char *id, double score)
{
    struct broker_view made = {.freshness = FRESH,
                               .ranked = true,
                               .score = score,
                               .age_us = MILLISECONDS(1500),
                               .n_topics = 1,
                               .report_bytes = 700};

    (void)name_copy(made.id, sizeof(made.id), id);
    (void)name_copy(made.node, sizeof(made.node), "host-1");
    (void)name_copy(made.address, sizeof(made.address), "nats://127.0.0.1:4222");
    return made;
}

static struct broker_view view_with_values(const char *id)
{
    struct broker_view made = view(id, 0.5);

    made.with_values = true;
    for (size_t i = 0; i < METRICS; i++) {
        made.values[i] = value_absent(VALUE_FIRST);
    }
    made.values[METRIC_MEMORY_BYTES] = value_of(4096);
    return made;
}

/* What a proper answer is made of; one for each stub's call. */
struct material {
    struct answer answer;
    struct broker_view brokers[2];
    struct topic_load topic;
    struct move_view move;
};

static void fill_reports(struct material *material, const struct query *query)
{
    struct answer *answer = &material->answer;

    material->brokers[0] = view_with_values(query->broker[0] != '\0' ? query->broker : "a");
    answer->n_brokers = 1;
    if (query->broker[0] == '\0') {
        return;
    }
    answer->n_peers = 3;
    (void)name_copy(answer->peers[0], sizeof(answer->peers[0]), "a");
    (void)name_copy(answer->peers[1], sizeof(answer->peers[1]), "b");
    (void)name_copy(answer->peers[2], sizeof(answer->peers[2]), "c");
    material->topic = (struct topic_load){.name = {"orders"}, .movable = true, .candidates = 6};
    for (size_t i = 0; i < TOPIC_METRICS; i++) {
        material->topic.values[i] = value_of((double)i);
    }
    answer->topics = &material->topic;
    answer->n_topics = 1;
}

static void fill_move(struct material *material, const struct query *query)
{
    material->move = (struct move_view){.id = query->verb == QUERY_MOVES ? query->move_id : 7,
                                        .topic = {"orders"},
                                        .from = "a",
                                        .to = "b",
                                        .state = MOVE_RUNNING,
                                        .seconds = 0.5};
    if (query->verb == QUERY_MOVE) {
        material->move.topic = query->topic;
        (void)name_copy(material->move.to, sizeof(material->move.to), query->broker);
    }
    if (query->dry_run) {
        material->move.id = 0;
        material->move.state = MOVE_ENDED;
        material->move.outcome = MOVE_NOOP;
    }
    material->answer.moves = &material->move;
    material->answer.n_moves = 1;
}

/* An answer as an honest aggregator gives it. */
static void fill_proper(struct material *material, const struct query *query)
{
    struct answer *answer = &material->answer;

    answer->verb = query->verb;
    answer->brokers = material->brokers;
    answer->placement = (struct placement){.topic = query->topic,
                                           .broker = "a",
                                           .address = "nats://127.0.0.1:4222",
                                           .source = PLACEMENT_ASSIGNED};
    if (query->verb == QUERY_STATUS) {
        answer->fleet = (struct aggregator_status){
            .version = "0.1.0", .algorithm = "simple", .epoch = 5, .uptime_s = 2.5, .n_fresh = 2};
    } else if (query->verb == QUERY_RANKING) {
        material->brokers[0] = view("b", 0.25);
        material->brokers[1] = view("a", 0.5);
        answer->n_brokers = 2;
    } else if (query->verb == QUERY_REPORTS) {
        fill_reports(material, query);
    } else if (query->verb == QUERY_MOVE || query->verb == QUERY_MOVES) {
        fill_move(material, query);
    }
}

static void fail_with(struct answer *answer, enum answer_status status, const char *text)
{
    answer->status = status;
    (void)name_copy(answer->text, sizeof(answer->text), text);
}

static void fill_answer(struct material *material, const struct query *query, enum manner manner)
{
    struct query other = {.verb = QUERY_STATUS};

    fill_proper(material, manner == OTHER_VERB ? &other : query);
    if (manner == OTHER_TOPIC) {
        (void)name_copy(material->answer.placement.topic.text,
                        sizeof(material->answer.placement.topic.text), "another");
    } else if (manner == REFUSING) {
        fail_with(&material->answer, ANSWER_REFUSED, "b is not a candidate of orders");
    } else if (manner == NOT_READY) {
        fail_with(&material->answer, ANSWER_NOT_READY, "awaiting the first reports");
    } else if (manner == MISSING) {
        fail_with(&material->answer, ANSWER_NOT_FOUND, "no such topic");
    } else if (manner == CANNOT_READ) {
        fail_with(&material->answer, ANSWER_UNSUPPORTED, "version 9 is spoken here");
    }
}

/* Encode the stub's answer. Returns its length. */
static size_t encode(struct stub *stub, const struct query *query, uint8_t *bytes, size_t size)
{
    const struct envelope envelope = {.sender = "stub", .boot_id = 1, .seq = 1};
    struct material material = {0};
    size_t n = 0;

    if (stub->manner == GARBAGE) {
        memset(bytes, 0xc1, 100);
        return 100;
    }
    fill_answer(&material, query, stub->manner);
    if (stub->manner == ENDING && query->verb == QUERY_MOVES && ++stub->n_moves_asked >= 3) {
        material.move.state = MOVE_ENDED;
        material.move.outcome = stub->outcome;
    }
    if (wire_put_answer(&envelope, &material.answer, bytes, size, &n) < 0) {
        (void)fprintf(stderr, "the stub cannot encode its answer to %d\n", (int)query->verb);
        abort();
    }
    if (stub->manner == NEWER_MAJOR) {
        bytes[1] = WIRE_MAJOR + 1; /* after the array's head */
    }
    return n;
}

static void serve(struct stub *stub, struct link *link, const struct link_message *message)
{
    uint8_t bytes[64 * 1024];
    char text[TEXT_BYTES_MAX + 1];
    struct query query;

    atomic_fetch_add(&stub->n_asked, 1);
    if (wire_get_query(message->bytes, message->n, &query, text) < 0) {
        (void)fprintf(stderr, "the stub cannot read the query: %s\n", text);
        abort();
    }
    if (stub->manner == HANGING_UP) {
        link_kick(link, message->pipe);
    } else if (stub->manner != SILENT) {
        (void)link_answer(link, message->request, bytes,
                          encode(stub, &query, bytes, sizeof(bytes)));
    }
}

static void *stub_run(void *argument)
{
    struct stub *stub = argument;
    struct link_message message;
    struct link *link;

    if (link_open(LINK_ANSWER, stub->url, NULL, &link) < 0) {
        abort();
    }
    atomic_store(&stub->listens, true);
    while (!atomic_load(&stub->stop)) {
        struct pollfd readable = {.fd = link_fd(link), .events = POLLIN};

        (void)poll(&readable, 1, 10);
        while (link_receive(link, &message) == 0) {
            serve(stub, link, &message);
        }
    }
    link_close(link);
    return NULL;
}

void stub_start(struct stub *stub, enum manner manner)
{
    stub->manner = manner;
    atomic_store(&stub->stop, false);
    atomic_store(&stub->listens, false);
    atomic_store(&stub->n_asked, 0);
    if (pthread_create(&stub->thread, NULL, stub_run, stub) != 0) {
        abort();
    }
    while (!atomic_load(&stub->listens)) {
        (void)poll(NULL, 0, 1);
    }
}

void stub_stop(struct stub *stub)
{
    atomic_store(&stub->stop, true);
    (void)pthread_join(stub->thread, NULL);
}
