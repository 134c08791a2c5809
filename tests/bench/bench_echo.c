/* The floor: a bare nng REQ/REP echo between two processes, with nothing of ours in it.
 *
 *   bench_echo                                  64 B and 1 KB over tcp loopback, two processes
 *   bench_echo --serve URL                      echo until ended by a signal
 *   bench_echo --ask URL --size N --count N     ask an echo that runs already
 *
 * Prints one line a size: bytes, requests a second, and the median and 99th percentile of the round
 * trip in microseconds. This program is the one besides link.c that knows nng. */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "common/clock.h"

#define COUNT_DEFAULT 20000
#define WARM_UP       200
#define PATIENCE_MS   5000

static void check(int code, const char *what)
{
    if (code != 0) {
        (void)fprintf(stderr, "bench_echo: %s: %s\n", what, nng_strerror(code));
        exit(1);
    }
}

static void serve(const char *url)
{
    nng_socket socket;
    nng_msg *message;

    check(nng_rep0_open(&socket), "open");
    check(nng_listen(socket, url, NULL, 0), url);
    for (;;) {
        check(nng_recvmsg(socket, &message, 0), "receive");
        check(nng_sendmsg(socket, message, 0), "send");
    }
}

static time_us round_trip(nng_socket socket, size_t size)
{
    time_us before_us = clock_now_us();
    nng_msg *message;

    check(nng_msg_alloc(&message, size), "allocate");
    memset(nng_msg_body(message), 'x', size);
    check(nng_sendmsg(socket, message, 0), "send");
    check(nng_recvmsg(socket, &message, 0), "receive");
    if (nng_msg_len(message) != size) {
        check(NNG_EPROTO, "echo");
    }
    nng_msg_free(message);
    return clock_now_us() - before_us;
}

static int compare_times(const void *a, const void *b)
{
    const time_us *x = a;
    const time_us *y = b;

    return CMP(*x, *y);
}

static void ask(const char *url, size_t size, size_t count)
{
    time_us *times_us;
    time_us begun_us;
    time_us took_us;
    nng_socket socket;
    size_t i;

    times_us = calloc(count, sizeof(*times_us));
    if (times_us == NULL) {
        check(NNG_ENOMEM, "allocate");
        return;
    }
    check(nng_req0_open(&socket), "open");
    check(nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, PATIENCE_MS), "set");
    check(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, PATIENCE_MS), "set");
    check(nng_dial(socket, url, NULL, NNG_FLAG_NONBLOCK), url);
    for (i = 0; i < WARM_UP; i++) {
        (void)round_trip(socket, size);
    }
    begun_us = clock_now_us();
    for (i = 0; i < count; i++) {
        times_us[i] = round_trip(socket, size);
    }
    took_us = clock_now_us() - begun_us;
    qsort(times_us, count, sizeof(*times_us), compare_times);
    (void)printf("bare nng echo: %zu bytes, %.0f req/s, p50 %lld us, p99 %lld us\n", size,
                 (double)count * 1e6 / (double)took_us, (long long)times_us[count / 2],
                 (long long)times_us[count * 99 / 100]);
    free(times_us);
    (void)nng_close(socket);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);
    int fd;

    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &n) != 0) {
        perror("bench_echo: no free port");
        exit(1);
    }
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* Serve in a process of its own, which is this program again: nng is not to be forked. */
static void run_both(void)
{
    char url[64];
    pid_t child;

    (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", free_port());
    child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)execl("/proc/self/exe", "bench_echo", "--serve", url, (char *)NULL);
        _exit(127);
    }
    ask(url, 64, COUNT_DEFAULT);
    ask(url, 1024, COUNT_DEFAULT);
    if (child > 0) {
        (void)kill(child, SIGTERM);
        (void)waitpid(child, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"serve", required_argument, NULL, 's'},
        {"ask", required_argument, NULL, 'a'},
        {"size", required_argument, NULL, 'n'},
        {"count", required_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    const char *ask_url = NULL;
    size_t count = COUNT_DEFAULT;
    size_t size = 64;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 's':
            serve(optarg);
            break;
        case 'a':
            ask_url = optarg;
            break;
        case 'n':
            size = strtoul(optarg, NULL, 10);
            break;
        case 'c':
            count = strtoul(optarg, NULL, 10);
            break;
        default:
            (void)fprintf(stderr, "usage: bench_echo [--serve URL | --ask URL] [--size N] "
                                  "[--count N]\n");
            return 2;
        }
    }
    if (ask_url != NULL && count > 0) {
        ask(ask_url, size, count);
    } else {
        run_both();
    }
    return 0;
}
