/* The agent's loop. Shell.
 *
 * What happens becomes an event in a short queue; each is given to agent_step(), and its effects
 * are carried out before the next is taken. An effect that fails at once (nobody to ask, a program
 * that is not there) is such an event itself, so that the deciding part hears of it like of every
 * other failure.
 *
 * The thread of the loop does everything but topic sources (a thread each) and HTTP
 * (libmicrohttpd's thread). Sampling is done in it: it takes less than a millisecond and is what
 * the loop is for. */
#include "agent/loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/apply.h"
#include "agent/footprint.h"
#include "agent/observe.h"
#include "agent/pages.h"
#include "agent/sampler.h"
#include "agent/source.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/limits.h"
#include "common/link.h"
#include "common/log.h"
#include "common/name.h"
#include "common/process.h"
#include "common/wire.h"

/* An aggregator holds a poll for ten seconds; longer than this, and it is gone. */
#define POLL_TIMEOUT_US SECONDS(15)

/* Links are swept, the log flushed, the library's canary looked at and pages published right after
 * a sample, when the process is awake anyway; not more often than the first time, and not more
 * seldom than the second. */
#define TICK_US_MIN MILLISECONDS(900)
#define TICK_US_MAX SECONDS(5)

/* Pages are published when somebody has asked since the last time or the state of readiness is
 * another, and else so often. A page that was not published for longer than the second time is not
 * served: the loop hangs. */
#define PUBLISH_US     SECONDS(5)
#define PAGES_VALID_US SECONDS(20)

/* By then everything has run once: connected, sampled, looked for all brokers again. */
#define TRIM_US SECONDS(15)

/* Five lines a source; touched only as far as it is filled. */
#define PAGE_BYTES_MAX (512 * 1024)

/* Events that one event can bring about: every ask and every run may fail, and a sample. */
#define QUEUE_MAX (AGGREGATORS_MAX + DECISIONS_PER_REPLY_MAX + 2)

#define FDS_MAX (1 + AGGREGATORS_MAX + APPLY_FDS_MAX)

struct queued {
    struct agent_event event;
    char text[TEXT_BYTES_MAX + 1];
};

struct loop {
    const struct agent_config *config;
    const struct aggregator_options *aggregators;
    const struct broker_options *brokers;
    char node[ID_BYTES_MAX + 1];
    uint64_t boot_id;
    bool stopping;
    int exit_status;
    int signals;
    struct http *http;
    struct apply *apply;
    struct sampler *sampler;
    struct source *sources[NODE_BROKERS_MAX]; /* NULL: the broker has none */
    struct link *reports[AGGREGATORS_MAX];
    struct link *decisions[AGGREGATORS_MAX];
    uint64_t poll_seq[AGGREGATORS_MAX];
    time_us wake_at_us, ticked_at_us, publish_at_us, trim_at_us;
    bool was_sampled; /* since the last tick */
    bool was_ready;   /* as the page says */
    size_t report_bytes;
    double sample_seconds;
    size_t queue_first, n_queued;
    struct queued queue[QUEUE_MAX];
    struct agent agent;
    struct agent_effects effects;
    struct poll_reply reply;
    struct report report;
    struct page_numbers numbers;
    char page[PAGE_BYTES_MAX];
    uint8_t message[MESSAGE_BYTES_MAX];
};

/* --- events --- */

static void post(struct loop *loop, const struct agent_event *event, const char *text)
{
    struct queued *queued = &loop->queue[(loop->queue_first + loop->n_queued) % QUEUE_MAX];

    assert(loop->n_queued < QUEUE_MAX);
    loop->n_queued++;
    queued->event = *event;
    queued->event.now_us = clock_now_us();
    (void)snprintf(queued->text, sizeof(queued->text), "%s", text);
    queued->event.text = queued->text;
}

static void post_poll_unsent(struct loop *loop, size_t aggregator)
{
    post(loop, &(struct agent_event){.kind = AGENT_POLL_UNSENT, .aggregator = aggregator},
         "not connected");
}

