/* Addresses of links, as configurations write them. */
#include "common/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/refuse.h"

#define IPC "ipc:///"
#define TCP "tcp://"

/* Whether `n` bytes of text are an address of this host itself. */
static bool host_is_loopback(const char *host, size_t n)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;

    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    }
    if (n == strlen("localhost") && strncasecmp(host, "localhost", n) == 0) {
        return true;
    }
    if (n >= sizeof(text)) {
        return false;
    }
    memcpy(text, host, n);
    text[n] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1) {
        return (ntohl(v4.s_addr) >> 24) == 127;
    }
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Whether `port` is a decimal number 1 … 65535. */
static bool port_is_good(const char *port)
{
    size_t n = strlen(port);

    return n > 0 && n <= 5 && strspn(port, "0123456789") == n && strtol(port, NULL, 10) >= 1 &&
           strtol(port, NULL, 10) <= 65535;
}

int url_check(const char *url, bool insecure, char *ret_why)
{
    const char *host = url + strlen(TCP);
    const char *colon;

    if (strncmp(url, IPC, strlen(IPC)) == 0 && url[strlen(IPC)] != '\0') {
        return 0;
    }
    if (strncmp(url, TCP, strlen(TCP)) != 0) {
        return refuse(-EINVAL, ret_why, "\"%s\" is neither tcp://host:port nor ipc:///path", url);
    }
    colon = strrchr(host, ':');
    if (colon == NULL || colon == host || !port_is_good(colon + 1)) {
        return refuse(-EINVAL, ret_why, "\"%s\" has no host or no port (tcp://host:port)", url);
    }
    if (!insecure && !host_is_loopback(host, (size_t)(colon - host))) {
        return refuse(-EINVAL, ret_why,
                      "plain tcp beyond this host (%s) can be read and written by everybody on the "
                      "way; say `insecure: true` to allow it",
                      url);
    }
    return 0;
}
