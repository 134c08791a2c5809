/* How much memory and how many threads the agent takes on a host that is not its own. Shell. */
#ifndef AGENT_FOOTPRINT_H
#define AGENT_FOOTPRINT_H

/* Before any thread is made: one heap for all threads, and small stacks. That libraries make few
 * threads needs no call. */
void footprint_limit(void);

/* Give back what only the start needed: free heap, and pages of libraries, which the kernel reads
 * again when they are wanted. Once, some seconds after the start. */
void footprint_trim(void);

#endif