static void post_poll_failed(struct loop *loop, size_t aggregator, const char *why)
{
    post(loop, &(struct agent_event){.kind = AGENT_POLL_FAILED, .aggregator = aggregator}, why);
}

/* --- effects --- */

static void tell_decision(const char *event, enum log_level level, const struct agent_note *note)
{
    log_event(level, event, log_text("status", receipt_status_name(note->status)),
              log_number("epoch", (int64_t)note->epoch), log_number("seq", (int64_t)note->seq),
              log_text(note->topic[0] != '\0' ? "topic" : NULL, note->topic),
              log_text("text", note->text));
}

static void tell(const struct loop *loop, const struct agent_note *note)
{
    const char *url = loop->aggregators[note->aggregator].decisions;

    switch (note->kind) {
    case AGENT_NOTE_DECISION:
        tell_decision("decision_judged", note->status == RECEIPT_ACCEPTED ? LOG_INFO : LOG_WARN,
                      note);
        break;
    case AGENT_NOTE_ENDED:
        tell_decision("actuator_ended", note->status == RECEIPT_SUCCEEDED ? LOG_INFO : LOG_WARN,
                      note);
        break;
    case AGENT_NOTE_POLL_REFUSED:
        log_event(LOG_WARN, "poll_refused", log_text("aggregator", url),
                  log_text("text", note->text));
        break;
    case AGENT_NOTE_EPOCH_REFUSED:
        log_event(LOG_WARN, "epoch_refused", log_text("aggregator", url),
                  log_number("epoch", (int64_t)note->epoch));
        break;
    case AGENT_NOTE_LOST:
        log_event(LOG_WARN, "aggregator_lost", log_text("aggregator", url),
                  log_text("why", note->text));
        break;
    case AGENT_NOTE_FOUND:
        log_event(LOG_INFO, "aggregator_found", log_text("aggregator", url));
        break;
    }
}

static struct envelope envelope(const struct loop *loop, uint64_t seq)
{
    struct envelope made = {.boot_id = loop->boot_id, .seq = seq, .sent_unix_us = clock_unix_us()};

    memcpy(made.sender, loop->node, sizeof(made.sender));
    return made;
}

/* Encode the report, with fewer topics if it must be. */
static int encode_report(struct loop *loop, size_t *ret_n)
{
    const struct envelope head = envelope(loop, loop->report.seq);
    int r;

    for (;;) {
        r = wire_put_report(&head, &loop->report, loop->message, sizeof(loop->message), ret_n);
        if (r != -ENOSPC || !agent_thin_report(&loop->report)) {
            return r;
        }
    }
}

/* Every aggregator hears the same, but for what it has decided itself. */
static void publish_report(struct loop *loop, const uint64_t applied_seqs[AGGREGATORS_MAX])
{
    for (size_t i = 0; i < loop->config->aggregators.n; i++) {
        size_t n = 0;
        int r;

        loop->report.applied_seq = applied_seqs[i];
        r = encode_report(loop, &n);
        if (r < 0) {
            char why[TEXT_BYTES_MAX + 1] = "too long for a message";

            (void)report_check(&loop->report, why);
            log_event(LOG_ERROR, "report_unsendable", log_text("why", why));
            return;
        }
        loop->report_bytes = n;
        r = link_send(loop->reports[i], loop->message, n);
        if (r < 0) {
            log_event(LOG_ERROR, "report_not_sent",
                      log_text("aggregator", loop->aggregators[i].reports),
                      log_text("error", strerror(-r)));
        }
    }
}

static void run_actuator(struct loop *loop, const struct agent_run *run)
{
    const struct actuator_options *actuator = &loop->brokers[run->broker].actuator;
    char text[TEXT_BYTES_MAX + 1];
    int r;

    r = apply_start(loop->apply, &run->decision, actuator, clock_now_us(), run->deadline_us);
    if (r == 0) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%s could not be started: %s", actuator->command.texts[0],
                   strerror(-r));
    name_make_clean(text);
    post(loop,
         &(struct agent_event){.kind = AGENT_ACTUATOR_ENDED,
                               .epoch = run->decision.epoch,
                               .seq = run->decision.seq,
                               .status = RECEIPT_FAILED},
         text);
}

