/* Where a process's cgroups stand in the file system. Shell: reads mountinfo and /proc/PID/cgroup.
 *
 * Two ways lead to the mounts, and ours is the authority: /proc/self/mountinfo, whose root field
 * tells which cgroup stands at a mount point. That is a prefix of the paths in /proc/PID/cgroup,
 * and is taken off; where it is none, the cgroup cannot be seen from here, and saying so is right:
 * the mount point is some other cgroup, perhaps the agent's own.
 *
 * The controller decides the hierarchy, one by one: a system may have memory on v1 and cpu on v2.
 * The kernel tells in /proc/PID/cgroup, where a controller that is on v1 has a line of its own.
 *
 * In a cgroup namespace paths begin with as many `/..` as the target is above our namespace's root.
 * A mount that begins higher than the path lacks those names; they are found by looking for the
 * directory that is the same inode as our own namespace's root.
 *
 * libcgroup is asked at discovery which controller is mounted where. Its answer replaces ours when
 * mountinfo shows nothing, and is compared otherwise. It is never asked for more: it ignores the
 * root field, so that its paths are wrong inside containers; it cannot map a pid on v2 (2.0.2); and
 * reading through it costs a hundred times a pread. Its guards: a logger of ours is set before all
 * else, for its own prints to stdout; cgroup_init() fails as a whole on one stale mount, without
 * /proc/cgroups, or where cgroup.controllers is empty, so that failing is counted, never fatal;
 * whether a mount is v2 is asked of the file system, for the library's call is in no public header
 * of 2.0.2.
 *
 * Unresolved: a name that was cut off because a cgroup's real name ends in " (deleted)". */
#include "agent/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <libcgroup.h>
#include <linux/magic.h>

#include "agent/held.h"
#include "common/cleanup.h"
#include "common/library.h"
#include "common/units.h"

/* Levels of a mount above our cgroup namespace's root that are searched for it. */
#define SEARCH_DEPTH_MAX 8

static const char *const controller_names[CGROUPS_UNIFIED] = {
    [CGROUPS_CPU] = "cpu",       [CGROUPS_CPUACCT] = "cpuacct", [CGROUPS_CPUSET] = "cpuset",
    [CGROUPS_MEMORY] = "memory", [CGROUPS_IO] = "blkio",
};

/* Which of our controllers a comma list such as "rw,cpu,cpuacct" names, as bits. */
static unsigned controllers_of(const char *list, size_t n)
{
    unsigned controllers = 0;

    while (n > 0) {
        const char *comma = memchr(list, ',', n);
        size_t n_name = comma != NULL ? (size_t)(comma - list) : n;

        for (unsigned i = 0; i < CGROUPS_UNIFIED; i++) {
            if (strlen(controller_names[i]) == n_name &&
                memcmp(list, controller_names[i], n_name) == 0) {
                controllers |= 1U << i;
            }
        }
        n_name += comma != NULL;
        list += n_name;
        n -= n_name;
    }
    return controllers;
}

static bool is_octal(const char *c)
{
    return c[0] >= '0' && c[0] <= '3' && c[1] >= '0' && c[1] <= '7' && c[2] >= '0' && c[2] <= '7';
}

/* Copy a field of mountinfo, where blanks and backslashes are written as \040 and \134. */
static int unescape(const char *field, size_t n, char *ret_text)
{
    size_t n_text = 0;

    for (size_t i = 0; i < n; n_text++) {
        if (n_text == CGROUPS_PATH_BYTES - 1) {
            return -ENAMETOOLONG;
        }
        if (field[i] == '\\' && n - i > 3 && is_octal(&field[i + 1])) {
            ret_text[n_text] = (char)(((field[i + 1] - '0') << 6) | ((field[i + 2] - '0') << 3) |
                                      (field[i + 3] - '0'));
            i += 4;
        } else {
            ret_text[n_text] = field[i++];
        }
    }
    ret_text[n_text] = '\0';
    return 0;
}

