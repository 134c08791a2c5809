/* The stage that a case is played on: files, faults, and what the sampler said.
 *
 * A case names kernel files by what they are ("a/leaf/cpu.max", "proc/PID/io"), not by where they
 * stand. Each is given its place here: a cgroup file below the hierarchy that its name or folder
 * tells, "proc/…" and "sys/…" below those roots. What is no file ("pread_errno", "statvfs",
 * "stat_ino …") becomes a fault or a link. A name that nothing here knows is a failure. */
#include "tests/unit/case_stage.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>

#include "agent/cgroup.h"
#include "common/units.h"

#define PID_DEFAULT   100
#define START_DEFAULT 5000

/* Whose calls the hooks below answer. */
static struct stage *played;
static const char *space_text;
static bool has_wall_clock;
static double wall_clock_s;

/* -- The kernel's part -- */

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), n_suffix = strlen(suffix);

    return n >= n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The path of a descriptor, if it is in the tree of the stage. */
static bool path_of(int fd, char path[4096])
{
    char link[64];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, 4095);
    path[n > 0 ? n : 0] = '\0';
    return played != NULL && starts_with(path, played->tree.root);
}

/* What reading the descriptor comes to. A file without a name is one whose process or cgroup is no
 * more; that of a network namespace reads on. */
static int fault_of(int fd)
{
    char path[4096];
    struct stat status;

    if (!path_of(fd, path)) {
        return 0;
    }
    if (fstat(fd, &status) == 0 && status.st_nlink == 0) {
        return strstr(path, "/net/dev") != NULL ? 0
               : strstr(path, "/proc/") != NULL ? ESRCH
                                                : ENODEV;
    }
    for (size_t i = 0; i < played->n_faults; i++) {
        if (ends_with(path, played->faults[i].suffix)) {
            return played->faults[i].error;
        }
    }
    return 0;
}

ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset)
{
    int fault = fault_of(fd);

    if (fault != 0) {
        errno = fault;
        return -1;
    }
    return syscall(SYS_pread64, fd, buf, nbytes, offset);
}

/* A file that cannot be read at an offset can still be read from its start. */
ssize_t read(int fd, void *buf, size_t nbytes)
{
    int fault = fault_of(fd);

    if (fault != 0 && fault != ESPIPE) {
        errno = fault;
        return -1;
    }
    return syscall(SYS_read, fd, buf, nbytes);
}

static unsigned long field_of(const char *text, const char *name)
{
    const char *found = text != NULL ? strstr(text, name) : NULL;

    return found != NULL ? strtoul(found + strlen(name), NULL, 10) : 0;
}

int statvfs(const char *file, struct statvfs *buf)
{
    (void)file;
    if (space_text == NULL) {
        errno = ENOENT;
        return -1;
    }
    *buf = (struct statvfs){
        .f_bsize = field_of(space_text, "f_bsize="),
        .f_frsize = field_of(space_text, "f_frsize="),
        .f_blocks = field_of(space_text, "f_blocks="),
        .f_bfree = field_of(space_text, "f_bfree="),
        .f_bavail = field_of(space_text, "f_bavail="),
        .f_files = field_of(space_text, "f_files="),
        .f_ffree = field_of(space_text, "f_ffree="),
        .f_favail = field_of(space_text, "f_favail="),
    };
    return 0;
}

int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
    if (clock_id == CLOCK_REALTIME && has_wall_clock) {
        *tp = (struct timespec){.tv_sec = (time_t)wall_clock_s};
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, clock_id, tp);
}

/* -- Names -- */

int stage_errno(const char *name)
{
    static const struct {
        const char *name;
        int error;
    } errors[] = {
        {"0", 0},
        {"ok", 0},
        {"ok (stale)", 0},
        {"ENODEV", ENODEV},
        {"ESRCH", ESRCH},
        {"ENOENT", ENOENT},
        {"EACCES", EACCES},
        {"EPERM", EPERM},
        {"EIO", EIO},
        {"EINVAL", EINVAL},
        {"ESPIPE", ESPIPE},
        {"EOPNOTSUPP", EOPNOTSUPP},
        {"ENOTSUP", EOPNOTSUPP},
        {"ENOMEM", ENOMEM},
        {"EBUSY", EBUSY},
    };

    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        if (strcmp(name, errors[i].name) == 0) {
            return errors[i].error;
        }
    }
    return -1;
}

