/* Pressure (PSI): how long tasks of a cgroup, or of the host, waited for a resource. Shell. */
#include "agent/pressure.h"

#include <errno.h>
#include <math.h>

#include "agent/counters.h"
#include "common/log.h"

static const struct {
    const char *cgroup_file, *host_file;
    enum metric some, full;
} resources[PRESSURE_RESOURCES] = {
    [PRESSURE_CPU] = {"cpu.pressure", "pressure/cpu", METRIC_CPU_PRESSURE_SOME_RATIO,
                      METRIC_CPU_PRESSURE_FULL_RATIO},
    [PRESSURE_MEMORY] = {"memory.pressure", "pressure/memory", METRIC_MEMORY_PRESSURE_SOME_RATIO,
                         METRIC_MEMORY_PRESSURE_FULL_RATIO},
    [PRESSURE_IO] = {"io.pressure", "pressure/io", METRIC_IO_PRESSURE_SOME_RATIO,
                     METRIC_IO_PRESSURE_FULL_RATIO},
};

void pressure_close(struct pressure *pressure)
{
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        held_close(&pressure->files[i]);
    }
}

/* Why a cgroup tells no pressure of this broker alone. */
static enum value_state why_not_own(const struct chain *chain)
{
    if (!chain->is_seen) {
        return chain->error == VALUE_PRESENT ? VALUE_UNSUPPORTED : chain->error;
    }
    return chain->is_root ? VALUE_UNSUPPORTED : VALUE_SHARED;
}

void pressure_hold(struct pressure *pressure, const struct chain *chain)
{
    if (!chain->is_own) {
        pressure->why = why_not_own(chain);
        pressure_close(pressure);
        return;
    }
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        if (!pressure->files[i].is_wanted) {
            chain_hold(chain, 0, resources[i].cgroup_file, &pressure->files[i]);
        }
    }
}

void pressure_hold_host(struct pressure *pressure, int proc_fd)
{
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        held_open(&pressure->files[i], proc_fd, resources[i].host_file, false);
    }
}

void pressure_retry(struct pressure *pressure)
{
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        held_retry(&pressure->files[i]);
    }
}

static int read_one(struct held *file, struct reader *reader, struct counters_pressure *ret_read)
{
    int r;

    r = reader_held(reader, file);
    return r < 0 ? r : reader_parsed(reader, counters_pressure(reader->bytes, reader->n, ret_read));
}

static void say_off(bool *was_said)
{
    if (!*was_said) {
        log_event(LOG_INFO, "pressure_off", log_text("why", "the kernel has PSI switched off"));
        *was_said = true;
    }
}

/* Microseconds a second to a share of time. */
static struct value ratio_of(const struct rate *rate, size_t i)
{
    struct value ratio = rate_per_second(rate, i);

    ratio.number = fmin(1.0, ratio.number / (double)US_PER_S);
    return ratio;
}

int pressure_take(struct pressure *pressure, time_us now_us, uint64_t owner, struct reader *reader,
                  bool *was_said, uint64_t *n_resets, struct value *values)
{
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        struct rate *rate = &pressure->rates[i];
        struct counters_pressure now = {.has_full = false};
        struct value *some = &values[resources[i].some], *full = &values[resources[i].full];
        int r;

        if (!pressure->files[i].is_wanted) {
            *some = *full = value_absent(pressure->why);
            continue;
        }
        r = read_one(&pressure->files[i], reader, &now);
        if (r == -ENODEV) {
            return r;
        }
        if (r < 0) {
            rate_miss(rate, held_state(r));
        } else {
            const uint64_t counts[] = {now.some.stalled_us, now.full.stalled_us};

            pressure->has_full[i] = now.has_full;
            *n_resets += rate_step(rate, now_us, owner, counts, N_ELEMENTS(counts));
        }
        if (r == -EOPNOTSUPP) {
            say_off(was_said);
        }
        *some = ratio_of(rate, 0);
        *full = r == 0 && !pressure->has_full[i] ? value_absent(VALUE_UNSUPPORTED)
                                                 : ratio_of(rate, 1);
    }
    return 0;
}
