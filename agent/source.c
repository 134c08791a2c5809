/* A topic source: curl on a thread of its own. Shell.
 *
 * Two answers exist: the one being read, and the latest whole one, against which its rates are
 * made. The thread alone writes to the first; under the mutex they change places. The loop only
 * ever copies out of the latest, under the mutex, and so never waits for a broker.
 *
 * The thread sleeps and transfers in curl.multi_poll(), which source_stop() wakes. */
#include "agent/source.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/nats.h"
#include "common/clock.h"
#include "common/library.h"
#include "common/log.h"
#include "common/prng.h"

/* An answer older than this many intervals says nothing of now. */
#define INTERVALS_VALID 3

/* libcurl's functions, from the first source on. */
static struct {
    void *library;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_multi_add_handle) *multi_add_handle;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
    __typeof__(curl_multi_info_read) *multi_info_read;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_perform) *multi_perform;
    __typeof__(curl_multi_poll) *multi_poll;
    __typeof__(curl_multi_remove_handle) *multi_remove_handle;
    __typeof__(curl_multi_wakeup) *multi_wakeup;
} curl;

struct source {
    const struct broker_options *broker;
    CURLM *multi;
    CURL *easy;
    pthread_t thread;
    atomic_bool stopping;

    /* The thread's own. */
    struct nats_parser *parser;
    int parse_error;
    size_t n_body;
    bool failing;
    bool name_told;
    char error[CURL_ERROR_SIZE];
    struct nats_answer *reading;

    pthread_mutex_t mutex; /* for what follows */
    struct nats_answer *latest;
    bool latest_is_whole;
    struct source_statistics statistics;
};

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
    struct source *source = context;
    const size_t n_bytes = size * n;

    if (n_bytes > (size_t)source->broker->source.body_bytes_max - source->n_body) {
        source->parse_error = -EFBIG;
        return 0;
    }
    source->n_body += n_bytes;
    source->parse_error = nats_parse(source->parser, bytes, n_bytes);
    return source->parse_error < 0 ? 0 : n_bytes;
}

