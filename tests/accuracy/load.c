/* Known load: processes that use what they are told to, and say what they used. Shell. */
#include "tests/accuracy/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define TICK_US      MILLISECONDS(20)
#define BURN_TICK_US MILLISECONDS(50)
#define PORT         7799
#define BLOCK_BYTES  65536

/* Ethernet, IP and UDP headers are part of what an interface counts. */
#define DATAGRAM_BYTES 32768
#define HEADER_BYTES   (14 + 20 + 8)

/* What a load has open. */
struct state {
    int fd;
    uint8_t *block; /* BLOCK_BYTES, aligned for direct writes; also what is sent */
    struct sockaddr_in remote;
};

static int64_t read_clock_us(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0) {
        return -errno;
    }
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static int64_t cpu_now_us(void)
{
    return read_clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

/* Sleep until the next tick; one that is late starts a new count. */
static void next_tick(time_us *tick_us, time_us length_us)
{
    time_us rest_us = *tick_us + length_us - clock_now_us();

    if (rest_us <= 0) {
        *tick_us = clock_now_us();
        return;
    }
    *tick_us += length_us;
    (void)nanosleep(&(struct timespec){.tv_nsec = rest_us * 1000}, NULL);
}

/* What the ticks themselves cost is part of it. */
static int burn(const struct load *load)
{
    time_us start_us = clock_now_us(), tick_us = start_us;
    int64_t cpu_us = cpu_now_us(), owed_us;

    while (tick_us - start_us < load->lasts_us) {
        owed_us = (int64_t)(load->cores * (double)(tick_us - start_us + BURN_TICK_US));
        while (cpu_now_us() - cpu_us < owed_us && clock_now_us() - start_us < load->lasts_us) {
        }
        next_tick(&tick_us, BURN_TICK_US);
    }
    return 0;
}

/* The tables that map memory are charged to who has it, too. */
static int64_t page_table_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    int64_t kib = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmPTE:", 6) == 0) {
            kib = strtoll(line + 6, NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib * 1024;
}

static int take_memory(const struct load *load, struct load_result *result)
{
    volatile uint8_t *bytes = mmap(NULL, (size_t)load->bytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int64_t tables = page_table_bytes();

    if (bytes == MAP_FAILED) {
        return -errno;
    }
    for (int64_t i = 0; i < load->bytes; i += 4096) {
        bytes[i] = 1;
    }
    result->bytes = load->bytes + page_table_bytes() - tables;
    return 0;
}

static int read_twice(const struct load *load, struct state *state, struct load_result *result)
{
    state->fd = open(load->path, O_RDONLY | O_CLOEXEC);
    if (state->fd < 0) {
        return -errno;
    }
    for (int round = 0; round < 2; round++) {
        for (int64_t at = 0; at < load->bytes; at += BLOCK_BYTES) {
            if (pread(state->fd, state->block, BLOCK_BYTES, at) != BLOCK_BYTES) {
                return errno != 0 ? -errno : -ENODATA;
            }
        }
    }
    result->bytes = load->bytes;
    return 0;
}

static int send_owed(const struct load *load, struct state *state, time_us since_us,
                     struct load_result *result)
{
    int64_t owed = since_us * load->bytes_per_s / US_PER_S;
    ssize_t n;

    while (result->bytes < owed) {
        n = sendto(state->fd, state->block, DATAGRAM_BYTES, 0,
                   (const struct sockaddr *)&state->remote, sizeof(state->remote));
        if (n != DATAGRAM_BYTES) {
            return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
        }
        result->bytes += DATAGRAM_BYTES + HEADER_BYTES;
    }
    return 0;
}

static void receive_all(struct state *state, struct load_result *result)
{
    uint8_t byte;
    ssize_t n;

    while ((n = recv(state->fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC)) > 0) {
        result->bytes_taken += n + HEADER_BYTES;
    }
}

/* For a tick more than it sends, it listens: so that what comes last is counted, too. */
static int exchange(const struct load *load, struct state *state, struct load_result *result)
{
    time_us tick_us = clock_now_us(), start_us = tick_us, now_us;
    int r = 0;

    for (now_us = start_us; r == 0 && now_us - start_us < load->lasts_us; now_us = clock_now_us()) {
        r = send_owed(load, state, now_us - start_us, result);
        receive_all(state, result);
        next_tick(&tick_us, TICK_US);
    }
    for (int i = 0; i < 20; i++) {
        receive_all(state, result);
        next_tick(&tick_us, TICK_US);
    }
    return r;
}

static int write_steadily(const struct load *load, struct state *state, struct load_result *result)
{
    time_us tick_us = clock_now_us(), start_us = tick_us;

    while (clock_now_us() - start_us < load->lasts_us) {
        int64_t owed = (clock_now_us() - start_us) * load->bytes_per_s / US_PER_S;

        while (result->bytes < owed) {
            if (pwrite(state->fd, state->block, BLOCK_BYTES, result->bytes % load->bytes) !=
                BLOCK_BYTES) {
                return -errno;
            }
            result->bytes += BLOCK_BYTES;
        }
        next_tick(&tick_us, TICK_US);
    }
    return 0;
}

static int open_socket(const struct load *load, struct state *state)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int bytes = 32 << 20;

    state->remote = local;
    if (load->path[0] != '\0' && system(load->path) != 0) { /* NOLINT: a shell's command it is */
        return -ENODEV;
    }
    if (inet_pton(AF_INET, load->local, &local.sin_addr) != 1 ||
        inet_pton(AF_INET, load->remote, &state->remote.sin_addr) != 1) {
        return -EINVAL;
    }
    state->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (state->fd < 0 ||
        setsockopt(state->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
        setsockopt(state->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
        bind(state->fd, (const struct sockaddr *)&local, sizeof(local)) < 0) {
        return -errno;
    }
    return 0;
}

/* A first block goes out now: v1's counters have no line for a device before that. */
static int open_device(const struct load *load, struct state *state)
{
    state->fd = open(load->path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    return state->fd < 0 || pwrite(state->fd, state->block, BLOCK_BYTES, 0) < 0 ? -errno : 0;
}

static int prepare(const struct load *load, struct state *state)
{
    state->block = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (state->block == MAP_FAILED) {
        return -errno;
    }
    switch (load->kind) {
    case LOAD_NET:
        return open_socket(load, state);
    case LOAD_WRITE:
        return open_device(load, state);
    default:
        return 0;
    }
}

static int work(const struct load *load, struct state *state, struct load_result *result)
{
    switch (load->kind) {
    case LOAD_BURN:
        return burn(load);
    case LOAD_MEMORY:
        return take_memory(load, result);
    case LOAD_CACHE:
        return read_twice(load, state, result);
    case LOAD_NET:
        return exchange(load, state, result);
    case LOAD_WRITE:
        return write_steadily(load, state, result);
    }
    return -EINVAL;
}

static void await_word(int fd)
{
    char word;

    if (read(fd, &word, 1) != 1) {
        _exit(0);
    }
}

static void say(int fd, const struct load_result *result)
{
    if (write(fd, result, sizeof(*result)) != (ssize_t)sizeof(*result)) {
        _exit(1);
    }
}

static _Noreturn void run(const struct load *load, int in_fd, int out_fd)
{
    struct load_result result = {0};
    struct state state = {.fd = -1};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (load->kind == LOAD_NET && load->path[0] != '\0' && unshare(CLONE_NEWNET) < 0) {
        result.error = -errno;
    }
    say(out_fd, &result);
    await_word(in_fd);
    result.error = prepare(load, &state);
    say(out_fd, &result);
    await_word(in_fd);
    result.error = work(load, &state, &result);
    say(out_fd, &result);
    await_word(in_fd);
    _exit(0);
}

int load_start(struct load *load)
{
    int to[2], from[2];
    struct load_result result;

    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
        return -errno;
    }
    load->pid = fork();
    if (load->pid == 0) {
        (void)close(to[1]);
        (void)close(from[0]);
        run(load, to[0], from[1]);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    load->to_fd = to[1];
    load->from_fd = from[0];
    return load->pid < 0 ? -EAGAIN : load_wait(load, SECONDS(10), &result);
}

int load_go(struct load *load)
{
    return write(load->to_fd, "g", 1) == 1 ? 0 : -errno;
}

int load_prepare(struct load *load)
{
    struct load_result result;
    int r = load_go(load);

    return r < 0 ? r : load_wait(load, SECONDS(20), &result);
}

int load_wait(struct load *load, time_us within_us, struct load_result *ret_result)
{
    struct pollfd poll_fd = {.fd = load->from_fd, .events = POLLIN};

    if (poll(&poll_fd, 1, (int)(within_us / US_PER_MS)) <= 0) {
        return -ETIMEDOUT;
    }
    if (read(load->from_fd, ret_result, sizeof(*ret_result)) != (ssize_t)sizeof(*ret_result)) {
        return -EPIPE;
    }
    return ret_result->error;
}

int64_t load_cpu_us(const struct load *load)
{
    clockid_t clock;
    int r = clock_getcpuclockid(load->pid, &clock);

    return r != 0 ? -r : read_clock_us(clock);
}

int load_cached(const char *path, int64_t bytes, int64_t *ret_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (size_t)bytes / page;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *view = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, fd, 0);
    unsigned char *in_core = calloc(n, 1);
    int r = 0;

    if (view == MAP_FAILED || in_core == NULL || mincore(view, (size_t)bytes, in_core) < 0) {
        r = -EIO;
    }
    *ret_bytes = 0;
    for (size_t i = 0; r == 0 && in_core != NULL && i < n; i++) {
        *ret_bytes += (in_core[i] & 1) != 0 ? (int64_t)page : 0;
    }
    free(in_core);
    (void)munmap(view, (size_t)bytes);
    (void)close(fd);
    return r;
}

void load_end(struct load *load)
{
    if (load->pid > 0) {
        (void)kill(load->pid, SIGKILL);
        (void)waitpid(load->pid, NULL, 0);
        (void)close(load->to_fd);
        (void)close(load->from_fd);
        load->pid = 0;
    }
}
