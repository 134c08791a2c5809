/* libevenkeel: queries of a broker or an operator, and the answers checked. Shell.
 *
 * A call is one query to one server, or to a few, one after the other, as long as asking again does
 * no harm: assign and lookup give the same answer twice, a move or a release does not. A server
 * that says "not ready" has done nothing, so the next one is asked whatever the verb.
 *
 * An answer is believed when it decodes, is of the verb that was asked, and speaks of the topic,
 * broker or move that was asked for. */
#include <evenkeel/evenkeel.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lists.h"
#include "client/servers.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/wire.h"

/* An envelope and a query: two ids, a topic and a few integers. */
#define QUERY_BYTES_MAX 2048

_Static_assert(EK_SERVERS_MAX == AGGREGATORS_MAX, "a client may know every aggregator");

struct ek_client {
    pthread_mutex_t lock; /* held during a call: one request in flight */
    struct servers servers;
    struct envelope envelope; /* of the last message; seq counts them */
    time_us timeout_us;
    time_us connect_us;
    pthread_mutex_t error_lock; /* its own, so that ek_error() waits for no call */
    char error[TEXT_BYTES_MAX + 1];
};

struct error_info {
    int error;
    const char *text;
};

static const struct error_info error_rows[] = {
    {EINVAL, "malformed argument or question"},
    {ENOMEM, "out of memory"},
    {EHOSTUNREACH, "no server could be reached"},
    {ETIMEDOUT, "no answer in time"},
    {ECONNRESET, "connection lost before the answer came"},
    {EAGAIN, "not now; try again"},
    {ENOENT, "no such topic, broker or move"},
    {EPERM, "refused"},
    {ENOSPC, "a bound of the server is reached"},
    {EPROTONOSUPPORT, "the server speaks another major version"},
    {EPROTO, "the answer cannot be believed"},
};

const char *ek_strerror(int error)
{
    for (size_t i = 0; i < N_ELEMENTS(error_rows); i++) {
        if (error_rows[i].error == -error) {
            return error_rows[i].text;
        }
    }
    return error == 0 ? "success" : "unknown error";
}

const char *ek_version(void)
{
    return EVENKEEL_VERSION;
}

const char *ek_freshness_name(enum ek_freshness freshness)
{
    return freshness_name((enum freshness)freshness);
}

const char *ek_move_state_name(enum ek_move_state state)
{
    return move_state_name((enum move_state)state);
}

const char *ek_move_outcome_name(enum ek_move_outcome outcome)
{
    return move_outcome_name((enum move_outcome)outcome);
}

const char *ek_source_name(enum ek_source source)
{
    return placement_source_name((enum placement_source)source);
}

/* Keep the sentence `format`, cut to what fits, for ek_error(). Returns `error`. */
__attribute__((format(printf, 3, 4))) static int client_fail(struct ek_client *client, int error,
                                                             const char *format, ...)
{
    va_list arguments;

    (void)pthread_mutex_lock(&client->error_lock);
    va_start(arguments, format);
    (void)vsnprintf(client->error, sizeof(client->error), format, arguments);
    va_end(arguments);
    (void)pthread_mutex_unlock(&client->error_lock);
    return error;
}

size_t ek_error(struct ek_client *client, char *ret_text, size_t size)
{
    size_t n;

    (void)pthread_mutex_lock(&client->error_lock);
    n = strlen(client->error);
    if (size > 0) {
        size_t n_kept = MIN(n, size - 1);

        memcpy(ret_text, client->error, n_kept);
        ret_text[n_kept] = '\0';
    }
    (void)pthread_mutex_unlock(&client->error_lock);
    return n;
}

/* What an answer's status is as an error. */
static int status_error(enum answer_status status)
{
    switch (status) {
    case ANSWER_OK:
        return 0;
    case ANSWER_BAD_QUERY:
        return -EINVAL;
    case ANSWER_UNSUPPORTED:
        return -EPROTONOSUPPORT;
    case ANSWER_NOT_FOUND:
        return -ENOENT;
    case ANSWER_NO_BROKER:
    case ANSWER_NOT_READY:
        return -EAGAIN;
    case ANSWER_REFUSED:
        return -EPERM;
    case ANSWER_FULL:
        return -ENOSPC;
    }
    return -EPROTO;
}