/* Run the transfer that the easy handle is set up for. */
static CURLcode transfer(struct source *source)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    struct CURLMsg *message;
    int n_running = 1;
    int n_left;

    if (curl.multi_add_handle(source->multi, source->easy) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    while (!atomic_load(&source->stopping) &&
           curl.multi_perform(source->multi, &n_running) == CURLM_OK && n_running > 0 &&
           curl.multi_poll(source->multi, NULL, 0, 1000, NULL) == CURLM_OK) {
    }
    while ((message = curl.multi_info_read(source->multi, &n_left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            result = message->data.result;
        }
    }
    (void)curl.multi_remove_handle(source->multi, source->easy);
    return result;
}

/* Say in `source->error` what was wrong with a page. */
static int blame(struct source *source, CURLcode result, long status)
{
    if (source->parse_error == -EFBIG) {
        (void)snprintf(source->error, sizeof(source->error), "the answer is longer than %lld bytes",
                       (long long)source->broker->source.body_bytes_max);
    } else if (status != 0 && status != 200) {
        (void)snprintf(source->error, sizeof(source->error), "the answer has status %ld", status);
    } else if (source->parse_error < 0) {
        (void)snprintf(source->error, sizeof(source->error),
                       "the answer is not the page of a nats-server");
    } else if (source->error[0] == '\0') {
        (void)snprintf(source->error, sizeof(source->error), "%s", curl.easy_strerror(result));
    }
    return -EIO;
}

/* The url of `path`, on the heap. */
static char *url_of(const struct source *source, const char *path)
{
    const char *base = source->broker->source.url;
    size_t n = strlen(base);
    char *url = NULL;

    while (n > 0 && base[n - 1] == '/') {
        n--;
    }
    return asprintf(&url, "%.*s%s", (int)n, base, path) < 0 ? NULL : url;
}

static int fetch(struct source *source, const char *path)
{
    char *url = url_of(source, path);
    CURLcode result;
    long status = 0;

    source->error[0] = '\0';
    source->n_body = 0;
    source->parse_error = 0;
    if (url == NULL || curl.easy_setopt(source->easy, CURLOPT_URL, url) != CURLE_OK) {
        free(url);
        return -ENOMEM;
    }
    free(url);
    result = transfer(source);
    (void)curl.easy_getinfo(source->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_OK && status == 200) {
        source->parse_error = nats_parse_end(source->parser);
        if (source->parse_error == 0) {
            return 0;
        }
    }
    return blame(source, result, status);
}

static int read_page(struct source *source, enum nats_page page, const char *path)
{
    int r;

    r = nats_parser_new(page, source->reading, &source->parser);
    if (r < 0) {
        (void)snprintf(source->error, sizeof(source->error), "out of memory");
        return r;
    }
    r = fetch(source, path);
    nats_parser_free(source->parser);
    source->parser = NULL;
    return r;
}

/* Read both pages into `source->reading`. */
static int read_answer(struct source *source)
{
    int r;

    nats_answer_clear(source->reading);
    source->reading->at_us = clock_now_us();
    r = read_page(source, NATS_VARZ, NATS_VARZ_PATH);
    if (r < 0) {
        return r;
    }
    r = read_page(source, NATS_JSZ, NATS_JSZ_PATH);
    if (r < 0) {
        return r;
    }
    nats_answer_finish(source->reading);
    return 0;
}

/* Make the answer that was read the latest one. */
static void hand_over(struct source *source, double seconds)
{
    struct nats_answer *before = source->latest;

    nats_rate(source->latest_is_whole ? before : NULL, source->reading);
    (void)pthread_mutex_lock(&source->mutex);
    source->latest = source->reading;
    source->latest_is_whole = true;
    source->statistics.n_topics = source->latest->n_streams + source->latest->n_streams_omitted;
    source->statistics.n_names_skipped = source->latest->n_names_skipped;
    source->statistics.last_seconds = seconds;
    (void)pthread_mutex_unlock(&source->mutex);
    source->reading = before;
}

static void tell_outcome(struct source *source, int outcome)
{
    const struct broker_options *broker = source->broker;

    if (outcome < 0 && !source->failing) {
        log_event(LOG_WARN, "source_failed", log_text("broker", broker->id),
                  log_text("error", source->error)); /* not the url: it may hold a password */
    } else if (outcome == 0 && source->failing) {
        log_event(LOG_INFO, "source_recovered", log_text("broker", broker->id));
    }
    source->failing = outcome < 0;
    if (outcome == 0 && !source->name_told &&
        strcmp(source->latest->server_name, broker->id) != 0) {
        log_event(LOG_WARN, "source_name_differs", log_text("broker", broker->id),
                  log_text("server_name", source->latest->server_name));
        source->name_told = true;
    }
}

static void poll_once(struct source *source)
{
    const time_us began_us = clock_now_us();
    int r;

    r = read_answer(source);
    if (atomic_load(&source->stopping)) {
        return;
    }
    (void)pthread_mutex_lock(&source->mutex);
    source->statistics.n_polls++;
    source->statistics.n_failures += r < 0 ? 1 : 0;
    (void)pthread_mutex_unlock(&source->mutex);
    if (r == 0) {
        hand_over(source, (double)(clock_now_us() - began_us) / (double)US_PER_S);
    }
    tell_outcome(source, r);
}

/* Sleep until `until_us`, or until the source is stopped. */
static void sleep_until(struct source *source, time_us until_us)
{
    time_us now_us = clock_now_us();

    while (now_us < until_us && !atomic_load(&source->stopping)) {
        const time_us left_ms = (until_us - now_us) / US_PER_MS + 1;

        if (curl.multi_poll(source->multi, NULL, 0, (int)MIN(left_ms, 60000), NULL) != CURLM_OK) {
            return;
        }
        now_us = clock_now_us();
    }
}

/* Ask at the start, and then every interval from a random phase; missed beats are skipped. */
static void *run(void *context)
{
    struct source *source = context;
    const time_us interval_us = source->broker->source.interval_us;
    struct prng prng = prng_of(clock_random());
    time_us at_us = clock_now_us() + (time_us)prng_below(&prng, (uint64_t)interval_us);

    poll_once(source);
    while (!atomic_load(&source->stopping)) {
        const time_us now_us = clock_now_us();

        if (at_us <= now_us) {
            at_us += ((now_us - at_us) / interval_us + 1) * interval_us;
        }
        sleep_until(source, at_us);
        if (!atomic_load(&source->stopping)) {
            poll_once(source);
        }
    }
    return NULL;
}

static int set_up_easy(struct source *source)
{
    const struct source_options *options = &source->broker->source;
    CURL *easy = source->easy;

    if (curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        /* A name server that does not answer must not hold up the end of the process. */
        curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK ||
        curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
        curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
        curl.easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK ||
        curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(options->timeout_us / US_PER_MS)) !=
            CURLE_OK ||
        curl.easy_setopt(easy, CURLOPT_USERAGENT, "evenkeel-agent/" EVENKEEL_VERSION) != CURLE_OK ||
        curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, source->error) != CURLE_OK ||
        curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK ||
        curl.easy_setopt(easy, CURLOPT_WRITEDATA, source) != CURLE_OK) {
        return -ENOMEM;
    }
    return 0;
}

