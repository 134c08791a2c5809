/* What `doctor` checks of one broker. Shell. */
#ifndef AGENT_DOCTOR_BROKER_H
#define AGENT_DOCTOR_BROKER_H

#include <stddef.h>

#include "agent/agent_options.h"
#include "agent/cgroup.h"
#include "agent/environment.h"
#include "agent/finding.h"
#include "agent/held.h"
#include "agent/match.h"
#include "agent/once.h"

/* What all checks need. */
struct doctor {
    struct findings findings;
    struct agent_config config;
    struct once *once; /* NULL: no sample could be taken */
    int proc_fd;
    struct cgroups *cgroups;
    struct reader reader;
    struct match_processes all;
    struct environment_namespaces namespaces;
};

/* Tell everything of the configuration's broker `index`. */
void doctor_check_broker(struct doctor *doctor, size_t index);

#endif
