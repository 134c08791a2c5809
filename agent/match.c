/* Which processes are a broker's. Shell: reads /proc.
 *
 * A broker's file of its pid, or its cgroup, leads to it at once; the other ways need a look at
 * every process. What cannot be looked into for want of rights is told apart from what is
 * not there. Processes may end at every step: that is never an error. */
#include "agent/match.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/container.h"
#include "agent/counters.h"
#include "agent/held.h"
#include "common/cleanup.h"
#include "common/units.h"

/* Folders of a cgroup that are searched for processes: a container in it may make its own. */
#define SEARCH_DEPTH_MAX 6

/* Sockets that listen on one port: one for each address and each SO_REUSEPORT worker. */
#define SOCKETS_MAX 64

#define PATH_BYTES 64 /* "PID/…" below the proc root */

void match_processes_done(struct match_processes *processes)
{
    free(processes->list);
    *processes = (struct match_processes){0};
}

static int append(struct match_processes *processes, struct match_process process)
{
    if (processes->n == processes->n_max) {
        size_t n_max = MAX((size_t)64, 2 * processes->n_max);
        struct match_process *list = reallocarray(processes->list, n_max, sizeof(*list));

        if (list == NULL) {
            return -ENOMEM;
        }
        processes->list = list;
        processes->n_max = n_max;
    }
    processes->list[processes->n++] = process;
    return 0;
}

static bool has_pid(const struct match_processes *processes, pid_t pid)
{
    for (size_t i = 0; i < processes->n; i++) {
        if (processes->list[i].pid == pid) {
            return true;
        }
    }
    return false;
}

/* Read "PID/name" below the proc root. */
static int read_of(struct match_view *view, pid_t pid, const char *name, size_t *ret_n)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
    return held_read_once(view->proc_fd, path, view->bytes, view->size, ret_n);
}

int match_process(struct match_view *view, pid_t pid, struct match_process *ret_process)
{
    struct counters_process process;
    size_t n;
    int r;

    r = read_of(view, pid, "stat", &n);
    if (r < 0) {
        return -ESRCH;
    }
    r = counters_process_stat(view->bytes, n, &process);
    if (r < 0) {
        return r;
    }
    if (process.state == 'Z' || process.state == 'X') {
        return -ESRCH; /* it has ended, and its parent has not looked yet */
    }
    *ret_process = (struct match_process){
        .pid = pid,
        .ppid = process.ppid,
        .start_ticks = process.start_ticks,
    };
    return 0;
}

/* Add who `pid` is, unless it has ended. */
static int append_pid(struct match_view *view, pid_t pid, struct match_processes *processes)
{
    struct match_process process;
    int r;

    r = match_process(view, pid, &process);
    return r < 0 ? 0 : append(processes, process);
}

/* The pid that a folder of /proc is named by; 0: none. */
static pid_t pid_of(const char *name)
{
    uint64_t pid;

    return counters_number(name, strlen(name), &pid) == 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

static DIR *open_folder(int dir_fd, const char *path)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (folder == NULL && fd >= 0) {
        (void)close(fd);
    }
    return folder;
}

