/* Addresses of links. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/limits.h"
#include "common/units.h"
#include "common/url.h"

static void expect(const char *url, bool insecure, const char *part_of_why)
{
    char why[TEXT_BYTES_MAX + 1] = "";
    int r = url_check(url, insecure, why);

    assert_int_equal(r, part_of_why == NULL ? 0 : -EINVAL);
    if (part_of_why != NULL && strstr(why, part_of_why) == NULL) {
        fail_msg("%s: \"%s\" does not say \"%s\"", url, why, part_of_why);
    }
}

/* What stays on this host needs no permission. */
static void this_host(void **state)
{
    (void)state;
    expect("tcp://127.0.0.1:7701", false, NULL);
    expect("tcp://127.1.2.3:1", false, NULL);
    expect("tcp://[::1]:65535", false, NULL);
    expect("tcp://LocalHost:7701", false, NULL);
    expect("ipc:///run/evenkeel/agent.sock", false, NULL);
}

/* Plain tcp to others is refused unless the operator insists. */
static void other_hosts(void **state)
{
    static const char *const urls[] = {"tcp://192.0.2.1:7701", "tcp://0.0.0.0:7701",
                                       "tcp://[::]:7701",      "tcp://broker-7:7701",
                                       "tcp://128.0.0.1:7701", "tcp://127.0.0.1.example:7701"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(urls); i++) {
        expect(urls[i], false, "insecure");
        expect(urls[i], true, NULL);
    }
}

/* What is no address is told so, whatever is allowed. */
static void no_address(void **state)
{
    static const char *const urls[] = {"tcp://127.0.0.1",       "tcp://:7701",
                                       "tcp://127.0.0.1:",      "tcp://127.0.0.1:0",
                                       "tcp://127.0.0.1:65536", "tcp://127.0.0.1:7x"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(urls); i++) {
        expect(urls[i], true, "no host or no port");
    }
    expect("ws://127.0.0.1:7701", true, "neither");
    expect("ipc:///", true, "neither");
    expect("", true, "neither");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_host),
        cmocka_unit_test(other_hosts),
        cmocka_unit_test(no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
