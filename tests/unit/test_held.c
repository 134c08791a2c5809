/* A kernel file kept open: what a held descriptor does and a fresh one does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "agent/held.h"
#include "tests/unit/tree.h"

static int pread_error; /* what pread fails with; 0: it works */

/* Stands in for the C library's: kernel files fail in ways that plain files do not. */
ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset)
{
    if (pread_error != 0) {
        errno = pread_error;
        return -1;
    }
    return syscall(SYS_pread64, fd, buf, nbytes, offset);
}

static char bytes[8192];

static void expect_text(struct held *held, const char *text)
{
    size_t n = 0;

    assert_int_equal(held_read(held, bytes, sizeof(bytes), &n), 0);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
}

static int setup(void **state)
{
    static struct tree tree;

    tree_make(&tree);
    pread_error = 0;
    *state = &tree;
    return 0;
}

static int teardown(void **state)
{
    tree_remove(*state, "");
    return 0;
}

/* A held file shows its new text, from its start. */
static void test_read_again(void **state)
{
    struct tree *tree = *state;
    struct held held = {0};

    tree_put(tree, "file", "first\n");
    int dir_fd = open(tree->root, O_PATH | O_DIRECTORY);

    held_open(&held, dir_fd, "file", false);
    expect_text(&held, "first\n");
    tree_put(tree, "file", "2nd\n");
    expect_text(&held, "2nd\n");
    held_close(&held);
    (void)close(dir_fd);
}

/* Kernels that refuse pread on /proc/net: it is opened anew, now and from then on. */
static void test_espipe(void **state)
{
    struct tree *tree = *state;
    struct held held = {0};

    tree_put(tree, "net", "eth0\n");
    int dir_fd = open(tree->root, O_PATH | O_DIRECTORY);

    held_open(&held, dir_fd, "net", false);
    pread_error = ESPIPE;
    expect_text(&held, "eth0\n");
    assert_true(held.is_reopened);
    tree_put(tree, "net", "eth1\n");
    expect_text(&held, "eth1\n");
    held_close(&held);
    (void)close(dir_fd);
}

/* A process or cgroup that is no more says so in two ways. */
static void test_gone(void **state)
{
    struct tree *tree = *state;
    struct held held = {0};
    size_t n;

    tree_put(tree, "stat", "1\n");
    int dir_fd = open(tree->root, O_PATH | O_DIRECTORY);

    held_open(&held, dir_fd, "stat", false);
    pread_error = ESRCH;
    assert_int_equal(held_read(&held, bytes, sizeof(bytes), &n), -ENODEV);
    pread_error = ENODEV;
    assert_int_equal(held_read(&held, bytes, sizeof(bytes), &n), -ENODEV);
    held_close(&held);
    (void)close(dir_fd);
}

/* What could not be opened says why, until it can be. */
static void test_retry(void **state)
{
    struct tree *tree = *state;
    struct held held = {0};
    size_t n;
    int dir_fd = open(tree->root, O_PATH | O_DIRECTORY);

    held_open(&held, dir_fd, "late", false);
    assert_int_equal(held_read(&held, bytes, sizeof(bytes), &n), -ENOENT);
    tree_put(tree, "late", "here\n");
    assert_int_equal(held_read(&held, bytes, sizeof(bytes), &n), -ENOENT);
    held_retry(&held);
    expect_text(&held, "here\n");
    held_close(&held);
    (void)close(dir_fd);
}

/* A file longer than the room is refused, never cut short; one of many pieces is read whole. */
static void test_long(void **state)
{
    struct tree *tree = *state;
    struct held held = {0};
    size_t n = 0;

    tree_put(tree, "long", "%05000d\n", 1);
    int dir_fd = open(tree->root, O_PATH | O_DIRECTORY);

    held_open(&held, dir_fd, "long", false);
    assert_int_equal(held_read(&held, bytes, 4096, &n), -EFBIG);
    assert_int_equal(held_read(&held, bytes, sizeof(bytes), &n), 0);
    assert_int_equal(n, 5001);
    held_close(&held);
    (void)close(dir_fd);
}

/* Each reason has its state. */
static void test_states(void **state)
{
    (void)state;
    assert_int_equal(held_state(0), VALUE_PRESENT);
    assert_int_equal(held_state(-EACCES), VALUE_DENIED);
    assert_int_equal(held_state(-EPERM), VALUE_DENIED);
    assert_int_equal(held_state(-ENOENT), VALUE_UNSUPPORTED);
    assert_int_equal(held_state(-EBADMSG), VALUE_FAILED);
    assert_int_equal(held_state(-ENODEV), VALUE_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_espipe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long, setup, teardown),
        cmocka_unit_test(test_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