static void ask(struct loop *loop, const struct agent_ask *ask)
{
    const size_t i = ask->aggregator;
    struct envelope head;
    size_t n;
    int r;

    if (link_n_pipes(loop->decisions[i]) == 0) {
        post_poll_unsent(loop, i);
        return;
    }
    head = envelope(loop, ++loop->poll_seq[i]);
    r = wire_put_poll_request(&head, &ask->request, loop->message, sizeof(loop->message), &n);
    if (r == 0) {
        r = link_ask(loop->decisions[i], loop->message, n, POLL_TIMEOUT_US);
    }
    if (r == -EAGAIN) {
        post_poll_unsent(loop, i);
    } else if (r < 0) {
        post_poll_failed(loop, i, strerror(-r));
    }
}

/* --- sampling --- */

static void sample(struct loop *loop)
{
    const time_us now_us = clock_now_us();
    const time_us seen_us = observe(loop->config, loop->sampler, loop->sources, now_us,
                                    &loop->report);

    loop->sample_seconds = (double)(clock_now_us() - now_us) / (double)US_PER_S;
    loop->was_sampled = true;
    post(
        loop,
        &(struct agent_event){
            .kind = AGENT_SAMPLED, .report = &loop->report, .taken_us = now_us, .seen_us = seen_us},
        "");
}

/* --- the queue --- */

static void carry_out(struct loop *loop)
{
    const struct agent_effects *effects = &loop->effects;

    for (size_t i = 0; i < effects->n_notes; i++) {
        tell(loop, &effects->notes[i]);
    }
    if (effects->publish) {
        publish_report(loop, effects->applied_seqs);
    }
    for (size_t i = 0; i < effects->n_runs; i++) {
        run_actuator(loop, &effects->runs[i]);
    }
    for (size_t i = 0; i < effects->n_asks; i++) {
        ask(loop, &effects->asks[i]);
    }
    if (effects->sample) {
        sample(loop);
    }
    loop->wake_at_us = effects->wake_at_us;
}

static void work_off(struct loop *loop)
{
    while (loop->n_queued > 0) {
        struct queued queued = loop->queue[loop->queue_first];

        loop->queue_first = (loop->queue_first + 1) % QUEUE_MAX;
        loop->n_queued--;
        queued.event.text = queued.text;
        agent_step(&loop->agent, &queued.event, &loop->effects);
        carry_out(loop);
    }
}

/* --- what comes in --- */

static void take_reply(struct loop *loop, size_t i, const struct link_message *message)
{
    char why[TEXT_BYTES_MAX + 1] = "";
    int r;

    r = wire_get_poll_reply(message->bytes, message->n, &loop->reply, why);
    if (r < 0) {
        log_event(LOG_WARN, "reply_refused", log_text("aggregator", loop->aggregators[i].decisions),
                  log_text("why", why));
        post_poll_failed(loop, i, why);
    } else {
        post(loop,
             &(struct agent_event){
                 .kind = AGENT_POLL_REPLIED, .aggregator = i, .reply = &loop->reply},
             "");
    }
    work_off(loop);
}

/* Take what is there. A descriptor that was readable for nothing says that a connection was made.
 */
static void receive_replies(struct loop *loop, size_t i)
{
    struct link_message message;
    bool connected = true;
    int r;

    while ((r = link_receive(loop->decisions[i], &message)) != -EAGAIN) {
        connected = false;
        if (r == 0) {
            take_reply(loop, i, &message);
        } else {
            post_poll_failed(loop, i, r == -ETIMEDOUT ? "no reply in time" : "connection lost");
            work_off(loop);
        }
    }
    if (connected) {
        loop->ticked_at_us = 0; /* it is to be swept, and may make the agent ready */
        post(loop, &(struct agent_event){.kind = AGENT_CONNECTED, .aggregator = i}, "");
        work_off(loop);
    }
}

static void watch_actuators(struct loop *loop)
{
    struct apply_end end;

    while (apply_step(loop->apply, clock_now_us(), &end) == 0) {
        post(loop,
             &(struct agent_event){.kind = AGENT_ACTUATOR_ENDED,
                                   .epoch = end.epoch,
                                   .seq = end.seq,
                                   .status = end.status},
             end.text);
        work_off(loop);
    }
}

