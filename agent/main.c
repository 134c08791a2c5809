/* evenkeel-agent: the command line. Shell.
 *
 * Exit status: 0 stopped by a signal, or what was asked for is printed; 1 could not start, or the
 * doctor found what fails; 64 wrong usage; 75 the messaging library is wedged, to be started again;
 * 78 the configuration is refused.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/agent_options.h"
#include "agent/doctor.h"
#include "agent/footprint.h"
#include "agent/loop.h"
#include "agent/once.h"
#include "agent/show.h"
#include "common/config.h"
#include "common/link.h"
#include "common/log.h"
#include "common/process.h"

static const char usage[] =
    "evenkeel-agent: samples the brokers of this host, reports to aggregators, moves topics.\n"
    "\n"
    "  evenkeel-agent --config FILE\n"
    "  evenkeel-agent --once [--config FILE] [-o table|json] [--gap SECONDS]\n"
    "  evenkeel-agent doctor [--config FILE] [-o table|json]\n"
    "\n"
    "  -c, --config FILE   the configuration (an example: deploy/agent.yaml)\n"
    "      --once          print one sample, with the reason for what is absent, and stop\n"
    "      --gap SECONDS   with --once: between its two readings, 0.1 to 60; 1 if not given\n"
    "  -o, --output FORM   with --once and doctor: table or json\n"
    "  doctor              tell what can and cannot be seen here, and what would mend it\n"
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
    TASK_ONCE,
    TASK_DOCTOR,
};

enum long_option {
    LONG_CHECK = 256,
    LONG_PRINT,
    LONG_OPTIONS,
    LONG_VERSION,
    LONG_ONCE,
    LONG_GAP,
};

/* What the command line asks for. */
struct request {
    enum task task;
    const char *path; /* NULL: no configuration is given */
    enum show_format format;
    bool has_format;
    time_us gap_us; /* 0: as usual */
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

static int run(const struct agent_config *config)
{
    struct loop *loop;
    int status;

    footprint_limit();
    set_signals();
    process_raise_descriptors();
    log_start("agent", (enum log_level)config->log.level, (enum log_format)config->log.format);
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

/* People ask: their answer goes to stdout, and what is logged beside it is text. */
static void log_for_people(void)
{
    log_start("agent", LOG_ERROR, LOG_TEXT);
    process_raise_descriptors();
}

static int print_once(struct agent_config *config, const struct request *request)
{
    struct once *once;
    int r;

    log_for_people();
    r = once_take(config, request->gap_us > 0 ? request->gap_us : ONCE_GAP_US_DEFAULT, &once);
    if (r == 0) {
        r = show_report(&once->report, request->format, stdout);
        once_free(once);
    }
    if (r < 0) {
        (void)fprintf(stderr, "no sample could be taken: %s\n", strerror(-r));
    }
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int examine(const struct request *request)
{
    int r;

    log_for_people();
    r = doctor_run(request->path, request->format, stdout);
    if (r < 0) {
        (void)fprintf(stderr, "%s\n", strerror(-r));
    }
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int do_task(const struct request *request)
{
    struct agent_config config = {0};
    char error[CONFIG_ERROR_BYTES];
    int status = EXIT_SUCCESS;
    int r;

    r = request->path != NULL ? agent_config_read(request->path, &config, error)
                              : agent_config_default(&config, error);
    if (r < 0) {
        (void)fprintf(stderr, "%s\n", error);
        return EX_CONFIG;
    }
    if (request->task == TASK_RUN) {
        status = run(&config);
    } else if (request->task == TASK_PRINT) {
        config_print(agent_rows, &config, stdout);
    } else if (request->task == TASK_ONCE) {
        status = print_once(&config, request);
    }
    agent_config_done(&config);
    return status;
}

static int wrong(void)
{
    (void)fprintf(stderr, "evenkeel-agent --help tells the options\n");
    return EX_USAGE;
}

static int take_format(const char *word, struct request *request)
{
    if (strcmp(word, "json") != 0 && strcmp(word, "table") != 0) {
        return -EINVAL;
    }
    request->format = strcmp(word, "json") == 0 ? SHOW_JSON : SHOW_TABLE;
    request->has_format = true;
    return 0;
}

static int take_gap(const char *word, struct request *request)
{
    char *end;
    const double seconds = strtod(word, &end);

    if (end == word || *end != '\0' ||
        !(seconds * US_PER_S >= ONCE_GAP_US_MIN && seconds * US_PER_S <= ONCE_GAP_US_MAX)) {
        return -EINVAL;
    }
    request->gap_us = (time_us)(seconds * US_PER_S);
    return 0;
}

/* Take one option in that says what to do. Returns 0, or -EINVAL. */
static int take_option(int option, struct request *request)
{
    switch (option) {
    case 'c':
        request->path = optarg;
        return 0;
    case 'o':
        return take_format(optarg, request);
    case LONG_GAP:
        return take_gap(optarg, request);
    case LONG_CHECK:
        request->task = TASK_CHECK;
        return 0;
    case LONG_PRINT:
        request->task = TASK_PRINT;
        return 0;
    case LONG_ONCE:
        request->task = TASK_ONCE;
        return 0;
    default:
        return -EINVAL;
    }
}

/* Print what an option asks for that ends the program. */
static void tell(int option)
{
    if (option == LONG_OPTIONS) {
        config_document(agent_rows, stdout);
    } else if (option == LONG_VERSION) {
        (void)printf("evenkeel-agent %s (nng %s)\n", EVENKEEL_VERSION, link_library_version());
    } else {
        (void)fputs(usage, stdout);
    }
}

/* Whether what was asked for goes together. */
static bool is_sensible(const struct request *request)
{
    const bool is_shown = request->task == TASK_ONCE || request->task == TASK_DOCTOR;

    return (request->path != NULL || is_shown) && (is_shown || !request->has_format) &&
           (request->task == TASK_ONCE || request->gap_us == 0);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"output", required_argument, NULL, 'o'},
        {"once", no_argument, NULL, LONG_ONCE},
        {"gap", required_argument, NULL, LONG_GAP},
        {"check-config", no_argument, NULL, LONG_CHECK},
        {"print-config", no_argument, NULL, LONG_PRINT},
        {"print-options", no_argument, NULL, LONG_OPTIONS},
        {"version", no_argument, NULL, LONG_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct request request = {.task = TASK_RUN};
    int option;

    while ((option = getopt_long(argc, argv, "c:o:h", options, NULL)) != -1) {
        if (option == LONG_OPTIONS || option == LONG_VERSION || option == 'h') {
            tell(option);
            return EXIT_SUCCESS;
        }
        if (take_option(option, &request) < 0) {
            return wrong();
        }
    }
    if (optind < argc && request.task == TASK_RUN && strcmp(argv[optind], "doctor") == 0) {
        request.task = TASK_DOCTOR;
        optind++;
    }
    if (optind < argc || !is_sensible(&request)) {
        (void)fputs(usage, stderr);
        return EX_USAGE;
    }
    return request.task == TASK_DOCTOR ? examine(&request) : do_task(&request);
}
