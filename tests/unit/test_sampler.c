/* The sampler over trees of files: what each beat says of a broker and its host. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "agent/sampler.h"
#include "tests/unit/tree.h"

/* A kernel file whose process or cgroup is no more fails to be read; here that is one whose name
 * was removed. One without any permission is refused to root too. */
ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && (status.st_nlink == 0 || (status.st_mode & 0777) == 0)) {
        errno = status.st_nlink == 0 ? ENODEV : EACCES;
        return -1;
    }
    return syscall(SYS_pread64, fd, buf, nbytes, offset);
}

static struct tree tree;
static struct sampler *sampler;
static struct agent_config config;
static struct broker_options brokers[3];
static char proc_root[1024], cgroup_root[1024];

#define put(...) tree_put(&tree, __VA_ARGS__)

/* A process in a cgroup, that has used `ticks` of CPU. */
static void process(int pid, int ppid, int ticks, int start, const char *places)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "proc/%d/stat", pid);
    put(name, "%d (x) S %d 0 0 0 0 0 0 0 0 0 %d 0 0 0 20 0 1 0 %d 0 0\n", pid, ppid, ticks, start);
    (void)snprintf(name, sizeof(name), "proc/%d/cgroup", pid);
    put(name, "%s", places);
}

/* Watch a broker that is found by its pid file. */
static void broker(const char *id, int pid)
{
    struct broker_options *options = &brokers[config.brokers.n++];
    char name[64], path[1024];

    (void)snprintf(name, sizeof(name), "run/%s.pid", id);
    put(name, "%d\n", pid);
    tree_path(&tree, name, path);
    *options = (struct broker_options){.id = strdup(id), .match = {.pid_file = strdup(path)}};
}

static struct value broker_value(size_t index, enum metric metric)
{
    static struct broker_load load;

    sampler_broker(sampler, index, &load);
    return load.values[metric];
}

static struct value host_value(enum metric metric)
{
    struct value values[METRICS];

    sampler_host(sampler, values);
    return values[metric];
}

static void take(double at_s)
{
    if (sampler == NULL) {
        assert_int_equal(sampler_new(&config, &sampler), 0);
    }
    sampler_take(sampler, (time_us)(at_s * 1e6));
}

static void expect(struct value value, double number)
{
    assert_int_equal(value.state, VALUE_PRESENT);
    assert_true(fabs(value.number - number) <= fabs(number) * 1e-9 + 1e-9);
}

static void expect_near(struct value value, double number, double tolerance)
{
    assert_int_equal(value.state, VALUE_PRESENT);
    assert_true(fabs(value.number - number) <= tolerance);
}

static void expect_absent(struct value value, enum value_state state)
{
    assert_int_equal(value.state, state);
    assert_true(value.number == 0);
}

static enum broker_state state_of(size_t index)
{
    static struct broker_load load;

    sampler_broker(sampler, index, &load);
    return load.state;
}

static uint64_t incarnation_of(size_t index)
{
    static struct broker_load load;

    sampler_broker(sampler, index, &load);
    return load.incarnation;
}

static uint64_t resets(void)
{
    struct sampler_statistics statistics;

    sampler_statistics(sampler, &statistics);
    return statistics.n_resets;
}

/* A v2 host of 8 CPUs and 24 GB that runs one broker, pid 100, in /a/leaf. */
static int setup(void **state)
{
    (void)state;
    tree_make(&tree);
    tree_path(&tree, "proc", proc_root);
    tree_path(&tree, "cgroup", cgroup_root);
    config = (struct agent_config){.proc_root = proc_root, .cgroup_root = cgroup_root};
    config.brokers.elements = brokers;
    put("sys/devices/system/cpu/online", "0-7\n");
    put("proc/meminfo", "MemTotal:       24684184 kB\nMemFree:        23000000 kB\n"
                        "MemAvailable:   23840000 kB\nInactive(file): 500000 kB\n");
    put("cgroup/cgroup.controllers", "cpu io memory\n");
    put("cgroup/a/leaf/cpu.stat", "usage_usec 0\n");
    process(100, 1, 0, 5000, "0::/a/leaf\n");
    broker("b", 100);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sampler_free(sampler);
    sampler = NULL;
    for (size_t i = 0; i < config.brokers.n; i++) {
        free(brokers[i].id);
        free(brokers[i].match.pid_file);
    }
    tree_remove(&tree, "");
    return 0;
}

/* The quota stands on the parent, the leaf says max: the parent's is the limit. */
static void test_quota_on_ancestor(void **state)
{
    (void)state;
    put("cgroup/a/cpu.max", "20000 100000\n");
    put("cgroup/a/leaf/cpu.max", "max 100000\n");
    put("cgroup/a/leaf/cpu.stat", "usage_usec 1684073\nnr_periods 0\nnr_throttled 0\n");
    take(11.18);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 2080542\nnr_periods 0\nnr_throttled 0\n");
    take(13.2);
    expect_near(broker_value(0, METRIC_CPU_CORES), 0.1963, 0.0001);
    expect(broker_value(0, METRIC_CPU_LIMIT_CORES), 0.2);
    expect_near(broker_value(0, METRIC_CPU_RATIO), 0.9814, 0.0001);
}