static void read_signals(struct loop *loop)
{
    struct signalfd_siginfo info;

    while (read(loop->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            log_event(LOG_WARN, "reload_unsupported", log_text("signal", "SIGHUP"));
        } else {
            log_event(LOG_INFO, "stopping", log_number("signal", info.ssi_signo));
            loop->stopping = true;
        }
    }
}

/* --- pages --- */

static struct page_link link_numbers(const char *url, struct link *link)
{
    struct link_statistics statistics;

    link_statistics(link, &statistics);
    return (struct page_link){
        .aggregator = url, .up = link_n_pipes(link) > 0, .n_connected = statistics.n_connected};
}

static void collect_links(struct loop *loop)
{
    struct page_numbers *numbers = &loop->numbers;

    numbers->n_reports = loop->config->aggregators.n;
    numbers->n_decisions = loop->config->aggregators.n;
    for (size_t i = 0; i < loop->config->aggregators.n; i++) {
        numbers->reports[i] = link_numbers(loop->aggregators[i].reports, loop->reports[i]);
        numbers->decisions[i] = link_numbers(loop->aggregators[i].decisions, loop->decisions[i]);
    }
}

static void collect_brokers(struct loop *loop)
{
    struct page_numbers *numbers = &loop->numbers;

    numbers->n_sources = 0;
    numbers->n_brokers_up = 0;
    numbers->n_topics_omitted = 0;
    for (size_t i = 0; i < loop->report.n_brokers; i++) {
        numbers->n_brokers_up += loop->report.brokers[i].state == BROKER_UP ? 1 : 0;
        numbers->n_topics_omitted += loop->report.brokers[i].n_topics_omitted;
    }
    for (size_t i = 0; i < loop->config->brokers.n; i++) {
        if (loop->sources[i] != NULL) {
            struct page_source *source = &numbers->sources[numbers->n_sources++];

            source->broker = loop->brokers[i].id;
            source_statistics(loop->sources[i], &source->statistics);
        }
    }
}

static void collect(struct loop *loop)
{
    struct page_numbers *numbers = &loop->numbers;

    numbers->version = EVENKEEL_VERSION;
    numbers->library_version = link_library_version();
    numbers->reaper_ok = link_canary_is_alive();
    numbers->agent = loop->agent.statistics;
    sampler_statistics(loop->sampler, &numbers->sampler);
    numbers->environment = loop->report.environment;
    numbers->sample_seconds = loop->sample_seconds;
    numbers->report_bytes = loop->report_bytes;
    numbers->n_topics = loop->report.n_topics;
    numbers->n_actuators_running = loop->agent.guard.n_running;
    collect_links(loop);
    collect_brokers(loop);
    process_usage(&numbers->process);
}

static void publish_page(struct loop *loop, const char *path, int status, const char *type,
                         const char *bytes, size_t n)
{
    const int r = http_publish(loop->http, path, status, type, bytes, n, PAGES_VALID_US);

    if (r < 0) {
        log_event(LOG_ERROR, "page_not_published", log_text("path", path),
                  log_text("error", strerror(-r)));
    }
}

/* Ready: a sample was taken, and some aggregator is there to hear of it. */
static bool is_ready(const struct loop *loop)
{
    for (size_t i = 0; i < loop->config->aggregators.n; i++) {
        if (loop->agent.statistics.n_reports > 0 && link_n_pipes(loop->decisions[i]) > 0) {
            return true;
        }
    }
    return false;
}

static void publish_pages(struct loop *loop)
{
    struct buffer buffer = buffer_over(loop->page, sizeof(loop->page));
    const char *ready = loop->was_ready ? "ok\n" : "no sample yet, or no aggregator connected\n";

    collect(loop);
    agent_metrics_page(&buffer, &loop->numbers);
    if (!buffer.overflowed) {
        publish_page(loop, "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8",
                     buffer.bytes, buffer.n);
    }
    publish_page(loop, "/healthz", 200, "text/plain", "ok\n", 3);
    publish_page(loop, "/readyz", loop->was_ready ? 200 : 503, "text/plain", ready, strlen(ready));
}

