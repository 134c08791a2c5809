/* Serving: the loop that turns messages into events, and effects into messages.
 *
 * One thread polls the sockets' descriptors, drains what is there, a bounded number from each in
 * turn so that none starves the others, and steps the core with each message. Nothing here blocks:
 * answers and the feed are queued by the link layer, pages are served by a thread of their own. */
#include "aggregator/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "aggregator/aggregator.h"
#include "aggregator/metrics_page.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/limits.h"
#include "common/link.h"
#include "common/log.h"
#include "common/name.h"
#include "common/process.h"
#include "common/wire.h"

/* Messages taken from one socket before the others have their turn. */
#define DRAIN_MESSAGES_MAX 256

/* The longest query is one topic and one id; the longest poll 32 receipts of some 300 bytes. */
#define QUERY_BYTES_MAX (16UL * 1024)
#define POLL_BYTES_MAX  (64UL * 1024)

/* Reports may be an hour apart; a connection that is ended for silence comes back at once. */
#define REPORTS_SILENT_US SECONDS(300)

/* An agent asks again as soon as its poll has been held; this is on top. */
#define DECISIONS_SILENT_US SECONDS(60)

/* A client that asks nothing for so long is cut off, and dials again: strangers who only hold
 * connections must not keep others out. */
#define QUERIES_SILENT_US SECONDS(300)

/* A page that the loop has not renewed for so long is answered with 503: the loop hangs. */
#define PAGE_VALID_US SECONDS(10)

#define HOUSEKEEPING_US SECONDS(1)

enum { REPORTS, DECISIONS, QUERIES, FEED, SOCKETS };

static const char *const socket_names[SOCKETS] = {"reports", "decisions", "queries", "feed"};

struct serve {
    const struct aggregator_config *config;
    char id[ID_BYTES_MAX + 1];
    uint64_t boot_id;
    struct aggregator *aggregator;
    struct aggregator_effects effects;
    struct link *links[SOCKETS];
    uint64_t seqs[SOCKETS];
    struct http *http;
    time_us house_kept_us;

    /* What messages are decoded into and encoded in. */
    struct report report;
    struct poll_request poll;
    struct query query;
    uint8_t out[ANSWER_BYTES_MAX];
    char page[METRICS_PAGE_BYTES_MAX];
};

static struct envelope envelope_for(struct serve *serve, int socket)
{
    struct envelope envelope = {
        .boot_id = serve->boot_id,
        .seq = ++serve->seqs[socket],
        .sent_unix_us = clock_unix_us(),
    };

    memcpy(envelope.sender, serve->id, sizeof(envelope.sender));
    return envelope;
}

/* An answer that is too long for a message, or does not pass its own check, is still an answer. */
static int put_answer(struct serve *serve, const struct answer *answer, size_t *ret_n)
{
    struct envelope envelope = envelope_for(serve, QUERIES);
    struct answer apology = {.verb = answer->verb, .status = ANSWER_FULL};
    int r;

    r = wire_put_answer(&envelope, answer, serve->out, sizeof(serve->out), ret_n);
    if (r < 0) {
        log_event(LOG_WARN, "answer_not_sent", log_text("verb", query_verb_name(answer->verb)),
                  log_text("error", strerror(-r)));
        (void)snprintf(apology.text, sizeof(apology.text),
                       "the answer is longer than a message can be");
        r = wire_put_answer(&envelope, &apology, serve->out, sizeof(serve->out), ret_n);
    }
    return r;
}

static int put_reply(struct serve *serve, const struct poll_reply *reply, size_t *ret_n)
{
    struct envelope envelope = envelope_for(serve, DECISIONS);

    return wire_put_poll_reply(&envelope, reply, serve->out, sizeof(serve->out), ret_n);
}

static int put_feed(struct serve *serve, const struct feed *feed, size_t *ret_n)
{
    struct envelope envelope = envelope_for(serve, FEED);

    return wire_put_feed(&envelope, feed, serve->out, sizeof(serve->out), ret_n);
}

static void write_line(const struct aggregator_line *line)
{
    struct log_field fields[N_ELEMENTS(line->fields)];

    for (size_t i = 0; i < line->n_fields; i++) {
        const char *key = line->fields[i].key;

        fields[i] = line->fields[i].is_text ? log_text(key, line->fields[i].text)
                                            : log_number(key, line->fields[i].number);
    }
    log_write(line->warning ? LOG_WARN : LOG_INFO, line->event, fields, (int)line->n_fields);
}

