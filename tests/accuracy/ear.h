/* An agent of the accuracy test: the real program, and every report that it sends. Shell. */
#ifndef TESTS_ACCURACY_EAR_H
#define TESTS_ACCURACY_EAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/report.h"
#include "common/units.h"

#define EAR_REPORTS_MAX 256
#define EAR_BROKERS_MAX 12

/* What is kept of a report. */
struct heard {
    uint64_t seq;
    time_us at_us;
    size_t n_brokers;
    struct value values[EAR_BROKERS_MAX][METRICS];
};

/* All reports since the agent's start, in order. One at a time in a process. */
struct ear {
    pid_t agent;
    int stop_fd; /* a signalfd: who asks the test to end */
    struct link *link;
    size_t n;
    struct heard reports[EAR_REPORTS_MAX];
};

/* Start listening at `url`, and the program `agent` with the configuration at `config_path`, its
 * words going to `log_path`. Nothing may be forked after this. SIGINT and SIGTERM are blocked, and
 * end a wait. Returns 0 or a negative errno. */
int ear_open(struct ear *ear, const char *url, const char *agent, const char *config_path,
             const char *log_path);

/* Stop the agent and close; one that was never opened (zeros) is fine. */
void ear_close(struct ear *ear);

/* Wait, at most `within_us`, until a report whose sample was taken at `at_us` or later is there.
 * Returns 0; -ETIMEDOUT; -EINTR asked to end; -ECHILD the agent has ended; -EBADMSG, -ENOSPC. */
int ear_wait(struct ear *ear, time_us at_us, time_us within_us);

/* The same until the last report has a value of every metric in `metrics`, of each broker its own
 * (METRICS: none is wanted). */
int ear_wait_present(struct ear *ear, const enum metric *metrics, time_us within_us);

/* Sum up a rate over the reports, from the last before `from_us` to the first after `to_us`, each
 * rate over the time since the report before. Returns 0; -ENODATA a value is absent or a report was
 * lost, with the state in `ret_state`. */
int ear_sum(const struct ear *ear, size_t broker, enum metric metric, time_us from_us,
            time_us to_us, double *ret_sum, enum value_state *ret_state);

#endif
