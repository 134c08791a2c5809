/* A broker's processes: what they use together, where no cgroup counts it. Shell. */
#include "agent/family.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void close_member(struct family_member *member)
{
    held_close(&member->stat);
    held_close(&member->status);
    held_close(&member->io);
}

void family_close(struct family *family)
{
    for (size_t i = 0; i < family->n; i++) {
        close_member(&family->members[i]);
    }
    family->n = 0;
}

void family_retry(struct family *family)
{
    for (size_t i = 0; i < family->n; i++) {
        held_retry(&family->members[i].status);
        held_retry(&family->members[i].io);
    }
}

/* A file of a process that has ended does not exist, or says that there is no such process. The
 * root was seen alive in this beat: a file that it lacks is one that this kernel does not have. */
static int read_member(const struct family *family, const struct family_member *member,
                       struct held *held, struct reader *reader)
{
    int r;

    r = reader_held(reader, held);
    return r == -ENOENT && member != &family->members[0] ? -ENODEV : r;
}

/* Its own time and that of the children that it waited for. */
static uint64_t ticks_of(const struct counters_process *process)
{
    return process->user_ticks + process->system_ticks + process->reaped_ticks;
}

/* Read a member's stat. A pid that is another process's now is as good as gone. */
static int read_stat(struct family_member *member, struct reader *reader)
{
    struct counters_process process;
    int r;

    r = reader_held(reader, &member->stat);
    if (r < 0) {
        return r == -ENOENT ? -ENODEV : r;
    }
    r = reader_parsed(reader, counters_process_stat(reader->bytes, reader->n, &process));
    if (r < 0) {
        return r;
    }
    if (process.start_ticks != member->process.start_ticks) {
        return -ENODEV;
    }
    member->ticks = ticks_of(&process);
    member->n_threads = process.n_threads;
    member->is_ended = process.state == 'Z' || process.state == 'X';
    return 0;
}

int family_check(struct family *family, struct reader *reader)
{
    int r;

    if (family->n == 0) {
        return -ENODEV;
    }
    r = read_stat(&family->members[0], reader);
    return r == 0 && family->members[0].is_ended ? -ENODEV : r;
}

int family_ticks(struct family *family, struct reader *reader, uint64_t *ret_ticks)
{
    uint64_t ticks = 0;

    if (family->is_truncated) {
        return -E2BIG;
    }
    for (size_t i = 0; i < family->n; i++) {
        /* The root was read by family_check(). */
        int r = i == 0 ? 0 : read_stat(&family->members[i], reader);

        if (r == -ENODEV) {
            continue; /* its time is its parent's now */
        }
        if (r < 0) {
            return r;
        }
        ticks += family->members[i].ticks;
    }
    *ret_ticks = ticks;
    return 0;
}

int family_memory(struct family *family, struct reader *reader,
                  struct counters_process_memory *ret_memory)
{
    struct counters_process_memory sum = {0}, memory = {0};

    if (family->is_truncated) {
        return -E2BIG;
    }
    for (size_t i = 0; i < family->n; i++) {
        struct family_member *member = &family->members[i];
        int r = read_member(family, member, &member->status, reader);

        if (r == 0) {
            r = reader_parsed(reader, counters_process_status(reader->bytes, reader->n, &memory));
        }
        if (i > 0 && (r == -ENODEV || r == -ENODATA)) {
            continue; /* ended, or ending */
        }
        if (r < 0) {
            return r;
        }
        sum.nocache += memory.nocache;
        sum.resident += memory.resident;
        sum.swap += memory.swap;
    }
    *ret_memory = sum;
    return 0;
}

int family_io(struct family *family, struct reader *reader, struct counters_traffic *ret_traffic)
{
    struct counters_traffic sum = {0}, traffic = {0};

    if (family->is_truncated) {
        return -E2BIG;
    }
    for (size_t i = 0; i < family->n; i++) {
        struct family_member *member = &family->members[i];
        int r = read_member(family, member, &member->io, reader);

        if (r == 0) {
            r = reader_parsed(reader, counters_process_io(reader->bytes, reader->n, &traffic));
        }
        if (r == -ENODEV && i > 0) {
            continue;
        }
        if (r < 0) {
            return r;
        }
        sum.in_bytes += traffic.in_bytes;
        sum.out_bytes += traffic.out_bytes;
    }
    *ret_traffic = sum;
    return 0;
}