/* The least of quotas with different periods, the cpuset and the machine. */
static void test_least_limit(void **state)
{
    (void)state;
    put("cgroup/a/cpu.max", "25000 50000\n");
    put("cgroup/a/leaf/cpu.max", "200000 100000\n");
    take(0);
    expect(broker_value(0, METRIC_CPU_LIMIT_CORES), 0.5);
    put("cgroup/a/cpu.max", "max 50000\n");
    put("cgroup/a/leaf/cpu.max", "400000 100000\n");
    put("cgroup/a/cpuset.cpus.effective", "0-1,4\n");
    take(6);
    expect(broker_value(0, METRIC_CPU_LIMIT_CORES), 3);
    put("cgroup/a/cpuset.cpus.effective", "0-7\n");
    put("cgroup/a/leaf/cpu.max", "900000 100000\n");
    take(12);
    expect(broker_value(0, METRIC_CPU_LIMIT_CORES), 8);
}

/* Throttling is counted where the quota is, never below it. */
static void test_throttling_of_ancestor(void **state)
{
    (void)state;
    put("cgroup/a/cpu.max", "20000 100000\n");
    put("cgroup/a/cpu.stat", "usage_usec 0\nnr_periods 5\nnr_throttled 5\n");
    put("cgroup/a/leaf/cpu.stat", "usage_usec 0\nnr_periods 0\nnr_throttled 0\n");
    take(0);
    expect_absent(broker_value(0, METRIC_CPU_THROTTLED_RATIO), VALUE_FIRST);
    put("cgroup/a/cpu.stat", "usage_usec 200000\nnr_periods 25\nnr_throttled 20\n");
    put("cgroup/a/leaf/cpu.stat", "usage_usec 50000\nnr_periods 0\nnr_throttled 0\n");
    take(1);
    expect(broker_value(0, METRIC_CPU_THROTTLED_RATIO), 0.75);
    expect(broker_value(0, METRIC_CPU_CORES), 0.05);
    expect(broker_value(0, METRIC_CPU_RATIO), 1);
}

/* First sample, reset and too short an interval are absent or held, never zero or a spike. */
static void test_cpu_states(void **state)
{
    (void)state;
    put("cgroup/a/leaf/cpu.stat", "usage_usec 9000000\n");
    take(0);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_FIRST);
    expect_absent(broker_value(0, METRIC_CPU_RATIO), VALUE_FIRST);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 120000\n");
    take(1);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_RESET);
    assert_int_equal(resets(), 1);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 620000\n");
    take(2);
    expect(broker_value(0, METRIC_CPU_CORES), 0.5);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 720000\n");
    take(2.004);
    expect(broker_value(0, METRIC_CPU_CORES), 0.5);
}

/* A limit on the parent, clean page cache, and shared memory that is no such. */
static void test_memory(void **state)
{
    (void)state;
    put("cgroup/a/memory.max", "268435456\n");
    put("cgroup/a/memory.current", "83800000\n");
    put("cgroup/a/memory.stat",
        "anon 70000\nfile 82923520\nshmem 20000768\ninactive_file 8192\nactive_file 62914560\n");
    put("cgroup/a/leaf/memory.max", "max\n");
    put("cgroup/a/leaf/memory.current", "83673088\n");
    put("cgroup/a/leaf/memory.stat",
        "anon 53248\nfile 82923520\nshmem 20000768\ninactive_file 8192\nactive_file 62914560\n");
    take(0);
    expect(broker_value(0, METRIC_MEMORY_LIMIT_BYTES), 268435456);
    expect(broker_value(0, METRIC_MEMORY_WORKING_SET_BYTES), 83664896);
    expect(broker_value(0, METRIC_MEMORY_BYTES), 20750336);
    expect_near(broker_value(0, METRIC_MEMORY_RATIO), 0.0778, 0.0001);
    put("cgroup/a/leaf/memory.high", "100000000\n");
    take(6);
    expect(broker_value(0, METRIC_MEMORY_LIMIT_BYTES), 100000000);
}

/* Limits above the host's RAM are none, a limit of nothing is used up, races never go below 0. */
static void test_memory_bounds(void **state)
{
    (void)state;
    put("cgroup/a/leaf/memory.max", "1099511627776\n");
    put("cgroup/a/leaf/memory.current", "1048576\n");
    put("cgroup/a/leaf/memory.stat", "anon 0\nfile 2097152\nshmem 0\ninactive_file 2097152\n");
    take(0);
    expect(broker_value(0, METRIC_MEMORY_LIMIT_BYTES), 25276604416);
    expect(broker_value(0, METRIC_MEMORY_BYTES), 0);
    expect(broker_value(0, METRIC_MEMORY_WORKING_SET_BYTES), 0);
    put("cgroup/a/leaf/memory.max", "0\n");
    put("cgroup/a/leaf/memory.current", "0\n");
    take(6);
    expect(broker_value(0, METRIC_MEMORY_RATIO), 1);
}

