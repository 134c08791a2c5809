/* Actuators: running the program that moves a topic, without waiting for it. Shell.
 *
 * It is started with posix_spawn from its argument array, never through a shell, in a process group
 * of its own, with stdin from /dev/null and no other descriptor of the agent's. Its environment is
 * the agent's, and
 *
 *   EVENKEEL_TOPIC        the topic, as the broker spells it
 *   EVENKEEL_FROM         the broker that leads it
 *   EVENKEEL_TO           the broker that shall lead it
 *   EVENKEEL_TO_ADDRESS   where clients reach that one; may be empty
 *   EVENKEEL_DECISION     "epoch-seq": the same for a decision that comes twice
 *   EVENKEEL_DEADLINE_MS  how long it may run, from its start
 *
 * Exit status 0 is success, every other is failure. The last line that it writes (stdout or stderr)
 * becomes the receipt's text. At its deadline the process group gets SIGTERM, and SIGKILL two
 * seconds later. What it leaves running in its process group when it ends is killed. */
#ifndef AGENT_APPLY_H
#define AGENT_APPLY_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/agent_options.h"
#include "common/decision.h"
#include "common/units.h"

struct apply;

/* Descriptors that apply_poll_fds() may give. */
#define APPLY_FDS_MAX (2 * ACTUATORS_RUNNING_MAX)

/* How an actuator ended. */
struct apply_end {
    uint64_t epoch, seq; /* of the decision */
    enum receipt_status status;
    char text[TEXT_BYTES_MAX + 1];
    double seconds; /* that it ran */
};

/* Returns 0 or -ENOMEM. */
int apply_new(struct apply **ret_apply);

/* Start the actuator for `decision`; both may go afterwards. Returns 0; -EBUSY when
 * ACTUATORS_RUNNING_MAX run; or why it could not be started (-ENOENT, -EACCES, …). */
int apply_start(struct apply *apply, const struct decision *decision,
                const struct actuator_options *actuator, time_us now_us, time_us deadline_us);

/* Put what is to be polled for POLLIN into `ret_fds` (APPLY_FDS_MAX); returns how many. */
size_t apply_poll_fds(const struct apply *apply, time_us now_us, struct pollfd *ret_fds);

/* When apply_step() is due although no descriptor is ready; TIME_NEVER: then not. */
time_us apply_wake_at(const struct apply *apply);

/* Read what actuators wrote, see to deadlines, and tell of one that has ended. Call until -EAGAIN
 * whenever a descriptor is ready or the time has come. Returns 0, or -EAGAIN when none (more) has
 * ended. */
int apply_step(struct apply *apply, time_us now_us, struct apply_end *ret_end);

/* End what still runs (SIGTERM, SIGKILL after a quarter of a second) and free; NULL is fine. */
void apply_free(struct apply *apply);

#endif
