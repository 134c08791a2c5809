/* ekctl as a process, against stub aggregators: exit codes, and what goes to which stream. */
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/stub.h"

static const char *program;
static struct stub stub;

/* What a run left behind. */
static char out[16384];
static char err[16384];

static void take(FILE *file, char *ret_text, size_t size)
{
    rewind(file);
    ret_text[fread(ret_text, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

static pid_t start(char **line, FILE *to_out, FILE *to_err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, fileno(to_out), STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, fileno(to_err), STDERR_FILENO);
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, line, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* Run `ekctl --server STUB WORDS`, words parted by blanks; with `interrupt_at` wait until stderr
 * holds it, then press Ctrl-C. Returns the exit code. */
static int run_until(const char *words, const char *interrupt_at)
{
    char copy[256];
    char *line[16] = {"ekctl", "--server", stub.url};
    size_t n = 3;
    FILE *to_out = tmpfile();
    FILE *to_err = tmpfile();
    int status;
    pid_t pid;

    (void)snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok(copy, " "); word != NULL && n < 15; word = strtok(NULL, " ")) {
        line[n++] = word;
    }
    pid = start(line, to_out, to_err);
    while (interrupt_at != NULL) {
        ssize_t got = pread(fileno(to_err), err, sizeof(err) - 1, 0);

        err[got > 0 ? got : 0] = '\0';
        interrupt_at = strstr(err, interrupt_at) != NULL ? NULL : interrupt_at;
        if (interrupt_at == NULL) {
            (void)kill(pid, SIGINT);
        }
        (void)usleep(5000);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    take(to_out, out, sizeof(out));
    take(to_err, err, sizeof(err));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char *words)
{
    return run_until(words, NULL);
}

/* Run against a stub of that manner. */
static int run_with(enum manner manner, const char *words)
{
    int code;

    free_url(stub.url, sizeof(stub.url));
    stub_start(&stub, manner);
    code = run(words);
    stub_stop(&stub);
    return code;
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("%s\nis not in\n%s", part, text);
    }
}

/* Every command prints its answer on stdout alone, as a table and as JSON. */
static void test_answers(void **state)
{
    static const struct {
        const char *words;
        const char *table;
        const char *json;
    } rows[] = {
        {"status", "ranked by        simple", "\"kind\": \"status\""},
        {"ranking", "   1  b       0.250", "\"kind\": \"ranking\""},
        {"reports", "4.0 KiB", "\"memory_bytes\": 4096"},
        {"reports --broker a", "first_sample", "\"cpu_ratio\": \"first_sample\""},
        {"assign orders", "orders  a       assigned  nats://", "\"broker\": \"a\""},
        {"lookup orders", "orders  a", "\"source\": \"assigned\""},
        {"release orders", "orders is released", "\"released\": true"},
        {"move orders --to b", "running", "\"state\": \"running\""},
        {"moves", "orders", "\"kind\": \"moves\""},
        {"moves 9", " 9  orders", "\"id\": 9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char words[128];

        assert_int_equal(run_with(PROPER, rows[i].words), 0);
        assert_holds(out, rows[i].table);
        assert_string_equal(err, "");
        (void)snprintf(words, sizeof(words), "%s -o json", rows[i].words);
        assert_int_equal(run_with(PROPER, words), 0);
        assert_holds(out, rows[i].json);
        assert_holds(out, "\"api_version\": \"evenkeel/v1\"");
        assert_string_equal(err, "");
    }
}

/* The exit code says which way it failed; stderr says where and what to do. */
static void test_failures(void **state)
{
    static const struct {
        enum manner manner;
        int code;
        const char *words;
        const char *text;
    } rows[] = {
        {MISSING, 1, "lookup orders", "no such topic"},
        {GARBAGE, 1, "status", "hint: is that the query socket"},
        {REFUSING, 3, "move orders --to b", "b is not a candidate"},
        {NOT_READY, 75, "ranking", "awaiting the first reports"},
        {SILENT, 75, "status --timeout 300ms", "no answer in time"},
        {PROPER, 64, "assign", "usage: ekctl assign TOPIC"},
        {PROPER, 64, "moves seven", "seven is not the number of a move"},
        {PROPER, 64, "--server nowhere status", "not an address"},
        {PROPER, 2, "move orders --to b --dry-run", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(run_with(rows[i].manner, rows[i].words), rows[i].code);
        assert_holds(err, rows[i].text);
    }
}

/* Nobody there: 69, with the address that was tried. */
static void test_unreachable(void **state)
{
    (void)state;
    free_url(stub.url, sizeof(stub.url));
    assert_int_equal(run("status --timeout 300ms"), 69);
    assert_holds(err, stub.url);
    assert_holds(err, "EKCTL_SERVER");
    assert_string_equal(out, "");
}

/* A move that is waited for ends as the move does, and tells its states on stderr. */
static void test_wait(void **state)
{
    static const struct {
        enum move_outcome outcome;
        int code;
    } rows[] = {
        {MOVE_MOVED, 0},     {MOVE_NOOP, 0},       {MOVE_REFUSED, 3},
        {MOVE_ELSEWHERE, 1}, {MOVE_TIMED_OUT, 75}, {MOVE_FAILED, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        stub.outcome = rows[i].outcome;
        stub.n_moves_asked = 0;
        assert_int_equal(run_with(ENDING, "move orders --to b --wait"), rows[i].code);
        assert_holds(out, move_outcome_name(rows[i].outcome));
        assert_holds(err, "move 7 of orders from a to b: running");
        assert_holds(err, "ended");
    }
}

/* Ctrl-C ends the waiting with 130 and says how to look again. */
static void test_interrupted(void **state)
{
    (void)state;
    free_url(stub.url, sizeof(stub.url));
    stub_start(&stub, PROPER);
    assert_int_equal(run_until("move orders --to b --wait", "running"), 130);
    stub_stop(&stub);
    assert_holds(err, "ekctl moves 7");
    assert_string_equal(out, "");
}

/* Help goes to stdout and names every command. */
static void test_help(void **state)
{
    (void)state;
    assert_int_equal(run("--help"), 0);
    assert_holds(out, "ranking");
    assert_holds(out, "EKCTL_SERVER");
    assert_int_equal(run("move --help"), 0);
    assert_holds(out, "--dry-run");
    assert_int_equal(run("--version"), 0);
    assert_holds(out, "ekctl " EVENKEEL_VERSION);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_unreachable), cmocka_unit_test(test_wait),
        cmocka_unit_test(test_interrupted), cmocka_unit_test(test_help),
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: test_ekctl_run EKCTL\n");
        return EXIT_FAILURE;
    }
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