/* A torn sample is absent, and the next good one is measured from the one before it. */
static void test_io_torn(void **state)
{
    (void)state;
    put("cgroup/a/leaf/io.stat", "252:0 rbytes=1000000 wbytes=0 rios=1 wios=0\n");
    take(0);
    expect_absent(broker_value(0, METRIC_DISK_READ_BYTES_PER_S), VALUE_FIRST);
    put("cgroup/a/leaf/io.stat", "252:0 ");
    take(1);
    expect_absent(broker_value(0, METRIC_DISK_READ_BYTES_PER_S), VALUE_FAILED);
    put("cgroup/a/leaf/io.stat", "252:0 rbytes=3000000 wbytes=500 rios=3 wios=0\n");
    take(2);
    expect(broker_value(0, METRIC_DISK_READ_BYTES_PER_S), 1000000);
    expect(broker_value(0, METRIC_DISK_WRITE_BYTES_PER_S), 250);
}

/* Bytes that pass a stacked device are counted where they end, once. */
static void test_io_stacked(void **state)
{
    (void)state;
    put("sys/block/dm-0/dev", "253:0\n");
    put("sys/block/dm-0/slaves/sda", "%s", "");
    put("sys/block/sda/dev", "8:0\n");
    put("cgroup/a/leaf/io.stat", "8:0 rbytes=0 wbytes=0\n253:0 rbytes=0 wbytes=0\n");
    take(0);
    put("cgroup/a/leaf/io.stat", "8:0 rbytes=4096 wbytes=0\n253:0 rbytes=4096 wbytes=0\n");
    take(1);
    expect(broker_value(0, METRIC_DISK_READ_BYTES_PER_S), 4096);
}

/* Make the tree a v1 host, with the broker at those places. */
static void make_v1(const char *places)
{
    tree_remove(&tree, "cgroup");
    process(100, 1, 0, 5000, places);
    put("cgroup/cpu/p/child/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n");
    put("cgroup/cpuacct/p/child/cpuacct.usage", "0\n");
    put("cgroup/memory/p/child/memory.usage_in_bytes", "108654592\n");
}

/* v1: the tree's real limit is in the leaf's memory.stat. */
static void test_memory_v1(void **state)
{
    (void)state;
    make_v1("1:memory:/p/child\n");
    put("cgroup/memory/p/child/memory.limit_in_bytes", "9223372036854771712\n");
    put("cgroup/memory/p/child/memory.stat",
        "cache 105025536\nrss 315392\nshmem 0\nhierarchical_memory_limit 268435456\n"
        "total_cache 105025536\ntotal_shmem 0\ntotal_inactive_file 104984576\n");
    take(0);
    expect(broker_value(0, METRIC_MEMORY_LIMIT_BYTES), 268435456);
    expect(broker_value(0, METRIC_MEMORY_WORKING_SET_BYTES), 3670016);
    expect(broker_value(0, METRIC_MEMORY_BYTES), 3629056);
    expect(broker_value(0, METRIC_MEMORY_RATIO), 3629056.0 / 268435456);
    put("cgroup/memory/p/child/memory.stat", "hierarchical_memory_limit 9223372036854710272\n");
    take(6);
    expect(broker_value(0, METRIC_MEMORY_LIMIT_BYTES), 25276604416);
    expect_absent(broker_value(0, METRIC_MEMORY_BYTES), VALUE_UNSUPPORTED);
}

/* v1: use in one hierarchy, quota and throttling in another, both at the parent. */
static void test_cpu_v1(void **state)
{
    (void)state;
    make_v1("2:cpu:/p/child\n3:cpuacct:/p/child\n");
    put("cgroup/cpu/p/cpu.cfs_quota_us", "50000\n");
    put("cgroup/cpu/p/cpu.cfs_period_us", "100000\n");
    put("cgroup/cpu/p/child/cpu.cfs_quota_us", "-1\n");
    put("cgroup/cpu/p/cpu.stat", "nr_periods 5\nnr_throttled 5\nthrottled_time 314567610\n");
    put("cgroup/cpuacct/p/cpuacct.usage", "0\n");
    put("cgroup/cpuset/cpuset.effective_cpus", "0-3\n");
    take(0);
    put("cgroup/cpu/p/cpu.stat", "nr_periods 25\nnr_throttled 25\nthrottled_time 1770524876\n");
    put("cgroup/cpuacct/p/cpuacct.usage", "1000000000\n");
    put("cgroup/cpuacct/p/child/cpuacct.usage", "400000000\n");
    take(2);
    expect(broker_value(0, METRIC_CPU_CORES), 0.2);
    expect(broker_value(0, METRIC_CPU_LIMIT_CORES), 0.5);
    expect(broker_value(0, METRIC_CPU_RATIO), 1);
    expect(broker_value(0, METRIC_CPU_THROTTLED_RATIO), 1);
}

