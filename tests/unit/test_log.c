/* The log: lines byte for byte but for their time, repeats, and a stderr that is gone. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"

static char said[1 << 20];
static int stderr_fd, file_fd;

/* From here on stderr is a file. */
static void listen_to(int fd)
{
    stderr_fd = dup(STDERR_FILENO);
    assert_true(stderr_fd >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
}

static void listen_again(void)
{
    assert_true(dup2(stderr_fd, STDERR_FILENO) >= 0);
    (void)close(stderr_fd);
}

/* Every window of repeats is over: one test does not count for the next. */
static void let_time_pass(void)
{
    log_flush(clock_now_us() + LOG_WINDOW_US);
}

static int start(void **state)
{
    (void)state;
    log_start("agent", LOG_INFO, LOG_JSON);
    file_fd = memfd_create("stderr", MFD_CLOEXEC);
    listen_to(file_fd);
    return 0;
}

static int end(void **state)
{
    (void)state;
    let_time_pass();
    listen_again();
    return close(file_fd);
}

/* What was said since the last call. */
static const char *lines(void)
{
    ssize_t n = pread(file_fd, said, sizeof(said) - 1, 0);

    said[n > 0 ? n : 0] = '\0';
    (void)ftruncate(file_fd, 0);
    (void)lseek(file_fd, 0, SEEK_SET);
    return said;
}

/* One line with the time taken out, which must look like one. */
static const char *line(void)
{
    static char without_time[sizeof(said)];
    const char *text = lines();
    const char *start_of_time = strchr(text, '2');
    int n = 0;

    assert_non_null(start_of_time);
    (void)sscanf(start_of_time, "%*4[0-9]-%*2[0-9]-%*2[0-9]T%*2[0-9]:%*2[0-9]:%*2[0-9].%*6[0-9]Z%n",
                 &n);
    assert_int_equal(n, 27);
    (void)snprintf(without_time, sizeof(without_time), "%.*sT%s", (int)(start_of_time - text), text,
                   start_of_time + n);
    return without_time;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        n++;
    }
    return n;
}

/* One JSON object a line; an absent field is skipped. */
static void test_json(void **state)
{
    (void)state;
    log_event(LOG_INFO, "report_refused", log_text("node", "n1"), log_text(NULL, "x"),
              log_number("seq", -7), log_real("ratio", 0.1), log_real("odd", NAN),
              log_text("why", NULL));
    assert_string_equal(line(), "{\"ts\":\"T\",\"level\":\"info\",\"component\":\"agent\","
                                "\"event\":\"report_refused\",\"node\":\"n1\",\"seq\":-7,"
                                "\"ratio\":0.1,\"odd\":null,\"why\":null}\n");
}

/* The same for people. */
static void test_text(void **state)
{
    (void)state;
    log_start("agent", LOG_INFO, LOG_TEXT);
    log_event(LOG_WARN, "report_refused", log_text("node", "n1"), log_text("reason", "too \"old\""),
              log_text("empty", ""), log_number("seq", 7), log_real("x", INFINITY),
              log_text("none", NULL), log_text("sum", "a=b"), log_text("city", "Köln"));
    assert_string_equal(line(), "T WARN agent report_refused node=n1 reason=\"too \\\"old\\\"\" "
                                "empty=\"\" seq=7 x=+Inf none=- sum=\"a=b\" city=\"Köln\"\n");
}

/* Bytes that could end a line, move a cursor or break JSON come out harmless. */
static void test_escapes(void **state)
{
    (void)state;
    log_event(LOG_ERROR, "odd",
              log_text("t", "a\"\\\n\r\t\x1b[2J\x7f \xC2\x9B é \xFF\xC3 \xED\xA0\x80"));
    assert_string_equal(
        line(), "{\"ts\":\"T\",\"level\":\"error\",\"component\":\"agent\",\"event\":\"odd\","
                "\"t\":\"a\\\"\\\\\\n\\u000d\\u0009\\u001b[2J\\u007f \\u009b é "
                "\uFFFD\uFFFD \uFFFD\uFFFD\uFFFD\"}\n");
}

/* Events below the level are not said. */
static void test_level(void **state)
{
    (void)state;
    log_start("agent", LOG_WARN, LOG_JSON);
    log_event(LOG_DEBUG, "a", log_text("x", "1"));
    log_event(LOG_INFO, "b", log_text("x", "1"));
    log_event(LOG_WARN, "c", log_text("x", "1"));
    log_write(LOG_ERROR, "d", NULL, 0);
    lines();
    assert_int_equal(count(said, "\n"), 2);
    assert_non_null(strstr(said, "\"event\":\"c\",\"x\":\"1\"}\n"));
    assert_non_null(strstr(said, "\"event\":\"d\"}\n"));
}

/* A long text is cut at a character and marked; fields that do not fit are left out, and that is
 * said. */
static void test_long(void **state)
{
    char text[8000];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    log_event(LOG_INFO, "long", log_text("a", text), log_text("b", "whole"));
    lines();
    assert_non_null(strstr(said, "xxx…\",\"b\":\"whole\"}\n"));
    assert_in_range(strlen(said), 1024, 1200);
    log_event(LOG_INFO, "longer", log_text("a", text), log_text("b", text), log_text("c", text),
              log_text("d", text), log_text("e", "whole"), log_text("f", text));
    lines();
    assert_non_null(strstr(said, "\"truncated\":true}\n"));
    assert_in_range(strlen(said), 3000, 4096);
    assert_int_equal(count(said, "\n"), 1);
}

