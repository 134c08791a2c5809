/* Kernel text in, numbers out; torn and strange text is refused. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/counters.h"

#define TEXT(text) (text), strlen(text)

/* One number a file, as memory.current and cpuacct.usage are; anything beside it is refused. */
static void test_number(void **state)
{
    uint64_t number = 7;

    (void)state;
    assert_int_equal(counters_number(TEXT("83673088\n"), &number), 0);
    assert_int_equal(number, 83673088);
    assert_int_equal(counters_number(TEXT("18446744073709551615"), &number), 0);
    assert_true(number == UINT64_MAX);
    assert_int_equal(counters_number(TEXT("18446744073709551616\n"), &number), -EBADMSG);
    assert_int_equal(counters_number(TEXT(""), &number), -EBADMSG);
    assert_int_equal(counters_number(TEXT("-1\n"), &number), -EBADMSG);
    assert_int_equal(counters_number(TEXT("1 2\n"), &number), -EBADMSG);
    assert_true(number == UINT64_MAX);
}

/* "max" and -1 are no limit, and never a huge one. */
static void test_limits(void **state)
{
    uint64_t limit;
    double cores;

    (void)state;
    assert_int_equal(counters_limit(TEXT("max\n"), &limit), 0);
    assert_true(limit == COUNTERS_NONE);
    assert_int_equal(counters_limit(TEXT("-1\n"), &limit), 0);
    assert_true(limit == COUNTERS_NONE);
    assert_int_equal(counters_limit(TEXT("0\n"), &limit), 0);
    assert_int_equal(limit, 0);
    assert_int_equal(counters_cpu_max(TEXT("20000 100000\n"), &cores), 0);
    assert_true(fabs(cores - 0.2) < 1e-12);
    assert_int_equal(counters_cpu_max(TEXT("max 100000\n"), &cores), 0);
    assert_true(isinf(cores));
    assert_int_equal(counters_cpu_max(TEXT("20000 0\n"), &cores), -EBADMSG);
    assert_int_equal(counters_cpu_max(TEXT("20000 1000"), &cores), -EBADMSG);
    assert_int_equal(counters_cpu_max(TEXT("many 1000\n"), &cores), -EBADMSG);
}

