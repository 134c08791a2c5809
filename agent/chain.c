/* A chain: a broker's cgroup in the hierarchy of one controller, and its ancestors. Shell. */
#include "agent/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static int open_directory(struct chain *chain, const char *directory)
{
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

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
        r = open_directory(chain, directory);
    }
    if (r < 0) {
        /* It is there, and no mount that we have shows it. The root limits nothing. */
        chain->error = chain->is_root ? VALUE_PRESENT : VALUE_DENIED;
        return;
    }
    chain->n_levels = MIN(n_levels, (size_t)CHAIN_LEVELS_MAX);
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