/* One line of mountinfo, cut into its fields. */
#define MOUNT_FIELDS_MAX 24
struct mount_line {
    const char *fields[MOUNT_FIELDS_MAX];
    size_t lengths[MOUNT_FIELDS_MAX];
    size_t n;
    size_t dash; /* the field that ends the optional ones; n: none */
};

static void cut_line(const char *line, size_t n, struct mount_line *ret_cut)
{
    *ret_cut = (struct mount_line){.dash = MOUNT_FIELDS_MAX};
    while (n > 0 && ret_cut->n < MOUNT_FIELDS_MAX) {
        const char *blank = memchr(line, ' ', n);
        size_t length = blank != NULL ? (size_t)(blank - line) : n;

        if (length == 1 && *line == '-' && ret_cut->dash == MOUNT_FIELDS_MAX) {
            ret_cut->dash = ret_cut->n;
        }
        ret_cut->fields[ret_cut->n] = line;
        ret_cut->lengths[ret_cut->n++] = length;
        length += blank != NULL;
        line += length;
        n -= length;
    }
}

static bool field_is(const struct mount_line *line, size_t i, const char *text)
{
    return line->lengths[i] == strlen(text) && memcmp(line->fields[i], text, strlen(text)) == 0;
}

/* A later mount on the same point hides the one that was there. */
static void forget_hidden(struct cgroups *cgroups, const char *point)
{
    for (size_t i = 0; i < cgroups->n_mounts; i++) {
        if (strcmp(cgroups->mounts[i].point, point) == 0) {
            cgroups->mounts[i] = cgroups->mounts[--cgroups->n_mounts];
            return;
        }
    }
}

/* "31 23 0:28 ROOT POINT options [optional …] - TYPE source SUPER" */
static void parse_mount(const char *bytes, size_t n, struct cgroups *cgroups)
{
    enum { FIELD_ROOT = 3, FIELD_POINT = 4 };
    struct cgroups_mount *mount;
    char point[CGROUPS_PATH_BYTES];
    struct mount_line line;

    cut_line(bytes, n, &line);
    if (line.dash <= FIELD_POINT || line.dash + 3 >= line.n ||
        unescape(line.fields[FIELD_POINT], line.lengths[FIELD_POINT], point) < 0) {
        return;
    }
    forget_hidden(cgroups, point);
    if (cgroups->n_mounts == CGROUPS_MOUNTS_MAX) {
        return;
    }
    mount = &cgroups->mounts[cgroups->n_mounts];
    mount->is_v2 = field_is(&line, line.dash + 1, "cgroup2");
    mount->controllers = field_is(&line, line.dash + 1, "cgroup")
                             ? controllers_of(line.fields[line.dash + 3],
                                              line.lengths[line.dash + 3])
                             : 0;
    if ((!mount->is_v2 && mount->controllers == 0) ||
        unescape(line.fields[FIELD_ROOT], line.lengths[FIELD_ROOT], mount->root) < 0) {
        return;
    }
    memcpy(mount->point, point, sizeof(point));
    cgroups->n_mounts++;
}

void cgroups_parse_mounts(const char *bytes, size_t n, struct cgroups *cgroups)
{
    while (n > 0) {
        const char *newline = memchr(bytes, '\n', n);
        size_t n_line;

        if (newline == NULL) {
            return; /* cut off */
        }
        n_line = (size_t)(newline - bytes);
        parse_mount(bytes, n_line, cgroups);
        bytes = newline + 1;
        n -= n_line + 1;
    }
}

/* Copy the path of a line of /proc/PID/cgroup. */
static int copy_place(const char *path, size_t n, bool is_v2, struct cgroups_place *ret_place)
{
    static const char deleted[] = " (deleted)";
    size_t n_deleted = sizeof(deleted) - 1;

    if (n >= n_deleted && memcmp(path + n - n_deleted, deleted, n_deleted) == 0) {
        return -ENODEV;
    }
    if (n == 0 || n >= CGROUPS_PATH_BYTES || path[0] != '/' || memchr(path, '\0', n) != NULL) {
        return -EBADMSG;
    }
    ret_place->is_v2 = is_v2;
    memcpy(ret_place->path, path, n);
    ret_place->path[n] = '\0';
    return 0;
}