/* CPU lists as cpuset and sysfs write them. */
static void test_cpu_set(void **state)
{
    unsigned n;

    (void)state;
    assert_int_equal(counters_cpu_set(TEXT("0-1,4\n"), &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(counters_cpu_set(TEXT("0-7\n"), &n), 0);
    assert_int_equal(n, 8);
    assert_int_equal(counters_cpu_set(TEXT("\n"), &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(counters_cpu_set(TEXT("3-1\n"), &n), -EBADMSG);
    assert_int_equal(counters_cpu_set(TEXT("0-1-2\n"), &n), -EBADMSG);
    assert_int_equal(counters_cpu_set(TEXT("0-4000000000\n"), &n), -EBADMSG);
    assert_int_equal(counters_cpu_set(TEXT("0-1"), &n), -EBADMSG);
}

/* cpu.stat has its use on v2, periods on both. */
static void test_cpu_stat(void **state)
{
    struct counters_cpu cpu;

    (void)state;
    assert_int_equal(counters_cpu_stat(TEXT("usage_usec 1684073\nuser_usec 900000\nnr_periods 82\n"
                                            "nr_throttled 81\nthrottled_usec 5\n"),
                                       &cpu),
                     0);
    assert_int_equal(cpu.usage_us, 1684073);
    assert_int_equal(cpu.n_periods, 82);
    assert_int_equal(cpu.n_throttled, 81);
    assert_int_equal(
        counters_cpu_stat(TEXT("nr_periods 5\nnr_throttled 5\nthrottled_time 314567610\n"), &cpu),
        0);
    assert_true(cpu.usage_us == COUNTERS_NONE);
    assert_int_equal(counters_cpu_stat(TEXT("something 5\n"), &cpu), -ENODATA);
    assert_int_equal(counters_cpu_stat(TEXT("usage_usec 168"), &cpu), -EBADMSG);
    assert_int_equal(counters_cpu_stat(TEXT("usage_usec x\n"), &cpu), -EBADMSG);
}

/* v1 counts the group alone and with all below it: the latter is wanted. */
static void test_memory_stat(void **state)
{
    struct counters_memory memory;

    (void)state;
    assert_int_equal(
        counters_memory_stat(TEXT("anon 53248\nfile 82923520\nkernel 245760\nshmem 20000768\n"
                                  "inactive_anon 20049920\ninactive_file 8192\n"),
                             &memory),
        0);
    assert_int_equal(memory.file, 82923520);
    assert_int_equal(memory.shmem, 20000768);
    assert_int_equal(memory.inactive_file, 8192);
    assert_true(memory.limit == COUNTERS_NONE);
    assert_int_equal(counters_memory_stat(TEXT("cache 1\nshmem 2\ninactive_file 3\n"
                                               "hierarchical_memory_limit 268435456\n"
                                               "total_cache 105025536\ntotal_shmem 4\n"
                                               "total_inactive_file 104984576\n"),
                                          &memory),
                     0);
    assert_int_equal(memory.file, 105025536);
    assert_int_equal(memory.shmem, 4);
    assert_int_equal(memory.inactive_file, 104984576);
    assert_int_equal(memory.limit, 268435456);
}

/* Without MemAvailable it is made up of what can be taken back; shared memory cannot. */
static void test_meminfo(void **state)
{
    struct counters_host_memory memory;

    (void)state;
    assert_int_equal(counters_meminfo(TEXT("MemTotal:       24684184 kB\nMemFree: 23000000 kB\n"
                                           "MemAvailable:   23840000 kB\nCached: 1500000 kB\n"),
                                      &memory),
                     0);
    assert_int_equal(memory.total - memory.available, 864444416);
    assert_int_equal(
        counters_meminfo(TEXT("MemTotal: 1000000 kB\nMemFree: 100000 kB\nBuffers: 50000 kB\n"
                              "Cached: 250000 kB\nShmem: 50000 kB\nSReclaimable: 0 kB\n"),
                         &memory),
        0);
    assert_int_equal(memory.available, 350000 * 1024);
    assert_int_equal(counters_meminfo(TEXT("MemFree: 1 kB\n"), &memory), -ENODATA);
}

/* Devices are summed by key; those without a number or without counters add nothing. */
static void test_io_stat(void **state)
{
    const struct counters_devices stacked = {.n = 1, .devices = {{253, 0}}};
    struct counters_traffic traffic;

    (void)state;
    assert_int_equal(
        counters_io_stat(
            TEXT("254:0 rbytes=62916608 wbytes=62914560 rios=482 wios=60 cost.usage=5\n"
                 "(unknown) rbytes=9 wbytes=0\n253:0 rbytes=77 wbytes=77\n"
                 "7:0 7:1 8:0 rbytes=1 wbytes=2\n"),
            &stacked, &traffic),
        0);
    assert_int_equal(traffic.in_bytes, 62916609);
    assert_int_equal(traffic.out_bytes, 62914562);
    assert_int_equal(counters_io_stat(TEXT("252:0 "), NULL, &traffic), -EBADMSG);
    assert_int_equal(counters_io_stat(TEXT("252:0 rbytes=x\n"), NULL, &traffic), -EBADMSG);
    assert_int_equal(counters_io_stat("", 0, NULL, &traffic), 0);
    assert_int_equal(traffic.in_bytes, 0);
}

/* v1: Read and Write alone; a total without a device is a kernel that does not count. */
static void test_blkio(void **state)
{
    struct counters_traffic traffic;

    (void)state;
    assert_int_equal(counters_blkio(TEXT("7:0 Read 16777216\n7:0 Write 3\n7:0 Sync 16777216\n"
                                         "7:0 Async 0\n7:0 Total 16777216\nTotal 16777216\n"),
                                    NULL, &traffic),
                     0);
    assert_int_equal(traffic.in_bytes, 16777216);
    assert_int_equal(traffic.out_bytes, 3);
    assert_int_equal(counters_blkio(TEXT("Total 0\n"), NULL, &traffic), -ENODATA);
    assert_int_equal(counters_blkio(TEXT("7:0 Read\n"), NULL, &traffic), -EBADMSG);
}

/* What was written and thrown away before it reached the disk is taken off. */
static void test_process_io(void **state)
{
    struct counters_traffic traffic;

    (void)state;
    assert_int_equal(counters_process_io(TEXT("rchar: 1\nwchar: 2\nread_bytes: 4096\n"
                                              "write_bytes: 8192\ncancelled_write_bytes: 4096\n"),
                                         &traffic),
                     0);
    assert_int_equal(traffic.in_bytes, 4096);
    assert_int_equal(traffic.out_bytes, 4096);
    assert_int_equal(counters_process_io(TEXT("rchar: 1\n"), &traffic), -ENODATA);
}

#define NET_HEAD                                                                                   \
    "Inter-|   Receive                            |  Transmit\n"                                   \
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"

/* Loopback is nobody's traffic; a name may stand against its number. */
static void test_net_dev(void **state)
{
    static const char text[] = NET_HEAD "    lo: 202214811 1 0 0 0 0 0 0 202214811 1 0 0 0 0 0 0\n"
                                        "  eth0:160071353 3944 0 0 0 0 0 0   229816 1 0 0 0 0 0 0\n"
                                        "veth12: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n";
    struct counters_names only = {0};
    struct counters_traffic all, some;

    (void)state;
    assert_int_equal(counters_net_dev(TEXT(text), NULL, false, &all), 0);
    assert_int_equal(all.in_bytes, 160071358);
    assert_int_equal(all.out_bytes, 229822);
    assert_int_equal(counters_net_dev(TEXT(text), NULL, true, &some), 0);
    assert_int_equal(some.in_bytes, 160071353);
    assert_true(some.members != all.members);
    assert_true(counters_names_add(&only, "veth12"));
    assert_int_equal(counters_net_dev(TEXT(text), &only, true, &some), 0);
    assert_int_equal(some.out_bytes, 6);
    assert_int_equal(counters_net_dev(text, strlen(text) - 1, NULL, false, &some), -EBADMSG);
    assert_int_equal(counters_net_dev(TEXT(NET_HEAD), NULL, false, &some), -ENODATA);
    assert_int_equal(counters_net_dev(TEXT("eth0: 1 2\n"), NULL, false, &some), -EBADMSG);
}

/* Partitions tell their disk's bytes again. */
static void test_disk_stats(void **state)
{
    static const char text[] = "7 0 loop0 5 0 5 0 5 0 5 0 0 0 0\n"
                               "259 0 nvme0n1 1 2 10 4 5 6 20 8 0 9 10\n"
                               "259 1 nvme0n1p1 1 2 3 4 5 6 7 8 0 9 10\n"
                               "259 2 nvme0n10 1 2 1 4 5 6 1 8 0 9 10\n"
                               "8 0 sda 1 2 100 4 5 6 200 8 0 9 10\n"
                               "8 1 sda1 1 2 100 4 5 6 200 8 0 9 10\n"
                               "253 0 dm-0 1 2 100 4 5 6 200 8 0 9 10\n";
    struct counters_names only = {0};
    struct counters_disks disks;

    (void)state;
    assert_int_equal(counters_disk_stats(TEXT(text), NULL, &disks), 0);
    assert_int_equal(disks.sum.in_bytes, 111 * 512);
    assert_int_equal(disks.sum.out_bytes, 221 * 512);
    assert_int_equal(disks.sum.in_operations, 3);
    assert_int_equal(disks.sum.out_operations, 15);
    assert_int_equal(disks.operation_ms, 36);
    assert_int_equal(disks.n, 3);
    assert_int_equal(disks.disks[2].busy_ms, 9);
    assert_true(disks.disks[0].name_hash != disks.disks[2].name_hash);
    assert_true(counters_names_add(&only, "sda"));
    assert_int_equal(counters_disk_stats(TEXT(text), &only, &disks), 0);
    assert_int_equal(disks.sum.in_bytes, 51200);
    assert_int_equal(counters_disk_stats(TEXT("8 0 sda 1 2\n"), NULL, &disks), -EBADMSG);
    assert_int_equal(counters_disk_stats(TEXT("7 0 loop0 1 2 3 4 5 6 7 8 9 10\n"), NULL, &disks),
                     -ENODATA);
}

/* What is stalled, since boot; the CPU of an old kernel has no "full" line. */
static void test_pressure(void **state)
{
    static const char text[] = "some avg10=48.99 avg60=11.06 avg300=2.40 total=7230870\n"
                               "full avg10=0.50 avg60=0.00 avg300=100.00 total=5\n";
    struct counters_pressure pressure;

    (void)state;
    assert_int_equal(counters_pressure(TEXT(text), &pressure), 0);
    assert_true(pressure.has_full);
    assert_int_equal(pressure.some.stalled_us, 7230870);
    assert_true(fabs(pressure.some.averages[PRESSURE_10_S] - 48.99) < 1e-9);
    assert_true(fabs(pressure.full.averages[PRESSURE_10_S] - 0.5) < 1e-9);
    assert_true(fabs(pressure.full.averages[PRESSURE_300_S] - 100) < 1e-9);
    assert_int_equal(pressure.full.stalled_us, 5);
    assert_int_equal(counters_pressure(TEXT("some avg10=0.00 total=9\n"), &pressure), 0);
    assert_false(pressure.has_full);
    assert_int_equal(counters_pressure(text, strlen(text) - 1, &pressure), -EBADMSG);
    assert_int_equal(counters_pressure(TEXT("some avg10=1.5 total=9\n"), &pressure), -EBADMSG);
    assert_int_equal(counters_pressure(TEXT("some avg10=1.50\n"), &pressure), -EBADMSG);
    assert_int_equal(counters_pressure(TEXT("irq total=1\n"), &pressure), -ENODATA);
    assert_int_equal(pressure.some.stalled_us, 9);
}

/* Kills are counted under one name in three files; old kernels do not have it. */
static void test_oom_kills(void **state)
{
    uint64_t n_kills = 0;

    (void)state;
    assert_int_equal(counters_oom_kills(TEXT("low 0\noom 9\noom_kill 7\n"), &n_kills), 0);
    assert_int_equal(n_kills, 7);
    assert_int_equal(counters_oom_kills(TEXT("oom_kill_disable 0\nunder_oom 0\n"), &n_kills),
                     -ENODATA);
    assert_int_equal(counters_oom_kills(TEXT("oom_kill 1"), &n_kills), -EBADMSG);
    assert_int_equal(n_kills, 7);
}

/* The soft limit holds for the process. */
static void test_max_fds(void **state)
{
    uint64_t n_max = 0;

    (void)state;
    assert_int_equal(
        counters_max_fds(TEXT("Limit                     Soft Limit           Hard Limit  Units\n"
                              "Max open files            1024                 524288      files\n"),
                         &n_max),
        0);
    assert_int_equal(n_max, 1024);
    assert_int_equal(
        counters_max_fds(TEXT("Max open files  unlimited  unlimited  files\n"), &n_max), 0);
    assert_true(n_max == COUNTERS_NONE);
    assert_int_equal(counters_max_fds(TEXT("Max processes  1  1  processes\n"), &n_max), -ENODATA);
    assert_int_equal(counters_max_fds(TEXT("Max open files  1024"), &n_max), -EBADMSG);
    assert_int_equal(counters_max_fds(TEXT("Max open files  -4\n"), &n_max), -EBADMSG);
}

/* Throttled time is in nanoseconds on v1, and swap space in memory.stat and meminfo. */
static void test_units(void **state)
{
    struct counters_cpu cpu;
    struct counters_memory memory;
    struct counters_host_memory host;
    struct counters_process_memory process;

    (void)state;
    assert_int_equal(counters_cpu_stat(TEXT("nr_periods 2\nthrottled_time 314567610\n"), &cpu), 0);
    assert_int_equal(cpu.throttled_us, 314567);
    assert_int_equal(counters_cpu_stat(TEXT("nr_periods 2\nthrottled_usec 314567\n"), &cpu), 0);
    assert_int_equal(cpu.throttled_us, 314567);
    assert_int_equal(counters_memory_stat(TEXT("total_cache 1\ntotal_swap 4096\n"), &memory), 0);
    assert_int_equal(memory.swap, 4096);
    assert_int_equal(counters_meminfo(TEXT("MemTotal: 9 kB\nMemFree: 1 kB\nSwapTotal: 8 kB\n"
                                           "SwapFree: 5 kB\n"),
                                      &host),
                     0);
    assert_int_equal(host.swap, 3072);
    assert_int_equal(counters_process_status(TEXT("VmRSS: 5 kB\nVmSwap: 2 kB\n"), &process), 0);
    assert_int_equal(process.swap, 2048);
}

/* The first line sums all CPUs; what follows the CPUs need not be read. */
static void test_stat(void **state)
{
    struct counters_host_cpu cpu;

    (void)state;
    assert_int_equal(counters_stat(TEXT("cpu  1000 50 500 8000 400 0 50 0 100 0\n"
                                        "cpu0 500 50 500 8000 400 0 50 0 100 0\n"
                                        "cpu1 500 50 500 8000 400 0 50 0 100 0\nintr 1 2"),
                                   &cpu),
                     0);
    assert_int_equal(cpu.ticks[TICK_USER], 1000);
    assert_int_equal(cpu.ticks[TICK_IOWAIT], 400);
    assert_int_equal(cpu.ticks[TICK_STEAL], 0);
    assert_int_equal(cpu.n_cpus, 2);
    assert_int_equal(counters_stat(TEXT("intr 1\n"), &cpu), -EBADMSG);
    assert_int_equal(counters_stat(TEXT("cpu  1000 50 500"), &cpu), -EBADMSG);
}

/* A process may be named like the text around its name. */
static void test_process_stat(void **state)
{
    struct counters_process process;

    (void)state;
    assert_int_equal(
        counters_process_stat(TEXT("1234 (a) b (c)) S 1 1234 1234 0 -1 4194560 100 0 0 0 250 50 7 "
                                   "3 20 0 3 0 987654 1000000 200 18446744073709551615\n"),
                              &process),
        0);
    assert_int_equal(process.pid, 1234);
    assert_string_equal(process.name, "a) b (c)");
    assert_int_equal(process.state, 'S');
    assert_int_equal(process.ppid, 1);
    assert_int_equal(process.user_ticks, 250);
    assert_int_equal(process.system_ticks, 50);
    assert_int_equal(process.reaped_ticks, 10);
    assert_int_equal(process.n_threads, 3);
    assert_int_equal(process.start_ticks, 987654);
    assert_int_equal(counters_process_stat(TEXT("1234 (a S 1\n"), &process), -EBADMSG);
    assert_int_equal(counters_process_stat(TEXT("1234 (a) S 1 2 3\n"), &process), -EBADMSG);
    assert_int_equal(counters_process_stat(TEXT(")(\n"), &process), -EBADMSG);
}

/* Memory of a process without the pages of files. */
static void test_process_status(void **state)
{
    struct counters_process_memory memory;

    (void)state;
    assert_int_equal(counters_process_status(TEXT("Name:\tx\nVmRSS:\t 100 kB\nRssAnon:\t 40 kB\n"
                                                  "RssFile:\t 50 kB\nRssShmem:\t 10 kB\n"),
                                             &memory),
                     0);
    assert_int_equal(memory.nocache, 50 * 1024);
    assert_int_equal(memory.resident, 100 * 1024);
    assert_int_equal(counters_process_status(TEXT("VmRSS:\t100 kB\n"), &memory), 0);
    assert_int_equal(memory.nocache, 100 * 1024);
    assert_int_equal(counters_process_status(TEXT("Name:\tkthread\n"), &memory), -ENODATA);
}

/* Zeros are processes that our pid namespace does not have. */
static void test_pids(void **state)
{
    pid_t pids[2];
    size_t n, n_hidden;

    (void)state;
    assert_int_equal(counters_pids(TEXT("12\n0\n34\n56\n"), pids, 2, &n, &n_hidden), 0);
    assert_int_equal(n, 2);
    assert_int_equal(pids[1], 34);
    assert_int_equal(n_hidden, 1);
    assert_int_equal(counters_pids("", 0, pids, 2, &n, &n_hidden), 0);
    assert_int_equal(n, 0);
    assert_int_equal(counters_pids(TEXT("12\n3"), pids, 2, &n, &n_hidden), -EBADMSG);
}

/* Only listening sockets of the port count; a line cut off at the end is not looked at. */
static void test_listeners(void **state)
{
    static const char text[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout\n"
        "   0: 0100007F:1E14 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 111 1 0\n"
        "   1: 0100007F:1E15 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 222 1 0\n"
        "   2: 0100007F:1E14 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 333 1 0\n"
        "   3: 0100007F:1E14 000";
    uint64_t inodes[4];
    size_t n = 0;

    (void)state;
    assert_int_equal(counters_listeners(TEXT(text), 0x1e14, inodes, 4, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(inodes[0], 111);
    assert_int_equal(counters_listeners(TEXT("head\nnonsense\n\n"), 1, inodes, 4, &n), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cpu_set),      cmocka_unit_test(test_cpu_stat),
        cmocka_unit_test(test_memory_stat),  cmocka_unit_test(test_meminfo),
        cmocka_unit_test(test_io_stat),      cmocka_unit_test(test_blkio),
        cmocka_unit_test(test_process_io),   cmocka_unit_test(test_net_dev),
        cmocka_unit_test(test_disk_stats),   cmocka_unit_test(test_stat),
        cmocka_unit_test(test_process_stat), cmocka_unit_test(test_process_status),
        cmocka_unit_test(test_pids),         cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_pressure),     cmocka_unit_test(test_oom_kills),
        cmocka_unit_test(test_max_fds),      cmocka_unit_test(test_units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
