/* evenkeel-agent: the command line. Shell.
 *
 * Exit status: 0 stopped by a signal, or what was asked for is printed; 1 could not start; 64 wrong
 * usage; 75 the messaging library is wedged, to be started again; 78 the configuration is refused.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/agent_options.h"
#include "agent/footprint.h"
#include "agent/loop.h"
#include "common/config.h"
#include "common/link.h"
#include "common/log.h"

static const char usage[] =
    "evenkeel-agent: samples the brokers of this host, reports to aggregators, moves topics.\n"
    "\n"
    "  evenkeel-agent --config FILE\n"
    "\n"
    "  -c, --config FILE   the configuration (an example: deploy/agent.yaml)\n"
    "      --check-config  read and check it, and stop\n"
    "      --print-config  print it with all defaults, and stop\n"
    "      --print-options print the list of options in Markdown, and stop\n"
    "      --version       print the version, and stop\n"
    "  -h, --help          print this, and stop\n"
    "\n"
    "SIGTERM and SIGINT stop it.\n";

enum task {
    TASK_RUN,
    TASK_CHECK,
    TASK_PRINT,
};

enum long_option {
    LONG_CHECK = 256,
    LONG_PRINT,
    LONG_OPTIONS,
    LONG_VERSION,
};

/* The signals that the loop reads must be blocked before any thread is made; a peer that goes away
 * must not end the process. */
static void set_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* As many descriptors as may be: what is sampled is kept open. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run(const struct agent_config *config)
{
    struct loop *loop;
    int status;

    footprint_limit();
    set_signals();
    raise_descriptor_limit();
    log_start("agent", (enum log_level)config->log_level, (enum log_format)config->log_format);
    if (loop_new(config, &loop) < 0) {
        return EXIT_FAILURE;
    }
    status = loop_run(loop);
    if (status == EXIT_WEDGED) {
        _exit(EXIT_WEDGED);
    }
    loop_free(loop);
    return status;
}

static int do_task(enum task task, const char *path)
{
    struct agent_config config = {0};
    char error[CONFIG_ERROR_BYTES];
    int status = EXIT_SUCCESS;
    int r;

    r = agent_config_read(path, &config, error);
    if (r < 0) {
        (void)fprintf(stderr, "%s\n", error);
        return EX_CONFIG;
    }
    switch (task) {
    case TASK_RUN:
        status = run(&config);
        break;
    case TASK_CHECK:
        break;
    case TASK_PRINT:
        config_print(agent_rows, &config, stdout);
        break;
    }
    agent_config_done(&config);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, LONG_CHECK},
        {"print-config", no_argument, NULL, LONG_PRINT},
        {"print-options", no_argument, NULL, LONG_OPTIONS},
        {"version", no_argument, NULL, LONG_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    enum task task = TASK_RUN;
    const char *path = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case LONG_CHECK:
            task = TASK_CHECK;
            break;
        case LONG_PRINT:
            task = TASK_PRINT;
            break;
        case LONG_OPTIONS:
            config_document(agent_rows, stdout);
            return EXIT_SUCCESS;
        case LONG_VERSION:
            (void)printf("evenkeel-agent %s (nng %s)\n", EVENKEEL_VERSION, link_library_version());
            return EXIT_SUCCESS;
        case 'h':
            (void)fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            (void)fprintf(stderr, "evenkeel-agent --help tells the options\n");
            return EX_USAGE;
        }
    }
    if (path == NULL || optind < argc) {
        (void)fputs(usage, stderr);
        return EX_USAGE;
    }
    return do_task(task, path);
}