static bool is_of_verb(const struct query *query, const struct answer *answer)
{
    /* A server that did not understand the query cannot say its verb. */
    return answer->verb == query->verb || answer->status == ANSWER_BAD_QUERY ||
           answer->status == ANSWER_UNSUPPORTED;
}

static bool is_about(const struct query *query, const struct answer *answer)
{
    switch (query->verb) {
    case QUERY_ASSIGN:
    case QUERY_LOOKUP:
        return strcmp(answer->placement.topic.text, query->topic.text) == 0 &&
               answer->placement.broker[0] != '\0';
    case QUERY_REPORTS:
        return query->broker[0] == '\0' ||
               (answer->n_brokers == 1 && strcmp(answer->brokers[0].id, query->broker) == 0);
    case QUERY_MOVE:
        return answer->n_moves == 1 &&
               strcmp(answer->moves[0].topic.text, query->topic.text) == 0 &&
               strcmp(answer->moves[0].to, query->broker) == 0;
    case QUERY_MOVES:
        return query->move_id == 0 ||
               (answer->n_moves == 1 && answer->moves[0].id == query->move_id);
    case QUERY_STATUS:
    case QUERY_RANKING:
    case QUERY_RELEASE:
        return true;
    }
    return false;
}

/* Decode a reply and see whether it answers the query. Returns 0 or an error of the table, with
 * its sentence kept. */
static int client_read(struct ek_client *client, const char *url, const struct query *query,
                       const struct link_message *reply, struct answer *ret_answer)
{
    char why[TEXT_BYTES_MAX + 1];
    int r = wire_get_answer(reply->bytes, reply->n, ret_answer, why);

    if (r < 0) {
        return client_fail(client, r == -EPROTONOSUPPORT ? r : -EPROTO, "%s: %s", url, why);
    }
    if (!is_of_verb(query, ret_answer)) {
        return client_fail(client, -EPROTO, "%s: asked %s, answered %s", url,
                           query_verb_name(query->verb), query_verb_name(ret_answer->verb));
    }
    r = status_error(ret_answer->status);
    if (r < 0) {
        return client_fail(client, r, "%s: %s", url,
                           ret_answer->text[0] != '\0' ? ret_answer->text : ek_strerror(r));
    }
    if (!is_about(query, ret_answer)) {
        return client_fail(client, -EPROTO, "%s: the answer to %s is about something else", url,
                           query_verb_name(query->verb));
    }
    return 0;
}

static int client_fail_unreachable(struct ek_client *client)
{
    char urls[TEXT_BYTES_MAX + 1] = "";
    struct buffer buffer = buffer_over(urls, sizeof(urls));

    for (size_t i = 0; i < client->servers.n; i++) {
        buffer_print(&buffer, "%s%s", i > 0 ? ", " : "", client->servers.list[i].url);
    }
    return client_fail(client, -EHOSTUNREACH, "%s: no connection", urls);
}

/* Ask the next server once. Errors as in the table. */
static int client_ask_once(struct ek_client *client, struct attempt *attempt,
                           const struct query *query, struct answer *ret_answer)
{
    uint8_t bytes[QUERY_BYTES_MAX];
    struct link_message reply;
    const char *url;
    size_t n;
    int r;

    client->envelope.seq++;
    client->envelope.sent_unix_us = clock_unix_us();
    r = wire_put_query(&client->envelope, query, bytes, sizeof(bytes), &n);
    if (r < 0) {
        return client_fail(client, -EINVAL, "the question cannot be encoded");
    }
    r = servers_ask(&client->servers, attempt, bytes, n, &reply);
    url = client->servers.list[attempt->server].url;
    if (r == 0) {
        return client_read(client, url, query, &reply, ret_answer);
    }
    return r == -EHOSTUNREACH ? r : client_fail(client, r, "%s: %s", url, ek_strerror(r));
}

static bool may_ask_again(int r, const struct attempt *attempt)
{
    return r == -EAGAIN ||
           (attempt->repeatable && (r == -ETIMEDOUT || r == -ECONNRESET || r == -EPROTO));
}

/* Ask servers until one answers. The lists of `ret_answer` must be set up; nothing in it may be
 * used on failure. The sentence that stays is that of the last server that was asked. */
static int client_ask(struct ek_client *client, const struct query *query,
                      struct answer *ret_answer)
{
    bool repeatable = query->verb != QUERY_RELEASE && (query->verb != QUERY_MOVE || query->dry_run);
    struct attempt attempt = attempt_begin(client->timeout_us, client->connect_us, repeatable);
    const struct answer blank = *ret_answer;
    char why[TEXT_BYTES_MAX + 1];
    int before = 0;
    int r = query_check(query, why);

