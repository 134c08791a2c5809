/* What a sample costs: CPU time of sampler_take() beside the floor, the same number of files held
 * open and read without parsing, in the same run. Prints medians in microseconds.
 *
 * `bench_sampler [PID …]`: the processes to watch, up to three; default: itself, three times. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/sampler.h"

#define ROUNDS      400
#define FLOOR_FILES 4096

static double cpu_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return CMP(*x, *y);
}

static double median(double *samples, size_t n)
{
    qsort(samples, n, sizeof(samples[0]), compare);
    return samples[n / 2];
}

/* Every file that the sampler holds open is one of this process: read each as it does. */
static size_t find_files(int *fds, size_t n_max)
{
    size_t n = 0;

    for (int fd = 3; fd < FLOOR_FILES && n < n_max; fd++) {
        char byte;

        if (pread(fd, &byte, 1, 0) == 1) {
            fds[n++] = fd;
        }
    }
    return n;
}

static void read_files(const int *fds, size_t n)
{
    static char bytes[64 << 10];

    for (size_t i = 0; i < n; i++) {
        if (pread(fds[i], bytes, sizeof(bytes), 0) < 0) {
            abort();
        }
    }
}

static void measure(const struct agent_config *config)
{
    static double samples[ROUNDS], floors[ROUNDS];
    static int fds[FLOOR_FILES];
    struct sampler *sampler;
    time_us now_us = SECONDS(100);
    size_t n_files;
    double sample_us, floor_us;

    if (sampler_new(config, &sampler) < 0) {
        abort();
    }
    sampler_take(sampler, now_us);
    n_files = find_files(fds, FLOOR_FILES);
    for (size_t i = 0; i < ROUNDS; i++) {
        double start_us;

        (void)usleep(2000); /* before both: a beat finds the caches cold */
        start_us = cpu_us();
        now_us += MILLISECONDS(20); /* a beat in which nothing is looked for again */
        sampler_take(sampler, now_us);
        samples[i] = cpu_us() - start_us;
        (void)usleep(2000);
        start_us = cpu_us();
        read_files(fds, n_files);
        floors[i] = cpu_us() - start_us;
    }
    sample_us = median(samples, ROUNDS);
    floor_us = median(floors, ROUNDS);
    (void)printf("brokers %zu: files %zu, sample %.1f us, floor %.1f us, ratio %.2f\n",
                 config->brokers.n, n_files, sample_us, floor_us, sample_us / floor_us);
    sampler_free(sampler);
}

int main(int argc, char **argv)
{
    struct broker_options brokers[3] = {0};
    char paths[3][64];
    struct agent_config config = {.proc_root = (char[]){"/proc"}, .cgroup_root = (char[]){""}};

    for (int i = 0; i < 3; i++) {
        const char *pid = i + 1 < argc ? argv[i + 1] : NULL;
        FILE *file;

        (void)snprintf(paths[i], sizeof(paths[i]), "/tmp/bench_sampler-%d-%d.pid", (int)getpid(),
                       i);
        file = fopen(paths[i], "we");
        if (file == NULL) {
            return EXIT_FAILURE;
        }
        (void)fprintf(file, "%d\n", pid != NULL ? atoi(pid) : (int)getpid());
        (void)fclose(file);
        brokers[i].id = (char[]){"bench"};
        brokers[i].match.pid_file = paths[i];
        brokers[i].data_directory = (char[]){"/tmp"};
    }
    config.brokers.elements = brokers;
    for (config.brokers.n = 0; config.brokers.n <= 3; config.brokers.n++) {
        measure(&config);
    }
    for (int i = 0; i < 3; i++) {
        (void)unlink(paths[i]);
    }
    return EXIT_SUCCESS;
}
