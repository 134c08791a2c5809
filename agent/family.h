/* A broker's processes: what they use together, where no cgroup counts it. Shell.
 *
 * Sums include what a member's ended children used, so that they do not fall when a child ends. A
 * process that joins brings a past that is no growth of the broker. */
#ifndef AGENT_FAMILY_H
#define AGENT_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/counters.h"
#include "agent/held.h"
#include "agent/match.h"
#include "agent/rate.h"

/* More processes than this and their sum is refused, never cut short. */
#define FAMILY_MEMBERS_MAX 128

/* Members whose files stay open: descriptors are bounded, and a broker's first processes live
 * longest. */
#define FAMILY_HELD_MAX 8

/* What is wanted of the members. */
struct family_wants {
    bool cpu, memory, io;
};

struct family_member {
    struct match_process process;
    bool is_ended;
    uint64_t ticks, n_threads; /* at the last reading */
    struct held stat, status, io;
};

/* Zeroed is empty. The first member is the root, which tells whether the broker lives. */
struct family {
    struct family_wants wants;
    bool is_truncated; /* there are more than FAMILY_MEMBERS_MAX */
    size_t n;
    struct family_member members[FAMILY_MEMBERS_MAX];
};

/* Make `processes` the members, `root` the first. Those that stay keep their files; those that are
 * new join the rates (CPU ticks: counter 0 of `cpu_rate`; bytes read and written: counters 0 and 1
 * of `io_rate`). */
void family_set(struct family *family, const struct match_process *root,
                const struct match_processes *processes, int proc_fd, struct family_wants wants,
                struct reader *reader, struct rate *cpu_rate, struct rate *io_rate);

/* Whether the root still is the process that it was. To be asked before the sums of a beat. Returns
 * 0, -ENODEV when it ended or its pid is another's, or what reading gave. */
int family_check(struct family *family, struct reader *reader);

/* CPU time of all, in ticks; memory, in bytes; storage bytes. Return 0 or why it is not known. */
int family_ticks(struct family *family, struct reader *reader, uint64_t *ret_ticks);
int family_memory(struct family *family, struct reader *reader,
                  struct counters_process_memory *ret_memory);
int family_io(struct family *family, struct reader *reader, struct counters_traffic *ret_traffic);

/* Try again what could not be opened. */
void family_retry(struct family *family);

/* Close what it holds open. */
void family_close(struct family *family);

#endif
