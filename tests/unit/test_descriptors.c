/* Open descriptors: as the kernel says, or counted when it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/descriptors.h"
#include "tests/unit/tree.h"

static char bytes[4096];
static struct reader reader = {.bytes = bytes, .size = sizeof(bytes)};

static int open_folder(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

/* Our own: one more after one was opened. */
static void test_own(void **state)
{
    struct descriptors descriptors = {0};
    int proc_fd = open_folder("/proc");
    double n_before;

    (void)state;
    descriptors_refresh(&descriptors, proc_fd, getpid(), &reader);
    assert_true(value_is_present(descriptors.n_open));
    assert_true(value_is_present(descriptors.n_max));
    n_before = descriptors.n_open.number;
    assert_true(n_before >= 1 && n_before <= descriptors.n_max.number);
    int more = open_folder("/proc");

    descriptors_refresh(&descriptors, proc_fd, getpid(), &reader);
    assert_true(descriptors.n_open.number - n_before > 0.5);
    (void)close(more);
    (void)close(proc_fd);
}

/* Many are counted seldom: the value of the last count stays meanwhile. */
static void test_budget(void **state)
{
    struct descriptors descriptors = {0};
    struct tree tree;
    char name[32];
    int proc_fd;

    (void)state;
    tree_make(&tree);
    for (int i = 0; i < DESCRIPTORS_BUDGET + 2; i++) {
        (void)snprintf(name, sizeof(name), "9/fd/%d", i);
        tree_put(&tree, name, "%s", "");
    }
    proc_fd = open_folder(tree.root);
    descriptors_refresh(&descriptors, proc_fd, 9, &reader);
    assert_int_equal((int)descriptors.n_open.number, DESCRIPTORS_BUDGET + 2);
    tree_remove(&tree, "9/fd/0");
    descriptors_refresh(&descriptors, proc_fd, 9, &reader);
    assert_int_equal((int)descriptors.n_open.number, DESCRIPTORS_BUDGET + 2);
    descriptors_refresh(&descriptors, proc_fd, 9, &reader);
    assert_int_equal((int)descriptors.n_open.number, DESCRIPTORS_BUDGET + 1);
    (void)close(proc_fd);
    tree_remove(&tree, "");
}

/* A process that is not there has none, and another one's count is not taken over. */
static void test_gone(void **state)
{
    struct descriptors descriptors = {.pid = 1, .n_to_skip = 9, .n_open = value_of(7)};
    struct tree tree;
    int proc_fd;

    (void)state;
    tree_make(&tree);
    proc_fd = open_folder(tree.root);
    descriptors_refresh(&descriptors, proc_fd, 2, &reader);
    assert_false(value_is_present(descriptors.n_open));
    assert_false(value_is_present(descriptors.n_max));
    (void)close(proc_fd);
    tree_remove(&tree, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