/* v1: a kernel that counts no device is asked nothing; the processes' own counts are summed. */
static void test_io_v1(void **state)
{
    static const char file[] = "cgroup/blkio/p/child/blkio.throttle.io_service_bytes_recursive";

    (void)state;
    make_v1("4:blkio:/p/child\n");
    put(file, "Total 0\n");
    put("proc/100/io", "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
    take(0);
    put("proc/100/io", "read_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 4096\n");
    take(1);
    expect(broker_value(0, METRIC_DISK_READ_BYTES_PER_S), 4096);
    expect(broker_value(0, METRIC_DISK_WRITE_BYTES_PER_S), 4096);
    put(file, "7:0 Read 5\n7:0 Write 0\n7:0 Total 5\nTotal 5\n");
    take(11);
    expect_absent(broker_value(0, METRIC_DISK_READ_BYTES_PER_S), VALUE_RESET);
    put(file, "7:0 Read 16777221\n7:0 Write 0\n7:0 Total 16777221\nTotal 16777221\n");
    take(12);
    expect(broker_value(0, METRIC_DISK_READ_BYTES_PER_S), 16777216);
}

/* Nothing counts the bytes: absent, never 0. */
static void test_io_unavailable(void **state)
{
    (void)state;
    take(0);
    take(1);
    assert_int_not_equal(broker_value(0, METRIC_DISK_READ_BYTES_PER_S).state, VALUE_PRESENT);
}

/* A broker in the root has no cgroup of its own: it and what comes from it are summed. */
static void test_processes(void **state)
{
    double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);

    (void)state;
    process(100, 1, 1000, 5000, "0::/\n");
    process(101, 100, 500, 5001, "0::/\n");
    process(102, 1, 7777, 5002, "0::/\n");
    put("proc/100/status", "VmRSS: 100 kB\nRssAnon: 40 kB\nRssShmem: 10 kB\n");
    put("proc/101/status", "VmRSS: 30 kB\nRssAnon: 20 kB\nRssShmem: 0 kB\n");
    take(0);
    expect(broker_value(0, METRIC_MEMORY_BYTES), 70 * 1024);
    expect(broker_value(0, METRIC_MEMORY_WORKING_SET_BYTES), 130 * 1024);
    expect(broker_value(0, METRIC_MEMORY_LIMIT_BYTES), 25276604416);
    process(100, 1, 1010, 5000, "0::/\n");
    process(101, 100, 540, 5001, "0::/\n");
    take(1);
    expect(broker_value(0, METRIC_CPU_CORES), 50 * tick_s);
    expect(broker_value(0, METRIC_CPU_LIMIT_CORES), 8);
}

/* A child that is found later brings its past along; that is no use of this interval. */
static void test_process_joins(void **state)
{
    double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);

    (void)state;
    process(100, 1, 1000, 5000, "0::/\n");
    take(0);
    process(101, 100, 90000, 5001, "0::/\n");
    process(100, 1, 1010, 5000, "0::/\n");
    take(10);
    expect(broker_value(0, METRIC_CPU_CORES), tick_s);
    process(101, 100, 90020, 5001, "0::/\n");
    take(11);
    expect(broker_value(0, METRIC_CPU_CORES), 20 * tick_s);
}

/* Two brokers in one cgroup: it is neither's own, and still limits both. */
static void test_shared_cgroup(void **state)
{
    (void)state;
    process(200, 1, 0, 6000, "0::/a/leaf\n");
    broker("c", 200);
    put("cgroup/a/leaf/cpu.max", "200000 100000\n");
    take(0);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 1500000\n");
    process(200, 1, 10, 6000, "0::/a/leaf\n");
    take(1);
    expect(broker_value(0, METRIC_CPU_CORES), 0);
    expect(broker_value(1, METRIC_CPU_CORES), 10.0 / (double)sysconf(_SC_CLK_TCK));
    expect(broker_value(0, METRIC_CPU_LIMIT_CORES), 2);
    expect(broker_value(0, METRIC_CPU_RATIO), 0.75);
}

/* The agent's own cgroup is no broker's own. */
static void test_agents_cgroup(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/a/leaf\n");
    take(0);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 500000\n");
    take(1);
    expect(broker_value(0, METRIC_CPU_CORES), 0);
}

/* Where no mount shows the cgroup its limits are not known, and are not the host's. */
static void test_not_visible(void **state)
{
    (void)state;
    tree_remove(&tree, "cgroup");
    put("proc/100/status", "VmRSS: 100 kB\n");
    take(0);
    assert_int_equal(state_of(0), BROKER_UP);
    expect(broker_value(0, METRIC_MEMORY_BYTES), 102400);
    expect_absent(broker_value(0, METRIC_CPU_LIMIT_CORES), VALUE_DENIED);
    expect_absent(broker_value(0, METRIC_MEMORY_RATIO), VALUE_DENIED);
}

#define INTERFACE(name, rx, tx) name ": " #rx " 1 0 0 0 0 0 0 " #tx " 1 0 0 0 0 0 0\n"