/* Making pages costs more than a sample: only for those who read them. */
static void publish_if_due(struct loop *loop, time_us now_us)
{
    const bool ready = is_ready(loop);

    if (loop->http == NULL) {
        return;
    }
    if (http_was_asked(loop->http) || ready != loop->was_ready || now_us >= loop->publish_at_us) {
        loop->was_ready = ready;
        loop->publish_at_us = now_us + PUBLISH_US;
        publish_pages(loop);
    }
}

/* --- the loop --- */

static void tick(struct loop *loop, time_us now_us)
{
    for (size_t i = 0; i < loop->config->aggregators.n; i++) {
        link_sweep(loop->reports[i], now_us);
        link_sweep(loop->decisions[i], now_us);
    }
    log_flush(now_us);
    if (!link_canary_is_alive()) {
        log_event(LOG_ERROR, "library_wedged", log_text("version", link_library_version()));
        loop->exit_status = EXIT_WEDGED;
        loop->stopping = true;
    }
    publish_if_due(loop, now_us);
    if (now_us >= loop->trim_at_us) {
        footprint_trim();
        loop->trim_at_us = TIME_NEVER;
    }
    loop->was_sampled = false;
    loop->ticked_at_us = now_us;
}

static bool is_tick_due(const struct loop *loop, time_us now_us)
{
    const time_us since_us = now_us - loop->ticked_at_us;

    return since_us >= TICK_US_MAX || (loop->was_sampled && since_us >= TICK_US_MIN);
}

/* Wait until something is there or due. `fds`: the signals, a link for each aggregator, actuators.
 */
static void wait_for_something(struct loop *loop, struct pollfd *fds)
{
    const size_t n_links = loop->config->aggregators.n;
    const time_us now_us = clock_now_us();
    time_us due_us = MIN(loop->wake_at_us, loop->ticked_at_us + TICK_US_MAX);
    nfds_t n = 0;

    fds[n++] = (struct pollfd){.fd = loop->signals, .events = POLLIN};
    for (size_t i = 0; i < n_links; i++) {
        fds[n++] = (struct pollfd){.fd = link_fd(loop->decisions[i]), .events = POLLIN};
    }
    n += apply_poll_fds(loop->apply, now_us, &fds[n]);
    due_us = MIN(due_us, apply_wake_at(loop->apply));
    if (poll(fds, n, due_us <= now_us ? 0 : (int)((due_us - now_us) / US_PER_MS + 1)) <= 0) {
        for (nfds_t i = 0; i < n; i++) {
            fds[i].revents = 0;
        }
    }
}

static void turn(struct loop *loop)
{
    struct pollfd fds[FDS_MAX];
    time_us now_us;

    wait_for_something(loop, fds);
    if (fds[0].revents != 0) {
        read_signals(loop);
    }
    for (size_t i = 0; i < loop->config->aggregators.n; i++) {
        if (fds[1 + i].revents != 0) {
            receive_replies(loop, i);
        }
    }
    watch_actuators(loop);
    now_us = clock_now_us();
    if (now_us >= loop->wake_at_us) {
        post(loop, &(struct agent_event){.kind = AGENT_WOKEN}, "");
        work_off(loop);
    }
    if (is_tick_due(loop, now_us)) {
        tick(loop, now_us);
    }
}

int loop_run(struct loop *loop)
{
    while (!loop->stopping) {
        turn(loop);
    }
    if (loop->exit_status == EXIT_WEDGED) {
        apply_free(loop->apply);
        loop->apply = NULL;
    }
    return loop->exit_status;
}

/* --- starting --- */

static int fail(int r, const char *what, const char *which)
{
    log_event(LOG_ERROR, "start_failed", log_text("what", what), log_text("which", which),
              log_text("error", strerror(-r)));
    return r;
}