int cgroups_parse_place(const char *bytes, size_t n, enum cgroups_controller controller,
                        struct cgroups_place *ret_place)
{
    const char *unified = NULL;
    size_t n_unified = 0;

    while (n > 0) {
        const char *newline = memchr(bytes, '\n', n);
        size_t n_line = newline != NULL ? (size_t)(newline - bytes) : n;
        const char *list = memchr(bytes, ':', n_line);
        const char *path = list != NULL ? memchr(list + 1, ':', n_line - (size_t)(list + 1 - bytes))
                                        : NULL;
        size_t n_path;

        if (newline == NULL || path == NULL) {
            return -EBADMSG;
        }
        n_path = n_line - (size_t)(path + 1 - bytes);
        if (path == list + 1) {
            unified = path + 1;
            n_unified = n_path;
        } else if ((controllers_of(list + 1, (size_t)(path - list - 1)) >> controller & 1) != 0) {
            return copy_place(path + 1, n_path, false, ret_place);
        }
        bytes = newline + 1;
        n -= n_line + 1;
    }
    return unified != NULL ? copy_place(unified, n_unified, true, ret_place) : -ENODATA;
}

/* The next name of a path, and what follows it; 0: no more. */
static size_t next_name(const char **path)
{
    size_t n = 0;

    while (**path == '/') {
        (*path)++;
    }
    while ((*path)[n] != '\0' && (*path)[n] != '/') {
        n++;
    }
    return n;
}

static size_t count_names(const char *path)
{
    size_t n_names = 0;

    for (size_t n; (n = next_name(&path)) > 0; path += n) {
        n_names++;
    }
    return n_names;
}

static bool is_up(const char *name, size_t n)
{
    return n == 2 && name[0] == '.' && name[1] == '.';
}

/* Take the names off that `root` and `path` begin with alike. */
static void strip_common(const char **root, const char **path)
{
    for (;;) {
        const char *root_rest = *root, *path_rest = *path;
        size_t n_root = next_name(&root_rest), n_path = next_name(&path_rest);

        *root = root_rest;
        *path = path_rest;
        if (n_root == 0 || n_root != n_path || memcmp(root_rest, path_rest, n_root) != 0) {
            return;
        }
        *root = root_rest + n_root;
        *path = path_rest + n_path;
    }
}

/* Append the names of `path` to `directory`, walking up for "..". Never above `n_floor` bytes. */
static int append_names(char *directory, size_t n_floor, const char *path)
{
    size_t n_directory = strlen(directory);

    for (size_t n; (n = next_name(&path)) > 0; path += n) {
        if (is_up(path, n)) {
            const char *slash = memrchr(directory, '/', n_directory);

            if (slash == NULL || (size_t)(slash - directory) < n_floor) {
                return -ENOENT;
            }
            n_directory = (size_t)(slash - directory);
        } else {
            if (n_directory + 1 + n >= CGROUPS_PATH_BYTES) {
                return -ENAMETOOLONG;
            }
            directory[n_directory] = '/';
            memcpy(directory + n_directory + 1, path, n);
            n_directory += 1 + n;
        }
        directory[n_directory] = '\0';
    }
    return 0;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Find the directory exactly `depth` below `directory` that is `wanted`; `directory` becomes it. */
static bool find_directory(char *directory, size_t depth, const struct stat *wanted)
{
    size_t n = strlen(directory);
    struct stat status;

    if (depth == 0) {
        return stat(directory, &status) == 0 && is_same_file(&status, wanted);
    }
    cleanup_closedir DIR *folder = opendir(directory);

    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        size_t n_name = strlen(entry->d_name);

        if (entry->d_name[0] == '.' || entry->d_type == DT_REG ||
            n + 1 + n_name >= CGROUPS_PATH_BYTES) {
            continue;
        }
        directory[n] = '/';
        memcpy(directory + n + 1, entry->d_name, n_name + 1);
        if (find_directory(directory, depth - 1, wanted)) {
            return true;
        }
    }
    directory[n] = '\0';
    return false;
}