int match_scan(struct match_view *view)
{
    cleanup_closedir DIR *folder = open_folder(view->proc_fd, ".");

    view->all->n = 0;
    if (folder == NULL) {
        return -errno;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        pid_t pid = pid_of(entry->d_name);

        if (pid > 0 && append_pid(view, pid, view->all) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int scan_once(struct match_view *view)
{
    return view->all->n > 0 ? 0 : match_scan(view);
}

int match_descendants(struct match_view *view, struct match_processes *family)
{
    size_t n_before;
    int r;

    r = scan_once(view);
    if (r < 0) {
        return r;
    }
    do { /* a child may be listed before its parent */
        n_before = family->n;
        for (size_t i = 0; i < view->all->n; i++) {
            struct match_process process = view->all->list[i];

            if (has_pid(family, process.ppid) && !has_pid(family, process.pid)) {
                r = append(family, process);
                if (r < 0) {
                    return r;
                }
            }
        }
    } while (family->n > n_before);
    return 0;
}

static int find_by_pid_file(const char *path, struct match_view *view,
                            struct match_processes *found)
{
    uint64_t pid;
    size_t n;
    int r;

    r = held_read_once(AT_FDCWD, path, view->bytes, view->size, &n);
    if (r < 0) {
        return r == -EACCES ? r : 0;
    }
    if (counters_number(view->bytes, n, &pid) < 0 || pid == 0 || pid > INT32_MAX) {
        return 0;
    }
    return append_pid(view, (pid_t)pid, found);
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* Cut off what the kernel appends to a program whose file was replaced by a newer one. */
static void strip_deleted(char *path)
{
    static const char deleted[] = " (deleted)";
    size_t n = strlen(path), n_deleted = sizeof(deleted) - 1;

    if (n > n_deleted && strcmp(path + n - n_deleted, deleted) == 0) {
        path[n - n_deleted] = '\0';
    }
}

/* Which program a process runs. Where exe is not ours to see, the first argument has to do. */
static int read_executable(struct match_view *view, pid_t pid, char *ret_path, size_t size)
{
    char link[PATH_BYTES];
    ssize_t n_link;
    size_t n;

    (void)snprintf(link, sizeof(link), "%d/exe", (int)pid);
    n_link = readlinkat(view->proc_fd, link, ret_path, size - 1);
    if (n_link > 0) {
        ret_path[n_link] = '\0';
        strip_deleted(ret_path);
        return 0;
    }
    if (errno != EACCES && errno != EPERM) {
        return -ESRCH;
    }
    if (read_of(view, pid, "cmdline", &n) < 0 || n == 0) {
        return -EACCES;
    }
    n = MIN(n, size - 1);
    memcpy(ret_path, view->bytes, n);
    ret_path[n] = '\0';
    return 0;
}

/* Whether the arguments, joined by spaces, fit the pattern. */
static bool arguments_match(struct match_view *view, pid_t pid, const char *pattern)
{
    size_t n;

    if (pattern == NULL || pattern[0] == '\0') {
        return true;
    }
    if (read_of(view, pid, "cmdline", &n) < 0 || n == 0 || n >= view->size) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (view->bytes[i] == '\0') {
            view->bytes[i] = ' ';
        }
    }
    while (n > 0 && view->bytes[n - 1] == ' ') {
        n--;
    }
    view->bytes[n] = '\0';
    return fnmatch(pattern, view->bytes, 0) == 0;
}

static bool is_said(const char *option)
{
    return option != NULL && option[0] != '\0';
}

/* Whether a program is the one meant: by its whole path, or by the last part of it. */
static bool is_named(const char *path, const char *executable)
{
    return strcmp(strchr(executable, '/') != NULL ? path : last_name(path), executable) == 0;
}

static int find_by_executable(const struct match_options *match, struct match_view *view,
                              struct match_processes *found)
{
    bool is_denied = false;
    char path[4096];
    int r;

    r = scan_once(view);
    for (size_t i = 0; r == 0 && i < view->all->n; i++) {
        struct match_process process = view->all->list[i];
        int seen = read_executable(view, process.pid, path, sizeof(path));

        is_denied = is_denied || seen == -EACCES;
        if (seen == 0 && is_named(path, match->executable) &&
            arguments_match(view, process.pid, match->arguments)) {
            r = append(found, process);
        }
    }
    return r < 0 ? r : found->n == 0 && is_denied ? -EACCES : 0;
}

/* The sockets that listen on the port, in our network namespace and that of the first process. */
static size_t find_sockets(struct match_view *view, uint16_t port, uint64_t *inodes)
{
    static const char *const paths[] = {"net/tcp", "net/tcp6", "1/net/tcp", "1/net/tcp6"};
    size_t n_inodes = 0;

    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        size_t n;
        int r;

        r = held_read_once(view->proc_fd, paths[i], view->bytes, view->size, &n);
        if (r == -EFBIG) {
            n = view->size; /* listeners come first */
        } else if (r < 0) {
            continue;
        }
        (void)counters_listeners(view->bytes, n, port, inodes, SOCKETS_MAX, &n_inodes);
    }
    return n_inodes;
}

static bool is_socket_of(const char *link, const uint64_t *inodes, size_t n_inodes)
{
    unsigned long inode;

    if (sscanf(link, "socket:[%lu]", &inode) != 1) {
        return false;
    }
    for (size_t i = 0; i < n_inodes; i++) {
        if (inodes[i] == inode) {
            return true;
        }
    }
    return false;
}

/* Whether the process has one of the sockets open: 1, 0, or -EACCES. */
static int has_socket(struct match_view *view, pid_t pid, const uint64_t *inodes, size_t n_inodes)
{
    char path[PATH_BYTES], link[64];

    (void)snprintf(path, sizeof(path), "%d/fd", (int)pid);
    cleanup_closedir DIR *folder = open_folder(view->proc_fd, path);

    if (folder == NULL) {
        return errno == EACCES || errno == EPERM ? -EACCES : 0;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        ssize_t n = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);

        if (n > 0) {
            link[n] = '\0';
            if (is_socket_of(link, inodes, n_inodes)) {
                return 1;
            }
        }
    }
    return 0;
}

static int find_by_port(uint16_t port, struct match_view *view, struct match_processes *found)
{
    uint64_t inodes[SOCKETS_MAX];
    size_t n_inodes = find_sockets(view, port, inodes);
    bool is_denied = false;
    int r;

    if (n_inodes == 0) {
        return 0;
    }
    r = scan_once(view);
    for (size_t i = 0; r == 0 && i < view->all->n; i++) {
        int seen = has_socket(view, view->all->list[i].pid, inodes, n_inodes);

        is_denied = is_denied || seen < 0;
        if (seen > 0) {
            r = append(found, view->all->list[i]);
        }
    }
    return r < 0 ? r : found->n == 0 && is_denied ? -EACCES : 0;
}

/* Add the processes of one cgroup directory and those below. Returns how many are hidden from our
 * pid namespace or cannot be listed, or -ENOMEM. */
static int add_members(struct match_view *view, int dir_fd, const char *path, int depth,
                       struct match_processes *found)
{
    enum { PIDS_MAX = 1024 };
    cleanup_closedir DIR *folder = open_folder(dir_fd, path);
    size_t n, n_pids = 0, n_hidden = 0;
    pid_t pids[PIDS_MAX];
    int r, hidden;

    if (folder == NULL) {
        return 0;
    }
    r = held_read_once(dirfd(folder), "cgroup.procs", view->bytes, view->size, &n);
    if (r < 0 || counters_pids(view->bytes, n, pids, PIDS_MAX, &n_pids, &n_hidden) < 0) {
        n_hidden = 1; /* a threaded group cannot be listed */
    }
    hidden = (int)MIN(n_hidden, (size_t)INT32_MAX / 2);
    for (size_t i = 0; i < n_pids; i++) {
        if (append_pid(view, pids[i], found) < 0) {
            return -ENOMEM;
        }
    }
    for (struct dirent *entry; depth > 0 && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' && entry->d_type != DT_REG) {
            r = add_members(view, dirfd(folder), entry->d_name, depth - 1, found);
            if (r < 0) {
                return r;
            }
            hidden = MIN(hidden + r, INT32_MAX / 2);
        }
    }
    return hidden;
}

