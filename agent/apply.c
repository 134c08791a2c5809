/* Actuators: starting, watching and ending them. Shell.
 *
 * The program's end is told by its pidfd. It is a zombie then and keeps its process number, so its
 * group can still be killed without hitting a stranger; only after that it is reaped. The pipe is
 * not waited for: a grandchild that left the group may hold it open for ever.
 *
 * Output is drained without end but slowly, and only its tail is kept: a program that floods its
 * stdout is slowed down by the pipe, not the agent by it. */
#include "agent/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/name.h"

#define GRACE_US    SECONDS(2)
#define SHUTDOWN_US MILLISECONDS(250)

/* Output kept: enough for one last line of TEXT_BYTES_MAX and what follows it. */
#define TAIL_BYTES_MAX 1024

/* Output read at a time, a pipe's capacity, and how long it is left alone after that much. */
#define DRAIN_BYTES_MAX ((size_t)64 * 1024)
#define DRAIN_PAUSE_US  MILLISECONDS(20)

#define N_VARIABLES 6

enum ending {
    ENDING_NOT,
    ENDING_TERMINATED, /* SIGTERM was sent at the deadline */
    ENDING_KILLED,
};

struct actuator {
    pid_t pid; /* also its process group; 0: this slot is free */
    int pidfd;
    int output; /* -1: closed */
    uint64_t epoch, seq;
    time_us started_us;
    time_us act_at_us; /* deadline, then end of the grace */
    time_us drain_at_us;
    enum ending ending;
    size_t n_tail;
    char tail[TAIL_BYTES_MAX];
};

struct apply {
    struct actuator actuators[ACTUATORS_RUNNING_MAX];
};

/* What exit codes say, the same table as ekctl's. */
static const struct exit_word {
    int code;
    const char *words;
} exit_words[] = {
    {1, "failed"},       {2, "nothing to do"}, {3, "refused"},          {4, "done in part"},
    {64, "wrong usage"}, {69, "unreachable"},  {75, "try again later"}, {126, "not executable"},
    {127, "not found"},  {130, "interrupted"},
};

/* --- the environment --- */

/* Whether `variable` ("NAME=value") is one that the move sets itself. */
static bool is_ours(const char *variable)
{
    static const char *const names[N_VARIABLES] = {
        "EVENKEEL_TOPIC=",      "EVENKEEL_FROM=",     "EVENKEEL_TO=",
        "EVENKEEL_TO_ADDRESS=", "EVENKEEL_DECISION=", "EVENKEEL_DEADLINE_MS=",
    };

    for (size_t i = 0; i < N_VARIABLES; i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void free_variables(char **variables)
{
    for (size_t i = 0; i < N_VARIABLES; i++) {
        free(variables[i]);
    }
}

/* Our variables, each on the heap. */
static int make_variables(const struct decision *decision, time_us timeout_us,
                          char *ret_variables[N_VARIABLES])
{
    char *variables[N_VARIABLES] = {NULL};

    if (asprintf(&variables[0], "EVENKEEL_TOPIC=%s", decision->topic.text) < 0 ||
        asprintf(&variables[1], "EVENKEEL_FROM=%s", decision->from) < 0 ||
        asprintf(&variables[2], "EVENKEEL_TO=%s", decision->to) < 0 ||
        asprintf(&variables[3], "EVENKEEL_TO_ADDRESS=%s", decision->to_address) < 0 ||
        asprintf(&variables[4], "EVENKEEL_DECISION=%llu-%llu", (unsigned long long)decision->epoch,
                 (unsigned long long)decision->seq) < 0 ||
        asprintf(&variables[5], "EVENKEEL_DEADLINE_MS=%lld", (long long)(timeout_us / US_PER_MS)) <
            0) {
        free_variables(variables);
        return -ENOMEM;
    }
    memcpy(ret_variables, variables, sizeof(variables));
    return 0;
}

/* The agent's environment without those names, then ours; the array is on the heap, the agent's
 * texts are borrowed. */
static char **make_environment(char *variables[N_VARIABLES])
{
    size_t n = 0;
    size_t n_kept = 0;
    char **environment;

    while (environ[n] != NULL) {
        n++;
    }
    environment = calloc(n + N_VARIABLES + 1, sizeof(*environment));
    if (environment == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_ours(environ[i])) {
            environment[n_kept++] = environ[i];
        }
    }
    memcpy(&environment[n_kept], variables, N_VARIABLES * sizeof(*variables));
    return environment;
}

/* --- starting --- */

/* Own process group, no signal blocked or ignored. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (posix_spawnattr_setpgroup(attributes, 0) != 0 ||
        posix_spawnattr_setsigmask(attributes, &none) != 0 ||
        posix_spawnattr_setsigdefault(attributes, &all) != 0 ||
        posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                 POSIX_SPAWN_SETSIGDEF) != 0) {
        return -ENOMEM;
    }
    return 0;
}

/* Null in, pipe out, nothing else open. */
static int set_actions(posix_spawn_file_actions_t *actions, int output)
{
    if (posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO) != 0 ||
        posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO) != 0 ||
        posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1) != 0) {
        return -ENOMEM;
    }
    return 0;
}

