/* Actuators: real children that succeed, fail, hang, flood and leave children of their own. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/apply.h"
#include "common/cleanup.h"
#include "common/clock.h"

static int set_up(void **state)
{
    struct apply *apply;

    assert_int_equal(apply_new(&apply), 0);
    *state = apply;
    return 0;
}

static int tear_down(void **state)
{
    apply_free(*state);
    return 0;
}

static struct decision move(uint64_t seq)
{
    struct decision d = {.kind = DECISION_MOVE, .epoch = 9, .seq = seq};

    (void)snprintf(d.topic.text, sizeof(d.topic.text), "APP/a b'$(c)");
    (void)snprintf(d.from, sizeof(d.from), "n1");
    (void)snprintf(d.to, sizeof(d.to), "n2");
    (void)snprintf(d.to_address, sizeof(d.to_address), "nats://h:1");
    return d;
}

static int start_command(struct apply *apply, uint64_t seq, char **command, time_us timeout_us)
{
    const struct actuator_options actuator = {.type = ACTUATOR_EXEC, .command = {.texts = command}};
    const struct decision d = move(seq);
    const time_us now_us = clock_now_us();

    return apply_start(apply, &d, &actuator, now_us, now_us + timeout_us);
}

/* Start a shell script of the test's own. */
static int start(struct apply *apply, uint64_t seq, const char *script, time_us timeout_us)
{
    char *command[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, strdup(script), NULL};
    int r;

    r = start_command(apply, seq, command, timeout_us);
    free(command[2]);
    return r;
}

/* Wait as the loop does, until an actuator has ended. */
static struct apply_end wait_end(struct apply *apply)
{
    const time_us give_up_us = clock_now_us() + SECONDS(20);
    struct apply_end end;

    while (apply_step(apply, clock_now_us(), &end) < 0) {
        const time_us now_us = clock_now_us();
        struct pollfd fds[APPLY_FDS_MAX];
        const size_t n = apply_poll_fds(apply, now_us, fds);

        assert_true(n > 0);
        assert_true(now_us < give_up_us);
        (void)poll(fds, (nfds_t)n,
                   (int)CLAMP((apply_wake_at(apply) - now_us) / US_PER_MS + 1, 0, 1000));
    }
    return end;
}

static int n_open_fds(void)
{
    cleanup_closedir DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        n++;
    }
    return n;
}

/* Status 0 is success, with the last line as text. */
static void test_success(void **state)
{
    struct apply_end end;

    assert_int_equal(start(*state, 1, "echo first; echo 'moved  it'; echo", SECONDS(10)), 0);
    end = wait_end(*state);
    assert_int_equal(end.epoch, 9);
    assert_int_equal(end.seq, 1);
    assert_int_equal(end.status, RECEIPT_SUCCEEDED);
    assert_string_equal(end.text, "moved  it");
}

/* Another status is failure, with the words of the table and the last line of stderr. */
static void test_failure(void **state)
{
    struct apply_end end;

    assert_int_equal(start(*state, 1, "echo 'not a member' >&2; exit 3", SECONDS(10)), 0);
    end = wait_end(*state);
    assert_int_equal(end.status, RECEIPT_FAILED);
    assert_string_equal(end.text, "exit 3 (refused): not a member");
    assert_int_equal(start(*state, 2, "exit 69", SECONDS(10)), 0);
    end = wait_end(*state);
    assert_string_equal(end.text, "exit 69 (unreachable)");
    assert_int_equal(start(*state, 3, "kill -9 $$", SECONDS(10)), 0);
    end = wait_end(*state);
    assert_string_equal(end.text, "killed by signal 9");
}

/* A program that is not there is told at once, and nothing runs. */
static void test_not_there(void **state)
{
    char *command[] = {(char[]){"/nonexistent/program"}, NULL};
    struct apply_end end;

    assert_int_equal(start_command(*state, 1, command, SECONDS(1)), -ENOENT);
    assert_int_equal(apply_step(*state, clock_now_us(), &end), -EAGAIN);
    assert_int_equal(apply_wake_at(*state), TIME_NEVER);
}

/* The move stands in the environment, unharmed by what a shell would make of it. */
static void test_environment(void **state)
{
    struct apply_end end;

    (void)setenv("EVENKEEL_TOPIC", "a liar's", 1);
    (void)setenv("EVENKEEL_OTHER", "kept", 1);
    assert_int_equal(
        start(*state, 7,
              "echo \"$EVENKEEL_TOPIC|$EVENKEEL_FROM|$EVENKEEL_TO|"
              "$EVENKEEL_TO_ADDRESS|$EVENKEEL_DECISION|$EVENKEEL_DEADLINE_MS|$EVENKEEL_OTHER\"",
              SECONDS(10)),
        0);
    end = wait_end(*state);
    assert_string_equal(end.text, "APP/a b'$(c)|n1|n2|nats://h:1|9-7|10000|kept");
    (void)unsetenv("EVENKEEL_TOPIC");
}

/* The child has our three descriptors and no other, is a group of its own, and blocks no signal. */
static void test_clean_child(void **state)
{
    struct apply_end end;
    const int leak = dup(STDOUT_FILENO);
    sigset_t all;
    sigset_t before;

    assert_true(leak > STDERR_FILENO);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    assert_int_equal(
        start(*state, 1,
              "b=$(grep SigBlk /proc/$$/status); read _ _ _ _ g _ </proc/$$/stat; "
              "[ $g = $$ ] && [ \"$b\" = \"$(printf 'SigBlk:\\t0000000000000000')\" ] && "
              "echo $(ls /proc/self/fd; readlink /proc/$$/fd/0)",
              SECONDS(10)),
        0);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    end = wait_end(*state);
    (void)close(leak);
    assert_int_equal(end.status, RECEIPT_SUCCEEDED);
    assert_string_equal(end.text, "0 1 2 3 /dev/null");
}