/* Texts of any length and any bytes give one whole line. */
static void test_every_length(void **state)
{
    char text[1200];

    (void)state;
    log_start("agent", LOG_INFO, LOG_TEXT);
    for (size_t n = 900; n < sizeof(text) - 1; n++) {
        memset(text, n % 2 == 0 ? '\x01' : '"', n);
        text[n] = '\0';
        log_event(LOG_INFO, "any", log_number("n", (int64_t)n), log_text("a", text),
                  log_text("b", text), log_text("c", text), log_text("d", text));
        lines();
        assert_in_range(strlen(said), 900, 4096);
        assert_int_equal(count(said, "\n"), 1);
        assert_int_equal(said[strlen(said) - 1], '\n');
    }
}

/* The sixth of a kind is counted, and the count is said when the window is over. */
static void test_repeats(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        log_event(LOG_WARN, "report_refused", log_text("node", "n1"), log_number("seq", i));
        if (i % 50 == 0) {
            log_event(LOG_WARN, "report_refused", log_text("node", "n2"), log_number("seq", i));
        }
    }
    lines();
    assert_int_equal(count(said, "\"n1\""), LOG_BURST);
    assert_int_equal(count(said, "\"n2\""), 2);
    log_flush(clock_now_us());
    assert_string_equal(lines(), "");
    let_time_pass();
    assert_string_equal(line(),
                        "{\"ts\":\"T\",\"level\":\"warn\",\"component\":\"agent\",\"event\":"
                        "\"report_refused\",\"node\":\"n1\",\"repeats\":95}\n");
    let_time_pass();
    assert_string_equal(lines(), "");
    log_event(LOG_WARN, "report_refused", log_text("node", "n1"));
    assert_int_equal(count(lines(), "\n"), 1);
}

/* A first field that is a number tells repeats apart, too. */
static void test_repeats_number(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        log_event(LOG_INFO, "move", log_number("id", i % 2));
    }
    assert_int_equal(count(lines(), "\n"), 2 * LOG_BURST);
    let_time_pass();
    lines();
    assert_non_null(strstr(said, "\"id\":0,\"repeats\":5}"));
    assert_non_null(strstr(said, "\"id\":1,\"repeats\":5}"));
}

/* A peer that makes up names does not get a line for each. */
static void test_made_up_names(void **state)
{
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "n%d", i);
        log_event(LOG_WARN, "report_refused", log_text("node", name));
        n += count(lines(), "\n");
    }
    assert_in_range(n, 500, 600);
    let_time_pass();
    lines();
    assert_int_equal(count(said, "\n"), 1);
    assert_non_null(strstr(said, "\"event\":\"log_overflow\",\"repeats\":9"));
}

/* What nobody reads is counted, does not block, and does not end the process. */
static void test_stderr_gone(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    listen_again();
    listen_to(ends[1]);
    for (int i = 0; i < 2000; i++) {
        log_event(LOG_INFO, "flood", log_number("i", i % 400), log_number("n", i));
    }
    (void)close(ends[0]);
    log_event(LOG_INFO, "nobody", log_text("reads", "this"));
    assert_int_equal(close(STDERR_FILENO), 0);
    log_event(LOG_INFO, "closed", log_text("is", "stderr"));
    assert_true(dup2(stderr_fd, STDERR_FILENO) >= 0);
    listen_again();
    (void)close(ends[1]);
    listen_to(file_fd);
    log_flush(clock_now_us());
    lines();
    assert_int_equal(count(said, "\n"), 1);
    assert_non_null(strstr(said, "\"event\":\"log_lost\",\"lines\":"));
    log_flush(clock_now_us());
    assert_string_equal(lines(), "");
}

static void *talk(void *context)
{
    for (int i = 0; i < 200; i++) {
        log_event(LOG_INFO, "talk", log_number("i", i), log_text("who", context));
    }
    return NULL;
}

/* Lines of several threads never mix. */
static void test_threads(void **state)
{
    pthread_t threads[4];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, talk, "somebody"), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    lines();
    for (const char *at = said; *at != '\0'; at = strchr(at, '\n') + 1) {
        assert_memory_equal(at, "{\"ts\":\"2", 8);
        n++;
    }
    assert_int_equal(n, 800);
    assert_int_equal(count(said, ",\"who\":\"somebody\"}\n"), 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json, start, end),
        cmocka_unit_test_setup_teardown(test_text, start, end),
        cmocka_unit_test_setup_teardown(test_escapes, start, end),
        cmocka_unit_test_setup_teardown(test_level, start, end),
        cmocka_unit_test_setup_teardown(test_long, start, end),
        cmocka_unit_test_setup_teardown(test_every_length, start, end),
        cmocka_unit_test_setup_teardown(test_repeats, start, end),
        cmocka_unit_test_setup_teardown(test_repeats_number, start, end),
        cmocka_unit_test_setup_teardown(test_made_up_names, start, end),
        cmocka_unit_test_setup_teardown(test_stderr_gone, start, end),
        cmocka_unit_test_setup_teardown(test_threads, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
