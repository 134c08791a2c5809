/* `evenkeel-agent doctor`: what the agent can and cannot see here, and what would mend it. Shell.
 */
#ifndef AGENT_DOCTOR_H
#define AGENT_DOCTOR_H

#include <stdio.h>

#include "agent/show.h"

/* Check the configuration at `path` (NULL: the host alone), the host and every broker, and tell one
 * finding a line on `to`. Takes a sample, which needs a second or two. Returns 0 when nothing
 * fails, 1 when something does, or -ENOMEM. */
int doctor_run(const char *path, enum show_format format, FILE *to);

#endif
