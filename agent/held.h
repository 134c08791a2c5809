/* A kernel file that is kept open and read again and again from its start. Shell.
 *
 * Opening costs more than reading for most files under /proc and /sys/fs/cgroup. Three things that
 * a held descriptor does and a fresh one does not are handled here: some kernels refuse pread on
 * /proc/net (ESPIPE: it is opened anew each time from then on), a file whose process or cgroup is
 * no more says so (-ENODEV), and a file that could not be opened keeps saying why. Not handled, for
 * it cannot be seen here: /proc/PID/net/dev reads on after the process has ended. */
#ifndef AGENT_HELD_H
#define AGENT_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metric.h"

#define HELD_PATH_BYTES 96

/* Zeroed is a file that is not open and not wanted. */
struct held {
    bool is_wanted;   /* held_open() was called */
    bool is_open;     /* `fd` holds */
    bool is_reopened; /* each read opens it anew */
    int fd;
    int error; /* why it is not open: a positive errno */
    int dir_fd;
    char path[HELD_PATH_BYTES]; /* below dir_fd */
};

/* Open `path` below `dir_fd`, which must stay open. A failure is kept for held_read(); a path that
 * is too long is one. With `is_reopened` nothing is held, and every read opens the file. A file
 * that is open already is closed first. */
void held_open(struct held *held, int dir_fd, const char *path, bool is_reopened);

/* Read all of the file into `bytes`. Returns 0, -ENODEV when what it tells of is no more, -EFBIG
 * when there is more than `size`, or what opening or reading gave. */
int held_read(struct held *held, char *bytes, size_t size, size_t *ret_n);

/* Close it; it is not wanted then. */
void held_close(struct held *held);

/* Try again to open what could not be opened: rights and mounts change. */
void held_retry(struct held *held);

/* Open, read and close a file once: for what is seldom read. As held_read(). */
int held_read_once(int dir_fd, const char *path, char *bytes, size_t size, size_t *ret_n);

/* Room that every file is read into, and a count of what went wrong. */
struct reader {
    char *bytes;
    size_t size;
    size_t n; /* bytes of the file that was read last */
    uint64_t n_read_errors, n_parse_errors;
};

/* Read a held file, or one once, into the reader; what is missing by its nature (-ENOENT, -ENODEV,
 * -EOPNOTSUPP) is not counted as an error. As held_read(). */
int reader_held(struct reader *reader, struct held *held);
int reader_once(struct reader *reader, int dir_fd, const char *path);

/* Count `r` when it tells of a text that could not be parsed; returns it. */
int reader_parsed(struct reader *reader, int r);

/* Which state a value has for want of its file; `error` is a negative errno. */
enum value_state held_state(int error);

#endif
