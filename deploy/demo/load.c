/* Load for the demo's brokers: creates streams and publishes to them at steady rates.
 *
 * usage: evenkeel-demo-load LOGINS ACCOUNT STREAM=RATExBYTES@URL ...
 *
 * Publishes RATE messages a second of BYTES bytes to each stream, through the server at URL, so
 * that the servers have different work. Streams have three replicas on disk and keep their newest
 * 32 MB. Says nothing unless it fails; runs until it is ended. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deploy/demo/account.h"

#define FLOWS_MAX         32
#define PAYLOAD_BYTES_MAX 65536
#define STREAM_BYTES_MAX  (32LL * 1024 * 1024)

/* A cluster that has just started elects its leaders within about ten seconds. */
#define READY_MS_MAX 60000

struct flow {
    char stream[64];
    char subject[80];
    char url[128];
    uint64_t rate_per_s;
    int message_bytes;
    uint64_t n_sent;
    natsConnection *connection;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void rest_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool parse_flow(const char *text, struct flow *ret_flow)
{
    struct flow flow = {0};

    if (sscanf(text, "%63[A-Za-z0-9_-]=%" SCNu64 "x%d@%127s", flow.stream, &flow.rate_per_s,
               &flow.message_bytes, flow.url) != 4 ||
        flow.rate_per_s > 1000000 || flow.message_bytes < 1 ||
        flow.message_bytes > PAYLOAD_BYTES_MAX) {
        return false;
    }
    (void)snprintf(flow.subject, sizeof(flow.subject), "%s.demo", flow.stream);
    *ret_flow = flow;
    return true;
}

static natsStatus create_stream(const struct flow *flow)
{
    char subjects[80];
    const char *subject = subjects;
    jsStreamConfig config;
    jsCtx *context = NULL;
    jsErrCode code = 0;
    natsStatus s;

    (void)snprintf(subjects, sizeof(subjects), "%s.*", flow->stream);
    s = natsConnection_JetStream(&context, flow->connection, NULL);
    if (s != NATS_OK) {
        return s;
    }
    (void)jsStreamConfig_Init(&config);
    config.Name = flow->stream;
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Replicas = 3;
    config.MaxBytes = STREAM_BYTES_MAX;
    s = js_AddStream(NULL, context, &config, NULL, &code);
    jsCtx_Destroy(context);
    return code == JSStreamNameExistErr ? NATS_OK : s;
}

static bool try_flow(const char *logins, const char *account, struct flow *flow)
{
    if (flow->connection == NULL) {
        (void)account_connect(logins, account, flow->url, 2000, &flow->connection);
    }
    return flow->connection != NULL && create_stream(flow) == NATS_OK;
}

/* Connects and creates, as often as it takes until the cluster is ready. */
static bool open_flow(const char *logins, const char *account, struct flow *flow)
{
    int64_t end_ms = now_ms() + READY_MS_MAX;

    while (!try_flow(logins, account, flow)) {
        if (now_ms() >= end_ms) {
            (void)fprintf(stderr, "evenkeel-demo-load: %s: cannot create stream %s: %s\n",
                          flow->url, flow->stream, nats_GetLastError(NULL));
            return false;
        }
        rest_ms(250);
    }
    return true;
}

/* Publishes what is due `elapsed_ms` after the start. What a server that was away has missed is not
 * made up for: at most a tenth of a second's messages are sent at once. */
static void publish_due(struct flow *flow, int64_t elapsed_ms, const char *payload)
{
    uint64_t n_due = flow->rate_per_s * (uint64_t)elapsed_ms / 1000;
    uint64_t n_most = flow->rate_per_s / 10 + 1;

    if (n_due > flow->n_sent + n_most) {
        flow->n_sent = n_due - n_most;
    }
    for (; flow->n_sent < n_due; flow->n_sent++) {
        (void)natsConnection_Publish(flow->connection, flow->subject, payload, flow->message_bytes);
    }
}

static void run(struct flow *flows, int n_flows)
{
    static char payload[PAYLOAD_BYTES_MAX];
    int64_t start_ms = now_ms();

    memset(payload, 'x', sizeof(payload));
    for (;;) {
        for (int i = 0; i < n_flows; i++) {
            publish_due(&flows[i], now_ms() - start_ms, payload);
        }
        rest_ms(10);
    }
}

static int complain(const char *what, const char *text)
{
    (void)fprintf(stderr, "evenkeel-demo-load: %s: %s\n", what, text);
    return 64;
}

int main(int argc, char **argv)
{
    static struct flow flows[FLOWS_MAX];
    int n_flows = argc - 3;

    if (n_flows < 1 || n_flows > FLOWS_MAX) {
        return complain("usage", "LOGINS ACCOUNT STREAM=RATExBYTES@URL ...");
    }
    for (int i = 0; i < n_flows; i++) {
        if (!parse_flow(argv[3 + i], &flows[i])) {
            return complain("not STREAM=RATExBYTES@URL", argv[3 + i]);
        }
        if (!open_flow(argv[1], argv[2], &flows[i])) {
            return 69;
        }
    }
    run(flows, n_flows);
    return 0;
}