static bool is_within(const char *path, const char *ancestor)
{
    size_t n = strlen(ancestor);

    return strncmp(path, ancestor, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* Find the members of a cgroup by what each process says of itself. */
static int scan_members(const char *path, struct match_view *view, struct match_processes *found)
{
    struct cgroups_place place;
    size_t n;
    int r;

    r = scan_once(view);
    for (size_t i = 0; r == 0 && i < view->all->n; i++) {
        if (read_of(view, view->all->list[i].pid, "cgroup", &n) < 0) {
            continue;
        }
        for (unsigned c = 0; r == 0 && c < CGROUPS_CONTROLLERS; c++) {
            if (cgroups_parse_place(view->bytes, n, c, &place) == 0 &&
                is_within(place.path, path)) {
                r = append(found, view->all->list[i]);
                break;
            }
        }
    }
    return r;
}

/* The first hierarchy in which the cgroup has processes counts: it is the same in all. */
static int find_by_cgroup(const char *path, struct match_view *view, struct match_processes *found)
{
    struct cgroups_place place;
    bool is_hidden = false;

    if (path[0] != '/' || strlen(path) >= sizeof(place.path)) {
        return 0;
    }
    memcpy(place.path, path, strlen(path) + 1);
    for (unsigned i = 0; found->n == 0 && i < 2 * CGROUPS_CONTROLLERS; i++) {
        char directory[CGROUPS_PATH_BYTES];
        size_t n_levels;
        int r;

        place.is_v2 = i >= CGROUPS_CONTROLLERS;
        if (cgroups_resolve(view->cgroups, i % CGROUPS_CONTROLLERS, &place, directory, &n_levels) <
            0) {
            continue;
        }
        r = add_members(view, AT_FDCWD, directory, SEARCH_DEPTH_MAX, found);
        if (r < 0) {
            return r;
        }
        is_hidden = is_hidden || r > 0;
    }
    return found->n == 0 && is_hidden ? scan_members(path, view, found) : 0;
}

/* The cgroup of `container` that /proc/PID/cgroup names, in the first hierarchy that has it. */
static bool find_container(const char *bytes, size_t n, const char *container,
                           struct cgroups_place *ret_place)
{
    for (unsigned c = 0; c < CGROUPS_CONTROLLERS; c++) {
        if (cgroups_parse_place(bytes, n, c, ret_place) == 0) {
            size_t n_path = container_on_path(ret_place->path, container);

            if (n_path > 0) {
                ret_place->path[n_path] = '\0';
                return true;
            }
        }
    }
    return false;
}

static int find_by_container(const char *container, struct match_view *view,
                             struct match_processes *found)
{
    struct cgroups_place place;
    size_t n;
    int r;

    r = scan_once(view);
    for (size_t i = 0; r == 0 && i < view->all->n; i++) {
        if (read_of(view, view->all->list[i].pid, "cgroup", &n) == 0 &&
            find_container(view->bytes, n, container, &place)) {
            r = append(found, view->all->list[i]);
        }
    }
    return r;
}

/* Where a process stands as a member of a pod: in the hierarchy of memory, which runtimes always
 * use, down to its container. */
static int read_member(const char *bytes, size_t n, char ret_path[CGROUPS_PATH_BYTES])
{
    struct cgroups_place place;
    size_t n_path;
    int r;

    r = cgroups_parse_place(bytes, n, CGROUPS_MEMORY, &place);
    if (r < 0) {
        return r;
    }
    n_path = container_innermost(place.path);
    if (n_path > 0) {
        place.path[n_path] = '\0';
    }
    memcpy(ret_path, place.path, sizeof(place.path));
    return 0;
}

/* A container beside the agent's own. */
struct mate {
    char path[CGROUPS_PATH_BYTES];
    size_t n_processes;
    pid_t first;
    bool fits; /* it runs what is looked for */
};

#define MATES_MAX 16

static bool fits(const struct match_options *match, struct match_view *view, pid_t pid)
{
    char path[4096];

    return !is_said(match->executable) ||
           (read_executable(view, pid, path, sizeof(path)) == 0 &&
            is_named(path, match->executable) && arguments_match(view, pid, match->arguments));
}

/* Count the process to its container. */
static int add_member(const struct match_options *match, struct match_view *view, pid_t pid,
                      const char *path, struct mate *mates, size_t *n_mates)
{
    size_t i = 0;

    while (i < *n_mates && strcmp(mates[i].path, path) != 0) {
        i++;
    }
    if (i == MATES_MAX) {
        return -ENOTUNIQ;
    }
    if (i == *n_mates) {
        mates[(*n_mates)++] = (struct mate){.first = pid};
        memcpy(mates[i].path, path, CGROUPS_PATH_BYTES);
    }
    mates[i].n_processes++;
    mates[i].first = MIN(mates[i].first, pid);
    mates[i].fits = mates[i].fits || fits(match, view, pid);
    return 0;
}

static int list_mates(const struct match_options *match, struct match_view *view,
                      struct mate *mates, size_t *ret_n_mates)
{
    char own[CGROUPS_PATH_BYTES], path[CGROUPS_PATH_BYTES];
    size_t n;
    int r;

    *ret_n_mates = 0;
    r = held_read_once(view->proc_fd, "self/cgroup", view->bytes, view->size, &n);
    if (r < 0 || read_member(view->bytes, n, own) < 0) {
        return 0;
    }
    r = scan_once(view);
    for (size_t i = 0; r == 0 && i < view->all->n; i++) {
        pid_t pid = view->all->list[i].pid;

        if (read_of(view, pid, "cgroup", &n) == 0 && read_member(view->bytes, n, path) == 0 &&
            container_is_mate(own, path)) {
            r = add_member(match, view, pid, path, mates, ret_n_mates);
        }
    }
    return r;
}

/* The sandbox holds the pod's namespaces and does nothing. Where other containers are, process 1 of
 * the pid namespace is it; a name tells it elsewhere. */
static bool is_sandbox(struct match_view *view, const struct mate *mate, size_t n_mates)
{
    static const char *const names[] = {"pause", "podman-pause", "catatonit"};
    struct counters_process process;
    size_t n;

    if (mate->n_processes != 1 || read_of(view, mate->first, "stat", &n) < 0 ||
        counters_process_stat(view->bytes, n, &process) < 0) {
        return false;
    }
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        if (strcmp(process.name, names[i]) == 0) {
            return true;
        }
    }
    return mate->first == 1 && n_mates > 1;
}

/* The one container that it can be: its index, -ESRCH, or -ENOTUNIQ. */
static int choose_mate(struct match_view *view, const struct mate *mates, size_t n_mates)
{
    int chosen = -ESRCH;

    for (size_t i = 0; i < n_mates; i++) {
        if (mates[i].fits && !is_sandbox(view, &mates[i], n_mates)) {
            if (chosen >= 0) {
                return -ENOTUNIQ;
            }
            chosen = (int)i;
        }
    }
    return chosen;
}

static int find_pod_mate(const struct match_options *match, struct match_view *view,
                         struct match_processes *found)
{
    struct mate mates[MATES_MAX];
    char path[CGROUPS_PATH_BYTES];
    size_t n, n_mates;
    int chosen, r;

    r = list_mates(match, view, mates, &n_mates);
    if (r < 0) {
        return r;
    }
    chosen = choose_mate(view, mates, n_mates);
    if (chosen < 0) {
        return chosen == -ESRCH ? 0 : chosen;
    }
    for (size_t i = 0; r == 0 && i < view->all->n; i++) {
        if (read_of(view, view->all->list[i].pid, "cgroup", &n) == 0 &&
            read_member(view->bytes, n, path) == 0 && strcmp(path, mates[chosen].path) == 0) {
            r = append(found, view->all->list[i]);
        }
    }
    return r;
}

bool match_is_whole(const struct match_options *match)
{
    return is_said(match->cgroup) || is_said(match->container) || match->pod_mate;
}

void match_cgroup(const struct match_options *match, const char *bytes, size_t n,
                  char ret_path[CGROUPS_PATH_BYTES])
{
    struct cgroups_place place;

    ret_path[0] = '\0';
    if (is_said(match->cgroup)) {
        (void)snprintf(ret_path, CGROUPS_PATH_BYTES, "%s", match->cgroup);
    } else if (is_said(match->container)) {
        if (find_container(bytes, n, match->container, &place)) {
            memcpy(ret_path, place.path, sizeof(place.path));
        }
    } else if (match->pod_mate) {
        (void)read_member(bytes, n, ret_path);
    }
}

static int find_all(const struct match_options *match, struct match_view *view,
                    struct match_processes *found)
{
    if (is_said(match->cgroup)) {
        return find_by_cgroup(match->cgroup, view, found);
    }
    if (is_said(match->pid_file)) {
        return find_by_pid_file(match->pid_file, view, found);
    }
    if (is_said(match->container)) {
        return find_by_container(match->container, view, found);
    }
    if (match->pod_mate) {
        return find_pod_mate(match, view, found);
    }
    if (is_said(match->executable)) {
        return find_by_executable(match, view, found);
    }
    return match->port > 0 && match->port <= UINT16_MAX
               ? find_by_port((uint16_t)match->port, view, found)
               : 0;
}

/* Who was there first: pids begin anew at the highest. */
static bool is_older(const struct match_process *a, const struct match_process *b)
{
    return a->start_ticks != b->start_ticks ? a->start_ticks < b->start_ticks : a->pid < b->pid;
}

int match_find(const struct match_options *match, struct match_view *view,
               struct match_processes *ret_found, struct match_process *ret_root)
{
    const struct match_process *root = NULL;
    int r;

    ret_found->n = 0;
    r = find_all(match, view, ret_found);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < ret_found->n; i++) {
        const struct match_process *process = &ret_found->list[i];

        if (!has_pid(ret_found, process->ppid) && (root == NULL || is_older(process, root))) {
            root = process;
        }
    }
    if (root == NULL) {
        return -ESRCH;
    }
    *ret_root = *root;
    return 0;
}

static bool stays_executable(const struct match_options *match, struct match_view *view, pid_t pid)
{
    char path[4096];
    const char *wanted = match->executable;

    return read_executable(view, pid, path, sizeof(path)) == 0 &&
           strcmp(strchr(wanted, '/') != NULL ? path : last_name(path), wanted) == 0 &&
           arguments_match(view, pid, match->arguments);
}

bool match_needs_scan(const struct match_options *match)
{
    return (match->cgroup == NULL || match->cgroup[0] == '\0') &&
           (match->pid_file == NULL || match->pid_file[0] == '\0');
}

bool match_stays(const struct match_options *match, struct match_view *view,
                 const struct match_process *root)
{
    uint64_t inodes[SOCKETS_MAX];
    struct match_process now;

    if (!match_needs_scan(match) || match_process(view, root->pid, &now) < 0 ||
        now.start_ticks != root->start_ticks) {
        return false;
    }
    if (match->executable != NULL && match->executable[0] != '\0') {
        return stays_executable(match, view, root->pid);
    }
    if (match->port > 0 && match->port <= UINT16_MAX) {
        size_t n = find_sockets(view, (uint16_t)match->port, inodes);

        return n > 0 && has_socket(view, root->pid, inodes, n) > 0;
    }
    return false;
}