static void carry_out(struct serve *serve, const struct aggregator_effect *effect)
{
    size_t n;
    int r = 0;

    switch (effect->kind) {
    case AGGREGATOR_ANSWER:
        r = put_answer(serve, effect->answer, &n);
        r = r == 0 ? link_answer(serve->links[QUERIES], effect->token, serve->out, n) : r;
        break;
    case AGGREGATOR_REPLY:
        r = put_reply(serve, effect->reply, &n);
        r = r == 0 ? link_answer(serve->links[DECISIONS], effect->token, serve->out, n) : r;
        break;
    case AGGREGATOR_PUBLISH:
        r = put_feed(serve, effect->feed, &n);
        r = r == 0 ? link_send(serve->links[FEED], serve->out, n) : r;
        break;
    case AGGREGATOR_LOG:
        write_line(effect->line);
        break;
    }
    if (r < 0 && r != -ENOTCONN) { /* a peer that has gone needs no answer */
        log_event(LOG_WARN, "message_not_sent", log_number("effect", effect->kind),
                  log_text("error", strerror(-r)));
    }
}

static void step(struct serve *serve, struct aggregator_event *event)
{
    event->now_us = clock_now_us();
    aggregator_step(serve->aggregator, event, &serve->effects);
    for (size_t i = 0; i < serve->effects.n; i++) {
        carry_out(serve, &serve->effects.effects[i]);
    }
}

static enum aggregator_garbling garbling_of(int r)
{
    if (r == -EPROTONOSUPPORT) {
        return AGGREGATOR_UNSUPPORTED;
    }
    return r == -EMSGSIZE ? AGGREGATOR_OVERSIZE : AGGREGATOR_MALFORMED;
}

/* A message that could not be decoded for `r`: whoever sent it is named as well as can be. */
static void step_garbled(struct serve *serve, enum aggregator_socket socket,
                         const struct link_message *message, int r, const char *why)
{
    struct aggregator_event event = {
        .kind = AGGREGATOR_GARBLED,
        .socket = socket,
        .garbling = garbling_of(r),
        .token = message->request,
        .text = why,
    };
    char ignored[TEXT_BYTES_MAX + 1], peer[ID_BYTES_MAX + 1];
    struct envelope envelope;

    if (wire_get_envelope(message->bytes, message->n, &envelope, ignored) == 0) {
        event.peer = envelope.sender;
    } else {
        (void)snprintf(peer, sizeof(peer), "connection %" PRIu64, message->pipe);
        event.peer = peer;
    }
    step(serve, &event);
}

static void take_report(struct serve *serve, const struct link_message *message)
{
    struct aggregator_event event = {
        .kind = AGGREGATOR_REPORTED, .report = &serve->report, .bytes = message->n};
    char why[TEXT_BYTES_MAX + 1];
    int r;

    r = wire_get_report(message->bytes, message->n, &serve->report, why);
    if (r < 0) {
        step_garbled(serve, AGGREGATOR_REPORTS, message, r, why);
        return;
    }
    link_vouch(serve->links[REPORTS], message->pipe);
    step(serve, &event);
}

static void take_poll(struct serve *serve, const struct link_message *message)
{
    struct aggregator_event event = {
        .kind = AGGREGATOR_POLLED, .poll = &serve->poll, .token = message->request};
    char why[TEXT_BYTES_MAX + 1];
    int r;

    r = wire_get_poll_request(message->bytes, message->n, &serve->poll, why);
    if (r < 0) {
        step_garbled(serve, AGGREGATOR_DECISIONS, message, r, why);
        return;
    }
    link_vouch(serve->links[DECISIONS], message->pipe);
    step(serve, &event);
}

static void take_query(struct serve *serve, const struct link_message *message)
{
    struct aggregator_event event = {
        .kind = AGGREGATOR_ASKED, .query = &serve->query, .token = message->request};
    char why[TEXT_BYTES_MAX + 1];
    int r;

    r = wire_get_query(message->bytes, message->n, &serve->query, why);
    if (r < 0) {
        step_garbled(serve, AGGREGATOR_QUERIES, message, r, why);
        return;
    }
    link_vouch(serve->links[QUERIES], message->pipe);
    step(serve, &event);
}

/* Take what is there. Returns whether there may be more. */
static bool drain(struct serve *serve, int socket,
                  void (*take)(struct serve *, const struct link_message *))
{
    struct link_message message;

    for (int i = 0; i < DRAIN_MESSAGES_MAX; i++) {
        if (link_receive(serve->links[socket], &message) < 0) {
            return false;
        }
        take(serve, &message);
    }
    return true;
}

static struct metrics_link link_metrics(const struct serve *serve, int socket)
{
    struct link_statistics statistics;

    link_statistics(serve->links[socket], &statistics);
    return (struct metrics_link){
        .name = socket_names[socket],
        .n_pipes = link_n_pipes(serve->links[socket]),
        .n_connected = statistics.n_connected,
        .n_disconnected = statistics.n_disconnected,
        .n_rejected = statistics.n_rejected,
        .n_swept = statistics.n_swept,
        .n_kicked = statistics.n_kicked,
        .n_dropped = statistics.n_dropped,
    };
}

