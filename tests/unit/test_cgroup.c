/* Where a process's cgroups stand: mounts, places, and what cannot be seen. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/cgroup.h"
#include "tests/unit/tree.h"

static struct cgroups cgroups;

static void mounts(const char *mountinfo)
{
    cgroups.n_mounts = 0;
    cgroups_parse_mounts(mountinfo, strlen(mountinfo), &cgroups);
}

static int place_of(const char *text, enum cgroups_controller controller,
                    struct cgroups_place *ret_place)
{
    return cgroups_parse_place(text, strlen(text), controller, ret_place);
}

/* Where `controller` of a process with that /proc/PID/cgroup is; NULL: not visible. */
static const char *directory_of(const char *text, enum cgroups_controller controller)
{
    static char directory[CGROUPS_PATH_BYTES];
    struct cgroups_place place;
    size_t n_levels;

    assert_int_equal(place_of(text, controller, &place), 0);
    return cgroups_resolve(&cgroups, controller, &place, directory, &n_levels) == 0 ? directory
                                                                                    : NULL;
}

/* v1 lists several controllers a line, and named hierarchies; the v2 line is for what is left. */
static void test_places(void **state)
{
    static const char text[] = "12:cpu,cpuacct:/docker/abc\n5:memory:/docker/def\n"
                               "1:name=systemd:/docker/abc\n0::/docker/v2\n";
    struct cgroups_place place;

    (void)state;
    assert_int_equal(place_of(text, CGROUPS_CPUACCT, &place), 0);
    assert_string_equal(place.path, "/docker/abc");
    assert_false(place.is_v2);
    assert_int_equal(place_of(text, CGROUPS_MEMORY, &place), 0);
    assert_string_equal(place.path, "/docker/def");
    assert_int_equal(place_of(text, CGROUPS_IO, &place), 0);
    assert_string_equal(place.path, "/docker/v2");
    assert_true(place.is_v2);
    assert_int_equal(place_of("4:memory:/x\n", CGROUPS_IO, &place), -ENODATA);
}

/* Pressure is v2's, whatever controllers are on v1. */
static void test_unified(void **state)
{
    struct cgroups_place place;

    (void)state;
    assert_int_equal(place_of("3:cpu:/a\n2:memory:/b\n0::/c\n", CGROUPS_UNIFIED, &place), 0);
    assert_string_equal(place.path, "/c");
    assert_true(place.is_v2);
    assert_int_equal(place_of("3:cpu:/a\n", CGROUPS_UNIFIED, &place), -ENODATA);
}

/* Colons, blanks and backslashes belong to the path; a removed cgroup is gone. */
static void test_strange_places(void **state)
{
    static const char odd[] = "/a.slice/kubepods-pod1.slice:cri-containerd:dead beef\\x2d1";
    struct cgroups_place place;
    char text[256];

    (void)state;
    (void)snprintf(text, sizeof(text), "0::%s\n", odd);
    assert_int_equal(place_of(text, CGROUPS_CPU, &place), 0);
    assert_string_equal(place.path, odd);
    assert_int_equal(place_of("0::/a/leaf (deleted)\n", CGROUPS_CPU, &place), -ENODEV);
    assert_int_equal(place_of("0::/cut", CGROUPS_CPU, &place), -EBADMSG);
    assert_int_equal(place_of("nonsense\n", CGROUPS_CPU, &place), -EBADMSG);
    assert_int_equal(place_of("0::\n", CGROUPS_CPU, &place), -EBADMSG);
}

/* On a hybrid system each controller has its own hierarchy. */
static void test_hybrid(void **state)
{
    static const char text[] = "4:memory:/x\n2:cpuacct:/y\n0::/\n";

    (void)state;
    mounts("1 0 0:1 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n"
           "2 0 0:2 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
           "9 0 0:9 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
           "3 0 0:3 / /sys/fs/cgroup/unified rw shared:7 master:1 - cgroup2 cgroup2 rw\n");
    assert_int_equal(cgroups.n_mounts, 3);
    assert_string_equal(directory_of(text, CGROUPS_CPUACCT), "/sys/fs/cgroup/cpuacct/y");
    assert_string_equal(directory_of(text, CGROUPS_MEMORY), "/sys/fs/cgroup/memory/x");
    assert_string_equal(directory_of(text, CGROUPS_CPU), "/sys/fs/cgroup/unified");
}