static int spawn(char **argv, char **environment, int output, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r;

    if (posix_spawn_file_actions_init(&actions) != 0) {
        return -ENOMEM;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    r = set_actions(&actions, output);
    if (r == 0) {
        r = set_attributes(&attributes);
    }
    if (r == 0) {
        r = -posix_spawnp(ret_pid, argv[0], &actions, &attributes, argv, environment);
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

static int spawn_for(const struct decision *decision, char **argv, time_us timeout_us, int output,
                     pid_t *ret_pid)
{
    char *variables[N_VARIABLES];
    char **environment;
    int r;

    r = make_variables(decision, timeout_us, variables);
    if (r < 0) {
        return r;
    }
    environment = make_environment(variables);
    r = environment == NULL ? -ENOMEM : spawn(argv, environment, output, ret_pid);
    free(environment);
    free_variables(variables);
    return r;
}

/* A child without a pidfd cannot be watched: end it at once. */
static int open_pidfd(pid_t pid, int *ret_pidfd)
{
    const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    const int why = errno;

    if (pidfd < 0) {
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return -why;
    }
    *ret_pidfd = pidfd;
    return 0;
}

static struct actuator *free_slot(struct apply *apply)
{
    for (size_t i = 0; i < ACTUATORS_RUNNING_MAX; i++) {
        if (apply->actuators[i].pid == 0) {
            return &apply->actuators[i];
        }
    }
    return NULL;
}

/* --- watching --- */

static void close_output(struct actuator *actuator)
{
    if (actuator->output >= 0) {
        (void)close(actuator->output);
        actuator->output = -1;
    }
}

static void keep_tail(struct actuator *actuator, const char *bytes, size_t n)
{
    if (n > TAIL_BYTES_MAX) {
        bytes += n - TAIL_BYTES_MAX;
        n = TAIL_BYTES_MAX;
    }
    if (actuator->n_tail + n > TAIL_BYTES_MAX) {
        const size_t n_lost = actuator->n_tail + n - TAIL_BYTES_MAX;

        actuator->n_tail -= n_lost;
        memmove(actuator->tail, actuator->tail + n_lost, actuator->n_tail);
    }
    memcpy(actuator->tail + actuator->n_tail, bytes, n);
    actuator->n_tail += n;
}

static void drain(struct actuator *actuator, time_us now_us)
{
    size_t n_read = 0;
    char bytes[4096];

    while (actuator->output >= 0 && n_read < DRAIN_BYTES_MAX) {
        const ssize_t n = read(actuator->output, bytes, sizeof(bytes));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            close_output(actuator);
            return;
        }
        keep_tail(actuator, bytes, (size_t)n);
        n_read += (size_t)n;
    }
    actuator->drain_at_us = now_us + DRAIN_PAUSE_US;
}

/* --- the last words --- */

/* The last line of the output that holds more than blanks. */
static const char *last_line(const struct actuator *actuator, size_t *ret_n)
{
    const char *tail = actuator->tail;
    size_t end = actuator->n_tail;
    size_t start;

    while (end > 0 && strchr(" \t\r\n", tail[end - 1]) != NULL && tail[end - 1] != '\0') {
        end--;
    }
    start = end;
    while (start > 0 && tail[start - 1] != '\n') {
        start--;
    }
    *ret_n = end - start;
    return tail + start;
}

static const char *words_of(int code)
{
    for (size_t i = 0; i < N_ELEMENTS(exit_words); i++) {
        if (exit_words[i].code == code) {
            return exit_words[i].words;
        }
    }
    return "failed";
}

static void describe(const struct actuator *actuator, const siginfo_t *info, time_us now_us,
                     struct apply_end *ret_end)
{
    size_t n_line;
    const char *line = last_line(actuator, &n_line);
    char *text = ret_end->text;
    size_t n_text;

    text[0] = '\0';
    ret_end->epoch = actuator->epoch;
    ret_end->seq = actuator->seq;
    ret_end->seconds = (double)(now_us - actuator->started_us) / (double)US_PER_S;
    if (actuator->ending != ENDING_NOT) {
        ret_end->status = RECEIPT_TIMED_OUT;
        (void)snprintf(text, sizeof(ret_end->text), "ended at its deadline");
    } else if (info->si_code != CLD_EXITED) {
        ret_end->status = RECEIPT_FAILED;
        (void)snprintf(text, sizeof(ret_end->text), "killed by signal %d", info->si_status);
    } else if (info->si_status != 0) {
        ret_end->status = RECEIPT_FAILED;
        (void)snprintf(text, sizeof(ret_end->text), "exit %d (%s)", info->si_status,
                       words_of(info->si_status));
    } else {
        ret_end->status = RECEIPT_SUCCEEDED;
    }
    n_text = strlen(text);
    (void)snprintf(text + n_text, sizeof(ret_end->text) - n_text, "%s%.*s",
                   n_line > 0 && n_text > 0 ? ": " : "", (int)n_line, line);
    name_make_clean(text);
}

/* --- ending --- */

/* Kill what is left of the group, reap, and free the slot. */
static void release(struct actuator *actuator)
{
    (void)kill(-actuator->pid, SIGKILL);
    (void)waitid(P_PIDFD, (id_t)actuator->pidfd, NULL, WEXITED);
    (void)close(actuator->pidfd);
    close_output(actuator);
    actuator->pid = 0;
}

/* Whether the program has ended; it stays a zombie. */
static bool has_ended(const struct actuator *actuator, siginfo_t *ret_info)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid(P_PIDFD, (id_t)actuator->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0) {
        return false;
    }
    *ret_info = info;
    return true;
}

static void see_to_deadline(struct actuator *actuator, time_us now_us)
{
    if (now_us < actuator->act_at_us) {
        return;
    }
    if (actuator->ending == ENDING_NOT) {
        (void)kill(-actuator->pid, SIGTERM);
        actuator->ending = ENDING_TERMINATED;
        actuator->act_at_us = now_us + GRACE_US;
    } else {
        (void)kill(-actuator->pid, SIGKILL);
        actuator->ending = ENDING_KILLED;
        actuator->act_at_us = TIME_NEVER;
    }
}

/* Wait until every program has ended, or `until_us`. */
static void wait_for_all(struct apply *apply, time_us until_us)
{
    for (;;) {
        const time_us now_us = clock_now_us();
        struct pollfd fds[ACTUATORS_RUNNING_MAX];
        nfds_t n = 0;
        siginfo_t info;

        for (size_t i = 0; i < ACTUATORS_RUNNING_MAX; i++) {
            const struct actuator *actuator = &apply->actuators[i];

            if (actuator->pid != 0 && !has_ended(actuator, &info)) {
                fds[n++] = (struct pollfd){.fd = actuator->pidfd, .events = POLLIN};
            }
        }
        if (n == 0 || now_us >= until_us) {
            return;
        }
        (void)poll(fds, n, (int)((until_us - now_us) / US_PER_MS + 1));
    }
}

int apply_new(struct apply **ret_apply)
{
    struct apply *apply = calloc(1, sizeof(*apply));

    if (apply == NULL) {
        return -ENOMEM;
    }
    *ret_apply = apply;
    return 0;
}

int apply_start(struct apply *apply, const struct decision *decision,
                const struct actuator_options *actuator, time_us now_us, time_us deadline_us)
{
    struct actuator *slot = free_slot(apply);
    int pipe_fds[2];
    pid_t pid = 0;
    int pidfd = -1;
    int r;

    if (slot == NULL) {
        return -EBUSY;
    }
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        return -errno;
    }
    r = spawn_for(decision, actuator->command.texts, deadline_us - now_us, pipe_fds[1], &pid);
    (void)close(pipe_fds[1]);
    if (r == 0) {
        r = open_pidfd(pid, &pidfd);
    }
    if (r < 0) {
        (void)close(pipe_fds[0]);
        return r;
    }
    (void)fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    *slot = (struct actuator){.pid = pid,
                              .pidfd = pidfd,
                              .output = pipe_fds[0],
                              .epoch = decision->epoch,
                              .seq = decision->seq,
                              .started_us = now_us,
                              .act_at_us = deadline_us};
    return 0;
}