    if (r < 0) {
        return client_fail(client, -EINVAL, "%s", why);
    }
    for (;;) {
        *ret_answer = blank;
        r = client_ask_once(client, &attempt, query, ret_answer);
        if (r == -EHOSTUNREACH) {
            return before < 0 ? before : client_fail_unreachable(client);
        }
        if (!may_ask_again(r, &attempt) || !attempt_is_open(&client->servers, &attempt)) {
            return r;
        }
        before = r;
    }
}

/* client_ask() under the client's lock. */
static int client_call(struct ek_client *client, const struct query *query,
                       struct answer *ret_answer)
{
    int r;

    (void)pthread_mutex_lock(&client->lock);
    r = client_ask(client, query, ret_answer);
    (void)pthread_mutex_unlock(&client->lock);
    return r;
}

static int client_out_of_memory(struct ek_client *client)
{
    return client_fail(client, -ENOMEM, "out of memory");
}

/* A query of `verb` about `topic` and `broker`, either of which may be NULL. Names that are too
 * long are refused here; the rest is query_check()'s. */
static int client_query(struct ek_client *client, enum query_verb verb, const char *topic,
                        const char *broker, struct query *ret_query)
{
    *ret_query = (struct query){.verb = verb};
    if (topic != NULL && name_copy(ret_query->topic.text, sizeof(ret_query->topic), topic) < 0) {
        return client_fail(client, -EINVAL, "a topic's name has at most %d bytes", NAME_BYTES_MAX);
    }
    if (broker != NULL && name_copy(ret_query->broker, sizeof(ret_query->broker), broker) < 0) {
        return client_fail(client, -EINVAL, "a broker's id has at most %d bytes", ID_BYTES_MAX);
    }
    return 0;
}

static int client_place(struct ek_client *client, enum query_verb verb, const char *topic,
                        struct ek_placement *ret_placement)
{
    struct answer answer = {0};
    struct query query;
    int r = client_query(client, verb, topic, NULL, &query);

    if (r == 0) {
        r = client_call(client, &query, &answer);
    }
    if (r == 0 && ret_placement != NULL) {
        *ret_placement = placement_row(&answer.placement);
    }
    return r;
}

int ek_assign(struct ek_client *client, const char *topic, struct ek_placement *ret_placement)
{
    return client_place(client, QUERY_ASSIGN, topic, ret_placement);
}

int ek_lookup(struct ek_client *client, const char *topic, struct ek_placement *ret_placement)
{
    return client_place(client, QUERY_LOOKUP, topic, ret_placement);
}

int ek_release(struct ek_client *client, const char *topic)
{
    return client_place(client, QUERY_RELEASE, topic, NULL);
}

int ek_status(struct ek_client *client, struct ek_status *ret_status)
{
    const struct query query = {.verb = QUERY_STATUS};
    struct answer answer = {0};
    int r = client_call(client, &query, &answer);

    if (r == 0) {
        *ret_status = status_row(&answer.fleet);
    }
    return r;
}

/* Ask for brokers. `ret_list` is the caller's, to be freed. */
static int client_list(struct ek_client *client, const struct query *query,
                       struct fleet_list **ret_list)
{
    struct fleet_list *list = fleet_list_new(query->verb == QUERY_REPORTS);
    struct answer answer = {0};
    int r;

    if (list == NULL) {
        return client_out_of_memory(client);
    }
    fleet_list_attach(list, &answer);
    r = client_call(client, query, &answer);
    if (r == 0) {
        r = fleet_list_fill(list, &answer);
        r = r < 0 ? client_out_of_memory(client) : 0;
    }
    if (r < 0) {
        fleet_list_free(list);
        return r;
    }
    *ret_list = list;
    return 0;
}

int ek_ranking(struct ek_client *client, struct ek_ranking **ret_ranking)
{
    const struct query query = {.verb = QUERY_RANKING};
    struct fleet_list *list = NULL;
    int r = client_list(client, &query, &list);

    if (r == 0) {
        *ret_ranking = fleet_list_ranking(list);
    }
    return r;
}

void ek_ranking_free(struct ek_ranking *ranking)
{
    fleet_list_free(fleet_list_of_ranking(ranking));
}