/* The mount's root is taken off the path; outside of it nothing is visible, and never the mount. */
static void test_root_prefix(void **state)
{
    (void)state;
    mounts("65 48 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    assert_string_equal(directory_of("4:memory:/docker/abc/in\n", CGROUPS_MEMORY),
                        "/sys/fs/cgroup/memory/in");
    assert_string_equal(directory_of("4:memory:/docker/abc\n", CGROUPS_MEMORY),
                        "/sys/fs/cgroup/memory");
    assert_null(directory_of("4:memory:/docker/other\n", CGROUPS_MEMORY));
    assert_null(directory_of("4:memory:/docker/abcd\n", CGROUPS_MEMORY));
    assert_null(directory_of("4:memory:/../up\n", CGROUPS_MEMORY));
}

/* Of two mounts the one counts that shows more ancestors; a mount over another hides it. */
static void test_which_mount(void **state)
{
    (void)state;
    mounts("30 29 0:23 /pod /sys/fs/cgroup rw - cgroup2 none rw\n"
           "33 27 0:23 / /host/my\\040cgroup rw - cgroup2 none rw\n");
    assert_string_equal(directory_of("0::/pod/x\n", CGROUPS_CPU), "/host/my cgroup/pod/x");
    mounts("30 29 0:23 / /sys/fs/cgroup rw - cgroup2 none rw\n"
           "31 30 0:99 / /sys/fs/cgroup rw - tmpfs none rw\n"
           "short line\n"
           "32 31 0:23 / /cut off");
    assert_int_equal(cgroups.n_mounts, 0);
}

/* In a private namespace a sibling's path begins above our root: its names are found by inode. */
static void test_namespace(void **state)
{
    static struct tree tree;
    char text[2048];

    (void)state;
    tree_make(&tree);
    tree_put(&tree, "host/agent/pod/cgroup.procs", "1\n");
    tree_put(&tree, "host/agent/other/cgroup.procs", "2\n");
    tree_link(&tree, "own", "host/agent/pod");
    (void)snprintf(text, sizeof(text),
                   "33 27 0:23 /../.. %s/host rw,relatime - cgroup2 none rw\n"
                   "30 29 0:23 / %s/own rw,relatime - cgroup2 none rw\n",
                   tree.root, tree.root);
    mounts(text);
    (void)snprintf(text, sizeof(text), "%s/host/agent/other", tree.root);
    assert_string_equal(directory_of("0::/../other\n", CGROUPS_CPU), text);
    assert_null(directory_of("0::/../../../beyond\n", CGROUPS_CPU));
    tree_remove(&tree, "");
}

/* A folder given in place of the mounts: v2 when it is one, else what its folders are named by. */
static void test_folder(void **state)
{
    static struct tree tree;
    char root[1024], expected[2048];
    uint64_t n_errors = 0;

    (void)state;
    tree_make(&tree);
    tree_put(&tree, "v1/cpu,cpuacct/tasks", "\n");
    tree_put(&tree, "v1/memory/tasks", "\n");
    tree_put(&tree, "v1/systemd/tasks", "\n");
    tree_put(&tree, "v1/unified/cgroup.controllers", "\n");
    tree_put(&tree, "v2/cgroup.controllers", "cpu\n");
    tree_path(&tree, "v1", root);
    cgroups_discover(&cgroups, tree.root, root, &n_errors);
    assert_int_equal(cgroups.n_mounts, 3);
    (void)snprintf(expected, sizeof(expected), "%s/cpu,cpuacct/a", root);
    assert_string_equal(directory_of("1:cpu,cpuacct:/a\n", CGROUPS_CPUACCT), expected);
    tree_path(&tree, "v2", root);
    cgroups_discover(&cgroups, tree.root, root, &n_errors);
    assert_int_equal(cgroups.n_mounts, 1);
    (void)snprintf(expected, sizeof(expected), "%s/a/b", root);
    assert_string_equal(directory_of("0::/a/b\n", CGROUPS_MEMORY), expected);
    assert_int_equal(n_errors, 0);
    tree_remove(&tree, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),      cmocka_unit_test(test_strange_places),
        cmocka_unit_test(test_hybrid),      cmocka_unit_test(test_root_prefix),
        cmocka_unit_test(test_which_mount), cmocka_unit_test(test_namespace),
        cmocka_unit_test(test_folder),      cmocka_unit_test(test_unified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
