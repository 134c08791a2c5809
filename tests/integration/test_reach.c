/* Whether somebody listens, over real sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/reach.h"

#define TIMEOUT_MS 5000

/* A TCP socket on a free port of loopback; it listens when told so. */
static int bind_port(char url[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    (void)snprintf(url, 64, "tcp://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    return fd;
}

static bool is_known(const char *host)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool known = getaddrinfo(host, NULL, &hints, &found) == 0;

    if (known) {
        freeaddrinfo(found);
    }
    return known;
}

/* A port is reached when somebody listens on it, by address and by name. */
static void test_port(void **state)
{
    char url[64], named[64];
    int fd = bind_port(url);

    (void)state;
    assert_int_equal(reach(url, TIMEOUT_MS), -ECONNREFUSED);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(reach(url, TIMEOUT_MS), 0);
    (void)snprintf(named, sizeof(named), "tcp://localhost%s", strrchr(url, ':'));
    if (is_known("localhost")) { /* a chroot need not have /etc/hosts */
        assert_int_equal(reach(named, TIMEOUT_MS), 0);
    }
    (void)close(fd);
}

/* A host that is not known is told apart. */
static void test_unknown_host(void **state)
{
    (void)state;
    assert_int_equal(reach("tcp://no such host:1", TIMEOUT_MS), -EHOSTUNREACH);
}

/* A path is reached while its listener lives. */
static void test_path(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char url[64];

    (void)state;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/evenkeel-reach-%d",
                   (int)getpid());
    (void)snprintf(url, sizeof(url), "ipc://%.50s", address.sun_path);
    assert_int_equal(reach(url, TIMEOUT_MS), -ENOENT);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(reach(url, TIMEOUT_MS), 0);
    (void)close(fd);
    assert_int_equal(reach(url, TIMEOUT_MS), -ECONNREFUSED);
    (void)unlink(address.sun_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_unknown_host),
        cmocka_unit_test(test_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
