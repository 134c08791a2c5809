/* NATS's monitoring pages, read as they arrive.
 *
 * yajl calls back for each token; a stack of scopes says where in the document it stands. Two
 * tables are all there is to know of the pages: `edges` says which object or list opens which
 * scope, and `fields` where the value of a key in a scope is kept. Everything else is skipped,
 * whatever its type. Memory does not grow with the page: the stack is NATS_DEPTH_MAX deep, and a
 * token of more than NATS_TOKEN_BYTES_MAX bytes, which yajl would gather in memory, ends the
 * reading.
 *
 * Every replica lists a stream; it counts only where cluster.leader is the server itself. A stream
 * without a cluster is one of a single server, and led by it. In the same way, what a consumer has
 * pending is right only on the consumer's own leader.
 *
 * Numbers are read from their text, for NATS writes 18446744073709551615 where nothing is reserved.
 * Strings that do not fit are marked and their stream or peer is skipped: a name is never cut. */
#include "agent/nats.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define NATS_DEPTH_MAX 32

/* Far above a name (255 bytes) and a subject filter; far below what hurts. */
#define NATS_TOKEN_BYTES_MAX ((size_t)64 * 1024)

/* yajl is fed so much at a time, so that an endless token is noticed. */
#define NATS_SLICE_BYTES 4096

enum scope {
    SCOPE_OUTSIDE,
    SCOPE_OTHER,
    SCOPE_VARZ,
    SCOPE_JSZ,
    SCOPE_ACCOUNTS,
    SCOPE_ACCOUNT,
    SCOPE_STREAMS,
    SCOPE_STREAM,
    SCOPE_STREAM_CLUSTER,
    SCOPE_REPLICAS,
    SCOPE_REPLICA,
    SCOPE_STATE,
    SCOPE_CONSUMERS,
    SCOPE_CONSUMER,
    SCOPE_CONSUMER_CLUSTER,
};

/* A name as it stands in the page. */
struct text {
    char bytes[256];
    bool given; /* the key was there */
    bool bad;   /* and its value does not fit, or is not a clean name */
};

struct consumer {
    bool clustered;
    struct text leader;
    struct nats_count pending;
};

struct replica {
    struct text name;
    bool offline;
};

struct nats_parser {
    yajl_handle yajl;
    enum nats_page page;
    struct nats_answer *answer;
    int depth;
    enum scope scopes[NATS_DEPTH_MAX];
    char keys[NATS_DEPTH_MAX][24]; /* the key that was read last, in each open object */
    bool page_seen;
    bool token_seen; /* since the last slice */
    size_t n_token;  /* bytes since the last token */
    /* What is being read. */
    struct text server_name;
    struct text account;
    struct text stream_name;
    bool stream_clustered;
    struct text stream_leader;
    struct nats_stream stream;
    struct consumer consumer;
    struct replica replica;
};

enum field_type {
    FIELD_COUNT,
    FIELD_TEXT,
    FIELD_FLAG,
};

#define AT(member) offsetof(struct nats_parser, member)

static const struct edge {
    enum scope from;
    const char *key; /* NULL: an element of a list, or the document */
    char opens;
    enum scope to;
} edges[] = {
    {SCOPE_JSZ, "account_details", '[', SCOPE_ACCOUNTS},
    {SCOPE_ACCOUNTS, NULL, '{', SCOPE_ACCOUNT},
    {SCOPE_ACCOUNT, "stream_detail", '[', SCOPE_STREAMS},
    {SCOPE_STREAMS, NULL, '{', SCOPE_STREAM},
    {SCOPE_STREAM, "cluster", '{', SCOPE_STREAM_CLUSTER},
    {SCOPE_STREAM_CLUSTER, "replicas", '[', SCOPE_REPLICAS},
    {SCOPE_REPLICAS, NULL, '{', SCOPE_REPLICA},
    {SCOPE_STREAM, "state", '{', SCOPE_STATE},
    {SCOPE_STREAM, "consumer_detail", '[', SCOPE_CONSUMERS},
    {SCOPE_CONSUMERS, NULL, '{', SCOPE_CONSUMER},
    {SCOPE_CONSUMER, "cluster", '{', SCOPE_CONSUMER_CLUSTER},
};

