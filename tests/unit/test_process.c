/* What this process costs, read from its own /proc/self. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/process.h"

/* Memory that is touched and a descriptor that is opened are seen. */
static void test_grows(void **state)
{
    const size_t n = 8 << 20;
    struct process_usage before, after;
    char *memory;
    int fd;

    (void)state;
    process_usage(&before);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    memory = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
                  0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    process_usage(&after);
    assert_true(after.open_fds == before.open_fds + 1);
    assert_true(after.resident_bytes - before.resident_bytes > (double)n / 2);
    assert_true(after.start_unix_s == before.start_unix_s);
    (void)munmap(memory, n);
    (void)close(fd);
}

/* CPU time grows while the process works, and stays near what the kernel says otherwise. */
static void test_cpu(void **state)
{
    struct process_usage usage;
    struct timespec used;

    (void)state;
    do {
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    } while (used.tv_sec == 0 && used.tv_nsec < 50 * 1000 * 1000);
    process_usage(&usage);
    assert_true(usage.cpu_s > 0.01 && usage.cpu_s < 60);
}

/* The process started before now, and not long ago. */
static void test_start(void **state)
{
    struct process_usage usage;

    (void)state;
    process_usage(&usage);
    assert_true(usage.start_unix_s > (double)time(NULL) - 3600);
    assert_true(usage.start_unix_s < (double)time(NULL) + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
