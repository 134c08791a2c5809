/* The floor under any agent: open the files named, and read each of them every second, parsing
 * nothing. `agent_floor FILE…`; runs until it is ended by a signal. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FILES_MAX 4096

static char bytes[64 << 10];

static int open_beat(void)
{
    const struct itimerspec every_second = {.it_interval = {.tv_sec = 1},
                                            .it_value = {.tv_sec = 1}};
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);

    if (fd < 0 || timerfd_settime(fd, 0, &every_second, NULL) < 0) {
        perror("timerfd");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static int fds[FILES_MAX];
    const int n = argc - 1 < FILES_MAX ? argc - 1 : FILES_MAX;
    const int beat = open_beat();
    uint64_t n_beats;

    for (int i = 0; i < n; i++) {
        fds[i] = open_file(argv[i + 1]);
    }
    while (read(beat, &n_beats, sizeof(n_beats)) == (ssize_t)sizeof(n_beats)) {
        for (int i = 0; i < n; i++) {
            if (pread(fds[i], bytes, sizeof(bytes), 0) < 0) {
                return EXIT_FAILURE;
            }
        }
    }
    return EXIT_FAILURE;
}