/* Files of a cgroup: where they stand on v1 (NULL: not there), and whether v2 has them. */
static const struct group_file {
    const char *name, *v1;
    bool is_v2;
} group_files[] = {
    {"cpu.max", NULL, true},
    {"cpu.weight", NULL, true},
    {"cpu.stat", "cpu", true},
    {"cpu.pressure", NULL, true},
    {"cpu.cfs_quota_us", "cpu", false},
    {"cpu.cfs_period_us", "cpu", false},
    {"cpuacct.usage", "cpuacct", false},
    {"cpuset.cpus.effective", NULL, true},
    {"cpuset.effective_cpus", "cpuset", false},
    {"memory.max", NULL, true},
    {"memory.high", NULL, true},
    {"memory.low", NULL, true},
    {"memory.min", NULL, true},
    {"memory.current", NULL, true},
    {"memory.peak", NULL, true},
    {"memory.stat", "memory", true},
    {"memory.events", NULL, true},
    {"memory.swap.current", NULL, true},
    {"memory.swap.max", NULL, true},
    {"memory.pressure", NULL, true},
    {"memory.limit_in_bytes", "memory", false},
    {"memory.usage_in_bytes", "memory", false},
    {"memory.memsw.usage_in_bytes", "memory", false},
    {"memory.memsw.limit_in_bytes", "memory", false},
    {"memory.oom_control", "memory", false},
    {"io.stat", NULL, true},
    {"io.pressure", NULL, true},
    {"blkio.throttle.io_service_bytes_recursive", "blkio", false},
    {"blkio.throttle.io_serviced_recursive", "blkio", false},
    {"cgroup.procs", NULL, true},
    {"cgroup.controllers", NULL, true},
};

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? slash + 1 : name;
}

static const struct group_file *group_file_of(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(group_files); i++) {
        if (strcmp(last_part(name), group_files[i].name) == 0) {
            return &group_files[i];
        }
    }
    return NULL;
}

/* The length of a leading folder that is named by v1 controllers ("cpu/p/…", "cpu,cpuacct/p/…");
 * 0: there is none. */
static size_t controller_folder(const char *name)
{
    static const char *const controllers[] = {"cpu,cpuacct", "cpuacct,cpu", "cpuacct", "cpuset",
                                              "cpu",         "memory",      "blkio"};

    for (size_t i = 0; i < N_ELEMENTS(controllers); i++) {
        size_t n = strlen(controllers[i]);

        if (starts_with(name, controllers[i]) && name[n] == '/') {
            return n;
        }
    }
    return 0;
}

const char *stage_text(yajl_val value, size_t sample)
{
    if (YAJL_IS_ARRAY(value)) {
        value = sample < value->u.array.len ? value->u.array.values[sample] : NULL;
    }
    return YAJL_IS_STRING(value)   ? YAJL_GET_STRING(value)
           : YAJL_IS_NUMBER(value) ? YAJL_GET_NUMBER(value)
                                   : NULL;
}

static const char *name_at(const struct stage *stage, size_t i)
{
    return stage->files->u.object.keys[i];
}

static yajl_val value_at(const struct stage *stage, size_t i)
{
    return stage->files->u.object.values[i];
}

static size_t count_files(const struct stage *stage)
{
    return stage->files->u.object.len;
}

yajl_val stage_file(const struct stage *stage, const char *name)
{
    for (size_t i = 0; i < count_files(stage); i++) {
        if (strcmp(name_at(stage, i), name) == 0) {
            return value_at(stage, i);
        }
    }
    return NULL;
}

bool stage_has(const struct stage *stage, const char *prefix)
{
    for (size_t i = 0; i < count_files(stage); i++) {
        const char *name = name_at(stage, i);

        name = starts_with(name, "errno ") ? name + strlen("errno ") : name;
        if (starts_with(last_part(name), prefix)) {
            return true;
        }
    }
    return false;
}

/* Whether a file that both versions have is v1's: by its folder, what it says, or what stands
 * beside it. */
