/* evenkeel-aggregator: hears load reports, ranks brokers, says where topics belong, moves them. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>

#include "aggregator/aggregator_options.h"
#include "aggregator/serve.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/process.h"

enum mode { MODE_SERVE, MODE_CHECK, MODE_PRINT };

struct arguments {
    const char *path;
    enum mode mode;
};

static void print_help(FILE *to)
{
    (void)fputs(
        "usage: evenkeel-aggregator --config FILE [--check-config | --print-config]\n"
        "\n"
        "Hears load reports of agents, ranks brokers, says where topics belong, moves them.\n"
        "\n"
        "  --config FILE     the configuration (YAML); {} is a whole one\n"
        "  --check-config    check it and exit\n"
        "  --print-config    print what is in effect, defaults included, and exit\n"
        "  --print-options   print all options as a Markdown table, and exit\n"
        "  --version         print the version, and exit\n"
        "  --help            print this, and exit\n"
        "\n"
        "Exit codes: 0 ended in order, 1 could not start, 64 wrong usage, 75 to be started again,\n"
        "78 wrong configuration.\n",
        to);
}

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, 'k'},
    {"print-config", no_argument, NULL, 'p'},
    {"print-options", no_argument, NULL, 'o'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Returns -1 to go on, or the exit code. */
static int parse_arguments(int argc, char **argv, struct arguments *ret_arguments)
{
    int letter;

    while ((letter = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (letter) {
        case 'c':
            ret_arguments->path = optarg;
            break;
        case 'k':
            ret_arguments->mode = MODE_CHECK;
            break;
        case 'p':
            ret_arguments->mode = MODE_PRINT;
            break;
        case 'o':
            config_document(aggregator_rows, stdout);
            return EXIT_SUCCESS;
        case 'v':
            (void)puts("evenkeel-aggregator " EVENKEEL_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            print_help(stdout);
            return EXIT_SUCCESS;
        default:
            return EX_USAGE;
        }
    }
    if (ret_arguments->path == NULL || optind < argc) {
        print_help(stderr);
        return EX_USAGE;
    }
    return -1;
}

/* Block the signals that end us, before any thread begins, and make a descriptor of them. */
static int open_signals(void)
{
    sigset_t signals;
    int fd;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

static int run(const struct aggregator_config *config)
{
    cleanup_close int signal_fd = open_signals();
    struct serve *serve = NULL;
    int code;

    log_start("aggregator", (enum log_level)config->log.level, (enum log_format)config->log.format);
    if (signal_fd < 0) {
        log_event(LOG_ERROR, "signals_failed", log_text("error", strerror(-signal_fd)));
        return EXIT_FAILURE;
    }
    process_raise_descriptors();
    if (serve_open(config, &serve) < 0) {
        return EXIT_FAILURE;
    }
    code = serve_run(serve, signal_fd);
    serve_close(serve);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.mode = MODE_SERVE};
    struct aggregator_config config;
    char error[1024];
    int code;

    code = parse_arguments(argc, argv, &arguments);
    if (code >= 0) {
        return code;
    }
    if (aggregator_config_read(arguments.path, &config, error) < 0) {
        (void)fprintf(stderr, "%s\n", error);
        return EX_CONFIG;
    }
    if (arguments.mode == MODE_PRINT) {
        config_print(aggregator_rows, &config, stdout);
    }
    code = arguments.mode == MODE_SERVE ? run(&config) : EXIT_SUCCESS;
    aggregator_config_done(&config);
    return code;
}