/* The broker's own namespace: all but loopback; a counter that goes back is no traffic. */
static void test_network(void **state)
{
    (void)state;
    put("proc/1/net/dev", INTERFACE("eth0", 1, 1));
    put("proc/100/net/dev", INTERFACE("lo", 202214811, 202214811) INTERFACE("eth0", 5000, 400));
    take(0);
    put("proc/100/net/dev", INTERFACE("lo", 302214811, 302214811) INTERFACE("eth0", 105000, 10400));
    take(1);
    expect(broker_value(0, METRIC_NET_RX_BYTES_PER_S), 100000);
    expect(broker_value(0, METRIC_NET_TX_BYTES_PER_S), 10000);
    put("proc/100/net/dev", INTERFACE("lo", 302214811, 302214811) INTERFACE("eth0", 10, 10));
    take(2);
    expect_absent(broker_value(0, METRIC_NET_RX_BYTES_PER_S), VALUE_RESET);
    assert_int_equal(resets(), 1);
}

/* The host's namespace, and one that two brokers are in, cannot be told apart by broker. */
static void test_network_shared(void **state)
{
    (void)state;
    put("proc/1/net/dev", INTERFACE("eth0", 1, 1));
    put("proc/200/net/dev", INTERFACE("eth0", 1, 1));
    tree_same(&tree, "proc/1/net/dev", "proc/100/net/dev");
    tree_same(&tree, "proc/200/net/dev", "proc/300/net/dev");
    process(200, 1, 0, 6000, "0::/\n");
    process(300, 1, 0, 6001, "0::/\n");
    broker("c", 200);
    broker("d", 300);
    brokers[2].network_bytes_per_s = 125000000;
    take(0);
    for (size_t i = 0; i < 3; i++) {
        expect_absent(broker_value(i, METRIC_NET_RX_BYTES_PER_S), VALUE_SHARED);
    }
    expect(broker_value(2, METRIC_NET_SPEED_BYTES_PER_S), 125000000);
    expect_absent(broker_value(0, METRIC_NET_SPEED_BYTES_PER_S), VALUE_UNSUPPORTED);
}

/* A pod's network is its only broker's own, though the agent and the sandbox are in it, too. */
static void test_network_of_pod(void **state)
{
    (void)state;
    put("proc/sys/net/core/somaxconn", "4096\n");
    put("proc/1/net/dev", INTERFACE("eth0", 1, 1));
    tree_same(&tree, "proc/1/net/dev", "proc/net/dev");
    tree_same(&tree, "proc/1/net/dev", "proc/100/net/dev");
    take(0);
    put("proc/1/net/dev", INTERFACE("eth0", 1001, 1));
    take(1);
    expect(broker_value(0, METRIC_NET_RX_BYTES_PER_S), 1000);
    expect_absent(host_value(METRIC_NET_RX_BYTES_PER_S), VALUE_DENIED);
}

/* … and is shared when two brokers are in it. */
static void test_network_of_pod_shared(void **state)
{
    (void)state;
    put("proc/sys/net/core/somaxconn", "4096\n");
    put("proc/1/net/dev", INTERFACE("eth0", 1, 1));
    tree_same(&tree, "proc/1/net/dev", "proc/net/dev");
    tree_same(&tree, "proc/1/net/dev", "proc/100/net/dev");
    tree_same(&tree, "proc/1/net/dev", "proc/300/net/dev");
    process(300, 1, 0, 6001, "0::/\n");
    broker("d", 300);
    take(0);
    expect_absent(broker_value(0, METRIC_NET_RX_BYTES_PER_S), VALUE_SHARED);
    expect_absent(broker_value(1, METRIC_NET_RX_BYTES_PER_S), VALUE_SHARED);
}

/* A pod on the host's network shares it; so does one that is looked at from the host's pids. */
static void test_network_of_host_in_pod(void **state)
{
    (void)state;
    put("proc/sys/net/core/somaxconn", "4096\n");
    put("proc/2/stat", "2 (kthreadd) S 0 0 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0\n");
    put("proc/net/dev", INTERFACE("eth0", 1, 1));
    put("proc/1/net/dev", INTERFACE("eth0", 1, 1));
    tree_same(&tree, "proc/1/net/dev", "proc/100/net/dev");
    take(0);
    expect_absent(broker_value(0, METRIC_NET_RX_BYTES_PER_S), VALUE_SHARED);
    sampler_free(sampler);
    sampler = NULL;
    tree_remove(&tree, "proc/2/stat");
    put("proc/sys/net/core/netdev_max_backlog", "1000\n");
    tree_remove(&tree, "proc/net/dev");
    tree_same(&tree, "proc/1/net/dev", "proc/net/dev");
    take(0);
    expect_absent(broker_value(0, METRIC_NET_RX_BYTES_PER_S), VALUE_SHARED);
}