static bool is_v1_file(const struct stage *stage, const char *name, const struct group_file *file)
{
    const char *text = stage_text(stage_file(stage, name), 0);

    if (!file->is_v2 || file->v1 == NULL) {
        return !file->is_v2 || controller_folder(name) > 0;
    }
    if (controller_folder(name) > 0 || (text != NULL && (strstr(text, "throttled_time") != NULL ||
                                                         strstr(text, "total_") != NULL ||
                                                         strstr(text, "hierarchical_") != NULL))) {
        return true;
    }
    for (size_t i = 0; i < count_files(stage); i++) {
        const struct group_file *other = group_file_of(name_at(stage, i));

        if (other != NULL && !other->is_v2 && strcmp(other->v1, file->v1) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_any_v1(const struct stage *stage)
{
    for (size_t i = 0; i < count_files(stage); i++) {
        const struct group_file *file = group_file_of(name_at(stage, i));

        if (file != NULL && is_v1_file(stage, name_at(stage, i), file)) {
            return true;
        }
    }
    return false;
}

/* -- Laying out -- */

static void put(const struct stage *stage, const char *name, const char *text)
{
    tree_put(&stage->tree, name, "%s", text);
}

static void put_folder(const struct stage *stage, const char *name)
{
    char path[1024];

    tree_path(&stage->tree, name, path);
    tree_parents(path);
    (void)mkdir(path, 0755);
}

/* The lines of a text that begin with the device, when one is asked for. */
static const char *of_device(const struct stage *stage, const char *text)
{
    static char lines[65536];
    size_t n = 0, n_device = stage->device != NULL ? strlen(stage->device) : 0;

    if (n_device == 0) {
        return text;
    }
    while (*text != '\0') {
        size_t n_line = strcspn(text, "\n") + 1;

        n_line = MIN(n_line, strlen(text));
        if (strncmp(text, stage->device, n_device) == 0 && text[n_device] == ' ' &&
            n + n_line < sizeof(lines)) {
            memcpy(lines + n, text, n_line);
            n += n_line;
        }
        text += n_line;
    }
    lines[n] = '\0';
    return lines;
}

/* Where a cgroup file stands in the tree. */
static void group_path(const struct stage *stage, const char *name, const struct group_file *file,
                       char path[1024])
{
    size_t n_folder = controller_folder(name);
    bool is_v1 = is_v1_file(stage, name, file);
    const char *rest = n_folder > 0 ? name + n_folder + 1 : name;
    const char *folder = strchr(rest, '/') == NULL ? stage->path : "";

    if (is_v1) {
        (void)snprintf(path, 1024, "cgroup/%.*s%s/%s",
                       n_folder > 0 ? (int)n_folder : (int)strlen(file->v1),
                       n_folder > 0 ? name : file->v1, folder, rest);
    } else {
        (void)snprintf(path, 1024, "cgroup%s%s/%s", is_any_v1(stage) ? "/unified" : "", folder,
                       rest);
    }
}

/* The broker's cgroup: the deepest folder that a cgroup file stands in; bare files are its own. */
static void choose_path(struct stage *stage)
{
    size_t n_best = 0;

    (void)snprintf(stage->path, sizeof(stage->path), "/b");
    for (size_t i = 0; i < count_files(stage); i++) {
        const char *name = name_at(stage, i), *end;

        name = starts_with(name, "errno ") ? name + strlen("errno ") : name;
        if (group_file_of(name) == NULL) {
            continue;
        }
        name += controller_folder(name) > 0 ? controller_folder(name) + 1 : 0;
        end = strrchr(name, '/');
        if (end != NULL && (size_t)(end - name) > n_best) {
            n_best = (size_t)(end - name);
            (void)snprintf(stage->path, sizeof(stage->path), "/%.*s", (int)n_best, name);
        }
    }
}

/* /proc/PID/cgroup: a line for each v1 hierarchy that has files, and v2's. */
static void put_places(const struct stage *stage, int pid)
{
    static const char *const controllers[] = {"cpu,cpuacct", "cpuacct,cpu", "cpu",  "cpuacct",
                                              "cpuset",      "memory",      "blkio"};
    char name[64], path[1024], lines[8192] = "";
    bool is_v1 = is_any_v1(stage);
    struct stat status;

    for (size_t i = 0; is_v1 && i < N_ELEMENTS(controllers); i++) {
        (void)snprintf(name, sizeof(name), "cgroup/%s", controllers[i]);
        tree_path(&stage->tree, name, path);
        if (stat(path, &status) == 0) {
            size_t n = strlen(lines);

            (void)snprintf(lines + n, sizeof(lines) - n, "%zu:%s:%s\n", 9 - i, controllers[i],
                           stage->path);
        }
    }
    tree_path(&stage->tree, is_v1 ? "cgroup/unified" : "cgroup", path);
    if (stat(path, &status) == 0) {
        size_t n = strlen(lines);

        (void)snprintf(lines + n, sizeof(lines) - n, "0::%s\n", stage->path);
    }
    (void)snprintf(name, sizeof(name), "proc/%d/cgroup", pid);
    put(stage, name, lines);
}

void stage_put_network(struct stage *stage, int pid, unsigned factor)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "proc/%d/net/dev", pid);
    tree_put(&stage->tree, name, "  eth0: %u 1 0 0 0 0 0 0 %u 1 0 0 0 0 0 0\n", 1000 * factor,
             500 * factor);
}

void stage_put_process(struct stage *stage, int pid, unsigned long long start_ticks)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "proc/%d/stat", pid);
    tree_put(&stage->tree, name, "%d (b) S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 %llu 0 0\n", pid,
             start_ticks);
}