static bool is_hierarchy_of(const struct cgroups_mount *mount, enum cgroups_controller controller,
                            bool is_v2)
{
    return is_v2 ? mount->is_v2 : (mount->controllers >> controller & 1) != 0;
}

/* The directory of a mount that begins `depth` levels above our namespace's root at which the
 * latter stands: it is the one that another mount of the hierarchy shows as its root. */
static int find_namespace_root(const struct cgroups *cgroups, enum cgroups_controller controller,
                               bool is_v2, size_t depth, char *directory)
{
    if (depth > SEARCH_DEPTH_MAX) {
        return -ENOENT;
    }
    for (size_t i = 0; i < cgroups->n_mounts; i++) {
        const struct cgroups_mount *mount = &cgroups->mounts[i];
        struct stat root;

        if (is_hierarchy_of(mount, controller, is_v2) && strcmp(mount->root, "/") == 0 &&
            stat(mount->point, &root) == 0) {
            return find_directory(directory, depth, &root) ? 0 : -ENOENT;
        }
    }
    return -ENOENT;
}

/* How many levels above our namespace's root a mount begins: its root is as many "/..". */
static size_t count_ups(const char *root)
{
    size_t n_ups = 0;

    for (size_t n; (n = next_name(&root)) > 0; root += n) {
        if (!is_up(root, n)) {
            return 0;
        }
        n_ups++;
    }
    return n_ups;
}

/* The directory of `place` below one mount. */
static int resolve_in(const struct cgroups *cgroups, enum cgroups_controller controller,
                      const struct cgroups_mount *mount, const struct cgroups_place *place,
                      char *directory)
{
    const char *root = mount->root, *path = place->path;
    size_t n_floor = strcmp(mount->point, "/") == 0 ? 0 : strlen(mount->point);
    size_t n_ups = count_ups(mount->root);
    int r;

    memcpy(directory, mount->point, n_floor);
    directory[n_floor] = '\0';
    strip_common(&root, &path);
    if (*root != '\0') {
        r = n_ups > 0 ? find_namespace_root(cgroups, controller, place->is_v2, n_ups, directory)
                      : -ENOENT;
        if (r < 0) {
            return r;
        }
        path = place->path; /* from our namespace's root on, the whole path holds */
    }
    return append_names(directory, n_floor, path);
}

int cgroups_resolve(const struct cgroups *cgroups, enum cgroups_controller controller,
                    const struct cgroups_place *place, char *ret_directory, size_t *ret_n_levels)
{
    size_t n_levels_best = 0;

    for (size_t i = 0; i < cgroups->n_mounts; i++) {
        const struct cgroups_mount *mount = &cgroups->mounts[i];
        char directory[CGROUPS_PATH_BYTES];
        size_t n_levels;

        if (!is_hierarchy_of(mount, controller, place->is_v2) ||
            resolve_in(cgroups, controller, mount, place, directory) < 0) {
            continue;
        }
        n_levels = 1 + count_names(directory) - count_names(mount->point);
        if (n_levels > n_levels_best) {
            n_levels_best = n_levels;
            memcpy(ret_directory, directory, sizeof(directory));
        }
    }
    if (n_levels_best == 0) {
        return -ENOENT;
    }
    *ret_n_levels = n_levels_best;
    return 0;
}

/* Add a hierarchy that is seen from its root. */
static void add_whole(struct cgroups *cgroups, bool is_v2, unsigned controllers, const char *point)
{
    struct cgroups_mount *mount;

    if (cgroups->n_mounts == CGROUPS_MOUNTS_MAX || strlen(point) >= CGROUPS_PATH_BYTES) {
        return;
    }
    mount = &cgroups->mounts[cgroups->n_mounts++];
    *mount = (struct cgroups_mount){.is_v2 = is_v2, .controllers = controllers, .root = "/"};
    memcpy(mount->point, point, strlen(point) + 1);
}