static void source_free(struct source *source)
{
    if (source->easy != NULL) {
        curl.easy_cleanup(source->easy);
    }
    if (source->multi != NULL) {
        (void)curl.multi_cleanup(source->multi);
    }
    free(source->reading);
    free(source->latest);
    (void)pthread_mutex_destroy(&source->mutex);
    free(source);
}

static void start_curl(void)
{
    static const struct library_function functions[] = {
        {"curl_easy_cleanup", &curl.easy_cleanup},
        {"curl_easy_getinfo", &curl.easy_getinfo},
        {"curl_easy_init", &curl.easy_init},
        {"curl_easy_setopt", &curl.easy_setopt},
        {"curl_easy_strerror", &curl.easy_strerror},
        {"curl_global_init", &curl.global_init},
        {"curl_multi_add_handle", &curl.multi_add_handle},
        {"curl_multi_cleanup", &curl.multi_cleanup},
        {"curl_multi_info_read", &curl.multi_info_read},
        {"curl_multi_init", &curl.multi_init},
        {"curl_multi_perform", &curl.multi_perform},
        {"curl_multi_poll", &curl.multi_poll},
        {"curl_multi_remove_handle", &curl.multi_remove_handle},
        {"curl_multi_wakeup", &curl.multi_wakeup},
    };

    if (library_load(LIBCURL, functions, N_ELEMENTS(functions), &curl.library) == 0) {
        (void)curl.global_init(CURL_GLOBAL_DEFAULT);
    }
}

static int source_new(const struct broker_options *broker, struct source **ret_source)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct source *source;

    (void)pthread_once(&once, start_curl);
    if (curl.library == NULL) {
        return -ELIBACC;
    }
    source = calloc(1, sizeof(*source));

    if (source == NULL) {
        return -ENOMEM;
    }
    (void)pthread_mutex_init(&source->mutex, NULL);
    source->broker = broker;
    source->multi = curl.multi_init();
    source->easy = curl.easy_init();
    source->reading = calloc(1, sizeof(*source->reading));
    source->latest = calloc(1, sizeof(*source->latest));
    if (source->multi == NULL || source->easy == NULL || source->reading == NULL ||
        source->latest == NULL || set_up_easy(source) < 0) {
        source_free(source);
        return -ENOMEM;
    }
    *ret_source = source;
    return 0;
}

int source_start(const struct broker_options *broker, struct source **ret_source)
{
    struct source *source;
    int r;

    r = source_new(broker, &source);
    if (r < 0) {
        return r;
    }
    r = pthread_create(&source->thread, NULL, run, source);
    if (r != 0) {
        source_free(source);
        return -EAGAIN;
    }
    *ret_source = source;
    return 0;
}

time_us source_fill(struct source *source, time_us now_us, struct report *report,
                    struct broker_load *broker)
{
    time_us at_us = TIME_NEVER;

    broker->topics_known = false;
    if (broker->state == BROKER_DOWN) {
        return at_us;
    }
    (void)pthread_mutex_lock(&source->mutex);
    if (source->latest_is_whole &&
        now_us - source->latest->at_us <= INTERVALS_VALID * source->broker->source.interval_us) {
        nats_fill(source->latest, report, broker);
        at_us = source->latest->at_us;
    }
    (void)pthread_mutex_unlock(&source->mutex);
    return at_us;
}

void source_statistics(struct source *source, struct source_statistics *ret_statistics)
{
    (void)pthread_mutex_lock(&source->mutex);
    *ret_statistics = source->statistics;
    (void)pthread_mutex_unlock(&source->mutex);
}

void source_stop(struct source *source)
{
    if (source == NULL) {
        return;
    }
    atomic_store(&source->stopping, true);
    (void)curl.multi_wakeup(source->multi);
    (void)pthread_join(source->thread, NULL);
    source_free(source);
}
