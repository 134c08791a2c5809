/* Exec actuator for NATS JetStream: makes a given server the leader of a stream.
 *
 * usage: nats-move-leader --server URL --logins FILE
 *
 * The environment says what to do: EVENKEEL_TOPIC (account/stream), EVENKEEL_FROM, EVENKEEL_TO
 * (server names) and EVENKEEL_DEADLINE_MS (how long it may take). FILE has a line
 * "account user password" for each account; no password is ever an argument.
 *
 * A stream's leader is moved by asking it to step down. Servers from 2.11 on take the name of the
 * one preferred; older ones refuse a request that names one (error 10003) and elect whom they will,
 * so it is asked again until the right one leads. Moving a leader copies no data: only members of
 * the stream's group can lead it, and they hold it all.
 *
 * Prints one JSON line, {"result":"moved","owner":"n3","tries":2}, and ends with
 * 0 moved, 1 failed, 2 nothing to do, 3 refused or landed elsewhere, 64 usage,
 * 69 no server or account, 75 out of time. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deploy/demo/account.h"

/* Each try of an old server reaches one of two targets by chance: 2^-32 that all of these miss. */
#define TRIES_MAX 32

#define DEADLINE_MS_DEFAULT 20000

/* An election ends within this, or the old leader has won it again. */
#define ELECTION_MS_MAX 3000

#define POLL_MS 50

enum result {
    MOVED = 0,
    FAILED = 1,
    NOOP = 2,
    ELSEWHERE = 3,
    USAGE = 64,
    UNREACHABLE = 69,
    TIMED_OUT = 75,
};