static const struct field {
    enum scope scope;
    enum field_type type;
    const char *key;
    size_t offset; /* in the parser; of a count, a text or a bool */
} fields[] = {
    {SCOPE_VARZ, FIELD_TEXT, "server_name", AT(server_name)},
    {SCOPE_ACCOUNT, FIELD_TEXT, "name", AT(account)},
    {SCOPE_STREAM, FIELD_TEXT, "name", AT(stream_name)},
    {SCOPE_STREAM_CLUSTER, FIELD_TEXT, "leader", AT(stream_leader)},
    {SCOPE_REPLICA, FIELD_TEXT, "name", AT(replica.name)},
    {SCOPE_REPLICA, FIELD_FLAG, "offline", AT(replica.offline)},
    {SCOPE_STATE, FIELD_COUNT, "messages", AT(stream.messages)},
    {SCOPE_STATE, FIELD_COUNT, "bytes", AT(stream.bytes)},
    {SCOPE_STATE, FIELD_COUNT, "last_seq", AT(stream.last_seq)},
    {SCOPE_STATE, FIELD_COUNT, "consumer_count", AT(stream.consumers)},
    {SCOPE_CONSUMER, FIELD_COUNT, "num_pending", AT(consumer.pending)},
    {SCOPE_CONSUMER_CLUSTER, FIELD_TEXT, "leader", AT(consumer.leader)},
};

/* Where the parser stands, and the key that was read last there. */
static enum scope scope_now(const struct nats_parser *parser)
{
    return parser->depth == 0 ? SCOPE_OUTSIDE : parser->scopes[parser->depth - 1];
}

static const char *key_now(const struct nats_parser *parser)
{
    return parser->depth == 0 ? "" : parser->keys[parser->depth - 1];
}

