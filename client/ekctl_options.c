/* ekctl's command line. Pure but for getopt's own state. */
#include "client/ekctl.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_MS_MAX (60 * 60 * 1000.0)

static const struct option long_options[] = {
    {"server", required_argument, NULL, 's'},  {"output", required_argument, NULL, 'o'},
    {"timeout", required_argument, NULL, 't'}, {"broker", required_argument, NULL, 'b'},
    {"to", required_argument, NULL, 'T'},      {"dry-run", no_argument, NULL, 'n'},
    {"wait", no_argument, NULL, 'w'},          {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},       {0},
};

static const struct {
    enum ekctl_option option;
    const char *name;
} option_names[] = {
    {OPTION_BROKER, "--broker"},
    {OPTION_TO, "--to"},
    {OPTION_DRY_RUN, "--dry-run"},
    {OPTION_WAIT, "--wait"},
};

/* What is read so far. */
struct reading {
    struct ekctl_options options;
    unsigned given; /* set of enum ekctl_option */
    int n_arguments;
    char *why;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct reading *reading, const char *format,
                                                        ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reading->why, EK_TEXT_SIZE, format, arguments);
    va_end(arguments);
    return -1;
}

int ekctl_duration_read(const char *text, uint32_t *ret_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
    double ms = -1;
    char *end;
    double number;

    if (text[0] < '0' || text[0] > '9') {
        return -1;
    }
    number = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0) {
            ms = number * units[i].ms;
        }
    }
    if (!(ms >= 1 && ms <= DURATION_MS_MAX)) {
        return -1;
    }
    *ret_ms = (uint32_t)ms;
    return 0;
}

static int read_output(struct reading *reading, const char *text)
{
    if (strcmp(text, "table") == 0) {
        reading->options.output = OUTPUT_TABLE;
        return 0;
    }
    if (strcmp(text, "json") == 0) {
        reading->options.output = OUTPUT_JSON;
        return 0;
    }
    return refuse(reading, "--output: %s is neither table nor json", text);
}

static int read_argument(struct reading *reading, const char *text)
{
    const struct command *command = ekctl_commands;

    if (reading->options.command != NULL) {
        reading->options.argument = text;
        reading->n_arguments++;
        return 0;
    }
    while (command->name != NULL && strcmp(command->name, text) != 0) {
        command++;
    }
    if (command->name == NULL) {
        return refuse(reading, "there is no command %s", text);
    }
    reading->options.command = command;
    return 0;
}

/* An option that only some commands take. */
static int read_special(struct reading *reading, int letter)
{
    switch (letter) {
    case 'b':
        reading->given |= OPTION_BROKER;
        reading->options.broker = optarg;
        return 0;
    case 'T':
        reading->given |= OPTION_TO;
        reading->options.to = optarg;
        return 0;
    case 'n':
        reading->given |= OPTION_DRY_RUN;
        reading->options.dry_run = true;
        return 0;
    default:
        reading->given |= OPTION_WAIT;
        reading->options.wait = true;
        return 0;
    }
}

static int read_option(struct reading *reading, int letter, const char *text)
{
    switch (letter) {
    case 1: /* an argument, not an option */
        return read_argument(reading, optarg);
    case 's':
        reading->options.servers = optarg;
        return 0;
    case 'o':
        return read_output(reading, optarg);
    case 't':
        if (ekctl_duration_read(optarg, &reading->options.timeout_ms) < 0) {
            return refuse(reading, "--timeout: %s is not a time such as 500ms, 5s or 2m, up to 1 h",
                          optarg);
        }
        return 0;
    case 'h':
        reading->options.help = true;
        return 0;
    case 'V':
        reading->options.version = true;
        return 0;
    case '?':
        return refuse(reading, "%s is not an option", text);
    case ':':
        return refuse(reading, "%s needs a value", text);
    default:
        return read_special(reading, letter);
    }
}

/* Whether options and arguments go with the command. */
static int check_command(struct reading *reading)
{
    const struct command *command = reading->options.command;

    if (command == NULL) {
        return refuse(reading, "a command is missing");
    }
    for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++) {
        unsigned option = option_names[i].option;

        if ((reading->given & option & ~command->options) != 0) {
            return refuse(reading, "%s does not go with %s", option_names[i].name, command->name);
        }
        if ((~reading->given & option & command->required) != 0) {
            return refuse(reading, "%s needs %s", command->name, option_names[i].name);
        }
    }
    if (reading->n_arguments < command->n_arguments_min ||
        reading->n_arguments > command->n_arguments_max) {
        return refuse(reading, "usage: ekctl %s %s", command->name, command->arguments);
    }
    return 0;
}

int ekctl_options_read(int argc, char **argv, const char *servers,
                       struct ekctl_options *ret_options, char *ret_why)
{
    struct reading reading = {.options = {.servers = servers, .timeout_ms = EK_TIMEOUT_MS_DEFAULT},
                              .why = ret_why};

    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (;;) {
        const char *text = argv[optind > 0 ? optind : 1];
        int letter = getopt_long(argc, argv, "-:s:o:t:hV", long_options, NULL);

        if (letter < 0) {
            break;
        }
        if (read_option(&reading, letter, text) < 0) {
            return -1;
        }
    }
    for (; optind < argc; optind++) { /* what follows "--" */
        if (read_argument(&reading, argv[optind]) < 0) {
            return -1;
        }
    }
    if (!reading.options.help && !reading.options.version && check_command(&reading) < 0) {
        return -1;
    }
    *ret_options = reading.options;
    return 0;
}
