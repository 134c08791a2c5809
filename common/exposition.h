/* Prometheus text exposition (format 0.0.4). Pure: writes into a struct buffer.
 *
 * Call exposition_family() once for each family, then exposition_sample() for each of its series.
 * Non-finite values are written as NaN, +Inf and -Inf; label values are escaped; a sample too long
 * for the buffer sets its `overflowed`. */
#ifndef COMMON_EXPOSITION_H
#define COMMON_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

enum exposition_type {
    EXPOSITION_COUNTER,
    EXPOSITION_GAUGE,
};

struct exposition_label {
    const char *name;
    const char *value;
};

/* Begin a family: its HELP and TYPE lines. `help` is one sentence. */
void exposition_family(struct buffer *buffer, const char *name, enum exposition_type type,
                       const char *help);

/* One series of the family that was begun last, on a line. */
void exposition_sample(struct buffer *buffer, const char *name,
                       const struct exposition_label *labels, size_t n_labels, double value);

/* A family with one series and no label. */
void exposition_single(struct buffer *buffer, const char *name, enum exposition_type type,
                       const char *help, double value);

/* The process_* families of Prometheus's convention, from numbers that process_usage() gave. */
struct process_usage {
    double cpu_s;
    double resident_bytes;
    double open_fds;
    double start_unix_s;
};
void exposition_process(struct buffer *buffer, const struct process_usage *usage);

#endif
