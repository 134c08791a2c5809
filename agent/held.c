/* A kernel file that is kept open and read again and again from its start. Shell. */
#include "agent/held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* The kernel gives long files in pieces of up to a page that end with a whole line. A piece shorter
 * than this was the last: no line of the files that are held is longer than the difference. Files
 * that are read once are read to their end: mountinfo has longer lines. */
#define PIECE_BYTES_MIN 3072

static int open_at(int dir_fd, const char *path)
{
    return openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* Read from the start to the end. */
static int read_all(int fd, bool can_seek, char *bytes, size_t size, size_t *ret_n)
{
    size_t n = 0;

    while (n < size) {
        ssize_t piece = can_seek ? pread(fd, bytes + n, size - n, (off_t)n)
                                 : read(fd, bytes + n, size - n);

        if (piece < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == ESRCH ? -ENODEV : -errno;
        }
        n += (size_t)piece;
        if (piece == 0 || (can_seek && piece < PIECE_BYTES_MIN)) {
            *ret_n = n;
            return 0;
        }
    }
    return -EFBIG;
}

void held_close(struct held *held)
{
    if (held->is_open) {
        (void)close(held->fd);
    }
    *held = (struct held){0};
}

void held_open(struct held *held, int dir_fd, const char *path, bool is_reopened)
{
    int n;

    held_close(held);
    held->is_wanted = true;
    held->is_reopened = is_reopened;
    held->dir_fd = dir_fd;
    n = snprintf(held->path, sizeof(held->path), "%s", path);
    if (n < 0 || (size_t)n >= sizeof(held->path)) {
        held->error = ENAMETOOLONG;
        return;
    }
    if (is_reopened) {
        return;
    }
    held->fd = open_at(dir_fd, path);
    held->is_open = held->fd >= 0;
    held->error = held->is_open ? 0 : errno;
}

int held_read_once(int dir_fd, const char *path, char *bytes, size_t size, size_t *ret_n)
{
    int fd = open_at(dir_fd, path);
    int r;

    if (fd < 0) {
        return errno == ESRCH ? -ENODEV : -errno;
    }
    r = read_all(fd, false, bytes, size, ret_n);
    (void)close(fd);
    return r;
}

int held_read(struct held *held, char *bytes, size_t size, size_t *ret_n)
{
    int r;

    if (held->error != 0) {
        return -held->error;
    }
    if (!held->is_reopened) {
        if (!held->is_open) {
            return -EBADF;
        }
        r = read_all(held->fd, true, bytes, size, ret_n);
        if (r != -ESPIPE) {
            return r;
        }
        (void)close(held->fd);
        held->is_open = false;
        held->is_reopened = true;
    }
    return held_read_once(held->dir_fd, held->path, bytes, size, ret_n);
}

void held_retry(struct held *held)
{
    if (held->is_wanted && held->error != 0 && held->error != ENAMETOOLONG) {
        held->fd = open_at(held->dir_fd, held->path);
        held->is_open = held->fd >= 0;
        held->error = held->is_open ? 0 : errno;
    }
}

static int count_error(struct reader *reader, int r)
{
    if (r < 0 && r != -ENOENT && r != -ENODEV && r != -EOPNOTSUPP) {
        reader->n_read_errors++;
    }
    return r;
}

int reader_held(struct reader *reader, struct held *held)
{
    return count_error(reader, held_read(held, reader->bytes, reader->size, &reader->n));
}

int reader_once(struct reader *reader, int dir_fd, const char *path)
{
    return count_error(reader,
                       held_read_once(dir_fd, path, reader->bytes, reader->size, &reader->n));
}

int reader_parsed(struct reader *reader, int r)
{
    if (r == -EBADMSG) {
        reader->n_parse_errors++;
    }
    return r;
}

enum value_state held_state(int error)
{
    switch (-error) {
    case 0:
        return VALUE_PRESENT;
    case EACCES:
    case EPERM:
        return VALUE_DENIED;
    case ENOENT:
    case ENOTDIR:
    case EOPNOTSUPP:
    case ENODATA:
        return VALUE_UNSUPPORTED;
    case ENODEV:
    case ESRCH:
        return VALUE_GONE;
    default:
        return VALUE_FAILED;
    }
}