static void publish(struct serve *serve, const char *path, int status, const char *type,
                    const char *bytes, size_t n)
{
    int r = http_publish(serve->http, path, status, type, bytes, n, PAGE_VALID_US);

    if (r < 0) {
        log_event(LOG_WARN, "page_not_published", log_text("path", path),
                  log_text("error", strerror(-r)));
    }
}

static void publish_text(struct serve *serve, const char *path, int status, const char *text)
{
    publish(serve, path, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void publish_pages(struct serve *serve)
{
    struct metrics_shell shell = {
        .nng_version = link_library_version(),
        .nng_is_defective = link_library_is_defective(),
        .reaper_is_alive = link_canary_is_alive(),
        .n_links = SOCKETS,
    };
    struct buffer page = buffer_over(serve->page, sizeof(serve->page));
    bool ready = aggregator_is_ready(serve->aggregator);

    process_usage(&shell.usage);
    for (int i = 0; i < SOCKETS; i++) {
        shell.links[i] = link_metrics(serve, i);
    }
    metrics_page(serve->aggregator, &shell, &page);
    publish(serve, "/metrics", page.overflowed ? 503 : 200, "text/plain; version=0.0.4", page.bytes,
            page.n);
    publish_text(serve, "/healthz", 200, "ok\n");
    publish_text(serve, "/readyz", ready ? 200 : 503,
                 ready ? "ok\n" : "no report has come since the start\n");
}

static void keep_house(struct serve *serve, time_us now_us)
{
    if (now_us - serve->house_kept_us < HOUSEKEEPING_US) {
        return;
    }
    serve->house_kept_us = now_us;
    for (int i = 0; i < SOCKETS; i++) {
        link_sweep(serve->links[i], now_us);
    }
    if (serve->http != NULL) {
        publish_pages(serve);
    }
    log_flush(now_us);
}

/* Wait for a message or a signal, or until the next thing is due. Returns poll(2)'s word. */
static int wait_for_something(const struct serve *serve, int signal_fd, bool more,
                              bool *ret_signalled)
{
    struct pollfd fds[] = {
        {.fd = signal_fd, .events = POLLIN},
        {.fd = link_fd(serve->links[REPORTS]), .events = POLLIN},
        {.fd = link_fd(serve->links[DECISIONS]), .events = POLLIN},
        {.fd = link_fd(serve->links[QUERIES]), .events = POLLIN},
    };
    time_us now_us = clock_now_us();
    time_us due_us = MIN(serve->effects.wake_at_us, serve->house_kept_us + HOUSEKEEPING_US) -
                     now_us;
    /* Rounded up, or the last millisecond would be spent spinning. */
    int timeout_ms = more ? 0 : (int)((CLAMP(due_us, 0, HOUSEKEEPING_US) + 999) / US_PER_MS);
    int r = poll(fds, N_ELEMENTS(fds), timeout_ms);

    *ret_signalled = r > 0 && (fds[0].revents & POLLIN) != 0;
    return r < 0 && errno != EINTR ? -errno : 0;
}

static bool turn(struct serve *serve)
{
    struct aggregator_event woken = {.kind = AGGREGATOR_WOKEN};
    bool more = false;

    more |= drain(serve, QUERIES, take_query);
    more |= drain(serve, DECISIONS, take_poll);
    more |= drain(serve, REPORTS, take_report);
    if (clock_now_us() >= serve->effects.wake_at_us) {
        step(serve, &woken);
    }
    keep_house(serve, clock_now_us());
    return more;
}

/* Take a signal. A configuration is read at the start only: SIGHUP is told, and changes nothing. */
static bool is_told_to_stop(int signal_fd)
{
    struct signalfd_siginfo info;

    if (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info) && info.ssi_signo == SIGHUP) {
        log_event(LOG_WARN, "reload_unsupported", log_text("signal", "SIGHUP"));
        return false;
    }
    return true;
}

int serve_run(struct serve *serve, int signal_fd)
{
    bool more = false, signalled = false;
    int r;

    for (;;) {
        r = wait_for_something(serve, signal_fd, more, &signalled);
        if (r < 0) {
            log_event(LOG_ERROR, "poll_failed", log_text("error", strerror(-r)));
            return EXIT_FAILURE;
        }
        if (signalled && is_told_to_stop(signal_fd)) {
            log_event(LOG_INFO, "stopping", log_text("why", "signal"));
            return EXIT_SUCCESS;
        }
        if (!link_canary_is_alive()) {
            log_event(LOG_ERROR, "nng_wedged",
                      log_text("what", "connections are not ended any more; to be started again"));
            return EXIT_WEDGED;
        }
        more = turn(serve);
    }
}

static int open_link(struct serve *serve, int socket, enum link_kind kind, const char *url,
                     const struct link_options *options)
{
    int r = link_open(kind, url, options, &serve->links[socket]);

    if (r < 0) {
        log_event(LOG_ERROR, "listen_failed", log_text("socket", socket_names[socket]),
                  log_text("url", url), log_text("error", strerror(-r)));
        return r;
    }
    log_event(LOG_INFO, "listening", log_text("socket", socket_names[socket]),
              log_text("url", url));
    return 0;
}

static int open_links(struct serve *serve)
{
    const struct listen_options *listen = &serve->config->listen;
    struct link_options reports = {.silent_us_max = REPORTS_SILENT_US};
    struct link_options decisions = {
        .receive_bytes_max = POLL_BYTES_MAX,
        .silent_us_max = serve->config->poll_hold_us + DECISIONS_SILENT_US,
    };
    struct link_options queries = {
        .receive_bytes_max = QUERY_BYTES_MAX,
        .silent_us_max = QUERIES_SILENT_US,
    };
    int r;

    r = open_link(serve, REPORTS, LINK_REPORTS_IN, listen->reports, &reports);
    if (r == 0) {
        r = open_link(serve, DECISIONS, LINK_ANSWER, listen->decisions, &decisions);
    }
    if (r == 0) {
        r = open_link(serve, QUERIES, LINK_ANSWER, listen->queries, &queries);
    }
    if (r == 0) {
        r = open_link(serve, FEED, LINK_FEED_OUT, listen->feed, NULL);
    }
    return r;
}

static int open_http(struct serve *serve)
{
    const char *listen = serve->config->http_listen;
    int r;

    if (listen[0] == '\0') {
        return 0;
    }
    r = http_start(listen, &serve->http);
    if (r < 0) {
        log_event(LOG_ERROR, "listen_failed", log_text("socket", "http"), log_text("url", listen),
                  log_text("error", strerror(-r)));
        return r;
    }
    log_event(LOG_INFO, "listening", log_text("socket", "http"), log_text("url", listen),
              log_number("port", http_port(serve->http)));
    return 0;
}

/* The configured id, else the host's name, as far as it is an id. */
static void set_id(struct serve *serve)
{
    char host[ID_BYTES_MAX + 1] = "";

    if (serve->config->id[0] != '\0') {
        (void)name_copy(serve->id, sizeof(serve->id), serve->config->id);
        return;
    }
    (void)gethostname(host, sizeof(host) - 1);
    (void)name_copy(serve->id, sizeof(serve->id), name_is_id(host) ? host : "aggregator");
}

static int start_core(struct serve *serve)
{
    struct aggregator_settings settings = aggregator_config_settings(serve->config);
    struct aggregator_event woken = {.kind = AGGREGATOR_WOKEN};

    (void)snprintf(settings.version, sizeof(settings.version), "%s", EVENKEEL_VERSION);
    settings.epoch = (uint64_t)(clock_unix_us() / US_PER_S);
    serve->boot_id = clock_random();
    serve->aggregator = aggregator_new(&settings, clock_now_us());
    if (serve->aggregator == NULL) {
        log_event(LOG_ERROR, "no_memory", log_text("what", "the fleet"));
        return -ENOMEM;
    }
    step(serve, &woken);
    return 0;
}

static int start_canary(void)
{
    int r = link_canary_start();

    if (r < 0) {
        log_event(LOG_ERROR, "canary_failed", log_text("error", strerror(-r)));
        return r;
    }
    if (link_library_is_defective()) {
        log_event(LOG_WARN, "nng_old", log_text("version", link_library_version()),
                  log_text("what", "older than 1.6; a deadlock of its is watched for"));
    }
    return 0;
}

int serve_open(const struct aggregator_config *config, struct serve **ret_serve)
{
    struct serve *serve = calloc(1, sizeof(*serve));
    int r;

    if (serve == NULL) {
        log_event(LOG_ERROR, "no_memory", log_text("what", "the buffers"));
        return -ENOMEM;
    }
    serve->config = config;
    set_id(serve);
    r = start_canary();
    r = r == 0 ? open_links(serve) : r;
    r = r == 0 ? open_http(serve) : r;
    r = r == 0 ? start_core(serve) : r;
    if (r < 0) {
        serve_close(serve);
        return r;
    }
    keep_house(serve, clock_now_us());
    *ret_serve = serve;
    return 0;
}

void serve_close(struct serve *serve)
{
    if (serve == NULL) {
        return;
    }
    http_stop(serve->http);
    for (int i = 0; i < SOCKETS; i++) {
        link_close(serve->links[i]);
    }
    aggregator_free(serve->aggregator);
    free(serve);
}
