/* ekctl: the operator's command line. Shell. */
#include "client/ekctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int run(struct ekctl *ekctl)
{
    const struct ek_options options = {.client_id = "ekctl",
                                       .timeout_ms = ekctl->options.timeout_ms};
    int code;
    int r = ek_connect(ekctl->options.servers, &options, &ekctl->client);

    if (r < 0) {
        (void)fprintf(stderr, "ekctl: --server %s: %s\n", ekctl->options.servers,
                      r == -EINVAL ? "not an address such as " EKCTL_SERVER_DEFAULT
                                   : ek_strerror(r));
        return r == -EINVAL ? EKCTL_USAGE : EKCTL_FAILED;
    }
    code = ekctl->options.command->run(ekctl);
    ek_disconnect(ekctl->client);
    return code;
}

int main(int argc, char **argv)
{
    const char *servers = getenv("EKCTL_SERVER");
    struct ekctl ekctl = {0};
    char why[EK_TEXT_SIZE];

    if (servers == NULL || servers[0] == '\0') {
        servers = EKCTL_SERVER_DEFAULT;
    }
    if (ekctl_options_read(argc, argv, servers, &ekctl.options, why) < 0) {
        (void)fprintf(stderr, "ekctl: %s\nekctl: hint: ekctl --help\n", why);
        return EKCTL_USAGE;
    }
    if (ekctl.options.version) {
        (void)printf("ekctl %s\n", ek_version());
        return ekctl_print(strdup(""), EKCTL_OK);
    }
    if (ekctl.options.help && ekctl.options.command == NULL) {
        ekctl_help();
        return ekctl_print(strdup(""), EKCTL_OK);
    }
    if (ekctl.options.help) {
        ekctl_command_help(ekctl.options.command);
        return ekctl_print(strdup(""), EKCTL_OK);
    }
    return run(&ekctl);
}
