/* Where this agent runs. Shell: reads below the roots.
 *
 * A container is told by any of: the files that runtimes leave in its root, a container's name in
 * its cgroup's path, a cgroup namespace of its own, an overlay as its root file system. Kubernetes
 * by the variable or the folder that it gives to each container.
 *
 * The host's network namespace is told by a kernel setting that only the first network namespace
 * has (net.core.netdev_max_backlog), beside one that each has (net.core.somaxconn): files that
 * everybody may read, and that show the namespace of who reads them, whichever /proc it is. The
 * first pid and cgroup namespaces have fixed numbers. */
#include "agent/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/container.h"
#include "agent/held.h"
#include "common/cleanup.h"
#include "common/units.h"

#define TEXT_BYTES (64 << 10)

static const char *const v1_names[ENVIRONMENT_CONTROLLERS] = {
    [ENVIRONMENT_CPU] = "cpu",  [ENVIRONMENT_CPUSET] = "cpuset", [ENVIRONMENT_MEMORY] = "memory",
    [ENVIRONMENT_IO] = "blkio", [ENVIRONMENT_PIDS] = "pids",
};

static bool exists(int dir_fd, const char *path)
{
    return faccessat(dir_fd, path, F_OK, 0) == 0;
}

/* Read a file as a text; it is "" when it cannot be read. */
static void read_text(int dir_fd, const char *path, char ret_text[TEXT_BYTES])
{
    size_t n;

    if (held_read_once(dir_fd, path, ret_text, TEXT_BYTES - 1, &n) < 0) {
        n = 0;
    }
    ret_text[n] = '\0';
}

/* Whether a link such as "cgroup:[4026531835]" is another namespace than the first. */
static bool is_own_namespace(int proc_fd, const char *path, const char *first)
{
    char link[64];
    ssize_t n = readlinkat(proc_fd, path, link, sizeof(link) - 1);

    if (n <= 0) {
        return false;
    }
    link[n] = '\0';
    return strcmp(link, first) != 0;
}

/* The first ones' numbers are fixed in the kernel (PROC_CGROUP_INIT_INO, PROC_PID_INIT_INO). */
static bool has_cgroup_namespace(int proc_fd)
{
    return is_own_namespace(proc_fd, "self/ns/cgroup", "cgroup:[4026531835]");
}

static bool has_pid_namespace(int proc_fd)
{
    return is_own_namespace(proc_fd, "self/ns/pid", "pid:[4026531836]");
}

/* Take the next word of `text`, which ends at one of `ends`. Returns its length. */
static size_t next_word(const char **text, const char *ends)
{
    *text += strspn(*text, ends);
    return strcspn(*text, ends);
}

