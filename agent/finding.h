/* What `doctor` finds, told as it is found: a line each, or JSON. Shell: writes to a stream. */
#ifndef AGENT_FINDING_H
#define AGENT_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/show.h"

enum finding_level {
    FINDING_OK,
    FINDING_WARN, /* less is seen than could be */
    FINDING_FAIL, /* what is configured does not work */
    FINDING_LEVELS
};

struct findings {
    FILE *to;
    struct json *json; /* NULL: lines */
    size_t counts[FINDING_LEVELS];
};

/* Begin. Returns 0 or -ENOMEM. */
int findings_open(struct findings *findings, enum show_format format, FILE *to);

/* Tell one: of the host, of "agent", or of a broker by its id; what was checked; what is so; and
 * what would mend it, "" when nothing needs to be. */
__attribute__((format(printf, 6, 7))) void finding(struct findings *findings,
                                                   enum finding_level level, const char *of,
                                                   const char *check, const char *remedy,
                                                   const char *format, ...);

/* End with how many there were of each level. Returns whether nothing failed. */
bool findings_close(struct findings *findings);

#endif