static int name_node(struct loop *loop)
{
    char host[256] = "";

    if (loop->config->node[0] != '\0') {
        return name_copy(loop->node, sizeof(loop->node), loop->config->node);
    }
    if (gethostname(host, sizeof(host) - 1) < 0 || !name_is_id(host)) {
        return fail(-EINVAL, "host name is no id, set `node`", host);
    }
    return name_copy(loop->node, sizeof(loop->node), host);
}

static int open_signals(struct loop *loop)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    loop->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return loop->signals < 0 ? fail(-errno, "signals", "") : 0;
}

static int open_link(enum link_kind kind, const char *url, struct link **ret_link)
{
    const int r = link_open(kind, url, NULL, ret_link);

    if (r == 0 && strncmp(url, "tcp://", strlen("tcp://")) == 0) {
        log_event(LOG_WARN, "plain_tcp", log_text("url", url));
    }
    return r < 0 ? fail(r, "link", url) : 0;
}

static int open_links(struct loop *loop)
{
    int r;

    if (link_library_is_defective()) {
        log_event(LOG_WARN, "library_defective", log_text("nng", link_library_version()));
    }
    r = link_canary_start();
    if (r < 0) {
        return fail(r, "canary", "");
    }
    for (size_t i = 0; i < loop->config->aggregators.n; i++) {
        r = open_link(LINK_REPORTS_OUT, loop->aggregators[i].reports, &loop->reports[i]);
        if (r < 0) {
            return r;
        }
        r = open_link(LINK_ASK, loop->aggregators[i].decisions, &loop->decisions[i]);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int start_sources(struct loop *loop)
{
    int r;

    for (size_t i = 0; i < loop->config->brokers.n; i++) {
        if (loop->brokers[i].source.type == SOURCE_NONE) {
            continue;
        }
        r = source_start(&loop->brokers[i], &loop->sources[i]);
        if (r < 0) {
            return fail(r, "source", loop->brokers[i].id);
        }
    }
    return 0;
}

static int open_http(struct loop *loop)
{
    const char *listen = loop->config->http_listen;
    int r;

    if (listen[0] == '\0') {
        return 0;
    }
    r = http_start(listen, &loop->http);
    return r < 0 ? fail(r, "http", listen) : 0;
}

static int open_all(struct loop *loop)
{
    int r;

    r = name_node(loop);
    if (r < 0) {
        return r;
    }
    r = open_signals(loop);
    if (r < 0) {
        return r;
    }
    r = open_http(loop);
    if (r < 0) {
        return r;
    }
    r = apply_new(&loop->apply);
    if (r < 0) {
        return fail(r, "actuators", "");
    }
    r = sampler_new(loop->config, &loop->sampler);
    if (r < 0) {
        return fail(r, "sampler", loop->config->proc_root);
    }
    r = open_links(loop);
    if (r < 0) {
        return r;
    }
    return start_sources(loop);
}

int loop_new(const struct agent_config *config, struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    int r;

    if (loop == NULL) {
        return fail(-ENOMEM, "loop", "");
    }
    loop->config = config;
    loop->aggregators = config->aggregators.elements;
    loop->brokers = config->brokers.elements;
    loop->signals = -1;
    loop->boot_id = clock_random();
    loop->trim_at_us = clock_now_us() + TRIM_US;
    r = open_all(loop);
    if (r < 0) {
        loop_free(loop);
        return r;
    }
    agent_init(&loop->agent, config, loop->node, loop->boot_id, clock_random(), clock_now_us());
    log_event(LOG_INFO, "started", log_text("node", loop->node),
              log_text("version", EVENKEEL_VERSION), log_text("nng", link_library_version()),
              log_number("brokers", (int64_t)config->brokers.n),
              log_number("http_port", loop->http != NULL ? http_port(loop->http) : 0));
    *ret_loop = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    apply_free(loop->apply);
    for (size_t i = 0; i < NODE_BROKERS_MAX; i++) {
        source_stop(loop->sources[i]);
    }
    for (size_t i = 0; i < AGGREGATORS_MAX; i++) {
        link_close(loop->reports[i]);
        link_close(loop->decisions[i]);
    }
    sampler_free(loop->sampler);
    http_stop(loop->http);
    if (loop->signals >= 0) {
        (void)close(loop->signals);
    }
    free(loop);
}