static const struct field *field_now(const struct nats_parser *parser, enum field_type type)
{
    const enum scope scope = scope_now(parser);

    for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
        if (fields[i].scope == scope && fields[i].type == type &&
            strcmp(fields[i].key, key_now(parser)) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static enum scope scope_opened(const struct nats_parser *parser, char opens)
{
    const enum scope scope = scope_now(parser);

    if (scope == SCOPE_OUTSIDE) {
        return opens != '{' ? SCOPE_OTHER : parser->page == NATS_VARZ ? SCOPE_VARZ : SCOPE_JSZ;
    }
    for (size_t i = 0; i < N_ELEMENTS(edges); i++) {
        const struct edge *edge = &edges[i];

        if (edge->from == scope && edge->opens == opens &&
            (edge->key == NULL || strcmp(edge->key, key_now(parser)) == 0)) {
            return edge->to;
        }
    }
    return SCOPE_OTHER;
}

/* The index of peer `name`, added when it is new; BROKER_PEERS_MAX: no room. */
static size_t peer_index(struct nats_answer *answer, const char *name)
{
    size_t i = 0;

    while (i < answer->n_peers && strcmp(answer->peers[i], name) != 0) {
        i++;
    }
    if (i == answer->n_peers && i < BROKER_PEERS_MAX) {
        (void)name_copy(answer->peers[i], sizeof(answer->peers[i]), name);
        answer->n_peers++;
    }
    return i;
}

static bool text_is(const struct text *text, const char *other)
{
    return text->given && !text->bad && strcmp(text->bytes, other) == 0;
}

static void begin_stream(struct nats_parser *parser)
{
    memset(&parser->stream_name, 0, sizeof(parser->stream_name));
    memset(&parser->stream_leader, 0, sizeof(parser->stream_leader));
    memset(&parser->stream, 0, sizeof(parser->stream));
    parser->stream.bytes_per_message = -1;
    parser->stream_clustered = false;
}

static void end_replica(struct nats_parser *parser)
{
    const struct replica *replica = &parser->replica;
    size_t i;

    if (replica->name.bad || !name_is_id(replica->name.bytes)) {
        parser->answer->n_names_skipped++;
        return;
    }
    if (replica->offline || strcmp(replica->name.bytes, parser->answer->server_name) == 0) {
        return;
    }
    i = peer_index(parser->answer, replica->name.bytes);
    if (i < BROKER_PEERS_MAX) {
        parser->stream.candidates |= UINT64_C(1) << i;
    }
}

static void end_consumer(struct nats_parser *parser)
{
    const struct consumer *consumer = &parser->consumer;
    struct nats_count *backlog = &parser->stream.backlog;

    if (!consumer->pending.known ||
        (consumer->clustered && !text_is(&consumer->leader, parser->answer->server_name))) {
        return;
    }
    backlog->number = MAX(backlog->number, consumer->pending.number);
    backlog->known = true;
}

static void end_stream(struct nats_parser *parser)
{
    struct nats_answer *answer = parser->answer;
    struct nats_stream *stream = &parser->stream;
    int n;

    if (parser->stream_clustered && !text_is(&parser->stream_leader, answer->server_name)) {
        return;
    }
    if (!parser->account.given || parser->account.bad || !parser->stream_name.given ||
        parser->stream_name.bad) {
        answer->n_names_skipped++;
        return;
    }
    if (answer->n_streams == REPORT_TOPICS_MAX) {
        answer->n_streams_omitted++;
        return;
    }
    if (stream->consumers.known && stream->consumers.number == 0) {
        stream->backlog = (struct nats_count){.number = 0, .known = true};
    }
    n = snprintf(stream->name.text, sizeof(stream->name.text), "%s/%s", parser->account.bytes,
                 parser->stream_name.bytes);
    assert(n > 0 && (size_t)n < sizeof(stream->name.text));
    answer->streams[answer->n_streams++] = *stream;
}

static void begin(struct nats_parser *parser, enum scope scope)
{
    switch (scope) {
    case SCOPE_VARZ:
    case SCOPE_JSZ:
        parser->page_seen = true;
        break;
    case SCOPE_ACCOUNT:
        memset(&parser->account, 0, sizeof(parser->account));
        break;
    case SCOPE_STREAM:
        begin_stream(parser);
        break;
    case SCOPE_STREAM_CLUSTER:
        parser->stream_clustered = true;
        break;
    case SCOPE_REPLICA:
        memset(&parser->replica, 0, sizeof(parser->replica));
        break;
    case SCOPE_CONSUMER:
        memset(&parser->consumer, 0, sizeof(parser->consumer));
        break;
    case SCOPE_CONSUMER_CLUSTER:
        parser->consumer.clustered = true;
        break;
    default:
        break;
    }
}

static int open_scope(struct nats_parser *parser, char opens)
{
    const enum scope scope = scope_opened(parser, opens);

    parser->token_seen = true;
    if (parser->depth == NATS_DEPTH_MAX) {
        return 0;
    }
    parser->scopes[parser->depth] = scope;
    parser->keys[parser->depth][0] = '\0';
    parser->depth++;
    begin(parser, scope);
    return 1;
}

static int close_scope(struct nats_parser *parser)
{
    parser->token_seen = true;
    switch (scope_now(parser)) {
    case SCOPE_REPLICA:
        end_replica(parser);
        break;
    case SCOPE_CONSUMER:
        end_consumer(parser);
        break;
    case SCOPE_STREAM:
        end_stream(parser);
        break;
    default:
        break;
    }
    parser->depth--;
    return 1;
}

static int on_start_map(void *context)
{
    return open_scope(context, '{');
}

static int on_start_array(void *context)
{
    return open_scope(context, '[');
}

static int on_end(void *context)
{
    return close_scope(context);
}

static int on_key(void *context, const unsigned char *bytes, size_t n)
{
    struct nats_parser *parser = context;
    char *key = parser->keys[parser->depth - 1];

    parser->token_seen = true;
    if (n >= sizeof(parser->keys[0])) {
        n = 0; /* longer than every key of the tables */
    }
    memcpy(key, bytes, n);
    key[n] = '\0';
    return 1;
}

/* A number's text as an unsigned 64-bit one; unknown when it is anything else. */
static struct nats_count count_of(const char *bytes, size_t n)
{
    struct nats_count count = {.known = n > 0};

    for (size_t i = 0; i < n; i++) {
        if (bytes[i] < '0' || bytes[i] > '9' ||
            __builtin_mul_overflow(count.number, 10, &count.number) ||
            __builtin_add_overflow(count.number, (uint64_t)(bytes[i] - '0'), &count.number)) {
            return (struct nats_count){.known = false};
        }
    }
    return count;
}

/* The counters of /varz go straight into the answer. */
static struct nats_count *server_count(struct nats_parser *parser)
{
    if (scope_now(parser) != SCOPE_VARZ) {
        return NULL;
    }
    if (strcmp(key_now(parser), "in_bytes") == 0) {
        return &parser->answer->in_bytes;
    }
    return strcmp(key_now(parser), "out_bytes") == 0 ? &parser->answer->out_bytes : NULL;
}

static int on_number(void *context, const char *bytes, size_t n)
{
    struct nats_parser *parser = context;
    const struct field *field = field_now(parser, FIELD_COUNT);
    struct nats_count *count = server_count(parser);

    parser->token_seen = true;
    if (field != NULL) {
        count = (struct nats_count *)(void *)((char *)parser + field->offset);
    }
    if (count != NULL) {
        *count = count_of(bytes, n);
    }
    return 1;
}

/* A stream's birth is compared, never shown; one that does not fit is none. */
static void keep_created(struct nats_parser *parser, const unsigned char *bytes, size_t n)
{
    if (n < sizeof(parser->stream.created)) {
        memcpy(parser->stream.created, bytes, n);
        parser->stream.created[n] = '\0';
    }
}

static int on_string(void *context, const unsigned char *bytes, size_t n)
{
    struct nats_parser *parser = context;
    const struct field *field = field_now(parser, FIELD_TEXT);

    parser->token_seen = true;
    if (field != NULL) {
        struct text *text = (struct text *)(void *)((char *)parser + field->offset);

        text->given = n > 0;
        text->bad = n > 0 && (n >= sizeof(text->bytes) || !name_is_clean((const char *)bytes, n));
        if (text->given && !text->bad) {
            memcpy(text->bytes, bytes, n);
            text->bytes[n] = '\0';
        }
    } else if (scope_now(parser) == SCOPE_STREAM && strcmp(key_now(parser), "created") == 0) {
        keep_created(parser, bytes, n);
    }
    return 1;
}

static int on_boolean(void *context, int flag)
{
    struct nats_parser *parser = context;
    const struct field *field = field_now(parser, FIELD_FLAG);

    parser->token_seen = true;
    if (field != NULL) {
        *(bool *)((char *)parser + field->offset) = flag != 0;
    }
    return 1;
}

static int on_null(void *context)
{
    ((struct nats_parser *)context)->token_seen = true;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end,
};

void nats_answer_clear(struct nats_answer *answer)
{
    answer->at_us = 0;
    answer->server_name[0] = '\0';
    answer->in_bytes = (struct nats_count){.known = false};
    answer->out_bytes = (struct nats_count){.known = false};
    answer->rx_bytes_per_s = value_absent(VALUE_UNKNOWN);
    answer->tx_bytes_per_s = value_absent(VALUE_UNKNOWN);
    answer->n_peers = 0;
    answer->n_streams = 0;
    answer->n_streams_omitted = 0;
    answer->n_names_skipped = 0;
}

int nats_parser_new(enum nats_page page, struct nats_answer *answer,
                    struct nats_parser **ret_parser)
{
    struct nats_parser *parser = calloc(1, sizeof(*parser));

    if (parser == NULL) {
        return -ENOMEM;
    }
    parser->page = page;
    parser->answer = answer;
    parser->yajl = yajl_alloc(&callbacks, NULL, parser);
    if (parser->yajl == NULL) {
        free(parser);
        return -ENOMEM;
    }
    *ret_parser = parser;
    return 0;
}

int nats_parse(struct nats_parser *parser, const char *bytes, size_t n)
{
    while (n > 0) {
        const size_t n_slice = MIN(n, (size_t)NATS_SLICE_BYTES);

        parser->token_seen = false;
        if (yajl_parse(parser->yajl, (const unsigned char *)bytes, n_slice) != yajl_status_ok) {
            return -EBADMSG;
        }
        parser->n_token = parser->token_seen ? 0 : parser->n_token + n_slice;
        if (parser->n_token > NATS_TOKEN_BYTES_MAX) {
            return -EMSGSIZE;
        }
        bytes += n_slice;
        n -= n_slice;
    }
    return 0;
}

int nats_parse_end(struct nats_parser *parser)
{
    if (yajl_complete_parse(parser->yajl) != yajl_status_ok || !parser->page_seen) {
        return -EBADMSG;
    }
    if (parser->page == NATS_JSZ) {
        return 0;
    }
    if (parser->server_name.bad || !name_is_id(parser->server_name.bytes)) {
        return -EBADMSG;
    }
    return name_copy(parser->answer->server_name, sizeof(parser->answer->server_name),
                     parser->server_name.bytes) == 0
               ? 0
               : -EBADMSG;
}

void nats_parser_free(struct nats_parser *parser)
{
    if (parser != NULL) {
        yajl_free(parser->yajl);
        free(parser);
    }
}

static int compare_streams(const void *a, const void *b)
{
    const struct nats_stream *stream_a = a;
    const struct nats_stream *stream_b = b;

    return strcmp(stream_a->name.text, stream_b->name.text);
}

static bool streams_are_sorted(const struct nats_answer *answer)
{
    for (size_t i = 1; i < answer->n_streams; i++) {
        if (compare_streams(&answer->streams[i - 1], &answer->streams[i]) >= 0) {
            return false;
        }
    }
    return true;
}

void nats_answer_finish(struct nats_answer *answer)
{
    size_t n_kept = 0;

    if (streams_are_sorted(answer)) {
        return;
    }
    qsort(answer->streams, answer->n_streams, sizeof(answer->streams[0]), compare_streams);
    for (size_t i = 0; i < answer->n_streams; i++) { /* a name twice: the first stands */
        if (n_kept == 0 || compare_streams(&answer->streams[n_kept - 1], &answer->streams[i]) < 0) {
            if (n_kept != i) {
                answer->streams[n_kept] = answer->streams[i];
            }
            n_kept++;
        }
    }
    answer->n_streams = n_kept;
}

/* The rate of a counter between two readings. */
static struct value rate(const struct nats_count *before, const struct nats_count *now,
                         time_us elapsed_us)
{
    if (!now->known) {
        return value_absent(VALUE_UNSUPPORTED);
    }
    if (before == NULL || !before->known || elapsed_us <= 0) {
        return value_absent(VALUE_FIRST);
    }
    if (now->number < before->number) {
        return value_absent(VALUE_RESET);
    }
    return value_of((double)(now->number - before->number) * (double)US_PER_S / (double)elapsed_us);
}

static void rate_stream(const struct nats_stream *before, struct nats_stream *stream,
                        time_us elapsed_us)
{
    const bool anew = before != NULL && strcmp(before->created, stream->created) != 0;
    const struct nats_count *base = before == NULL || anew ? NULL : &before->last_seq;

    if (stream->messages.known && stream->bytes.known && stream->messages.number > 0) {
        stream->bytes_per_message = (double)stream->bytes.number / (double)stream->messages.number;
    } else if (base != NULL) {
        stream->bytes_per_message = before->bytes_per_message;
    }
    stream->messages_in_per_s = rate(base, &stream->last_seq, elapsed_us);
    stream->bytes_in_per_s = stream->messages_in_per_s;
    if (!value_is_present(stream->messages_in_per_s)) {
        return;
    }
    if (stream->bytes_per_message >= 0) {
        stream->bytes_in_per_s.number *= stream->bytes_per_message;
    } else if (stream->messages_in_per_s.number > 0) {
        stream->bytes_in_per_s = value_absent(VALUE_UNKNOWN);
    }
}

void nats_rate(const struct nats_answer *before, struct nats_answer *answer)
{
    const time_us elapsed_us = before == NULL ? 0 : answer->at_us - before->at_us;
    size_t k = 0;

    answer->rx_bytes_per_s = rate(before == NULL ? NULL : &before->in_bytes, &answer->in_bytes,
                                  elapsed_us);
    answer->tx_bytes_per_s = rate(before == NULL ? NULL : &before->out_bytes, &answer->out_bytes,
                                  elapsed_us);
    for (size_t i = 0; i < answer->n_streams; i++) {
        struct nats_stream *stream = &answer->streams[i];
        const struct nats_stream *same = NULL;

        while (before != NULL && k < before->n_streams &&
               compare_streams(&before->streams[k], stream) < 0) {
            k++;
        }
        if (before != NULL && k < before->n_streams &&
            compare_streams(&before->streams[k], stream) == 0) {
            same = &before->streams[k];
        }
        rate_stream(same, stream, elapsed_us);
    }
}

static struct value value_of_count(const struct nats_count *count)
{
    return count->known ? value_of((double)count->number) : value_absent(VALUE_UNKNOWN);
}

static void fill_topic(const struct nats_stream *stream, struct topic_load *topic)
{
    topic->name = stream->name;
    topic->candidates = stream->candidates;
    topic->movable = stream->candidates != 0;
    topic->values[TOPIC_MESSAGES_IN_PER_S] = stream->messages_in_per_s;
    topic->values[TOPIC_BYTES_IN_PER_S] = stream->bytes_in_per_s;
    topic->values[TOPIC_MESSAGES_OUT_PER_S] = value_absent(VALUE_UNSUPPORTED);
    topic->values[TOPIC_BYTES_OUT_PER_S] = value_absent(VALUE_UNSUPPORTED);
    topic->values[TOPIC_STORAGE_BYTES] = value_of_count(&stream->bytes);
    topic->values[TOPIC_BACKLOG_MESSAGES] = value_of_count(&stream->backlog);
    topic->values[TOPIC_PRODUCERS] = value_absent(VALUE_UNSUPPORTED);
    topic->values[TOPIC_CONSUMERS] = value_of_count(&stream->consumers);
}

static void fill_shared(struct value *value, struct value own)
{
    if (value->state == VALUE_SHARED) {
        *value = own;
    }
}

void nats_fill(const struct nats_answer *answer, struct report *report, struct broker_load *broker)
{
    broker->topics_known = true;
    broker->n_peers = answer->n_peers;
    memcpy(broker->peers, answer->peers, answer->n_peers * sizeof(answer->peers[0]));
    fill_shared(&broker->values[METRIC_NET_RX_BYTES_PER_S], answer->rx_bytes_per_s);
    fill_shared(&broker->values[METRIC_NET_TX_BYTES_PER_S], answer->tx_bytes_per_s);
    broker->n_topics_omitted += answer->n_streams_omitted;
    for (size_t i = 0; i < answer->n_streams; i++) {
        struct topic_load *topic = report_add_topic(report);

        if (topic == NULL) {
            broker->n_topics_omitted += answer->n_streams - i;
            return;
        }
        fill_topic(&answer->streams[i], topic);
    }
}