void stage_end_process(struct stage *stage, bool with_cgroup)
{
    char name[640];

    (void)snprintf(name, sizeof(name), "proc/%d", stage->pids[0]);
    tree_remove(&stage->tree, name);
    if (with_cgroup) {
        (void)snprintf(name, sizeof(name), "cgroup%s", stage->path);
        tree_remove(&stage->tree, name);
    }
}

/* "proc/PID/x", "/proc/PID/x" or "proc/1234/x": the same of the broker's process. */
static void process_path(const struct stage *stage, const char *name, char path[1024])
{
    const char *pid;

    name += name[0] == '/';
    pid = strstr(name, "/PID/");
    if (pid != NULL) {
        (void)snprintf(path, 1024, "proc/%d/%s", stage->pids[0], pid + strlen("/PID/"));
    } else {
        (void)snprintf(path, 1024, "%s", name);
    }
}

static void add_fault(struct stage *stage, const char *suffix, int error)
{
    if (stage->n_faults < FAULTS_MAX) {
        struct fault *fault = &stage->faults[stage->n_faults++];

        (void)snprintf(fault->suffix, sizeof(fault->suffix), "%s", suffix);
        fault->error = error;
    }
}

/* Reading fails in one of the ways that a kernel has: which files that is, the error tells. */
static bool put_read_error(struct stage *stage, int error)
{
    switch (error) {
    case 0:
        return true;
    case ENODEV: /* a cgroup can only go when nobody is in it */
        stage_end_process(stage, true);
        return true;
    case ESRCH:
        stage_end_process(stage, false);
        return true;
    case ESPIPE:
        add_fault(stage, "/net/dev", error);
        return true;
    case EOPNOTSUPP:
        for (size_t i = 0; i < 3; i++) {
            static const char *const names[][2] = {{"cpu.pressure", "/pressure/cpu"},
                                                   {"memory.pressure", "/pressure/memory"},
                                                   {"io.pressure", "/pressure/io"}};

            add_fault(stage, names[i][0], error);
            add_fault(stage, names[i][1], error);
        }
        return true;
    default:
        for (size_t i = 0; i < N_ELEMENTS(group_files) && error > 0; i++) {
            add_fault(stage, group_files[i].name, error);
        }
        return error > 0;
    }
}

/* "errno memory.current": the file is there and cannot be read. */
static bool put_unreadable(struct stage *stage, const char *name, const char *text)
{
    const struct group_file *file = group_file_of(name);
    char path[1024], suffix[1040];
    int error = stage_errno(text);

    if (error < 0 || (file == NULL && !starts_with(name, "proc/"))) {
        return false;
    }
    if (file != NULL) {
        group_path(stage, name, file, path);
    } else {
        process_path(stage, name, path);
    }
    if (error != ENOENT) {
        put(stage, path, "0\n");
    }
    (void)snprintf(suffix, sizeof(suffix), "/%s", path);
    add_fault(stage, suffix, error);
    return true;
}

