/* An agent of the accuracy test: the real program, and every report that it sends. Shell. */
#include "tests/accuracy/ear.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/wire.h"

static struct report decoded;

static int start_agent(struct ear *ear, const char *agent, const char *config_path,
                       const char *log_path)
{
    char *const arguments[] = {(char *)agent, (char *)"--config", (char *)config_path, NULL};
    posix_spawn_file_actions_t actions;
    int r;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 2, log_path, O_WRONLY | O_CREAT | O_TRUNC,
                                           0644);
    r = posix_spawn(&ear->agent, agent, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (r != 0) {
        ear->agent = 0;
    }
    return -r;
}

int ear_open(struct ear *ear, const char *url, const char *agent, const char *config_path,
             const char *log_path)
{
    sigset_t set;
    int r;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    ear->stop_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (ear->stop_fd < 0) {
        return -errno;
    }
    r = link_open(LINK_REPORTS_IN, url, NULL, &ear->link);
    return r < 0 ? r : start_agent(ear, agent, config_path, log_path);
}

void ear_close(struct ear *ear)
{
    if (ear->agent > 0) {
        (void)kill(ear->agent, SIGTERM);
        for (int tries = 0; tries < 500 && waitpid(ear->agent, NULL, WNOHANG) == 0; tries++) {
            (void)usleep(10000);
        }
        (void)kill(ear->agent, SIGKILL);
        (void)waitpid(ear->agent, NULL, 0);
        ear->agent = 0;
    }
    link_close(ear->link);
    ear->link = NULL;
}

static int keep(struct ear *ear, const struct report *report)
{
    struct heard *heard = &ear->reports[ear->n];

    if (ear->n == EAR_REPORTS_MAX || report->n_brokers > EAR_BROKERS_MAX) {
        return -ENOSPC;
    }
    heard->seq = report->seq;
    heard->at_us = report->at_us;
    heard->n_brokers = report->n_brokers;
    for (size_t i = 0; i < report->n_brokers; i++) {
        memcpy(heard->values[i], report->brokers[i].values, sizeof(heard->values[i]));
    }
    ear->n++;
    return 0;
}

/* Take what has arrived, and what arrives until `until_us`, but no more than one report. */
static int hear(struct ear *ear, time_us until_us)
{
    struct pollfd poll_fds[] = {{.fd = link_fd(ear->link), .events = POLLIN},
                                {.fd = ear->stop_fd, .events = POLLIN}};
    char why[TEXT_BYTES_MAX + 1];
    struct link_message message;
    int r;

    r = link_receive(ear->link, &message);
    if (r == 0) {
        r = wire_get_report(message.bytes, message.n, &decoded, why);
        return r < 0 ? r : keep(ear, &decoded);
    }
    if (clock_now_us() >= until_us) {
        return -ETIMEDOUT;
    }
    (void)poll(poll_fds, 2, 200);
    if (poll_fds[1].revents != 0) {
        return -EINTR;
    }
    if (waitpid(ear->agent, NULL, WNOHANG) != 0) {
        ear->agent = 0;
        return -ECHILD;
    }
    return 0;
}

int ear_wait(struct ear *ear, time_us at_us, time_us within_us)
{
    time_us until_us = clock_now_us() + within_us;

    while (ear->n == 0 || ear->reports[ear->n - 1].at_us < at_us) {
        int r = hear(ear, until_us);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static bool is_present(const struct heard *heard, const enum metric *metrics)
{
    for (size_t i = 0; i < heard->n_brokers; i++) {
        if (metrics[i] != METRICS && !value_is_present(heard->values[i][metrics[i]])) {
            return false;
        }
    }
    return true;
}

int ear_wait_present(struct ear *ear, const enum metric *metrics, time_us within_us)
{
    time_us until_us = clock_now_us() + within_us;

    while (ear->n == 0 || !is_present(&ear->reports[ear->n - 1], metrics)) {
        int r = hear(ear, until_us);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* The value of report `i`, which must be the next after the one before. */
static int value_at(const struct ear *ear, size_t i, size_t broker, enum metric metric,
                    double *ret_number, enum value_state *ret_state)
{
    struct value value = ear->reports[i].values[broker][metric];

    *ret_state = value.state;
    if (!value_is_present(value) || ear->reports[i].seq != ear->reports[i - 1].seq + 1) {
        return -ENODATA;
    }
    *ret_number = value.number;
    return 0;
}

int ear_sum(const struct ear *ear, size_t broker, enum metric metric, time_us from_us,
            time_us to_us, double *ret_sum, enum value_state *ret_state)
{
    double sum = 0, number = 0;

    for (size_t i = 1; i < ear->n && ear->reports[i - 1].at_us < to_us; i++) {
        if (ear->reports[i].at_us < from_us) {
            continue;
        }
        if (value_at(ear, i, broker, metric, &number, ret_state) < 0) {
            return -ENODATA;
        }
        sum += number * (double)(ear->reports[i].at_us - ear->reports[i - 1].at_us) / 1e6;
    }
    *ret_sum = sum;
    return 0;
}
