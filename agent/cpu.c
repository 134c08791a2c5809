/* A broker's CPU: use, limits and throttling, from its cgroups or its processes. Shell.
 *
 * Throttling is counted at the level that has the quota, and nowhere below it; so is the use that
 * goes against it. Each level that has a quota is held open, therefore, not the broker's own
 * alone. */
#include "agent/cpu.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "agent/counters.h"
#include "agent/level.h"

/* The rates stay: what they compare tells whether the next sample still is of the same thing. */
static void close_level(struct cpu_level *level)
{
    held_close(&level->usage);
    held_close(&level->stat);
    level->is_used = false;
    level->limit_cores = INFINITY;
}

void cpu_close(struct cpu *cpu)
{
    for (size_t i = 0; i < CHAIN_LEVELS_MAX; i++) {
        close_level(&cpu->levels[i]);
    }
}

/* v1's quota: two files, -1 for none. */
static int read_quota_v1(const struct chain *chain, size_t i, struct reader *reader,
                         double *ret_cores)
{
    uint64_t quota_us, period_us;
    int r;

    r = chain_read(chain, i, "cpu.cfs_quota_us", reader);
    if (r < 0) {
        return r;
    }
    r = counters_limit(reader->bytes, reader->n, &quota_us);
    if (r < 0 || quota_us == COUNTERS_NONE) {
        *ret_cores = INFINITY;
        return r;
    }
    r = chain_read(chain, i, "cpu.cfs_period_us", reader);
    if (r < 0) {
        return r;
    }
    r = counters_number(reader->bytes, reader->n, &period_us);
    if (r < 0 || period_us == 0) {
        return -EBADMSG;
    }
    *ret_cores = (double)quota_us / (double)period_us;
    return 0;
}

static int read_quota(const struct chain *chain, size_t i, struct reader *reader, double *ret_cores)
{
    int r;

    if (!chain->is_v2) {
        return read_quota_v1(chain, i, reader, ret_cores);
    }
    r = chain_read(chain, i, "cpu.max", reader);
    return r < 0 ? r : counters_cpu_max(reader->bytes, reader->n, ret_cores);
}

/* A level may have had periods counted without a quota that can be read. */
static bool has_periods(const struct chain *chain, size_t i, struct reader *reader)
{
    struct counters_cpu stat;

    return chain_read(chain, i, "cpu.stat", reader) == 0 &&
           counters_cpu_stat(reader->bytes, reader->n, &stat) == 0 && stat.n_periods > 0;
}

/* On v2 cpu.stat tells both. Else a level's use is that of the same path in the hierarchy that
 * counts it, and the broker's own wherever that is. */
static void hold_usage(struct cpu *cpu, size_t i)
{
    const struct chain *usage = cpu->usage, *quota = cpu->quota;
    bool is_same = quota->is_seen && usage->n_levels == quota->n_levels &&
                   strcmp(usage->path, quota->path) == 0;

    if (!usage->is_seen || (usage->is_v2 && quota->is_v2) || i >= usage->n_levels) {
        return;
    }
    if (is_same || (i == 0 && usage->is_own)) {
        chain_hold(usage, i, usage->is_v2 ? "cpu.stat" : "cpuacct.usage", &cpu->levels[i].usage);
    }
}

static void refresh_level(struct cpu *cpu, size_t i, struct reader *reader)
{
    struct cpu_level *level = &cpu->levels[i];
    double limit_cores = INFINITY;
    bool is_used = i == 0 && cpu->usage->is_own;

    if (cpu->quota->is_seen && i < cpu->quota->n_levels) {
        int r = reader_parsed(reader, read_quota(cpu->quota, i, reader, &limit_cores));

        if (r < 0 && r != -ENOENT) {
            cpu->limit_error = held_state(r);
        }
        is_used = is_used || isfinite(limit_cores) || has_periods(cpu->quota, i, reader);
    }
    if (!is_used) {
        close_level(level);
        return;
    }
    level->limit_cores = limit_cores;
    if (!level->is_used) {
        level->is_used = true;
        if (cpu->quota->is_seen) {
            chain_hold(cpu->quota, i, "cpu.stat", &level->stat);
        }
        hold_usage(cpu, i);
    }
    held_retry(&level->stat);
    held_retry(&level->usage);
}

/* The nearest level that tells which CPUs there are; it includes what is above. */
static void refresh_cpuset(struct cpu *cpu, struct reader *reader)
{
    const struct chain *chain = cpu->cpuset;
    const char *name = chain->is_v2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus";
    unsigned n_cpus = 0;

    cpu->n_cpus = 0;
    if (!chain->is_seen && chain->error != VALUE_PRESENT) {
        cpu->limit_error = chain->error;
    }
    for (size_t i = 0; chain->is_seen && i < chain->n_levels; i++) {
        int r = chain_read(chain, i, name, reader);

        if (r == -ENOENT) {
            continue;
        }
        r = r < 0 ? r : reader_parsed(reader, counters_cpu_set(reader->bytes, reader->n, &n_cpus));
        if (r < 0) {
            cpu->limit_error = held_state(r);
        } else {
            cpu->n_cpus = n_cpus;
        }
        return;
    }
}

void cpu_refresh(struct cpu *cpu, struct reader *reader)
{
    cpu->limit_error = VALUE_PRESENT;
    if (!cpu->quota->is_seen) {
        cpu->limit_error = cpu->quota->error;
    }
    for (size_t i = 0; i < CHAIN_LEVELS_MAX; i++) {
        refresh_level(cpu, i, reader);
    }
    refresh_cpuset(cpu, reader);
}

