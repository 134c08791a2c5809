/* What ekctl says: answers on stdout, failures on stderr. Shell. */
#include "client/ekctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/ekctl_table.h"

static const struct {
    int error;
    int code;
    const char *hint; /* NULL: the sentence says it all */
} failures[] = {
    {-EINVAL, EKCTL_USAGE, NULL},
    {-ENOENT, EKCTL_FAILED,
     "`ekctl reports` lists the brokers, `ekctl reports --broker ID` the topics of one, `ekctl "
     "moves` "
     "the moves"},
    {-EPERM, EKCTL_REFUSED, NULL},
    {-EHOSTUNREACH, EKCTL_UNREACHABLE,
     "is the aggregator running, and does it listen there for queries? Say where with --server or "
     "EKCTL_SERVER"},
    {-ETIMEDOUT, EKCTL_TRY_AGAIN, "try again, or give it longer with --timeout"},
    {-ECONNRESET, EKCTL_TRY_AGAIN,
     "the aggregator may have acted: look with `ekctl moves` or `ekctl lookup`, then try again"},
    {-EAGAIN, EKCTL_TRY_AGAIN,
     "try again in a few seconds; `ekctl status` shows how many brokers report"},
    {-EPROTO, EKCTL_FAILED, "is that the query socket of an evenkeel aggregator?"},
    {-EPROTONOSUPPORT, EKCTL_FAILED,
     "use the ekctl of the aggregator's version; `ekctl --version` shows this one's"},
};

int ekctl_fail(struct ekctl *ekctl, int error)
{
    char text[EK_TEXT_SIZE];

    (void)ek_error(ekctl->client, text, sizeof(text));
    make_printable(text);
    (void)fprintf(stderr, "ekctl: %s\n", text[0] != '\0' ? text : ek_strerror(error));
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (failures[i].error == error) {
            if (failures[i].hint != NULL) {
                (void)fprintf(stderr, "ekctl: hint: %s\n", failures[i].hint);
            }
            return failures[i].code;
        }
    }
    return EKCTL_FAILED;
}

int ekctl_print(char *text, int code)
{
    int r = text != NULL && fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : -1;

    if (r < 0) {
        (void)fprintf(stderr, "ekctl: cannot write the answer: %s\n",
                      text == NULL ? "out of memory" : strerror(errno));
    }
    free(text);
    return r < 0 ? EKCTL_FAILED : code;
}