/* "pread proc/PID/stat": what reading the held file comes to; a process that is no more takes its
 * folder along. */
static bool put_held_read(struct stage *stage, const char *name, const char *text)
{
    int error = stage_errno(text);
    char path[1024], suffix[1040];

    if (error < 0) {
        return false;
    }
    if (error == ESRCH || error == ENODEV) {
        stage_end_process(stage, error == ENODEV);
    } else if (error > 0) {
        process_path(stage, name, path);
        (void)snprintf(suffix, sizeof(suffix), "/%s", path);
        add_fault(stage, suffix, error);
    }
    return true;
}

/* "sys/block": the names in a folder. */
static void put_listing(const struct stage *stage, const char *name, const char *text)
{
    put_folder(stage, name);
    while (*text != '\0') {
        size_t n = strcspn(text, " \n");
        char path[1024];

        if (n > 0) {
            (void)snprintf(path, sizeof(path), "%s/%.*s", name, (int)n, text);
            put_folder(stage, path);
        }
        text += n;
        text += *text != '\0';
    }
}

/* "inode /host/agent/pod": folders of the same number are one. The first to be made is the
 * deepest, the others lead to it. */
static void put_inode(const struct stage *stage, const char *folder, const char *number)
{
    const char *first = folder;
    char target[1024], path[1024];
    struct stat status;

    for (size_t i = 0; i < count_files(stage); i++) {
        const char *name = name_at(stage, i);
        const char *other = stage_text(value_at(stage, i), 0);

        if (starts_with(name, "inode ") && other != NULL && strcmp(other, number) == 0 &&
            strlen(name + 6) > strlen(first)) {
            first = name + 6;
        }
    }
    tree_path(&stage->tree, folder + 1, path);
    (void)rmdir(path); /* an empty mount point */
    if (strcmp(first, folder) != 0 && lstat(path, &status) != 0) {
        tree_path(&stage->tree, first + 1, target);
        tree_link(&stage->tree, folder + 1, target);
    }
    put_folder(stage, first + 1);
}

/* Mount points are beneath the tree's root. */
static void put_mounts(const struct stage *stage, const char *text)
{
    static char lines[65536];
    size_t n = 0;

    while (*text != '\0') {
        size_t n_line = strcspn(text, "\n");
        char line[4096], *point;

        (void)snprintf(line, sizeof(line), "%.*s", (int)n_line, text);
        point = line;
        for (int field = 0; field < 4 && point != NULL; field++) {
            point = strchr(point + 1, ' ');
        }
        if (point != NULL) {
            char folder[1024];

            (void)snprintf(folder, sizeof(folder), "%.*s", (int)strcspn(point + 1, " "), point + 1);
            put_folder(stage, folder + 1);
            n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%.*s %s%s\n", (int)(point - line),
                                  line, stage->tree.root, point + 1);
        }
        text += n_line;
        text += *text != '\0';
    }
    lines[n] = '\0';
    put(stage, "proc/self/mountinfo", lines);
}

/* "stat_ino /proc/{1,100,200}/net/dev": processes, and which of them are in one network namespace.
 */
static bool put_namespaces(struct stage *stage, const char *name, const char *text)
{
    const char *at = strchr(name, '{');
    char first[BROKERS_MAX + 1][64], path[64];
    unsigned long inodes[BROKERS_MAX + 1];
    size_t n = 0;
    char *end;

    for (; at != NULL && *at != '}' && n <= BROKERS_MAX; n++) {
        long pid = strtol(at + 1, &end, 10);
        size_t same = 0;

        at = *end != '\0' ? end : NULL;
        inodes[n] = strtoul(text, &end, 10);
        text = end;
        while (inodes[same] != inodes[n]) {
            same++;
        }
        (void)snprintf(path, sizeof(path), "proc/%ld/net/dev", pid);
        memcpy(first[n], path, sizeof(path));
        if (same == n) {
            stage_put_network(stage, (int)pid, 1);
        } else {
            tree_remove(&stage->tree, path);
            tree_same(&stage->tree, first[same], path);
        }
    }
    return n > 1;
}

