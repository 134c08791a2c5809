/* What this process itself costs. Shell: reads /proc/self. */
#ifndef COMMON_PROCESS_H
#define COMMON_PROCESS_H

#include "common/exposition.h"

/* Fill in what can be read; the rest is NaN. */
void process_usage(struct process_usage *ret_usage);

/* Allow as many descriptors as the hard limit says: connections and held kernel files are many. */
void process_raise_descriptors(void);

#endif