int ek_reports(struct ek_client *client, const char *broker, struct ek_reports **ret_reports)
{
    struct fleet_list *list = NULL;
    struct query query;
    int r = client_query(client, QUERY_REPORTS, NULL, broker, &query);

    if (r == 0) {
        r = client_list(client, &query, &list);
    }
    if (r == 0) {
        *ret_reports = fleet_list_reports(list);
    }
    return r;
}

void ek_reports_free(struct ek_reports *reports)
{
    fleet_list_free(fleet_list_of_reports(reports));
}

int ek_move(struct ek_client *client, const char *topic, const char *to, bool dry_run,
            struct ek_move *ret_move)
{
    struct move_view view;
    struct answer answer = {.moves = &view, .n_moves_max = 1};
    struct query query;
    int r = client_query(client, QUERY_MOVE, topic, to, &query);

    query.dry_run = dry_run;
    if (r == 0) {
        r = client_call(client, &query, &answer);
    }
    if (r == 0) {
        *ret_move = move_row(&view);
    }
    return r;
}

/* Ask for moves into `views`, which hold MOVES_MAX. */
static int client_moves(struct ek_client *client, uint64_t id, struct move_view *views,
                        struct ek_moves **ret_moves)
{
    const struct query query = {.verb = QUERY_MOVES, .move_id = id};
    struct answer answer = {.moves = views, .n_moves_max = MOVES_MAX};
    struct ek_moves *moves;
    int r = client_call(client, &query, &answer);

    if (r < 0) {
        return r;
    }
    moves = move_list_new(views, answer.n_moves);
    if (moves == NULL) {
        return client_out_of_memory(client);
    }
    *ret_moves = moves;
    return 0;
}

int ek_moves(struct ek_client *client, uint64_t id, struct ek_moves **ret_moves)
{
    struct move_view *views = malloc(MOVES_MAX * sizeof(*views));
    int r = views != NULL ? client_moves(client, id, views, ret_moves)
                          : client_out_of_memory(client);

    free(views);
    return r;
}

void ek_moves_free(struct ek_moves *moves)
{
    free(moves);
}

/* Who asks, when the options do not say. */
static void default_client_id(char *ret_id, size_t size)
{
    char host[64] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(ret_id, size, "%s:%ld", name_is_id(host) ? host : "client", (long)getpid());
}

static int client_configure(struct ek_client *client, const struct ek_options *options)
{
    uint32_t timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : EK_TIMEOUT_MS_DEFAULT;
    uint32_t connect_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms
                                                          : EK_CONNECT_TIMEOUT_MS_DEFAULT;

    for (size_t i = 0; i < N_ELEMENTS(options->reserved); i++) {
        if (options->reserved[i] != 0) {
            return -EINVAL;
        }
    }
    client->timeout_us = MILLISECONDS(timeout_ms);
    client->connect_us = MILLISECONDS(connect_ms);
    client->envelope.boot_id = clock_random();
    if (options->client_id == NULL) {
        default_client_id(client->envelope.sender, sizeof(client->envelope.sender));
        return 0;
    }
    if (!name_is_id(options->client_id)) {
        return -EINVAL;
    }
    return name_copy(client->envelope.sender, sizeof(client->envelope.sender), options->client_id);
}

/* Open the links with all signals blocked: the threads that this starts inherit that, so that the
 * program's signals reach the program's threads. */
static int client_open(struct ek_client *client, const char *servers)
{
    sigset_t all;
    sigset_t before;
    int r;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = servers_init(servers, &client->servers);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int ek_connect(const char *servers, const struct ek_options *options, struct ek_client **ret_client)
{
    const struct ek_options defaults = {0};
    struct ek_client *client = calloc(1, sizeof(*client));
    int r;

    if (client == NULL) {
        return -ENOMEM;
    }
    r = client_configure(client, options != NULL ? options : &defaults);
    if (r == 0) {
        r = client_open(client, servers);
    }
    if (r < 0) {
        free(client);
        return r;
    }
    (void)pthread_mutex_init(&client->lock, NULL);
    (void)pthread_mutex_init(&client->error_lock, NULL);
    *ret_client = client;
    return 0;
}

void ek_disconnect(struct ek_client *client)
{
    if (client == NULL) {
        return;
    }
    servers_done(&client->servers);
    (void)pthread_mutex_destroy(&client->lock);
    (void)pthread_mutex_destroy(&client->error_lock);
    free(client);
}