static bool is_same_process(const struct match_process *a, const struct match_process *b)
{
    return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

static bool has_process(const struct match_processes *processes, const struct match_process *wanted)
{
    for (size_t i = 0; i < processes->n; i++) {
        if (is_same_process(&processes->list[i], wanted)) {
            return true;
        }
    }
    return false;
}

static bool has_member(const struct family *family, const struct match_process *wanted)
{
    for (size_t i = 0; i < family->n; i++) {
        if (is_same_process(&family->members[i].process, wanted)) {
            return true;
        }
    }
    return false;
}

static void hold_of(struct family_member *member, int proc_fd, const char *name, bool is_reopened,
                    struct held *held)
{
    char path[HELD_PATH_BYTES];

    if (!held->is_wanted) {
        (void)snprintf(path, sizeof(path), "%d/%s", (int)member->process.pid, name);
        held_open(held, proc_fd, path, is_reopened);
    }
}

/* Open what is wanted and not open yet, close what is not wanted any more. */
static void open_member(struct family *family, size_t i, int proc_fd)
{
    struct family_member *member = &family->members[i];
    bool is_reopened = i >= FAMILY_HELD_MAX;

    if (i == 0 || family->wants.cpu) {
        hold_of(member, proc_fd, "stat", is_reopened, &member->stat);
    } else {
        held_close(&member->stat);
    }
    if (family->wants.memory) {
        hold_of(member, proc_fd, "status", is_reopened, &member->status);
    } else {
        held_close(&member->status);
    }
    if (family->wants.io) {
        hold_of(member, proc_fd, "io", is_reopened, &member->io);
    } else {
        held_close(&member->io);
    }
}

/* What a process used before it joined is no growth of the sums. */
static void join_rates(struct family *family, struct family_member *member, struct reader *reader,
                       struct rate *cpu_rate, struct rate *io_rate)
{
    struct counters_traffic traffic;

    if (family->wants.cpu && read_stat(member, reader) == 0) {
        rate_join(cpu_rate, 0, member->ticks);
    }
    if (family->wants.io && read_member(family, member, &member->io, reader) == 0 &&
        counters_process_io(reader->bytes, reader->n, &traffic) == 0) {
        rate_join(io_rate, 0, traffic.in_bytes);
        rate_join(io_rate, 1, traffic.out_bytes);
    }
}

/* Let go of the members that are not listed any more; the root stays. */
static void drop_members(struct family *family, const struct match_processes *processes)
{
    size_t n = 0;

    for (size_t i = 0; i < family->n; i++) {
        if (i > 0 && !has_process(processes, &family->members[i].process)) {
            close_member(&family->members[i]);
            continue;
        }
        if (n != i) {
            family->members[n] = family->members[i];
        }
        n++;
    }
    family->n = n;
}

static struct family_member *add_member(struct family *family, const struct match_process *process,
                                        int proc_fd)
{
    struct family_member *member;

    if (family->n == FAMILY_MEMBERS_MAX) {
        family->is_truncated = true;
        return NULL;
    }
    member = &family->members[family->n++];
    *member = (struct family_member){.process = *process};
    open_member(family, family->n - 1, proc_fd);
    return member;
}

void family_set(struct family *family, const struct match_process *root,
                const struct match_processes *processes, int proc_fd, struct family_wants wants,
                struct reader *reader, struct rate *cpu_rate, struct rate *io_rate)
{
    bool is_new = family->n == 0 || !is_same_process(&family->members[0].process, root);

    if (is_new) {
        family_close(family);
    }
    family->wants = wants;
    family->is_truncated = false;
    if (is_new) {
        (void)add_member(family, root, proc_fd);
    }
    if (!wants.cpu && !wants.memory && !wants.io) {
        return;
    }
    drop_members(family, processes);
    for (size_t i = 0; i < family->n; i++) {
        open_member(family, i, proc_fd);
    }
    for (size_t i = 0; i < processes->n; i++) {
        struct family_member *member;

        if (has_member(family, &processes->list[i])) {
            continue;
        }
        member = add_member(family, &processes->list[i], proc_fd);
        if (member != NULL && !is_new) {
            join_rates(family, member, reader, cpu_rate, io_rate);
        }
    }
}
