/* Cgroups of the accuracy test: made, limited, and read, v1 or v2, without the agent's code. Shell.
 */
#include "tests/accuracy/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/units.h"

#define FILE_BYTES_MAX 16384
#define PERIOD_US      100000

static const char *const v1_names[GROUP_CONTROLLERS] = {"cpu", "cpuacct", "memory", "blkio"};

static int put(const char *folder, const char *name, const char *text)
{
    char path[2 * GROUP_PATH_BYTES];
    cleanup_close int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int get(const char *folder, const char *name, char text[static FILE_BYTES_MAX])
{
    char path[2 * GROUP_PATH_BYTES];
    cleanup_close int fd = -1;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, FILE_BYTES_MAX - 1);
    if (n < 0) {
        return -errno;
    }
    text[n] = '\0';
    return 0;
}

/* Where the controller is mounted: v1's own hierarchy when there is one, else v2. */
static bool find_mount(enum group_controller controller, char *ret_path, bool *ret_is_v2)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    struct mntent *mount;
    bool is_found = false;

    if (mounts == NULL) {
        return false;
    }
    while ((mount = getmntent(mounts)) != NULL) {
        bool is_v1 = strcmp(mount->mnt_type, "cgroup") == 0 &&
                     hasmntopt(mount, v1_names[controller]) != NULL;

        if (is_v1 || (!is_found && strcmp(mount->mnt_type, "cgroup2") == 0)) {
            (void)snprintf(ret_path, GROUP_PATH_BYTES, "%s", mount->mnt_dir);
            *ret_is_v2 = !is_v1;
            is_found = true;
        }
        if (is_v1) {
            break;
        }
    }
    (void)endmntent(mounts);
    return is_found;
}

