/* A broker's memory: use and limits, from its cgroup or its processes. Shell.
 *
 * Page cache is given back when it is needed, and a log-structured broker fills every limit with
 * it: counted as used, such a broker would look full for ever. Shared memory and tmpfs are part of
 * what the kernel calls file or cache, and are not given back: they are added again. */
#include "agent/memory.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "agent/counters.h"
#include "agent/level.h"
#include "common/units.h"

static void close_level(struct memory_level *level)
{
    held_close(&level->usage);
    held_close(&level->stat);
    *level = (struct memory_level){.limit_bytes = INFINITY};
}

void memory_close(struct memory *memory)
{
    for (size_t i = 0; i < CHAIN_LEVELS_MAX; i++) {
        close_level(&memory->levels[i]);
    }
    held_close(&memory->swap);
    held_close(&memory->events);
}

/* Lower `limit` to what the file says; a file that is not there says nothing. */
static int lower_limit(const struct chain *chain, size_t i, const char *name, struct reader *reader,
                       double *limit)
{
    uint64_t bytes;
    int r;

    r = chain_read(chain, i, name, reader);
    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    r = reader_parsed(reader, counters_limit(reader->bytes, reader->n, &bytes));
    if (r == 0 && bytes != COUNTERS_NONE) {
        *limit = fmin(*limit, (double)bytes);
    }
    return r;
}

/* v1 tells the least limit of all ancestors, those too that cannot be seen from here. */
static int lower_to_hierarchy(const struct chain *chain, struct reader *reader, double *limit)
{
    struct counters_memory stat;
    int r;

    r = chain_read(chain, 0, "memory.stat", reader);
    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    r = reader_parsed(reader, counters_memory_stat(reader->bytes, reader->n, &stat));
    if (r == 0 && stat.limit != COUNTERS_NONE) {
        *limit = fmin(*limit, (double)stat.limit);
    }
    return r == -ENODATA ? 0 : r;
}

/* v2's memory.high binds too: beyond it the kernel slows the group down and takes memory away. */
static int read_limit(const struct chain *chain, size_t i, struct reader *reader, double *limit)
{
    int r;

    r = lower_limit(chain, i, chain->is_v2 ? "memory.max" : "memory.limit_in_bytes", reader, limit);
    if (r < 0) {
        return r;
    }
    if (chain->is_v2) {
        return lower_limit(chain, i, "memory.high", reader, limit);
    }
    return i == 0 ? lower_to_hierarchy(chain, reader, limit) : 0;
}

static void refresh_level(struct memory *memory, size_t i, struct value ram, struct reader *reader)
{
    struct memory_level *level = &memory->levels[i];
    const struct chain *chain = memory->chain;
    double limit = INFINITY;
    int r;

    if (!chain->is_seen || i >= chain->n_levels) {
        close_level(level);
        return;
    }
    r = read_limit(chain, i, reader, &limit);
    if (r < 0) {
        memory->limit_error = held_state(r);
    }
    if (value_is_present(ram) && limit >= ram.number) {
        limit = INFINITY; /* v1 writes the largest multiple of a page for "none" */
    }
    if (!isfinite(limit) && (i > 0 || !chain->is_own)) {
        close_level(level);
        return;
    }
    level->limit_bytes = limit;
    if (!level->is_used) {
        level->is_used = true;
        chain_hold(chain, i, chain->is_v2 ? "memory.current" : "memory.usage_in_bytes",
                   &level->usage);
        chain_hold(chain, i, "memory.stat", &level->stat);
    }
    held_retry(&level->usage);
    held_retry(&level->stat);
}

/* What only the broker's own cgroup can tell of it. */
static void refresh_own(struct memory *memory)
{
    const struct chain *chain = memory->chain;

    if (!chain->is_own) {
        held_close(&memory->swap);
        held_close(&memory->events);
    } else if (!memory->swap.is_wanted) {
        chain_hold(chain, 0, chain->is_v2 ? "memory.swap.current" : "memory.memsw.usage_in_bytes",
                   &memory->swap);
        chain_hold(chain, 0, chain->is_v2 ? "memory.events" : "memory.oom_control",
                   &memory->events);
    }
    held_retry(&memory->swap);
    held_retry(&memory->events);
}

void memory_refresh(struct memory *memory, struct value ram, struct reader *reader)
{
    memory->limit_error = memory->chain->is_seen ? VALUE_PRESENT : memory->chain->error;
    for (size_t i = 0; i < CHAIN_LEVELS_MAX; i++) {
        refresh_level(memory, i, ram, reader);
    }
    refresh_own(memory);
}

/* The two files are read one after the other, and may not fit: never below nothing. */
static struct value bytes_of(uint64_t usage, uint64_t taken_off, uint64_t added)
{
    if (taken_off == COUNTERS_NONE) {
        return value_absent(VALUE_UNSUPPORTED);
    }
    return value_of(fmax(0.0, (double)usage - (double)taken_off + (double)added));
}

