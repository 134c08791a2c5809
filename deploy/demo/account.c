/* Logging in to a NATS account whose user and password stand in a file. */
#include "deploy/demo/account.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

#define WORD_BYTES_MAX 255

struct login {
    char account[WORD_BYTES_MAX + 1];
    char user[WORD_BYTES_MAX + 1];
    char password[WORD_BYTES_MAX + 1];
};

static int read_login(const char *path, const char *account, struct login *ret_login)
{
    cleanup_fclose FILE *file = fopen(path, "re");
    char line[1024];

    if (file == NULL) {
        return -errno;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        struct login login;

        if (line[0] != '#' &&
            sscanf(line, "%255s %255s %255s", login.account, login.user, login.password) == 3 &&
            strcmp(login.account, account) == 0) {
            *ret_login = login;
            return 0;
        }
    }
    return -ENOENT;
}

static natsStatus set_options(natsOptions *options, const struct login *login, const char *url,
                              int64_t timeout_ms)
{
    natsStatus s = natsOptions_SetURL(options, url);

    s = s == NATS_OK ? natsOptions_SetUserInfo(options, login->user, login->password) : s;
    s = s == NATS_OK ? natsOptions_SetTimeout(options, timeout_ms) : s;
    s = s == NATS_OK ? natsOptions_SetMaxReconnect(options, -1) : s;
    s = s == NATS_OK ? natsOptions_SetReconnectWait(options, 500) : s;
    return s;
}

int account_connect(const char *path, const char *account, const char *url, int64_t timeout_ms,
                    natsConnection **ret_connection)
{
    struct login login;
    natsOptions *options = NULL;
    natsStatus s;
    int r;

    r = read_login(path, account, &login);
    if (r < 0) {
        return r;
    }
    if (natsOptions_Create(&options) != NATS_OK) {
        return -ENOMEM;
    }
    s = set_options(options, &login, url, timeout_ms);
    s = s == NATS_OK ? natsConnection_Connect(ret_connection, options) : s;
    natsOptions_Destroy(options);
    return s == NATS_OK ? 0 : -ECONNREFUSED;
}