/* What is no file of a kernel but stands for one. Returns whether the name is of such a thing. */
static bool put_pseudo(struct stage *stage, const char *name, const char *text, size_t sample,
                       bool *ret_known)
{
    char path[1024];

    *ret_known = true;
    if (strcmp(name, "pread_errno") == 0) {
        *ret_known = put_read_error(stage, stage_errno(text));
    } else if (starts_with(name, "pread ")) {
        *ret_known = put_held_read(stage, name + strlen("pread "), text);
    } else if (starts_with(name, "errno ")) {
        *ret_known = put_unreadable(stage, name + strlen("errno "), text);
    } else if (starts_with(name, "stat_ino ")) {
        *ret_known = sample > 0 || put_namespaces(stage, name, text);
    } else if (starts_with(name, "inode /")) {
        put_inode(stage, name + strlen("inode "), text);
    } else if (strcmp(name, "statvfs") == 0) {
        space_text = text;
        *ret_known = strstr(text, "f_blocks=") != NULL;
    } else if (strcmp(name, "CLOCK_REALTIME") == 0) {
        has_wall_clock = true;
        wall_clock_s = strtod(text, NULL);
    } else if (strcmp(name, "net rx") == 0 || strcmp(name, "net tx") == 0) {
        (void)snprintf(path, sizeof(path), "proc/%d/net/dev", stage->pids[0]);
        tree_put(&stage->tree, path, "eth0: %s 1 0 0 0 0 0 0 %s 1 0 0 0 0 0 0\n",
                 name[4] == 'r' ? text : "0", name[4] == 't' ? text : "0");
    } else if (ends_with(name, "/stat starttime")) {
        stage_put_process(stage, stage->pids[0], strtoull(text, NULL, 10));
    } else {
        /* What the sampler is not given: its clock is the sample's time, its order its own. */
        return strcmp(name, "CLOCK_MONOTONIC") == 0 || strcmp(name, "CLOCK_BOOTTIME") == 0 ||
               strcmp(name, "read order") == 0;
    }
    return true;
}

static bool put_kernel_file(struct stage *stage, const char *name, const char *text)
{
    const struct group_file *file = group_file_of(name);
    char path[1024];

    if (strcmp(name, "online") == 0) {
        put(stage, "sys/devices/system/cpu/online", text);
    } else if (strcmp(name, "proc/self/mountinfo") == 0) {
        put_mounts(stage, text);
    } else if (starts_with(name, "proc/") || starts_with(name, "/proc/")) {
        process_path(stage, name, path);
        if (ends_with(name, "/fd")) {
            put_listing(stage, path, text);
        } else {
            put(stage, path, text);
        }
    } else if (strcmp(name, "sys/block") == 0 || strcmp(name, "sys/class/net") == 0 ||
               ends_with(name, "/slaves")) {
        put_listing(stage, name, text);
    } else if (starts_with(name, "sys/") && file == NULL) {
        put(stage, name, text);
    } else if (starts_with(name, "/sys/fs/cgroup/")) {
        put(stage, name + 1, text);
    } else if (file != NULL) {
        group_path(stage, name, file, path);
        put(stage, path, of_device(stage, text));
    } else {
        return false;
    }
    return true;
}

static void put_sample(struct stage *stage, size_t sample)
{
    stage->n_faults = 0;
    for (size_t pass = 0; pass < 2; pass++) {
        /* What takes things away comes last. */
        for (size_t i = 0; i < count_files(stage); i++) {
            const char *name = name_at(stage, i);
            const char *text = stage_text(value_at(stage, i), sample);
            bool is_last = starts_with(name, "pread") || starts_with(name, "errno ");
            bool is_known = true;

            if (is_last != (pass == 1)) {
                continue;
            }
            if (text == NULL) {
                (void)snprintf(stage->why, sizeof(stage->why),
                               "file '%s' has no text for sample %zu", name, sample);
            } else if (!put_pseudo(stage, name, text, sample, &is_known)) {
                is_known = put_kernel_file(stage, name, text);
            }
            if (!is_known) {
                (void)snprintf(stage->why, sizeof(stage->why), "unknown file '%s' (%.40s)", name,
                               text != NULL ? text : "");
            }
        }
    }
}