/* Which cgroup stands at the directory, when mountinfo has a mount there. */
static void take_root(struct cgroups *cgroups, const struct cgroups *known)
{
    struct cgroups_mount *mount = &cgroups->mounts[cgroups->n_mounts - 1];

    for (size_t i = 0; i < known->n_mounts; i++) {
        if (strcmp(known->mounts[i].point, mount->point) == 0) {
            memcpy(mount->root, known->mounts[i].root, sizeof(mount->root));
        }
    }
}

static bool has_file(const char *directory, const char *name)
{
    char path[CGROUPS_PATH_BYTES + 64];
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return stat(path, &status) == 0;
}

/* Take the hierarchies that stand in `cgroup_root`: v2 in its place or in a folder of it, v1 in
 * folders named by their controllers. */
static void list_root(struct cgroups *cgroups, const char *cgroup_root, const struct cgroups *known)
{
    cleanup_closedir DIR *folder = opendir(cgroup_root);

    if (has_file(cgroup_root, "cgroup.controllers")) {
        add_whole(cgroups, true, 0, cgroup_root);
        take_root(cgroups, known);
        return;
    }
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        unsigned controllers = controllers_of(entry->d_name, strlen(entry->d_name));
        char point[CGROUPS_PATH_BYTES];
        size_t n_mounts = cgroups->n_mounts;
        int n = snprintf(point, sizeof(point), "%s/%s", cgroup_root, entry->d_name);

        if (n < 0 || (size_t)n >= sizeof(point) || entry->d_name[0] == '.') {
            continue;
        }
        if (controllers != 0) {
            add_whole(cgroups, false, controllers, point);
        } else if (has_file(point, "cgroup.controllers")) {
            add_whole(cgroups, true, 0, point);
        }
        if (cgroups->n_mounts > n_mounts) {
            take_root(cgroups, known);
        }
    }
}

static void read_mountinfo(struct cgroups *cgroups, int dir_fd, const char *path)
{
    enum { MOUNTINFO_BYTES_MAX = 4 << 20 }; /* a host with 10 000 container mounts has 3 MB */
    char *bytes = malloc(MOUNTINFO_BYTES_MAX);
    size_t n = 0;

    if (bytes != NULL && held_read_once(dir_fd, path, bytes, MOUNTINFO_BYTES_MAX, &n) == 0) {
        cgroups_parse_mounts(bytes, n, cgroups);
    }
    free(bytes);
}

/* The library's functions, while it is asked. */
struct library {
    __typeof__(cgroup_set_logger) *set_logger;
    __typeof__(cgroup_init) *init;
    __typeof__(cgroup_get_controller_begin) *get_controller_begin;
    __typeof__(cgroup_get_controller_next) *get_controller_next;
    __typeof__(cgroup_get_controller_end) *get_controller_end;
};

/* The library's own logger writes to stdout. */
__attribute__((format(printf, 3, 0))) static void discard_log(void *userdata, int level,
                                                              const char *format, va_list arguments)
{
    (void)userdata;
    (void)level;
    (void)format;
    (void)arguments;
}