/* At the deadline the program and its children are ended, also when they ignore SIGTERM. */
static void test_deadline(void **state)
{
    struct apply_end end;
    char path[] = "/tmp/evenkeel-test-XXXXXX";
    const int fd = mkstemp(path);
    char script[256];
    char pid[32] = {0};

    assert_true(fd >= 0);
    (void)snprintf(script, sizeof(script),
                   "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > %s; sleep 60' & echo waiting; "
                   "wait; sleep 60",
                   path);
    assert_int_equal(start(*state, 1, script, MILLISECONDS(300)), 0);
    end = wait_end(*state);
    assert_int_equal(end.status, RECEIPT_TIMED_OUT);
    assert_string_equal(end.text, "ended at its deadline: waiting");
    assert_true(end.seconds >= 2.0 && end.seconds < 5.0);
    assert_true(read(fd, pid, sizeof(pid) - 1) > 0);
    (void)close(fd);
    (void)unlink(path);
    for (int i = 0; kill((pid_t)atoi(pid), 0) == 0 && i < 100; i++) {
        char state_path[64];
        char stat[256] = {0};
        cleanup_fclose FILE *file = NULL;

        (void)snprintf(state_path, sizeof(state_path), "/proc/%d/stat", atoi(pid));
        file = fopen(state_path, "r");
        if (file == NULL || fgets(stat, sizeof(stat), file) == NULL ||
            strstr(stat, ") Z") != NULL) {
            return; /* dead, and waiting for its new parent */
        }
        assert_true(i < 99);
        (void)poll(NULL, 0, 10);
    }
}

/* A program that listens to SIGTERM ends at once, and still counts as timed out. */
static void test_polite(void **state)
{
    struct apply_end end;

    assert_int_equal(
        start(*state, 1, "trap 'echo bye; exit 0' TERM; sleep 60 & wait", MILLISECONDS(200)), 0);
    end = wait_end(*state);
    assert_int_equal(end.status, RECEIPT_TIMED_OUT);
    assert_string_equal(end.text, "ended at its deadline: bye");
    assert_true(end.seconds < 1.5);
}

/* A child that holds the pipe open does not keep the actuator from ending, and goes with it. */
static void test_left_behind(void **state)
{
    struct apply_end end;

    assert_int_equal(start(*state, 1, "sleep 60 & echo done", SECONDS(10)), 0);
    end = wait_end(*state);
    assert_int_equal(end.status, RECEIPT_SUCCEEDED);
    assert_string_equal(end.text, "done");
    assert_true(end.seconds < 5.0);
}

/* A flood of output costs neither memory nor the last words. */
static void test_flood(void **state)
{
    struct apply_end end;

    assert_int_equal(start(*state, 1,
                           "head -c 1000000 /dev/zero; printf '\\nlast \\001\\377 word\\n'",
                           SECONDS(15)),
                     0);
    end = wait_end(*state);
    assert_int_equal(end.status, RECEIPT_SUCCEEDED);
    assert_string_equal(end.text, "last ?? word");
}

/* A line of any length is cut to what a receipt holds. */
static void test_long_line(void **state)
{
    struct apply_end end;

    assert_int_equal(start(*state, 1, "head -c 5000 /dev/zero | tr '\\000' x; exit 1", SECONDS(15)),
                     0);
    end = wait_end(*state);
    assert_int_equal(strlen(end.text), TEXT_BYTES_MAX);
    assert_int_equal(strncmp(end.text, "exit 1 (failed): xxx", 20), 0);
}

/* As many run at a time as may, each ends by itself, and nothing stays open. */
static void test_many(void **state)
{
    const int n_fds = n_open_fds();
    uint64_t ended = 0;

    for (uint64_t seq = 1; seq <= ACTUATORS_RUNNING_MAX; seq++) {
        assert_int_equal(start(*state, seq, "read x; exit 0", SECONDS(10)), 0);
    }
    assert_int_equal(start(*state, 99, "exit 0", SECONDS(10)), -EBUSY);
    for (int i = 0; i < ACTUATORS_RUNNING_MAX; i++) {
        ended |= UINT64_C(1) << wait_end(*state).seq;
    }
    assert_int_equal(ended, ((UINT64_C(1) << ACTUATORS_RUNNING_MAX) - 1) << 1);
    assert_int_equal(n_open_fds(), n_fds);
}

/* Shutting down ends what runs, soon, and leaves no zombie. */
static void test_shutdown(void **state)
{
    struct apply *apply;
    const time_us began_us = clock_now_us();

    (void)state;
    assert_int_equal(apply_new(&apply), 0);
    assert_int_equal(start(apply, 1, "trap '' TERM; sleep 60", SECONDS(60)), 0);
    assert_int_equal(start(apply, 2, "sleep 60", SECONDS(60)), 0);
    apply_free(apply);
    assert_true(clock_now_us() - began_us < SECONDS(1));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    apply_free(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_success),     CASE(test_failure),   CASE(test_not_there), CASE(test_environment),
        CASE(test_clean_child), CASE(test_deadline),  CASE(test_polite),    CASE(test_left_behind),
        CASE(test_flood),       CASE(test_long_line), CASE(test_many),      CASE(test_shutdown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
