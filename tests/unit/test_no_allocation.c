/* The way from the kernel's files to a report's bytes allocates nothing once brokers are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sampler.h"
#include "common/wire.h"
#include "tests/unit/tree.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

static volatile size_t n_allocations; /* malloc is known to the compiler, its counting is not */

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *memory, size_t n)
{
    (void)memory;
    (void)n;
    n_allocations++;
}

static void on_free(const volatile void *memory)
{
    (void)memory;
}

static void start_counting(void)
{
    (void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

#else

/* What glibc's own are called beside their public names. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t n);

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the library's are reserved. */
void *malloc(size_t n)
{
    n_allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    n_allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *memory, size_t n)
{
    n_allocations++;
    return __libc_realloc(memory, n);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

static void start_counting(void)
{
}

#endif

static struct sampler *sampler;
static struct agent_config config;
static struct broker_options broker;
static struct report report;
static uint8_t message[MESSAGE_BYTES_MAX];

/* Sample, fill a report and encode it. */
static void beat(time_us now_us)
{
    struct envelope envelope = {.sender = "n", .boot_id = 1, .seq = 1, .sent_unix_us = 1};
    size_t n;

    sampler_take(sampler, now_us);
    report_clear(&report);
    report.interval_us = SECONDS(1);
    sampler_host(sampler, report.host);
    (void)snprintf(report_add_broker(&report)->id, sizeof(report.brokers[0].id), "b");
    sampler_broker(sampler, 0, &report.brokers[0]);
    assert_int_equal(wire_put_report(&envelope, &report, message, sizeof(message), &n), 0);
}

/* A hundred beats between two looks at processes and disks. */
static size_t count_allocations(void)
{
    size_t n_before;

    assert_int_equal(sampler_new(&config, &sampler), 0);
    beat(SECONDS(100));
    assert_int_equal(report.brokers[0].state, BROKER_UP);
    n_before = n_allocations;
    for (int i = 1; i <= 100; i++) {
        beat(SECONDS(100) + i * MILLISECONDS(40));
    }
    n_before = n_allocations - n_before;
    sampler_free(sampler);
    return n_before;
}

/* Counting works: the test can fail. */
static void test_counts(void **state)
{
    size_t n_before = n_allocations;
    void *volatile memory = malloc(10);

    (void)state;
    free(memory);
    assert_int_equal(n_allocations, n_before + 1);
}

/* A broker of a v2 tree, with a quota and a memory limit. */
static void test_tree(void **state)
{
    static struct tree tree;
    static char proc_root[1024], cgroup_root[1024], pid_file[1024];

    (void)state;
    tree_make(&tree);
    tree_path(&tree, "proc", proc_root);
    tree_path(&tree, "cgroup", cgroup_root);
    tree_path(&tree, "run/b.pid", pid_file);
    tree_put(&tree, "run/b.pid", "100\n");
    tree_put(&tree, "proc/meminfo", "MemTotal: 1000 kB\nMemFree: 500 kB\nMemAvailable: 600 kB\n");
    tree_put(&tree, "proc/100/stat", "100 (x) S 1 0 0 0 0 0 0 0 0 0 5 0 0 0 20 0 1 0 5000 0 0\n");
    tree_put(&tree, "proc/100/cgroup", "0::/a\n");
    tree_put(&tree, "cgroup/cgroup.controllers", "cpu memory\n");
    tree_put(&tree, "cgroup/a/cpu.stat", "usage_usec 5\nnr_periods 1\nnr_throttled 0\n");
    tree_put(&tree, "cgroup/a/cpu.max", "100000 100000\n");
    tree_put(&tree, "cgroup/a/memory.current", "5000\n");
    tree_put(&tree, "cgroup/a/memory.max", "9000\n");
    tree_put(&tree, "cgroup/a/memory.stat", "file 10\nshmem 1\ninactive_file 5\n");
    broker = (struct broker_options){.id = (char[]){"b"}, .match = {.pid_file = pid_file}};
    config = (struct agent_config){.proc_root = proc_root,
                                   .cgroup_root = cgroup_root,
                                   .brokers = {.n = 1, .elements = &broker}};
    assert_int_equal(count_allocations(), 0);
    tree_remove(&tree, "");
}

/* This process, on this host, whatever it has. */
static void test_host(void **state)
{
    static struct tree tree;
    static char pid_file[1024];

    (void)state;
    tree_make(&tree);
    tree_path(&tree, "b.pid", pid_file);
    tree_put(&tree, "b.pid", "%d\n", (int)getpid());
    broker = (struct broker_options){
        .id = (char[]){"b"}, .match = {.pid_file = pid_file}, .data_directory = (char[]){"/"}};
    config = (struct agent_config){.proc_root = (char[]){"/proc"},
                                   .cgroup_root = (char[]){""},
                                   .brokers = {.n = 1, .elements = &broker}};
    assert_int_equal(count_allocations(), 0);
    tree_remove(&tree, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_host),
    };

    start_counting();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