size_t apply_poll_fds(const struct apply *apply, time_us now_us, struct pollfd *ret_fds)
{
    size_t n = 0;

    for (size_t i = 0; i < ACTUATORS_RUNNING_MAX; i++) {
        const struct actuator *actuator = &apply->actuators[i];

        if (actuator->pid == 0) {
            continue;
        }
        ret_fds[n++] = (struct pollfd){.fd = actuator->pidfd, .events = POLLIN};
        if (actuator->output >= 0 && now_us >= actuator->drain_at_us) {
            ret_fds[n++] = (struct pollfd){.fd = actuator->output, .events = POLLIN};
        }
    }
    return n;
}

time_us apply_wake_at(const struct apply *apply)
{
    time_us wake_at_us = TIME_NEVER;

    for (size_t i = 0; i < ACTUATORS_RUNNING_MAX; i++) {
        const struct actuator *actuator = &apply->actuators[i];

        if (actuator->pid != 0) {
            wake_at_us = MIN(wake_at_us, actuator->act_at_us);
            if (actuator->output >= 0 && actuator->drain_at_us > 0) {
                wake_at_us = MIN(wake_at_us, actuator->drain_at_us);
            }
        }
    }
    return wake_at_us;
}

int apply_step(struct apply *apply, time_us now_us, struct apply_end *ret_end)
{
    for (size_t i = 0; i < ACTUATORS_RUNNING_MAX; i++) {
        struct actuator *actuator = &apply->actuators[i];
        siginfo_t info;
        bool ended;

        if (actuator->pid == 0) {
            continue;
        }
        ended = has_ended(actuator, &info);
        if (ended || now_us >= actuator->drain_at_us) {
            actuator->drain_at_us = 0;
            drain(actuator, now_us);
        }
        if (ended) {
            describe(actuator, &info, now_us, ret_end);
            release(actuator);
            return 0;
        }
        see_to_deadline(actuator, now_us);
    }
    return -EAGAIN;
}

void apply_free(struct apply *apply)
{
    if (apply == NULL) {
        return;
    }
    for (size_t i = 0; i < ACTUATORS_RUNNING_MAX; i++) {
        if (apply->actuators[i].pid != 0) {
            (void)kill(-apply->actuators[i].pid, SIGTERM);
        }
    }
    wait_for_all(apply, clock_now_us() + SHUTDOWN_US);
    for (size_t i = 0; i < ACTUATORS_RUNNING_MAX; i++) {
        if (apply->actuators[i].pid != 0) {
            release(&apply->actuators[i]);
        }
    }
    free(apply);
}
