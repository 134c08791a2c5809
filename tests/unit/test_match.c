/* Which processes are a broker's, in a tree that stands in for /proc. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/match.h"
#include "tests/unit/tree.h"

static struct tree tree;
static struct cgroups cgroups;
static struct match_processes all, found;
static char bytes[65536];
static struct match_process root;

static void process(int pid, int ppid, const char *executable, const char *arguments)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "proc/%d/stat", pid);
    tree_put(&tree, name, "%d (x) S %d 0 0 0 0 0 0 0 0 0 1 1 0 0 20 0 1 0 %d 0 0\n", pid, ppid,
             pid * 10);
    (void)snprintf(name, sizeof(name), "proc/%d/exe", pid);
    tree_link(&tree, name, executable);
    (void)snprintf(name, sizeof(name), "proc/%d/cmdline", pid);
    tree_put(&tree, name, "%s", arguments);
    (void)snprintf(name, sizeof(name), "proc/%d/cgroup", pid);
    tree_put(&tree, name, "0::/g%d\n", pid);
}

static int find(struct match_options match)
{
    char path[1024];
    struct match_view view = {
        .cgroups = &cgroups, .bytes = bytes, .size = sizeof(bytes), .all = &all};
    uint64_t n_errors = 0;
    int r;

    tree_path(&tree, "cgroup", path);
    cgroups_discover(&cgroups, tree.root, path, &n_errors);
    tree_path(&tree, "proc", path);
    view.proc_fd = open(path, O_PATH | O_DIRECTORY);
    all.n = 0;
    r = match_find(&match, &view, &found, &root);
    (void)close(view.proc_fd);
    return r;
}

static int setup(void **state)
{
    (void)state;
    tree_make(&tree);
    tree_put(&tree, "cgroup/cgroup.controllers", "cpu\n");
    process(1, 0, "/sbin/init", "init");
    process(200, 1, "/usr/sbin/nats-server", "nats-server -c /etc/a.conf");
    process(100, 200, "/usr/sbin/nats-server", "nats-server -c /etc/a.conf worker");
    process(300, 1, "/opt/nats-server (deleted)", "nats-server -c /etc/b.conf");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    match_processes_done(&all);
    match_processes_done(&found);
    tree_remove(&tree, "");
    return 0;
}

/* The root of a tree of workers is meant, and the lowest pid of several roots. */
static void test_executable(void **state)
{
    (void)state;
    assert_int_equal(find((struct match_options){.executable = "nats-server"}), 0);
    assert_int_equal(root.pid, 200);
    assert_int_equal(root.start_ticks, 2000);
    assert_int_equal(found.n, 3);
    assert_int_equal(find((struct match_options){.executable = "/opt/nats-server"}), 0);
    assert_int_equal(root.pid, 300);
    assert_int_equal(find((struct match_options){.executable = "redis"}), -ESRCH);
}

/* Arguments tell two servers of one program apart. */
static void test_arguments(void **state)
{
    (void)state;
    assert_int_equal(
        find((struct match_options){.executable = "nats-server", .arguments = "*b.conf"}), 0);
    assert_int_equal(root.pid, 300);
    assert_int_equal(
        find((struct match_options){.executable = "nats-server", .arguments = "*c.conf"}), -ESRCH);
}

/* A pid file that is stale, empty or missing matches nothing. */
static void test_pid_file(void **state)
{
    char path[1024];

    (void)state;
    tree_path(&tree, "pid", path);
    assert_int_equal(find((struct match_options){.pid_file = path}), -ESRCH);
    tree_put(&tree, "pid", "300");
    assert_int_equal(find((struct match_options){.pid_file = path}), 0);
    assert_int_equal(root.pid, 300);
    tree_put(&tree, "pid", "301\n");
    assert_int_equal(find((struct match_options){.pid_file = path}), -ESRCH);
    tree_put(&tree, "pid", "x");
    assert_int_equal(find((struct match_options){.pid_file = path}), -ESRCH);
}