/* -- Playing -- */

static void add_broker(struct stage *stage, int pid)
{
    struct broker_options *options = &stage->brokers[stage->config.brokers.n];
    char name[64], path[1024];

    if (stage->config.brokers.n == BROKERS_MAX) {
        return;
    }
    stage->pids[stage->config.brokers.n++] = pid;
    (void)snprintf(name, sizeof(name), "b%d", pid);
    *options = (struct broker_options){.id = strdup(name),
                                       .data_directory = strdup(stage->tree.root)};
    if (stage->is_by_cgroup) {
        options->match.cgroup = strdup(stage->path);
    } else {
        (void)snprintf(name, sizeof(name), "run/%d.pid", pid);
        tree_put(&stage->tree, name, "%d\n", pid);
        tree_path(&stage->tree, name, path);
        options->match.pid_file = strdup(path);
    }
}

/* The first process that cgroup.procs shows. */
static int first_listed(const struct stage *stage)
{
    const char *text = stage_text(stage_file(stage, "cgroup.procs"), 0);

    while (text != NULL && *text != '\0') {
        char *end;
        long pid = strtol(text, &end, 10);

        if (pid > 1) {
            return (int)pid;
        }
        text = *end != '\0' ? end + 1 : end;
    }
    return PID_DEFAULT;
}

/* The brokers: the processes that the case names, or one. */
static void add_brokers(struct stage *stage)
{
    for (size_t i = 0; i < count_files(stage); i++) {
        const char *name = name_at(stage, i);
        int pid = 0;

        if (starts_with(name, "stat_ino ")) {
            char *at = strchr(name, '{');

            while (at != NULL && *at != '}' && *at != '\0') {
                pid = (int)strtol(at + 1, &at, 10);
                if (pid > 1) {
                    add_broker(stage, pid);
                }
            }
            return;
        }
        if (sscanf(name, "proc/%d/stat", &pid) == 1 && pid > 1) {
            add_broker(stage, pid);
            return;
        }
    }
    add_broker(stage, first_listed(stage));
}

/* What every host has, unless the case says otherwise. */
static void put_defaults(struct stage *stage)
{
    static const char pressure[] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
                                   "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";

    if (stage_file(stage, "proc/net/dev") == NULL) {
        stage_put_network(stage, 1, 1);
    }
    if (!is_any_v1(stage) && !stage->has_mounts) {
        put(stage, "cgroup/cgroup.controllers", "cpu io memory\n");
    } else if (stage_has(stage, "cpu.max") || stage_has(stage, "io.stat") ||
               stage_has(stage, "memory.max")) {
        put(stage, "cgroup/unified/cgroup.controllers", "cpu io memory\n");
    }
    for (size_t i = 0; i < stage->config.brokers.n; i++) {
        stage_put_process(stage, stage->pids[i], START_DEFAULT);
        stage_put_network(stage, stage->pids[i], 1);
    }
    if (stage_file(stage, "pread_errno") != NULL && !is_any_v1(stage)) {
        static const char *const files[] = {"cpu.pressure", "memory.pressure", "io.pressure"};
        static const char *const host_files[] = {"proc/pressure/cpu", "proc/pressure/memory",
                                                 "proc/pressure/io"};
        char path[1024];

        for (size_t i = 0; i < N_ELEMENTS(files); i++) {
            (void)snprintf(path, sizeof(path), "cgroup%s/%s", stage->path, files[i]);
            put(stage, path, pressure);
            put(stage, host_files[i], pressure);
        }
        (void)snprintf(path, sizeof(path), "cgroup%s/cpu.stat", stage->path);
        put(stage, path, "usage_usec 1000\n");
    }
}

