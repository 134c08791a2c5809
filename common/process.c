/* What this process itself costs, from /proc/self. */
#include "common/process.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cleanup.h"

/* CPU time and start of this process; the start in seconds after the kernel's. The command's name
 * may hold anything, so that fields are counted from the last parenthesis. */
static void read_stat(double *ret_cpu_s, double *ret_start_s)
{
    cleanup_fclose FILE *file = fopen("/proc/self/stat", "re");
    unsigned long long user, system, start;
    double hz = (double)sysconf(_SC_CLK_TCK);
    char line[1024];
    const char *fields;

    if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
        return;
    }
    fields = strrchr(line, ')');
    if (fields != NULL && sscanf(fields,
                                 ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu"
                                 " %*d %*d %*d %*d %*d %*d %llu",
                                 &user, &system, &start) == 3) {
        *ret_cpu_s = (double)(user + system) / hz;
        *ret_start_s = (double)start / hz;
    }
}

static double read_boot_unix_s(void)
{
    cleanup_fclose FILE *file = fopen("/proc/stat", "re");
    cleanup_free char *line = NULL;
    size_t size = 0;
    double boot_unix_s;

    /* The line of interrupts before it is as long as the machine is large. */
    while (file != NULL && getline(&line, &size, file) > 0) {
        if (sscanf(line, "btime %lf", &boot_unix_s) == 1) {
            return boot_unix_s;
        }
    }
    return NAN;
}

static double read_resident_bytes(void)
{
    cleanup_fclose FILE *file = fopen("/proc/self/statm", "re");
    double pages;

    if (file == NULL || fscanf(file, "%*u %lf", &pages) != 1) {
        return NAN;
    }
    return pages * (double)sysconf(_SC_PAGESIZE);
}

static double count_fds(void)
{
    cleanup_closedir DIR *folder = opendir("/proc/self/fd");
    double n = 0;

    if (folder == NULL) {
        return NAN;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        n += entry->d_name[0] != '.';
    }
    return n - 1; /* without the folder's own */
}

void process_usage(struct process_usage *ret_usage)
{
    double cpu_s = NAN, start_s = NAN;

    read_stat(&cpu_s, &start_s);
    *ret_usage = (struct process_usage){
        .cpu_s = cpu_s,
        .resident_bytes = read_resident_bytes(),
        .open_fds = count_fds(),
        .start_unix_s = read_boot_unix_s() + start_s,
    };
}

void process_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}