/* The process that listens, found through its socket's inode. */
static void test_port(void **state)
{
    (void)state;
    tree_put(&tree, "proc/net/tcp",
             "head\n 0: 0100007F:1E14 00000000:0000 0A 0:0 0:0 0 0 0 4711 1 0\n");
    tree_put(&tree, "proc/net/tcp6", "head\n");
    tree_link(&tree, "proc/300/fd/3", "socket:[4711]");
    tree_link(&tree, "proc/200/fd/3", "socket:[4712]");
    assert_int_equal(find((struct match_options){.port = 0x1e14}), 0);
    assert_int_equal(root.pid, 300);
    assert_int_equal(find((struct match_options){.port = 1}), -ESRCH);
}

/* All processes of the cgroup and those of groups in it. */
static void test_cgroup_members(void **state)
{
    (void)state;
    tree_put(&tree, "cgroup/n1/cgroup.procs", "%s", "");
    tree_put(&tree, "cgroup/n1/inner/cgroup.procs", "100\n200\n");
    assert_int_equal(find((struct match_options){.cgroup = "/n1"}), 0);
    assert_int_equal(root.pid, 200);
    assert_int_equal(found.n, 2);
    assert_int_equal(find((struct match_options){.cgroup = "/n2"}), -ESRCH);
}

/* Where the list is of another pid namespace, each process is asked for its cgroup. */
static void test_cgroup_hidden(void **state)
{
    (void)state;
    tree_put(&tree, "cgroup/g300/cgroup.procs", "0\n0\n");
    assert_int_equal(find((struct match_options){.cgroup = "/g300"}), 0);
    assert_int_equal(root.pid, 300);
    assert_int_equal(found.n, 1);
}

/* A process that ended and waits for its parent is none. */
static void test_zombie(void **state)
{
    (void)state;
    tree_put(&tree, "proc/300/stat", "300 (x) Z 1 0 0 0 0 0 0 0 0 0 1 1 0 0 20 0 1 0 5 0 0\n");
    assert_int_equal(find((struct match_options){.executable = "/opt/nats-server"}), -ESRCH);
}

/* A broker's processes are its root and all that come from it. */
static void test_descendants(void **state)
{
    char path[1024];
    struct match_view view = {.bytes = bytes, .size = sizeof(bytes), .all = &all};

    (void)state;
    process(90, 100, "/bin/sh", "sh");
    assert_int_equal(
        find((struct match_options){.executable = "nats-server", .arguments = "*a.conf"}), 0);
    found.list[0] = root;
    found.n = 1;
    tree_path(&tree, "proc", path);
    view.proc_fd = open(path, O_PATH | O_DIRECTORY);
    assert_int_equal(match_descendants(&view, &found), 0);
    assert_int_equal(found.n, 3);
    (void)close(view.proc_fd);
}

#define AGENT   "a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1a9e1"
#define BROKER  "b20ceb20ceb20ceb20ceb20ceb20ceb20ceb20ceb20ceb20ceb20ceb20ceb200"
#define SANDBOX "5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d"
#define PROXY   "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"

/* Put a process into a cgroup. */
static void move(int pid, const char *name, const char *line)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
    tree_put(&tree, path, "%s\n", line);
    (void)snprintf(path, sizeof(path), "proc/%d/stat", pid);
    tree_put(&tree, path, "%d (%s) S %d 0 0 0 0 0 0 0 0 0 1 1 0 0 20 0 1 0 %d 0 0\n", pid, name,
             pid == 100 ? 200 : 0, pid * 10);
}

/* A pod as its agent sees it: 1 is the sandbox, 300 the agent, 200 with its child 100 the broker.
 */
static void pod(void)
{
    move(1, "x", "0::/../cri-containerd-" SANDBOX ".scope");
    move(200, "nats", "0::/../cri-containerd-" BROKER ".scope");
    move(100, "nats", "0::/../cri-containerd-" BROKER ".scope/worker");
    move(300, "agent", "0::/");
    tree_put(&tree, "proc/self/cgroup", "0::/\n");
}

