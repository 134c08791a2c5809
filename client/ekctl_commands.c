/* ekctl's commands: one table, which reads the command line, dispatches, and prints the help. */
#include "client/ekctl.h"

const struct command ekctl_commands[] = {
    {.name = "status",
     .arguments = "",
     .summary = "how the aggregator and the fleet are",
     .help = "",
     .run = ekctl_status},
    {.name = "ranking",
     .arguments = "",
     .summary = "the brokers from the least to the most loaded",
     .help = "Brokers that do not report, or are down, are left out: `ekctl reports` shows them.\n",
     .run = ekctl_ranking},
    {.name = "reports",
     .arguments = "[--broker ID]",
     .summary = "every broker with what it uses, or one with all its metrics and topics",
     .help =
         "  --broker ID   only this one, with every metric, why some are absent, and its topics\n",
     .options = OPTION_BROKER,
     .run = ekctl_reports},
    {.name = "assign",
     .arguments = "TOPIC",
     .summary = "which broker shall own a topic",
     .help =
         "The least loaded broker is chosen; the answer stays the same until `ekctl release`.\n",
     .n_arguments_min = 1,
     .n_arguments_max = 1,
     .run = ekctl_assign},
    {.name = "lookup",
     .arguments = "TOPIC",
     .summary = "which broker owns a topic",
     .help = "",
     .n_arguments_min = 1,
     .n_arguments_max = 1,
     .run = ekctl_lookup},
    {.name = "release",
     .arguments = "TOPIC",
     .summary = "forget the assignment of a topic",
     .help = "",
     .n_arguments_min = 1,
     .n_arguments_max = 1,
     .run = ekctl_release},
    {.name = "move",
     .arguments = "TOPIC --to BROKER [--dry-run] [--wait]",
     .summary = "move a topic to another broker",
     .help = "  --to BROKER   the broker that shall own it\n"
             "  --dry-run     only say what would happen; exit 2 when nothing would\n"
             "  --wait        follow the move to its end, showing each state on stderr\n"
             "\n"
             "Without --wait, exit 0 says that the move is under way: `ekctl moves` shows it.\n"
             "With --wait: 0 moved, or owned already; 1 failed, or owned by a third broker;\n"
             "3 refused; 75 nothing was verified in time. Ctrl-C ends the waiting (130), not\n"
             "the move.\n",
     .n_arguments_min = 1,
     .n_arguments_max = 1,
     .options = OPTION_TO | OPTION_DRY_RUN | OPTION_WAIT,
     .required = OPTION_TO,
     .run = ekctl_move},
    {.name = "moves",
     .arguments = "[ID]",
     .summary = "the recent moves, newest first, or one of them",
     .help = "",
     .n_arguments_max = 1,
     .run = ekctl_moves},
    {.name = NULL},
};

static const char common_help[] =
    "  -s, --server URL[,URL…]   the aggregators' query sockets; default: EKCTL_SERVER, else\n"
    "                            " EKCTL_SERVER_DEFAULT "\n"
    "  -o, --output table|json   for people, or raw numbers (bytes, seconds, ratios)\n"
    "  -t, --timeout TIME        for one question: 500ms, 5s (default), 2m\n"
    "  -h, --help                this text, or a command's\n"
    "  -V, --version             the version\n";

static const char exit_help[] =
    "Exit codes: 0 done; 1 failed; 2 nothing to do (only where said); 3 refused; 64 wrong usage;\n"
    "69 no aggregator reached; 75 no answer in time, or not ready: try again; 130 interrupted.\n";

void ekctl_help(void)
{
    (void)printf("Usage: ekctl [OPTION…] COMMAND [ARGUMENT…]\n"
                 "Asks the aggregator of a broker fleet, and moves topics.\n\nCommands:\n");
    for (const struct command *command = ekctl_commands; command->name != NULL; command++) {
        (void)printf("  %-9s %s\n", command->name, command->summary);
    }
    (void)printf("\nOptions, before or after the command:\n%s\n%s", common_help, exit_help);
}

void ekctl_command_help(const struct command *command)
{
    (void)printf(
        "Usage: ekctl [OPTION…] %s %s\nekctl %s: %s.\n\n%s%sOptions of all commands:\n%s\n%s",
        command->name, command->arguments, command->name, command->summary, command->help,
        command->help[0] != '\0' ? "\n" : "", common_help, exit_help);
}