/* A broker that ends is down and gone, though its network could still be read. */
static void test_gone(void **state)
{
    (void)state;
    put("proc/100/net/dev", INTERFACE("eth0", 5000, 400));
    take(0);
    assert_int_equal(state_of(0), BROKER_UP);
    tree_remove(&tree, "proc/100/stat");
    take(1);
    assert_int_equal(state_of(0), BROKER_DOWN);
    for (size_t i = 0; i < METRICS; i++) {
        expect_absent(broker_value(0, (enum metric)i), VALUE_GONE);
    }
}

/* Down before it was ever seen, and found when it starts. */
static void test_comes_up(void **state)
{
    (void)state;
    tree_remove(&tree, "proc/100");
    take(0);
    assert_int_equal(state_of(0), BROKER_DOWN);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_GONE);
    process(100, 1, 0, 5000, "0::/a/leaf\n");
    take(1);
    assert_int_equal(state_of(0), BROKER_UP);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_FIRST);
}

/* A broker that was started again is another one, though its cgroup is the same. */
static void test_restarted(void **state)
{
    uint64_t before;

    (void)state;
    put("cgroup/a/leaf/cpu.stat", "usage_usec 1000000\n");
    put("cgroup/a/leaf/cpu.pressure", "some total=1000\nfull total=0\n");
    take(0);
    before = incarnation_of(0);
    tree_remove(&tree, "proc/100");
    process(222, 1, 0, 9000, "0::/a/leaf\n");
    put("run/b.pid", "222\n");
    put("cgroup/a/leaf/cpu.stat", "usage_usec 3000000\n");
    put("cgroup/a/leaf/cpu.pressure", "some total=900000\nfull total=0\n");
    take(1);
    assert_int_equal(state_of(0), BROKER_UP);
    assert_true(incarnation_of(0) != before);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_RESET);
    expect_absent(broker_value(0, METRIC_CPU_PRESSURE_SOME_RATIO), VALUE_RESET);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 3100000\n");
    put("cgroup/a/leaf/cpu.pressure", "some total=1000000\nfull total=0\n");
    take(2);
    expect(broker_value(0, METRIC_CPU_CORES), 0.1);
    expect(broker_value(0, METRIC_CPU_PRESSURE_SOME_RATIO), 0.1);
    expect_absent(broker_value(0, METRIC_MEMORY_PRESSURE_SOME_RATIO), VALUE_UNSUPPORTED);
}

/* In a cgroup of two brokers nobody knows who waited and who was killed. */
static void test_shared_events(void **state)
{
    (void)state;
    process(200, 1, 0, 6000, "0::/a/leaf\n");
    broker("c", 200);
    put("cgroup/a/leaf/cpu.pressure", "some total=0\nfull total=0\n");
    put("cgroup/a/leaf/memory.events", "oom_kill 5\n");
    put("proc/100/status", "VmRSS: 100 kB\nVmSwap: 12 kB\n");
    take(0);
    expect_absent(broker_value(0, METRIC_CPU_PRESSURE_SOME_RATIO), VALUE_SHARED);
    expect_absent(broker_value(0, METRIC_OOM_KILLS), VALUE_SHARED);
    expect(broker_value(0, METRIC_SWAP_BYTES), 12288);
}

/* A process in a cgroup that was removed is ending. */
static void test_removed_cgroup(void **state)
{
    (void)state;
    take(0);
    assert_int_equal(state_of(0), BROKER_UP);
    process(100, 1, 0, 5000, "0::/a/leaf (deleted)\n");
    take(10);
    assert_int_equal(state_of(0), BROKER_DOWN);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_GONE);
}

/* Descriptors are looked at with the limits, every five seconds; threads with every sample. */
static void test_descriptors(void **state)
{
    (void)state;
    put("proc/100/fd/0", "%s", "");
    put("proc/100/fd/7", "%s", "");
    put("proc/100/limits", "Max open files  256  512  files\n");
    take(0);
    expect(broker_value(0, METRIC_OPEN_FDS), 2);
    expect(broker_value(0, METRIC_MAX_FDS), 256);
    expect(broker_value(0, METRIC_THREADS), 1);
    put("proc/100/fd/8", "%s", "");
    take(1);
    expect(broker_value(0, METRIC_OPEN_FDS), 2);
    take(6);
    expect(broker_value(0, METRIC_OPEN_FDS), 3);
}

/* The same pid with another start time is another broker: nothing it counted is a rate. */
static void test_pid_reused(void **state)
{
    uint64_t before;

    (void)state;
    put("cgroup/a/leaf/cpu.stat", "usage_usec 1000000\n");
    take(0);
    before = incarnation_of(0);
    process(100, 1, 0, 1200000, "0::/a/leaf\n");
    put("cgroup/a/leaf/cpu.stat", "usage_usec 2000000\n");
    take(1);
    assert_int_equal(state_of(0), BROKER_UP);
    assert_true(incarnation_of(0) != before);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_RESET);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 2250000\n");
    take(2);
    expect(broker_value(0, METRIC_CPU_CORES), 0.25);
}