static int make_folder(const char *path)
{
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_parent(enum group_controller controller, const char *name, struct group *ret_parent,
                       char *ret_why)
{
    char *path = ret_parent->paths[controller];
    char root[GROUP_PATH_BYTES];
    int r;

    if (!find_mount(controller, root, &ret_parent->is_v2[controller])) {
        (void)snprintf(ret_why, GROUP_WHY_BYTES, "no hierarchy with the controller %s is mounted",
                       v1_names[controller]);
        return -ENOENT;
    }
    if (snprintf(path, GROUP_PATH_BYTES, "%s/%s", root, name) >= GROUP_PATH_BYTES) {
        return -ENAMETOOLONG;
    }
    r = ret_parent->is_v2[controller] ? put(root, "cgroup.subtree_control", "+cpu +memory +io") : 0;
    r = r < 0 ? r : make_folder(path);
    if (r == 0 && ret_parent->is_v2[controller]) {
        r = put(path, "cgroup.subtree_control", "+cpu +memory +io");
    }
    if (r < 0) {
        (void)snprintf(ret_why, GROUP_WHY_BYTES, "cannot make cgroups in %s: %s", root,
                       strerror(-r));
    }
    return r;
}

int group_make_parent(const char *name, struct group *ret_parent, char *ret_why)
{
    for (unsigned i = 0; i < GROUP_CONTROLLERS; i++) {
        int r = make_parent(i, name, ret_parent, ret_why);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int group_make(const struct group *parent, const char *name, struct group *ret_group)
{
    for (unsigned i = 0; i < GROUP_CONTROLLERS; i++) {
        int n = snprintf(ret_group->paths[i], GROUP_PATH_BYTES, "%.200s/%s", parent->paths[i],
                         name);
        int r = n < GROUP_PATH_BYTES ? make_folder(ret_group->paths[i]) : -ENAMETOOLONG;

        if (r < 0) {
            return r;
        }
        ret_group->is_v2[i] = parent->is_v2[i];
    }
    return 0;
}

void group_remove(const struct group *group)
{
    for (unsigned i = 0; i < GROUP_CONTROLLERS; i++) {
        /* The kernel lets go of a group a moment after its last process. */
        for (int tries = 0; tries < 100 && group->paths[i][0] != '\0'; tries++) {
            if (rmdir(group->paths[i]) == 0 || errno != EBUSY) {
                break;
            }
            (void)usleep(20000);
        }
    }
}

int group_join(const struct group *group, pid_t pid)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%d", (int)pid);
    for (unsigned i = 0; i < GROUP_CONTROLLERS; i++) {
        int r = put(group->paths[i], "cgroup.procs", text);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int group_limit_cpu(const struct group *group, int64_t quota_us)
{
    const char *path = group->paths[GROUP_CPU];
    char text[64];
    int r;

    if (group->is_v2[GROUP_CPU]) {
        (void)snprintf(text, sizeof(text), "%" PRId64 " %d", quota_us, PERIOD_US);
        return put(path, "cpu.max", text);
    }
    (void)snprintf(text, sizeof(text), "%d", PERIOD_US);
    r = put(path, "cpu.cfs_period_us", text);
    (void)snprintf(text, sizeof(text), "%" PRId64, quota_us);
    return r < 0 ? r : put(path, "cpu.cfs_quota_us", text);
}

int group_prefer(const struct group *group)
{
    const char *path = group->paths[GROUP_CPU];

    return group->is_v2[GROUP_CPU] ? put(path, "cpu.weight", "10000")
                                   : put(path, "cpu.shares", "262144");
}

int group_limit_writes(const struct group *group, dev_t device, int64_t bytes_per_s)
{
    bool is_v2 = group->is_v2[GROUP_IO];
    char text[96];

    (void)snprintf(text, sizeof(text), is_v2 ? "%u:%u wbps=%" PRId64 : "%u:%u %" PRId64,
                   major(device), minor(device), bytes_per_s);
    return put(group->paths[GROUP_IO], is_v2 ? "io.max" : "blkio.throttle.write_bps_device", text);
}

/* The number after `key`, a line's beginning with its blank; negative when there is none. */
static int64_t number_after(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) == 0) {
            return strtoll(line + n, NULL, 10);
        }
    }
    return -ENODATA;
}

static int64_t read_number(const char *folder, const char *name, const char *key)
{
    char text[FILE_BYTES_MAX] = "";
    int r = get(folder, name, text);

    return r < 0 ? r : number_after(text, key);
}

int64_t group_cpu_us(const struct group *group)
{
    int64_t ns;

    if (group->is_v2[GROUP_CPUACCT]) {
        return read_number(group->paths[GROUP_CPUACCT], "cpu.stat", "usage_usec ");
    }
    ns = read_number(group->paths[GROUP_CPUACCT], "cpuacct.usage", "");
    return ns < 0 ? ns : ns / 1000;
}

int64_t group_periods(const struct group *group, int64_t *ret_throttled)
{
    *ret_throttled = read_number(group->paths[GROUP_CPU], "cpu.stat", "nr_throttled ");
    return read_number(group->paths[GROUP_CPU], "cpu.stat", "nr_periods ");
}

int64_t group_bytes_written(const struct group *group, dev_t device)
{
    bool is_v2 = group->is_v2[GROUP_IO];
    char text[FILE_BYTES_MAX] = "", key[64];
    const char *line;
    int r;

    if (!is_v2) {
        (void)snprintf(key, sizeof(key), "%u:%u Write ", major(device), minor(device));
        return read_number(group->paths[GROUP_IO], "blkio.throttle.io_service_bytes_recursive",
                           key);
    }
    (void)snprintf(key, sizeof(key), "%u:%u ", major(device), minor(device));
    r = get(group->paths[GROUP_IO], "io.stat", text);
    line = r < 0 ? NULL : strstr(text, key);
    line = line == NULL ? NULL : strstr(line, "wbytes=");
    return line == NULL ? 0 : strtoll(line + strlen("wbytes="), NULL, 10);
}

int group_memory(const struct group *group, struct group_memory *ret_memory)
{
    const char *path = group->paths[GROUP_MEMORY];
    bool is_v2 = group->is_v2[GROUP_MEMORY];
    struct group_memory memory;
    char text[FILE_BYTES_MAX] = "";
    int r;

    r = get(path, "memory.stat", text);
    if (r < 0) {
        return r;
    }
    memory.current = read_number(path, is_v2 ? "memory.current" : "memory.usage_in_bytes", "");
    memory.file = number_after(text, is_v2 ? "file " : "total_cache ");
    memory.shmem = number_after(text, is_v2 ? "shmem " : "total_shmem ");
    memory.inactive_file = number_after(text, is_v2 ? "inactive_file " : "total_inactive_file ");
    memory.slab = MAX(0, number_after(text, "slab "));
    if (memory.current < 0 || memory.file < 0 || memory.shmem < 0 || memory.inactive_file < 0) {
        return -ENODATA;
    }
    *ret_memory = memory;
    return 0;
}
