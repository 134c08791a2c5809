/* A chain: a broker's cgroup in the hierarchy of one controller, and its ancestors. Shell. */
#include "agent/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "common/units.h"

void chain_close(struct chain *chain)
{
    if (chain->is_seen) {
        (void)close(chain->dir_fd);
    }
    *chain = (struct chain){0};
}

static bool is_within(const char *path, const char *ancestor)
{
    size_t n = strlen(ancestor);

    return n > 0 && strncmp(path, ancestor, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static int open_directory(struct chain *chain, int dir_fd, const char *directory)
{
    int fd = openat(dir_fd, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &chain->identity) < 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    chain->dir_fd = fd;
    chain->is_seen = true;
    return 0;
}

void chain_open(struct chain *chain, const struct cgroups *cgroups,
                enum cgroups_controller controller, const char *bytes, size_t n, const char *within)
{
    char directory[CGROUPS_PATH_BYTES];
    struct cgroups_place place;
    size_t n_levels;
    int r;

    chain_close(chain);
    r = cgroups_parse_place(bytes, n, controller, &place);
    if (r < 0) {
        chain->error = r == -ENODATA ? VALUE_PRESENT : held_state(r);
        return;
    }
    if (is_within(place.path, within)) {
        (void)snprintf(place.path, sizeof(place.path), "%s", within);
    }
    chain->is_v2 = place.is_v2;
    chain->is_root = strcmp(place.path, "/") == 0;
    (void)snprintf(chain->path, sizeof(chain->path), "%s", place.path);
    r = cgroups_resolve(cgroups, controller, &place, directory, &n_levels);
    if (r == 0) {
        r = open_directory(chain, AT_FDCWD, directory);
    }
    if (r < 0) {
        /* It is there, and no mount that we have shows it. The root limits nothing. */
        chain->error = chain->is_root ? VALUE_PRESENT : VALUE_DENIED;
        return;
    }
    chain->n_levels = MIN(n_levels, (size_t)CHAIN_LEVELS_MAX);
}

static bool is_cgroup_file_system(int fd)
{
    struct statfs status;

    return fstatfs(fd, &status) == 0 &&
           (status.f_type == CGROUP2_SUPER_MAGIC || status.f_type == CGROUP_SUPER_MAGIC);
}

/* Look for the cgroup of a closed chain among the mounts `inside` the process's own view. What
 * stands there must be a cgroup indeed: the container may have put something else in its way. */
static void open_inside(struct chain *chain, enum cgroups_controller controller, int proc_fd,
                        pid_t pid, const struct cgroups *inside)
{
    char directory[CGROUPS_PATH_BYTES], path[CGROUPS_PATH_BYTES + 32];
    struct cgroups_place place = {.is_v2 = chain->is_v2};
    size_t n_levels;

    memcpy(place.path, chain->path, sizeof(place.path));
    if (cgroups_resolve(inside, controller, &place, directory, &n_levels) < 0) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%d/root%s", (int)pid, directory);
    if (open_directory(chain, proc_fd, path) < 0) {
        return;
    }
    chain->n_levels = MIN(n_levels, (size_t)CHAIN_LEVELS_MAX);
    if (!is_cgroup_file_system(chain->dir_fd)) {
        (void)close(chain->dir_fd);
        chain->is_seen = false;
    }
}

static bool is_hidden(const struct chain *chain)
{
    return !chain->is_seen && chain->error == VALUE_DENIED;
}

void chain_open_all(struct chain chains[CGROUPS_CONTROLLERS], const struct cgroups *cgroups,
                    int proc_fd, pid_t pid, const char *bytes, size_t n, const char *within)
{
    struct cgroups *inside = NULL;
    bool is_any_hidden = false;

    for (unsigned i = 0; i < CGROUPS_CONTROLLERS; i++) {
        chain_open(&chains[i], cgroups, i, bytes, n, within);
        is_any_hidden = is_any_hidden || is_hidden(&chains[i]);
    }
    if (is_any_hidden) {
        inside = calloc(1, sizeof(*inside));
    }
    if (inside != NULL) {
        cgroups_of_process(inside, proc_fd, pid);
    }
    for (unsigned i = 0; inside != NULL && i < CGROUPS_CONTROLLERS; i++) {
        if (is_hidden(&chains[i])) {
            open_inside(&chains[i], i, proc_fd, pid, inside);
        }
    }
    free(inside);
}

bool chain_is_same(const struct chain *a, const struct chain *b)
{
    return a->is_seen && b->is_seen && a->identity.st_dev == b->identity.st_dev &&
           a->identity.st_ino == b->identity.st_ino;
}

void chain_path(size_t level, const char *name, char ret_path[HELD_PATH_BYTES])
{
    static const char up[] = "../../../../../../../../../../../../../../../../"; /* LEVELS_MAX */
    size_t n_bytes = 3 * MIN(level, (size_t)CHAIN_LEVELS_MAX);

    (void)snprintf(ret_path, HELD_PATH_BYTES, "%.*s%s", (int)n_bytes, up, name);
}

void chain_hold(const struct chain *chain, size_t level, const char *name, struct held *held)
{
    char path[HELD_PATH_BYTES];

    chain_path(level, name, path);
    held_open(held, chain->dir_fd, path, false);
}

int chain_read(const struct chain *chain, size_t level, const char *name, struct reader *reader)
{
    char path[HELD_PATH_BYTES];

    if (!chain->is_seen) {
        return -ENOENT;
    }
    chain_path(level, name, path);
    return reader_once(reader, chain->dir_fd, path);
}