/* The cgroup is removed and made again under the same path: found anew, and no rate over both. */
static void test_cgroup_made_again(void **state)
{
    (void)state;
    put("cgroup/a/leaf/cpu.stat", "usage_usec 1000000\n");
    take(0);
    tree_remove(&tree, "cgroup/a/leaf");
    put("cgroup/a/other", "%s", ""); /* so that the folder cannot have the same inode */
    put("cgroup/a/leaf/cpu.stat", "usage_usec 9000000\n");
    take(1);
    assert_int_equal(state_of(0), BROKER_UP);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_RESET);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 9500000\n");
    take(2);
    expect(broker_value(0, METRIC_CPU_CORES), 0.5);
}

/* A process that is moved to another cgroup is followed there. */
static void test_moved(void **state)
{
    (void)state;
    put("cgroup/b/cpu.stat", "usage_usec 777\n");
    take(0);
    process(100, 1, 0, 5000, "0::/b\n");
    take(10);
    expect_absent(broker_value(0, METRIC_CPU_CORES), VALUE_RESET);
    put("cgroup/b/cpu.stat", "usage_usec 1000777\n");
    take(11);
    expect(broker_value(0, METRIC_CPU_CORES), 1);
}

/* A file that is not there is not counted by this kernel; that says nothing of the others. */
static void test_partial(void **state)
{
    (void)state;
    take(0);
    put("cgroup/a/leaf/cpu.stat", "usage_usec 500000\n");
    take(1);
    expect(broker_value(0, METRIC_CPU_CORES), 0.5);
    expect_absent(broker_value(0, METRIC_MEMORY_BYTES), VALUE_UNSUPPORTED);
    expect_absent(broker_value(0, METRIC_MEMORY_RATIO), VALUE_UNSUPPORTED);
    expect_absent(broker_value(0, METRIC_DISK_USED_BYTES), VALUE_UNCONFIGURED);
}

/* What may not be read is denied, counted, and never 0. */
static void test_denied(void **state)
{
    struct sampler_statistics statistics;
    char path[1024];

    (void)state;
    put("cgroup/a/leaf/memory.current", "1\n");
    put("cgroup/a/leaf/memory.stat", "file 0\nshmem 0\ninactive_file 0\n");
    tree_path(&tree, "cgroup/a/leaf/memory.current", path);
    assert_int_equal(chmod(path, 0), 0);
    take(0);
    expect_absent(broker_value(0, METRIC_MEMORY_BYTES), VALUE_DENIED);
    expect_absent(broker_value(0, METRIC_MEMORY_RATIO), VALUE_DENIED);
    sampler_statistics(sampler, &statistics);
    assert_true(statistics.n_read_errors > 0);
}

/* Guest time is inside user time, and iowait may go back. */
static void test_host_cpu(void **state)
{
    (void)state;
    put("proc/stat", "cpu  1000 50 500 8000 400 0 50 0 100 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 1\n");
    take(0);
    expect_absent(host_value(METRIC_CPU_RATIO), VALUE_FIRST);
    put("proc/stat", "cpu  1100 50 560 8300 390 0 60 20 120 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 1\n");
    take(1);
    expect(host_value(METRIC_CPU_RATIO), 190.0 / 490);
    expect(host_value(METRIC_CPU_LIMIT_CORES), 8);
    expect(host_value(METRIC_CPU_CORES), 8 * 190.0 / 490);
}

/* Without sysfs the lines of /proc/stat count the CPUs. */
static void test_host_cpu_count(void **state)
{
    (void)state;
    tree_remove(&tree, "sys");
    put("proc/stat", "cpu  1 1 1 1 1 1 1 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\n");
    take(0);
    expect(host_value(METRIC_CPU_LIMIT_CORES), 2);
}

/* Memory of the host, as free(1) has it. */
static void test_host_memory(void **state)
{
    (void)state;
    take(0);
    expect(host_value(METRIC_MEMORY_BYTES), 864444416);
    expect(host_value(METRIC_MEMORY_LIMIT_BYTES), 25276604416);
    expect_near(host_value(METRIC_MEMORY_RATIO), 0.0342, 0.0001);
    expect(host_value(METRIC_MEMORY_WORKING_SET_BYTES), (24684184.0 - 23000000 - 500000) * 1024);
}

/* Disks: whole ones that sysfs lists, in sectors of 512 bytes; back is a reset, not a wrap. */
static void test_host_disks(void **state)
{
    (void)state;
    put("sys/block/nvme0n1/dev", "259:0\n");
    put("proc/diskstats",
        "259 0 nvme0n1 1 1 1000 1 1 1 1000 1 0 1 1\n259 1 nvme0n1p1 1 1 1000 1 1 1 1000 1 0 1 1\n");
    take(0);
    put("proc/diskstats",
        "259 0 nvme0n1 1 1 3048 1 1 1 5096 1 0 1 1\n259 1 nvme0n1p1 1 1 3048 1 1 1 5096 1 0 1 1\n");
    take(1);
    expect(host_value(METRIC_DISK_READ_BYTES_PER_S), 1048576);
    expect(host_value(METRIC_DISK_WRITE_BYTES_PER_S), 2097152);
    put("proc/diskstats", "259 0 nvme0n1 1 1 16 1 1 1 5096 1 0 1 1\n");
    take(2);
    expect_absent(host_value(METRIC_DISK_READ_BYTES_PER_S), VALUE_RESET);
    expect_absent(host_value(METRIC_DISK_WRITE_BYTES_PER_S), VALUE_RESET);
}

