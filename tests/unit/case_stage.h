/* The stage that a case is played on: its files as trees that stand in for /proc, /sys and
 * /sys/fs/cgroup, the faults that its kernel has, and what the sampler said at each beat. */
#ifndef TESTS_UNIT_CASE_STAGE_H
#define TESTS_UNIT_CASE_STAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <yajl/yajl_tree.h>

#include "agent/sampler.h"
#include "tests/unit/tree.h"

#define SAMPLES_MAX 32
#define BROKERS_MAX 8
#define FAULTS_MAX  64

/* Reading a file whose path ends so gives that error. */
struct fault {
    char suffix[1040];
    int error;
};

/* What the sampler said at one beat. */
struct beat {
    struct value broker[METRICS], host[METRICS];
    enum broker_state state;
    uint64_t incarnation;
};

struct stage {
    yajl_val files;
    size_t n_samples;
    double times_s[SAMPLES_MAX];
    const char *device; /* "7:0": files of single devices tell of this one alone; NULL: of all */
    struct tree tree;
    char proc_root[1024], cgroup_root[1024];
    struct agent_config config;
    struct broker_options brokers[BROKERS_MAX];
    int pids[BROKERS_MAX];
    struct sampler *sampler;
    char path[512];    /* the broker's cgroup in its hierarchies */
    bool has_mounts;   /* the case says what is mounted where */
    bool is_by_cgroup; /* the broker is found by its cgroup */
    struct beat beats[SAMPLES_MAX];
    size_t n_faults;
    struct fault faults[FAULTS_MAX];
    char why[512]; /* what of the files could not be understood; "" = all was */
};

/* Lay out the files of a case and play all of its samples. What is not understood stands in `why`.
 */
void stage_play(struct stage *stage, yajl_val files, const double *times_s, size_t n_samples,
                const char *device);

/* Take one more sample, as `beat`. */
void stage_take(struct stage *stage, double at_s, struct beat *beat);

/* The text of a file at a sample; NULL: it has none, or the file is not there. */
const char *stage_text(yajl_val value, size_t sample);
yajl_val stage_file(const struct stage *stage, const char *name);

/* Whether the files have one whose last part begins so. */
bool stage_has(const struct stage *stage, const char *prefix);

/* Put the broker's network counters, `factor` times as high as at the start. */
void stage_put_network(struct stage *stage, int pid, unsigned factor);

/* Put the broker's process, or take it away with the cgroup. */
void stage_put_process(struct stage *stage, int pid, unsigned long long start_ticks);
void stage_end_process(struct stage *stage, bool with_cgroup);

/* The positive errno of a name such as "EACCES"; 0 for "0" and "ok"; -1: no such name. */
int stage_errno(const char *name);

/* Whether a descriptor is held open on a file of the tree that ends so, removed or not. */
bool stage_holds(const struct stage *stage, const char *suffix);

/* End it: the sampler, and the tree. */
void stage_end(struct stage *stage);

#endif