/* The folders of the cgroups that the case's mounts and places lead to, with pressure in each. */
static void put_resolved(struct stage *stage)
{
    static struct cgroups cgroups;
    const char *places = stage_text(stage_file(stage, "proc/PID/cgroup"), 0);
    uint64_t n_errors = 0;

    if (!stage->has_mounts || places == NULL) {
        return;
    }
    cgroups_discover(&cgroups, stage->proc_root, "", &n_errors);
    for (unsigned i = 0; i < CGROUPS_CONTROLLERS; i++) {
        char directory[CGROUPS_PATH_BYTES], path[CGROUPS_PATH_BYTES + 32];
        struct cgroups_place place;
        size_t n_levels;

        if (cgroups_parse_place(places, strlen(places), i, &place) < 0 ||
            cgroups_resolve(&cgroups, i, &place, directory, &n_levels) < 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/cpu.pressure",
                       directory + strlen(stage->tree.root) + 1);
        if (i == CGROUPS_UNIFIED) {
            put(stage, path, "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
        } else {
            put_folder(stage, directory + strlen(stage->tree.root) + 1);
        }
    }
}

void stage_take(struct stage *stage, double at_s, struct beat *beat)
{
    static struct broker_load load;

    sampler_take(stage->sampler, (time_us)(at_s * 1e6 + 0.5));
    sampler_host(stage->sampler, beat->host);
    sampler_broker(stage->sampler, 0, &load);
    memcpy(beat->broker, load.values, sizeof(beat->broker));
    beat->state = load.state;
    beat->incarnation = load.incarnation;
}

static void lay_out(struct stage *stage)
{
    char folder[640];

    tree_make(&stage->tree);
    tree_path(&stage->tree, "proc", stage->proc_root);
    tree_path(&stage->tree, "cgroup", stage->cgroup_root);
    put_folder(stage, "proc");
    stage->has_mounts = stage_file(stage, "proc/self/mountinfo") != NULL;
    stage->is_by_cgroup = stage_has(stage, "cgroup.procs");
    stage->config = (struct agent_config){.proc_root = stage->proc_root};
    stage->config.cgroup_root = stage->has_mounts ? NULL : stage->cgroup_root;
    stage->config.brokers.elements = stage->brokers;
    choose_path(stage);
    add_brokers(stage);
    put_defaults(stage);
    put_sample(stage, 0);
    if (!is_any_v1(stage) && !stage->has_mounts) {
        (void)snprintf(folder, sizeof(folder), "cgroup%s", stage->path);
        put_folder(stage, folder);
    }
    for (size_t i = 0; i < stage->config.brokers.n; i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "proc/%d/cgroup", stage->pids[i]);
        if (stage_file(stage, "proc/PID/cgroup") == NULL && stage_file(stage, path) == NULL) {
            put_places(stage, stage->pids[i]);
        }
    }
    put_resolved(stage);
}

void stage_play(struct stage *stage, yajl_val files, const double *times_s, size_t n_samples,
                const char *device)
{
    *stage = (struct stage){.files = files, .n_samples = n_samples, .device = device};
    memcpy(stage->times_s, times_s, n_samples * sizeof(times_s[0]));
    played = stage;
    space_text = NULL;
    has_wall_clock = false;
    lay_out(stage);
    if (sampler_new(&stage->config, &stage->sampler) < 0) {
        (void)snprintf(stage->why, sizeof(stage->why), "no sampler");
        return;
    }
    for (size_t i = 0; i < n_samples; i++) {
        if (i > 0) {
            put_sample(stage, i);
        }
        stage_take(stage, times_s[i], &stage->beats[i]);
    }
}

bool stage_holds(const struct stage *stage, const char *suffix)
{
    for (int fd = 3; fd < 256; fd++) {
        char path[4096], *deleted;

        if (!path_of(fd, path)) {
            continue;
        }
        deleted = strstr(path, " (deleted)");
        if (deleted != NULL) {
            *deleted = '\0';
        }
        if (ends_with(path, suffix)) {
            return true;
        }
    }
    (void)stage;
    return false;
}

void stage_end(struct stage *stage)
{
    sampler_free(stage->sampler);
    for (size_t i = 0; i < stage->config.brokers.n; i++) {
        free(stage->brokers[i].id);
        free(stage->brokers[i].data_directory);
        free(stage->brokers[i].match.pid_file);
        free(stage->brokers[i].match.cgroup);
    }
    tree_remove(&stage->tree, "");
    played = NULL;
}