/* Interfaces: physical ones that are up; the speed is the slowest one's. */
static void test_host_network(void **state)
{
    (void)state;
    put("sys/class/net/eth0/device/vendor", "x\n");
    put("sys/class/net/eth0/operstate", "up\n");
    put("sys/class/net/eth0/speed", "10000\n");
    put("sys/class/net/eth1/device/vendor", "x\n");
    put("sys/class/net/eth1/operstate", "down\n");
    put("sys/class/net/eth1/speed", "100\n");
    put("sys/class/net/bond0/operstate", "up\n");
    put("proc/net/dev", INTERFACE("lo", 0, 0) INTERFACE("eth0", 0, 0) INTERFACE("bond0", 0, 0)
                            INTERFACE("eth1", 0, 0));
    take(0);
    put("proc/net/dev", INTERFACE("lo", 9, 9) INTERFACE("eth0", 700, 70) INTERFACE("bond0", 700, 70)
                            INTERFACE("eth1", 5, 5));
    take(1);
    expect(host_value(METRIC_NET_RX_BYTES_PER_S), 700);
    expect(host_value(METRIC_NET_TX_BYTES_PER_S), 70);
    expect(host_value(METRIC_NET_SPEED_BYTES_PER_S), 1.25e9);
}

/* An interface that appears brings its past along: no rate over that. */
static void test_host_network_changes(void **state)
{
    (void)state;
    put("proc/net/dev", INTERFACE("eth0", 0, 0));
    take(0);
    put("proc/net/dev", INTERFACE("eth0", 10, 10) INTERFACE("wg0", 99999, 99999));
    take(1);
    expect_absent(host_value(METRIC_NET_RX_BYTES_PER_S), VALUE_RESET);
    expect_absent(host_value(METRIC_NET_SPEED_BYTES_PER_S), VALUE_UNSUPPORTED);
}

/* Space of the file system that holds the data. */
static void test_space(void **state)
{
    (void)state;
    brokers[0].data_directory = tree.root;
    take(0);
    assert_true(broker_value(0, METRIC_DISK_TOTAL_BYTES).number >=
                broker_value(0, METRIC_DISK_USED_BYTES).number);
    assert_true(broker_value(0, METRIC_DISK_TOTAL_BYTES).number > 0);
    assert_true(host_value(METRIC_DISK_TOTAL_BYTES).number > 0);
}

/* A broker that is configured by its cgroup is all that is in it and below. */
static void test_by_cgroup(void **state)
{
    (void)state;
    free(brokers[0].match.pid_file);
    brokers[0].match = (struct match_options){.cgroup = (char[]){"/a"}};
    put("cgroup/a/cpu.stat", "usage_usec 0\n");
    put("cgroup/a/cgroup.procs", "%s", "");
    put("cgroup/a/leaf/cgroup.procs", "100\n");
    take(0);
    put("cgroup/a/cpu.stat", "usage_usec 700000\n");
    take(1);
    expect(broker_value(0, METRIC_CPU_CORES), 0.7);
}

/* A proc root that is not there is refused at the start. */
static void test_no_root(void **state)
{
    static char nowhere[] = "/nowhere/proc";

    (void)state;
    config.proc_root = nowhere;
    assert_int_equal(sampler_new(&config, &sampler), -ENOENT);
    assert_null(sampler);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(quota_on_ancestor),
        TEST(least_limit),
        TEST(throttling_of_ancestor),
        TEST(cpu_states),
        TEST(memory),
        TEST(memory_bounds),
        TEST(io_torn),
        TEST(io_stacked),
        TEST(memory_v1),
        TEST(cpu_v1),
        TEST(io_v1),
        TEST(io_unavailable),
        TEST(processes),
        TEST(process_joins),
        TEST(shared_cgroup),
        TEST(agents_cgroup),
        TEST(not_visible),
        TEST(network),
        TEST(network_shared),
        TEST(network_of_pod),
        TEST(network_of_pod_shared),
        TEST(network_of_host_in_pod),
        TEST(gone),
        TEST(comes_up),
        TEST(restarted),
        TEST(shared_events),
        TEST(removed_cgroup),
        TEST(descriptors),
        TEST(pid_reused),
        TEST(cgroup_made_again),
        TEST(moved),
        TEST(partial),
        TEST(denied),
        TEST(host_cpu),
        TEST(host_cpu_count),
        TEST(host_memory),
        TEST(host_disks),
        TEST(host_network),
        TEST(host_network_changes),
        TEST(space),
        TEST(by_cgroup),
        TEST(no_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
