/* The options of the log, the same in every daemon. */
#include "common/log_options.h"

/* In the order of enum log_level and enum log_format. */
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const formats[] = {"json", "text", NULL};

const struct option_row log_option_rows[] = {
    {.key = "level",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct log_options, level),
     .fallback = "info",
     .choices = levels,
     .help = "From which level on events are logged."},
    {.key = "format",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct log_options, format),
     .fallback = "json",
     .choices = formats,
     .help = "One JSON object a line, or text for people."},
    {.key = NULL},
};