static bool is_in_list(const char *list, size_t n, const char *ends, const char *name)
{
    const char *word = list;

    for (size_t n_word; (n_word = next_word(&word, ends)) > 0 && word < list + n; word += n_word) {
        if (n_word == strlen(name) && memcmp(word, name, n_word) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether any line of /proc/self/cgroup has a container's name on its path. */
static bool is_in_container_cgroup(const char *text)
{
    char path[CGROUPS_PATH_BYTES];

    for (size_t n; (n = next_word(&text, "\n")) > 0; text += n) {
        n = MIN(n, sizeof(path) - 1);
        memcpy(path, text, n);
        path[n] = '\0';
        if (container_innermost(path) > 0) {
            return true;
        }
    }
    return false;
}

/* "… / / rw,relatime … - overlay overlay rw": what is mounted on the root. */
static bool has_overlay_root(const char *text)
{
    for (size_t n; (n = next_word(&text, "\n")) > 0; text += n) {
        const char *root = memmem(text, n, " / / ", strlen(" / / "));

        if (root != NULL && memmem(text, n, " - overlay ", strlen(" - overlay ")) != NULL) {
            return true;
        }
    }
    return false;
}

static enum environment_kind detect_kind(const struct environment_view *view, char *text)
{
    if (view->has_kubernetes_variable ||
        exists(view->root_fd, "var/run/secrets/kubernetes.io/serviceaccount")) {
        return ENVIRONMENT_KUBERNETES;
    }
    if (exists(view->root_fd, ".dockerenv") || exists(view->root_fd, "run/.containerenv") ||
        has_cgroup_namespace(view->proc_fd)) {
        return ENVIRONMENT_CONTAINER;
    }
    read_text(view->proc_fd, "self/cgroup", text);
    if (is_in_container_cgroup(text)) {
        return ENVIRONMENT_CONTAINER;
    }
    read_text(view->proc_fd, "self/mountinfo", text);
    return has_overlay_root(text) ? ENVIRONMENT_CONTAINER : ENVIRONMENT_NATIVE;
}

static enum environment_hierarchy detect_hierarchy(const struct cgroups *cgroups)
{
    bool has_v1 = false, has_v2 = false;

    for (size_t i = 0; i < cgroups->n_mounts; i++) {
        has_v2 = has_v2 || cgroups->mounts[i].is_v2;
        has_v1 = has_v1 || !cgroups->mounts[i].is_v2;
    }
    if (has_v1 && has_v2) {
        return HIERARCHY_HYBRID;
    }
    return has_v1 ? HIERARCHY_V1 : has_v2 ? HIERARCHY_V2 : HIERARCHY_NONE;
}

/* Lines of /proc/self/cgroup name the controllers that v1 has: "4:cpu,cpuacct:/path". */
static bool is_on_v1(const char *text, const char *name)
{
    for (size_t n; (n = next_word(&text, "\n")) > 0; text += n) {
        const char *list = memchr(text, ':', n);
        size_t n_list = list != NULL ? strcspn(list + 1, ":\n") : 0;

        if (n_list > 0 && is_in_list(list + 1, n_list, ",:", name)) {
            return true;
        }
    }
    return false;
}

static bool is_on_v2(const struct cgroups *cgroups, const char *name, char *text)
{
    for (size_t i = 0; i < cgroups->n_mounts; i++) {
        char path[CGROUPS_PATH_BYTES + 32];

        if (cgroups->mounts[i].is_v2) {
            (void)snprintf(path, sizeof(path), "%s/cgroup.controllers", cgroups->mounts[i].point);
            read_text(AT_FDCWD, path, text);
            if (is_in_list(text, strlen(text), " \n", name)) {
                return true;
            }
        }
    }
    return false;
}

static uint64_t detect_version(const struct environment_view *view,
                               enum environment_controller controller, char *text)
{
    read_text(view->proc_fd, "self/cgroup", text);
    if (is_on_v1(text, v1_names[controller])) {
        return 1;
    }
    return is_on_v2(view->cgroups, environment_controller_name(controller), text) ? 2 : 0;
}

void environment_detect(const struct environment_view *view, struct environment *ret_environment)
{
    cleanup_free char *text = malloc(TEXT_BYTES);

    *ret_environment = (struct environment){.hierarchy = detect_hierarchy(view->cgroups)};
    if (text == NULL) {
        return;
    }
    ret_environment->kind = detect_kind(view, text);
    for (unsigned i = 0; i < ENVIRONMENT_CONTROLLERS; i++) {
        ret_environment->versions[i] = detect_version(view, i, text);
    }
}

int environment_network(int proc_fd)
{
    if (exists(proc_fd, "sys/net/core/netdev_max_backlog")) {
        return 1;
    }
    return exists(proc_fd, "sys/net/core/somaxconn") ? 0 : -ENODATA;
}

void environment_namespaces(int proc_fd, struct environment_namespaces *ret_namespaces)
{
    *ret_namespaces = (struct environment_namespaces){
        .pid = has_pid_namespace(proc_fd),
        .cgroup = has_cgroup_namespace(proc_fd),
        .network = environment_network(proc_fd) == 0,
    };
}
