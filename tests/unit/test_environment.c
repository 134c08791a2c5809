/* Where an agent runs, over trees of files that stand in for its root and /proc. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/environment.h"
#include "tests/unit/tree.h"

#define ID "4f2c9a81d07be35640f1c2a39bd85e7716ac03f4e9825d1b7a60c3f8e4d92b15"

static struct tree tree;
static struct cgroups cgroups;
static struct environment environment;

static int open_folder(const char *name)
{
    char path[1024];

    tree_path(&tree, name, path);
    return open(path, O_PATH | O_DIRECTORY);
}

static void detect(bool has_kubernetes_variable)
{
    struct environment_view view = {.root_fd = open_folder("root"),
                                    .proc_fd = open_folder("proc"),
                                    .has_kubernetes_variable = has_kubernetes_variable,
                                    .cgroups = &cgroups};

    environment_detect(&view, &environment);
    (void)close(view.root_fd);
    (void)close(view.proc_fd);
}

static void mount(const char *point, bool is_v2)
{
    struct cgroups_mount *made = &cgroups.mounts[cgroups.n_mounts++];

    made->is_v2 = is_v2;
    tree_path(&tree, point, made->point);
}

static int setup(void **state)
{
    (void)state;
    cgroups.n_mounts = 0;
    tree_make(&tree);
    tree_put(&tree, "root/etc/x", "x");
    tree_put(&tree, "proc/self/cgroup", "0::/system.slice/evenkeel.service\n");
    tree_put(&tree, "proc/self/mountinfo",
             "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
             "28 27 0:9 / /x rw - overlay overlay rw\n");
    tree_link(&tree, "proc/self/ns/cgroup", "cgroup:[4026531835]");
    tree_link(&tree, "proc/self/ns/pid", "pid:[4026531836]");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tree_remove(&tree, "");
    return 0;
}

/* Nothing that tells of a container is there. */
static void test_native(void **state)
{
    (void)state;
    detect(false);
    assert_int_equal(environment.kind, ENVIRONMENT_NATIVE);
    assert_int_equal(environment.hierarchy, HIERARCHY_NONE);
}

/* Kubernetes gives each container a variable, and an account unless that is turned off. */
static void test_kubernetes(void **state)
{
    (void)state;
    detect(true);
    assert_int_equal(environment.kind, ENVIRONMENT_KUBERNETES);
    tree_put(&tree, "root/var/run/secrets/kubernetes.io/serviceaccount/token", "x");
    detect(false);
    assert_int_equal(environment.kind, ENVIRONMENT_KUBERNETES);
}

/* Any one sign of a container is enough. */
static void test_container(void **state)
{
    static const char *const files[] = {"root/.dockerenv", "root/run/.containerenv"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        tree_put(&tree, files[i], "x");
        detect(false);
        assert_int_equal(environment.kind, ENVIRONMENT_CONTAINER);
        tree_remove(&tree, files[i]);
    }
    tree_put(&tree, "proc/self/cgroup", "4:memory:/docker/" ID "\n");
    detect(false);
    assert_int_equal(environment.kind, ENVIRONMENT_CONTAINER);
}

/* … a namespace of its own, or an overlay as the root. */
static void test_container_by_kernel(void **state)
{
    (void)state;
    tree_remove(&tree, "proc/self/ns/cgroup");
    tree_link(&tree, "proc/self/ns/cgroup", "cgroup:[4026532000]");
    detect(false);
    assert_int_equal(environment.kind, ENVIRONMENT_CONTAINER);
    tree_remove(&tree, "proc/self/ns/cgroup");
    tree_put(&tree, "proc/self/mountinfo", "27 1 0:9 / / rw - overlay overlay rw\n");
    detect(false);
    assert_int_equal(environment.kind, ENVIRONMENT_CONTAINER);
}

static uint64_t version(enum environment_controller controller)
{
    return environment.versions[controller];
}

/* A controller that has a line of its own is on v1; the rest is where v2 lists it. */
static void test_controllers(void **state)
{
    (void)state;
    tree_put(&tree, "proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/\n3:name=systemd:/\n0::/\n");
    tree_put(&tree, "unified/cgroup.controllers", "cpuset io\n");
    mount("memory", false);
    mount("unified", true);
    detect(false);
    assert_int_equal(environment.hierarchy, HIERARCHY_HYBRID);
    assert_int_equal(version(ENVIRONMENT_CPU), 1);
    assert_int_equal(version(ENVIRONMENT_MEMORY), 1);
    assert_int_equal(version(ENVIRONMENT_CPUSET), 2);
    assert_int_equal(version(ENVIRONMENT_IO), 2);
    assert_int_equal(version(ENVIRONMENT_PIDS), 0);
    cgroups.mounts[0] = cgroups.mounts[1];
    detect(false);
    assert_int_equal(environment.hierarchy, HIERARCHY_V2);
    cgroups.mounts[0].is_v2 = false;
    cgroups.n_mounts = 1;
    detect(false);
    assert_int_equal(environment.hierarchy, HIERARCHY_V1);
    assert_int_equal(version(ENVIRONMENT_IO), 0);
}

/* Namespaces are told by their numbers, the network's by a setting that only the first has. */
static void test_namespaces(void **state)
{
    struct environment_namespaces namespaces;
    int proc_fd = open_folder("proc");

    (void)state;
    assert_int_equal(environment_network(proc_fd), -ENODATA);
    environment_namespaces(proc_fd, &namespaces);
    assert_false(namespaces.pid || namespaces.cgroup || namespaces.network);
    tree_put(&tree, "proc/sys/net/core/somaxconn", "1\n");
    tree_remove(&tree, "proc/self/ns/pid");
    tree_link(&tree, "proc/self/ns/pid", "pid:[4026532001]");
    environment_namespaces(proc_fd, &namespaces);
    assert_true(namespaces.pid && !namespaces.cgroup && namespaces.network);
    tree_put(&tree, "proc/sys/net/core/netdev_max_backlog", "1\n");
    assert_int_equal(environment_network(proc_fd), 1);
    (void)close(proc_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_native, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kubernetes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_container, setup, teardown),
        cmocka_unit_test_setup_teardown(test_container_by_kernel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_controllers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_namespaces, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