static bool is_v2_mount(const char *point)
{
    struct statfs status;

    return statfs(point, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

/* Whether our own resolver has that controller at that mount point. */
static bool is_known(const struct cgroups *cgroups, bool is_v2, unsigned controllers,
                     const char *point)
{
    for (size_t i = 0; i < cgroups->n_mounts; i++) {
        const struct cgroups_mount *mount = &cgroups->mounts[i];

        if (strcmp(mount->point, point) == 0 && mount->is_v2 == is_v2 &&
            (is_v2 || (mount->controllers & controllers) == controllers)) {
            return true;
        }
    }
    return false;
}

/* Compare one answer of the library with ours, or take it over for want of ours. */
static void weigh_mount(struct cgroups *cgroups, const struct cgroup_mount_point *answer,
                        bool is_taken_over, uint64_t *n_library_errors)
{
    unsigned controllers = controllers_of(answer->name, strlen(answer->name));
    bool is_v2 = is_v2_mount(answer->path);

    if (controllers == 0 || is_known(cgroups, is_v2, controllers, answer->path)) {
        return;
    }
    if (is_taken_over) {
        add_whole(cgroups, is_v2, is_v2 ? 0 : controllers, answer->path);
    } else {
        (*n_library_errors)++;
    }
}

/* Weigh every answer, until there are no more. Returns how the listing ended. */
static int ask_all(const struct library *library, struct cgroups *cgroups,
                   struct cgroup_mount_point *answer, uint64_t *n_library_errors)
{
    bool is_taken_over = cgroups->n_mounts == 0;
    void *handle = NULL;
    int r;

    for (r = library->get_controller_begin(&handle, answer); r == 0;
         r = library->get_controller_next(&handle, answer)) {
        weigh_mount(cgroups, answer, is_taken_over, n_library_errors);
    }
    (void)library->get_controller_end(&handle);
    return r;
}

static void ask_loaded(const struct library *library, struct cgroups *cgroups,
                       uint64_t *n_library_errors)
{
    struct cgroup_mount_point *answer = calloc(1, sizeof(*answer));

    library->set_logger(discard_log, CGROUP_LOG_ERROR, NULL);
    if (answer == NULL || library->init() != 0 ||
        ask_all(library, cgroups, answer, n_library_errors) != ECGEOF) {
        (*n_library_errors)++;
    }
    free(answer);
}

/* It is loaded for as long as it is asked: it keeps a megabyte. When it goes it forgets 4 KB for
 * each further mount of a hierarchy, therefore it is asked once, and when there is nothing to
 * compare it with. */
static void ask_library(struct cgroups *cgroups, uint64_t *n_library_errors)
{
    struct library library;
    const struct library_function functions[] = {
        {"cgroup_set_logger", &library.set_logger},
        {"cgroup_init", &library.init},
        {"cgroup_get_controller_begin", &library.get_controller_begin},
        {"cgroup_get_controller_next", &library.get_controller_next},
        {"cgroup_get_controller_end", &library.get_controller_end},
    };
    void *handle;

    if (library_load(LIBCGROUP, functions, N_ELEMENTS(functions), &handle) < 0) {
        (*n_library_errors)++;
        return;
    }
    ask_loaded(&library, cgroups, n_library_errors);
    library_unload(handle);
}

static void read_mounts(struct cgroups *cgroups, const char *proc_root)
{
    char path[CGROUPS_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/self/mountinfo", proc_root);
    read_mountinfo(cgroups, AT_FDCWD, path);
}

void cgroups_discover(struct cgroups *cgroups, const char *proc_root, const char *cgroup_root,
                      uint64_t *n_library_errors)
{
    struct cgroups *known;

    cgroups->n_mounts = 0;
    if (cgroup_root[0] == '\0') {
        read_mounts(cgroups, proc_root);
        if (strcmp(proc_root, "/proc") == 0 && (!cgroups->was_asked || cgroups->n_mounts == 0)) {
            cgroups->was_asked = true;
            ask_library(cgroups, n_library_errors);
        }
        return;
    }
    known = calloc(1, sizeof(*known));
    if (known != NULL) {
        read_mounts(known, proc_root);
        list_root(cgroups, cgroup_root, known);
    }
    free(known);
}

void cgroups_of_process(struct cgroups *cgroups, int proc_fd, pid_t pid)
{
    char path[HELD_PATH_BYTES];

    cgroups->n_mounts = 0;
    (void)snprintf(path, sizeof(path), "%d/mountinfo", (int)pid);
    read_mountinfo(cgroups, proc_fd, path);
}