struct job {
    const char *server;
    const char *logins;
    char account[256];
    const char *stream;
    const char *from;
    const char *to;
    int64_t end_ms;
    natsConnection *connection;
    jsCtx *context;
    bool prefer; /* the server understands a preferred leader, as far as is known */
    int n_tries;
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

/* Milliseconds that a request may take now: a second and a half at most, nothing when it is over.
 */
static int64_t patience_ms(const struct job *job)
{
    int64_t left_ms = job->end_ms - now_ms();

    return left_ms > 1500 ? 1500 : left_ms;
}

static int finish(const struct job *job, enum result result, const char *word, const char *owner)
{
    (void)printf("{\"result\":\"%s\",\"owner\":\"%s\",\"tries\":%d}\n", word, owner, job->n_tries);
    return (int)result;
}

static bool is_one_of(jsPeerInfo *const *peers, int n_peers, const char *name)
{
    for (int i = 0; i < n_peers; i++) {
        if (strcmp(peers[i]->Name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_member(const jsClusterInfo *cluster, const char *name)
{
    return (cluster->Leader != NULL && strcmp(cluster->Leader, name) == 0) ||
           is_one_of(cluster->Replicas, cluster->ReplicasLen, name);
}

/* A stream without replicas has no cluster: nobody else can lead it. */
static void read_cluster(const struct job *job, const jsClusterInfo *cluster, char *ret_leader,
                         size_t size, bool *ret_member)
{
    const char *leader = cluster == NULL ? job->from : cluster->Leader;

    (void)snprintf(ret_leader, size, "%s", leader != NULL ? leader : "");
    *ret_member = cluster != NULL && is_member(cluster, job->to);
}

/* Who leads the stream: a name, or "" while nobody does. `ret_member` says whether the target is of
 * its group. NATS_NOT_FOUND: there is no such stream; other errors: nobody answered. */
static natsStatus look(const struct job *job, char *ret_leader, size_t size, bool *ret_member)
{
    jsOptions options;
    jsStreamInfo *info = NULL;
    natsStatus s;

    (void)jsOptions_Init(&options);
    options.Wait = patience_ms(job);
    if (options.Wait <= 0) {
        return NATS_TIMEOUT;
    }
    s = js_GetStreamInfo(&info, job->context, job->stream, &options, NULL);
    if (s != NATS_OK) {
        return s;
    }
    read_cluster(job, info->Cluster, ret_leader, size, ret_member);
    jsStreamInfo_Destroy(info);
    return NATS_OK;
}

/* Ask the leader to step down; `body` may name who is preferred. Whether it did is seen from who
 * leads afterwards. False: the server does not understand the body. */
static bool ask_to_step_down(const struct job *job, const char *body)
{
    char subject[400];
    natsMsg *reply = NULL;
    int64_t wait_ms = patience_ms(job);
    bool refused;

    (void)snprintf(subject, sizeof(subject), "$JS.API.STREAM.LEADER.STEPDOWN.%s", job->stream);
    if (wait_ms <= 0 ||
        natsConnection_RequestString(&reply, job->connection, subject, body, wait_ms) != NATS_OK) {
        return true;
    }
    refused = strstr(natsMsg_GetData(reply), "\"error\"") != NULL;
    natsMsg_Destroy(reply);
    return !refused;
}

static void step_down(struct job *job)
{
    char body[400];

    job->n_tries++;
    (void)snprintf(body, sizeof(body), "{\"placement\":{\"preferred\":\"%s\"}}", job->to);
    job->prefer = job->prefer && ask_to_step_down(job, body);
    if (!job->prefer) {
        (void)ask_to_step_down(job, "");
    }
}

/* Wait until somebody else than `before` leads, or the election must be over. */
static void await_election(const struct job *job, const char *before)
{
    int64_t end_ms = now_ms() + ELECTION_MS_MAX;
    char leader[256];
    bool member;

    while (now_ms() < end_ms && now_ms() < job->end_ms) {
        if (look(job, leader, sizeof(leader), &member) == NATS_OK && leader[0] != '\0' &&
            strcmp(leader, before) != 0) {
            return;
        }
        rest_ms(POLL_MS);
    }
}

static int move(struct job *job)
{
    char leader[256] = "";
    bool seen = false;

    while (now_ms() < job->end_ms && job->n_tries < TRIES_MAX) {
        bool member = false;
        natsStatus s = look(job, leader, sizeof(leader), &member);

        if (s == NATS_NOT_FOUND) {
            return finish(job, FAILED, "no such stream", "");
        }
        if (s != NATS_OK || leader[0] == '\0') {
            rest_ms(POLL_MS);
            continue;
        }
        if (strcmp(leader, job->to) == 0) {
            return job->n_tries == 0 ? finish(job, NOOP, "noop", leader)
                                     : finish(job, MOVED, "moved", leader);
        }
        if (!member) {
            return finish(job, ELSEWHERE, "target is not a member of the stream's group", leader);
        }
        if (!seen && job->from != NULL && strcmp(leader, job->from) != 0) {
            return finish(job, ELSEWHERE, "led by another server", leader);
        }
        seen = true;
        step_down(job);
        await_election(job, leader);
    }
    return job->n_tries >= TRIES_MAX ? finish(job, ELSEWHERE, "elsewhere", leader)
                                     : finish(job, TIMED_OUT, "out of time", leader);
}

/* Names that may stand in a subject and in JSON: what stream and server names are made of anyway.
 */
static bool is_plain(const char *name)
{
    return name[0] != '\0' && strlen(name) < 256 && strpbrk(name, ".*> \t\r\n\"\\/") == NULL;
}

static bool read_environment(struct job *job)
{
    const char *topic = getenv("EVENKEEL_TOPIC");
    const char *deadline = getenv("EVENKEEL_DEADLINE_MS");
    const char *slash = topic != NULL ? strchr(topic, '/') : NULL;
    long long deadline_ms = deadline != NULL ? strtoll(deadline, NULL, 10) : DEADLINE_MS_DEFAULT;

    job->from = getenv("EVENKEEL_FROM");
    job->to = getenv("EVENKEEL_TO");
    if (slash == NULL || job->to == NULL || deadline_ms <= 0 || deadline_ms > 3600000) {
        return false;
    }
    job->stream = slash + 1;
    job->end_ms = now_ms() + deadline_ms * 9 / 10; /* time to say so before the agent ends it */
    return (size_t)(slash - topic) < sizeof(job->account) &&
           snprintf(job->account, sizeof(job->account), "%.*s", (int)(slash - topic), topic) > 0 &&
           is_plain(job->stream) && strpbrk(job->to, "\"\\\r\n") == NULL;
}

static bool read_arguments(int argc, char **argv, struct job *job)
{
    static const struct option options[] = {{"server", required_argument, NULL, 's'},
                                            {"logins", required_argument, NULL, 'l'},
                                            {NULL, 0, NULL, 0}};

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 's') {
            job->server = optarg;
        } else if (c == 'l') {
            job->logins = optarg;
        } else {
            return false;
        }
    }
    return job->server != NULL && job->logins != NULL && optind == argc;
}

static bool open_job(struct job *job)
{
    return account_connect(job->logins, job->account, job->server, patience_ms(job),
                           &job->connection) == 0 &&
           natsConnection_JetStream(&job->context, job->connection, NULL) == NATS_OK;
}

static void close_job(struct job *job)
{
    jsCtx_Destroy(job->context);
    natsConnection_Destroy(job->connection);
    nats_Close();
}

int main(int argc, char **argv)
{
    struct job job = {.prefer = true};
    int result;

    if (!read_arguments(argc, argv, &job) || !read_environment(&job)) {
        (void)fprintf(stderr, "usage: EVENKEEL_TOPIC=account/stream EVENKEEL_TO=server "
                              "nats-move-leader --server URL --logins FILE\n");
        return USAGE;
    }
    result = open_job(&job) ? move(&job) : finish(&job, UNREACHABLE, "no server or account", "");
    close_job(&job);
    return result;
}