/* What a level's files say. */
struct memory_reading {
    uint64_t usage;
    struct counters_memory stat;
};

static int read_level(struct memory_level *level, struct reader *reader,
                      struct memory_reading *ret_reading)
{
    int r;

    r = reader_held(reader, &level->usage);
    if (r == 0) {
        r = reader_parsed(reader, counters_number(reader->bytes, reader->n, &ret_reading->usage));
    }
    if (r == 0) {
        r = reader_held(reader, &level->stat);
    }
    if (r == 0) {
        r = reader_parsed(reader,
                          counters_memory_stat(reader->bytes, reader->n, &ret_reading->stat));
    }
    return r;
}

static int take_level(struct memory_level *level, struct reader *reader,
                      struct memory_reading *ret_reading, struct level *ret_level)
{
    int r;

    r = read_level(level, reader, ret_reading);
    ret_level->limit = level->limit_bytes;
    if (r < 0) {
        ret_level->used = value_absent(held_state(r));
        ret_level->extra = ret_level->used;
        return r == -ENODEV ? r : 0;
    }
    ret_level->used = bytes_of(ret_reading->usage, ret_reading->stat.file, ret_reading->stat.shmem);
    ret_level->extra = bytes_of(ret_reading->usage, ret_reading->stat.inactive_file, 0);
    return 0;
}

static struct level take_family(struct family *family, struct reader *reader,
                                struct value *ret_swap)
{
    struct counters_process_memory sum = {0};
    int r;

    r = family_memory(family, reader, &sum);
    *ret_swap = r < 0 ? value_absent(held_state(r)) : value_of((double)sum.swap);
    return (struct level){
        .used = r < 0 ? value_absent(held_state(r)) : value_of((double)sum.nocache),
        .limit = INFINITY,
        .extra = r < 0 ? value_absent(held_state(r)) : value_of((double)sum.resident),
    };
}

/* v2 counts swap space; v1 that and memory together, or, where it does not, in memory.stat. */
static int take_swap(struct memory *memory, const struct memory_reading *own, struct reader *reader,
                     struct value *ret_swap)
{
    uint64_t number = 0;
    int r;

    r = reader_held(reader, &memory->swap);
    if (r == 0) {
        r = reader_parsed(reader, counters_number(reader->bytes, reader->n, &number));
    }
    if (r == -ENOENT && own->stat.swap != COUNTERS_NONE) {
        *ret_swap = value_of((double)own->stat.swap);
        return 0;
    }
    *ret_swap = r < 0 ? value_absent(held_state(r))
                      : bytes_of(number, memory->chain->is_v2 ? 0 : own->usage, 0);
    return r == -ENODEV ? r : 0;
}

static int take_oom_kills(struct memory *memory, struct reader *reader, struct value *ret_kills)
{
    uint64_t n_kills = 0;
    int r;

    r = reader_held(reader, &memory->events);
    if (r == 0) {
        r = reader_parsed(reader, counters_oom_kills(reader->bytes, reader->n, &n_kills));
    }
    *ret_kills = r < 0 ? value_absent(held_state(r)) : value_of((double)n_kills);
    return r == -ENODEV ? r : 0;
}

/* Kills in a cgroup that others are in too need not be of this broker's processes. */
static enum value_state why_no_kills(const struct chain *chain)
{
    return chain->is_seen && !chain->is_root ? VALUE_SHARED : VALUE_UNSUPPORTED;
}

int memory_take(struct memory *memory, struct family *family, struct value ram,
                struct reader *reader, struct value *values)
{
    struct level levels[CHAIN_LEVELS_MAX + 1];
    struct memory_reading own = {.stat.swap = COUNTERS_NONE}, reading = {0};
    size_t n = 0;
    int r = 0;

    if (!memory->chain->is_own) {
        levels[n++] = take_family(family, reader, &values[METRIC_SWAP_BYTES]);
        values[METRIC_OOM_KILLS] = value_absent(why_no_kills(memory->chain));
    }
    for (size_t i = 0; i < CHAIN_LEVELS_MAX; i++) {
        if (memory->levels[i].is_used) {
            r = take_level(&memory->levels[i], reader, i == 0 ? &own : &reading, &levels[n++]);
            if (r < 0) {
                return r;
            }
        }
    }
    if (memory->chain->is_own) {
        r = take_swap(memory, &own, reader, &values[METRIC_SWAP_BYTES]);
        r = r < 0 ? r : take_oom_kills(memory, reader, &values[METRIC_OOM_KILLS]);
        if (r < 0) {
            return r;
        }
    }
    assert(n > 0);
    level_memory(levels, n, ram, memory->limit_error, values);
    return 0;
}
