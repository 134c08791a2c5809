/* ekctl's parts: options, commands, exit codes. Lives on evenkeel.h alone. */
#ifndef CLIENT_EKCTL_H
#define CLIENT_EKCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <evenkeel/evenkeel.h>

/* How ekctl ends; a subset of sysexits.h where that has a number for it. */
enum ekctl_exit {
    EKCTL_OK = 0,
    EKCTL_FAILED = 1,       /* asked and not done: not found, move failed, answer not believed */
    EKCTL_NOTHING = 2,      /* `move --dry-run`: nothing would be moved */
    EKCTL_REFUSED = 3,      /* against a rule */
    EKCTL_USAGE = 64,       /* the command line is wrong */
    EKCTL_UNREACHABLE = 69, /* no aggregator there */
    EKCTL_TRY_AGAIN = 75,   /* no answer in time, connection lost, not ready, move timed out */
    EKCTL_INTERRUPTED = 130,
};

enum ekctl_output {
    OUTPUT_TABLE,
    OUTPUT_JSON,
};

/* Options that not every command takes. */
enum ekctl_option {
    OPTION_BROKER = 1,
    OPTION_TO = 2,
    OPTION_DRY_RUN = 4,
    OPTION_WAIT = 8,
};

struct ekctl;

struct command {
    const char *name;
    const char *arguments; /* as shown in the usage line */
    const char *summary;   /* one line */
    const char *help;      /* the rest, lines ended by newlines */
    int n_arguments_min;
    int n_arguments_max;
    unsigned options;                /* set of enum ekctl_option that it takes */
    unsigned required;               /* subset of `options` */
    int (*run)(struct ekctl *ekctl); /* returns an enum ekctl_exit */
};

/* What the command line says; strings are borrowed from it. */
struct ekctl_options {
    const char *servers;
    enum ekctl_output output;
    uint32_t timeout_ms;
    const struct command *command; /* NULL: none was given */
    const char *argument;          /* of the command; NULL: none was given */
    const char *broker;
    const char *to;
    bool dry_run;
    bool wait;
    bool help;
    bool version;
};

struct ekctl {
    struct ekctl_options options;
    struct ek_client *client;
};

#define EKCTL_SERVER_DEFAULT "tcp://127.0.0.1:7703"

/* The commands, ended by a row without a name. */
extern const struct command ekctl_commands[];

/* Read the command line; `servers` is the default for --server. `ret_options` points into `argv`.
 * Returns 0, or -1 with one sentence in `ret_why` (EK_TEXT_SIZE bytes). */
int ekctl_options_read(int argc, char **argv, const char *servers,
                       struct ekctl_options *ret_options, char *ret_why);

/* Read "500ms", "5s" or "2m" into milliseconds, 1 ms … 1 h. Returns 0 or -1. */
int ekctl_duration_read(const char *text, uint32_t *ret_ms);

/* Say on stderr what the failed call of `error` met, with a hint. Returns the exit code for it. */
int ekctl_fail(struct ekctl *ekctl, int error);

/* Write `text` to stdout and free it; NULL stands for want of memory. Returns `code`, or
 * EKCTL_FAILED when it cannot be written. */
int ekctl_print(char *text, int code);

/* Print the help of ekctl, or of a command, to stdout. */
void ekctl_help(void);
void ekctl_command_help(const struct command *command);

/* Ask, and print the answer. Each returns an enum ekctl_exit. */
int ekctl_status(struct ekctl *ekctl);
int ekctl_ranking(struct ekctl *ekctl);
int ekctl_reports(struct ekctl *ekctl);
int ekctl_assign(struct ekctl *ekctl);
int ekctl_lookup(struct ekctl *ekctl);
int ekctl_release(struct ekctl *ekctl);

/* Move a topic, and with --wait follow it to its end; list moves. Each returns an enum ekctl_exit.
 */
int ekctl_move(struct ekctl *ekctl);
int ekctl_moves(struct ekctl *ekctl);

#endif
