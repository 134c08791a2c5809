/* A report for people and for programs: as a table, and as JSON. Shell: writes to a stream. */
#ifndef AGENT_SHOW_H
#define AGENT_SHOW_H

#include <stdio.h>

#include "common/report.h"

enum show_format {
    SHOW_TABLE,
    SHOW_JSON,
};

/* Print all of the report: host, environment, brokers and topics; each value, or the name of the
 * state that tells why it is absent. Returns 0 or -ENOMEM. */
int show_report(const struct report *report, enum show_format format, FILE *to);

#endif