/* All that is in the container is the broker's; its monitor is not in it. */
static void test_container(void **state)
{
    (void)state;
    move(1, "conmon", "0::/machine.slice/libpod-conmon-" BROKER ".scope");
    move(200, "nats", "0::/machine.slice/libpod-" BROKER ".scope");
    move(100, "nats", "5:memory:/libpod_parent/libpod-" BROKER "\n0::/");
    assert_int_equal(find((struct match_options){.container = "b20ceb20ceb2"}), 0);
    assert_int_equal(found.n, 2);
    assert_int_equal(root.pid, 200);
    assert_int_equal(find((struct match_options){.container = BROKER}), 0);
    assert_int_equal(find((struct match_options){.container = "b20ceb20ceb3"}), -ESRCH);
}

/* Neither the agent's own container nor the sandbox is the pod mate. */
static void test_pod_mate(void **state)
{
    (void)state;
    pod();
    assert_int_equal(find((struct match_options){.pod_mate = true}), 0);
    assert_int_equal(found.n, 2);
    assert_int_equal(root.pid, 200);
}

/* On v1 the same pod has the host's paths. */
static void test_pod_mate_v1(void **state)
{
    (void)state;
    move(1, "pause", "4:memory:/kubepods/podx/" SANDBOX);
    move(200, "nats", "4:memory:/kubepods/podx/" BROKER);
    move(100, "nats", "4:memory:/kubepods/pody/" PROXY);
    move(300, "agent", "4:memory:/kubepods/podx/" AGENT);
    tree_put(&tree, "proc/self/cgroup", "4:memory:/kubepods/podx/" AGENT "\n");
    assert_int_equal(find((struct match_options){.pod_mate = true}), 0);
    assert_int_equal(found.n, 1);
    assert_int_equal(root.pid, 200);
}

/* A container whose pid namespace the agent joined has no sandbox: process 1 is the broker. */
static void test_pod_mate_first(void **state)
{
    (void)state;
    pod();
    move(1, "nats", "0::/../docker-" BROKER ".scope");
    move(200, "nats", "0::/../docker-" BROKER ".scope");
    move(100, "nats", "0::/../docker-" BROKER ".scope");
    assert_int_equal(find((struct match_options){.pod_mate = true}), 0);
    assert_int_equal(found.n, 3);
    assert_int_equal(root.pid, 1);
}

/* A sandbox alone is no broker. */
static void test_pod_mate_none(void **state)
{
    (void)state;
    pod();
    move(1, "pause", "0::/../cri-containerd-" SANDBOX ".scope");
    move(200, "agent", "0::/");
    move(100, "agent", "0::/");
    assert_int_equal(find((struct match_options){.pod_mate = true}), -ESRCH);
}

/* Of several other containers none is guessed; the executable tells. */
static void test_pod_mates(void **state)
{
    (void)state;
    pod();
    process(400, 0, "/bin/envoy", "envoy");
    move(400, "envoy", "0::/../cri-containerd-" PROXY ".scope");
    assert_int_equal(find((struct match_options){.pod_mate = true}), -ENOTUNIQ);
    assert_int_equal(find((struct match_options){.pod_mate = true, .executable = "nats-server"}),
                     0);
    assert_int_equal(root.pid, 200);
    assert_int_equal(find((struct match_options){.pod_mate = true, .executable = "redis"}), -ESRCH);
}

/* What is the broker's as a whole: a configured cgroup, or its container. */
static void test_cgroup_of_match(void **state)
{
    static const char line[] = "0::/../docker-" BROKER ".scope/init\n";
    char path[CGROUPS_PATH_BYTES];

    (void)state;
    match_cgroup(&(struct match_options){.cgroup = "/g"}, line, strlen(line), path);
    assert_string_equal(path, "/g");
    match_cgroup(&(struct match_options){.container = BROKER}, line, strlen(line), path);
    assert_string_equal(path, "/../docker-" BROKER ".scope");
    match_cgroup(&(struct match_options){.pod_mate = true}, line, strlen(line), path);
    assert_string_equal(path, "/../docker-" BROKER ".scope");
    match_cgroup(&(struct match_options){.executable = "x"}, line, strlen(line), path);
    assert_string_equal(path, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_executable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pid_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_port, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cgroup_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cgroup_hidden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zombie, setup, teardown),
        cmocka_unit_test_setup_teardown(test_descendants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_container, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod_mate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod_mate_v1, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod_mate_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod_mate_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod_mates, setup, teardown),
        cmocka_unit_test(test_cgroup_of_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