/* Read cpu.stat: throttling at this level, and on v2 its use too. */
static int read_stat(struct cpu_level *level, struct reader *reader, struct counters_cpu *ret_stat)
{
    int r;

    if (!level->stat.is_wanted) {
        return -ENOENT;
    }
    r = reader_held(reader, &level->stat);
    return r < 0 ? r : reader_parsed(reader, counters_cpu_stat(reader->bytes, reader->n, ret_stat));
}

static int take_usage(const struct counters_cpu *stat, uint64_t *ret_usage_us)
{
    if (stat->usage_us == COUNTERS_NONE) {
        return -ENODATA;
    }
    *ret_usage_us = stat->usage_us;
    return 0;
}

static int read_usage_us(const struct cpu *cpu, struct cpu_level *level, struct reader *reader,
                         uint64_t *ret_usage_us)
{
    struct counters_cpu stat;
    uint64_t usage_ns;
    int r;

    r = reader_held(reader, &level->usage);
    if (r < 0) {
        return r;
    }
    if (cpu->usage->is_v2) {
        r = reader_parsed(reader, counters_cpu_stat(reader->bytes, reader->n, &stat));
        return r < 0 ? r : take_usage(&stat, ret_usage_us);
    }
    r = reader_parsed(reader, counters_number(reader->bytes, reader->n, &usage_ns));
    if (r == 0) {
        *ret_usage_us = usage_ns / 1000;
    }
    return r;
}

/* Step a rate by what was read, or say why it was not. */
static uint64_t step(struct rate *rate, time_us now_us, uint64_t owner, int r,
                     const uint64_t *counts, size_t n_counts)
{
    if (r < 0) {
        rate_miss(rate, held_state(r));
        return 0;
    }
    return rate_step(rate, now_us, owner, counts, n_counts);
}

static struct value cores_of(const struct rate *rate, double units_per_core_second)
{
    struct value cores = rate_per_second(rate, 0);

    cores.number /= units_per_core_second;
    return cores;
}

/* Whether throttling can be known of the level: it has, or had, a quota. */
static bool can_throttle(const struct cpu_level *level, int stat_result,
                         const struct counters_cpu *stat)
{
    return isfinite(level->limit_cores) || (stat_result == 0 && stat->n_periods > 0);
}

static struct value throttled_seconds(const struct rate *rate)
{
    struct value seconds = rate_per_second(rate, 2);

    seconds.number /= (double)US_PER_S;
    return seconds;
}

static int take_level(const struct cpu *cpu, struct cpu_level *level, time_us now_us,
                      uint64_t owner, struct reader *reader, uint64_t *n_resets,
                      struct level *ret_level)
{
    struct counters_cpu stat = {.usage_us = COUNTERS_NONE};
    uint64_t usage_us = 0;
    int stat_result = read_stat(level, reader, &stat);
    int r = level->usage.is_wanted ? read_usage_us(cpu, level, reader, &usage_us)
            : stat_result < 0      ? stat_result
                                   : take_usage(&stat, &usage_us);
    const uint64_t periods[] = {stat.n_periods, stat.n_throttled, stat.throttled_us};
    bool is_limited = can_throttle(level, stat_result, &stat);

    *n_resets += step(&level->usage_rate, now_us, owner, r, &usage_us, 1);
    *n_resets += step(&level->throttle_rate, now_us, owner, stat_result, periods, 3);
    *ret_level = (struct level){
        .used = cores_of(&level->usage_rate, (double)US_PER_S),
        .limit = level->limit_cores,
        .extra = is_limited ? rate_share(&level->throttle_rate, 1, 0)
                            : value_absent(VALUE_UNLIMITED),
        .throttled_s = is_limited ? throttled_seconds(&level->throttle_rate)
                                  : value_absent(VALUE_UNLIMITED),
    };
    return r == -ENODEV || stat_result == -ENODEV ? -ENODEV : 0;
}

static struct level take_family(struct cpu *cpu, struct family *family, time_us now_us,
                                uint64_t owner, struct reader *reader, uint64_t *n_resets)
{
    uint64_t ticks = 0;
    int r = family_ticks(family, reader, &ticks);

    *n_resets += step(&cpu->process_rate, now_us, owner, r, &ticks, 1);
    return (struct level){
        .used = cores_of(&cpu->process_rate, (double)sysconf(_SC_CLK_TCK)),
        .limit = INFINITY,
        .extra = value_absent(VALUE_UNLIMITED),
        .throttled_s = value_absent(VALUE_UNLIMITED),
    };
}

int cpu_take(struct cpu *cpu, struct family *family, time_us now_us, uint64_t owner,
             struct value host_cores, struct reader *reader, uint64_t *n_resets,
             struct value *values)
{
    struct level levels[CHAIN_LEVELS_MAX + 1];
    size_t n = 0;
    int r;

    if (!cpu->usage->is_own) {
        levels[n++] = take_family(cpu, family, now_us, owner, reader, n_resets);
    }
    for (size_t i = 0; i < CHAIN_LEVELS_MAX; i++) {
        if (!cpu->levels[i].is_used) {
            continue;
        }
        r = take_level(cpu, &cpu->levels[i], now_us, owner, reader, n_resets, &levels[n]);
        if (r < 0) {
            return r;
        }
        n++;
    }
    if (cpu->n_cpus > 0 && (!value_is_present(host_cores) || cpu->n_cpus < host_cores.number)) {
        host_cores = value_of(cpu->n_cpus);
    }
    assert(n > 0);
    level_cpu(levels, n, host_cores, cpu->limit_error, values);
    return 0;
}
