/* The small language of the fleet's tests: reports in a line or two. */
#ifndef TESTS_UNIT_FLEET_LANGUAGE_H
#define TESTS_UNIT_FLEET_LANGUAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/fleet.h"
#include "common/name.h"
#include "common/report.h"

#define INTERVAL SECONDS(5)
#define T0       SECONDS(1000) /* when a test begins, on our clock */

/* Agents' boot clocks and wall clocks are this far from ours. */
#define BOOT_DISTANCE SECONDS(777)
#define WALL_DISTANCE (SECONDS(1700000000))

static inline struct fleet_settings usual_fleet(void)
{
    return (struct fleet_settings){
        .stale_intervals = 3, .gone_intervals = 12, .forget_after_us = SECONDS(3600)};
}

/* An empty report of `node`, process `boot`, sampled when our clock says `at_us`. */
static inline struct report *report_of(const char *node, uint64_t boot, uint64_t seq, time_us at_us)
{
    static struct report report;

    report_clear(&report);
    assert_int_equal(name_copy(report.node, sizeof(report.node), node), 0);
    report.boot_id = boot;
    report.seq = seq;
    report.at_us = at_us - BOOT_DISTANCE;
    report.sent_unix_us = at_us + WALL_DISTANCE;
    report.interval_us = INTERVAL;
    report.applied_seq = 0;
    return &report;
}

/* A broker that is up, can be moved from, and whose topics are known. */
static inline struct broker_load *with_broker(struct report *report, const char *id)
{
    struct broker_load *broker = report_add_broker(report);

    assert_non_null(broker);
    assert_int_equal(name_copy(broker->id, sizeof(broker->id), id), 0);
    broker->state = BROKER_UP;
    broker->incarnation = 1;
    broker->actuator = true;
    broker->topics_known = true;
    return broker;
}

/* A movable topic of the broker that was added last. */
static inline struct topic_load *with_topic(struct report *report, const char *name)
{
    struct topic_load *topic = report_add_topic(report);

    assert_non_null(topic);
    assert_int_equal(name_copy(topic->name.text, sizeof(topic->name.text), name), 0);
    topic->movable = true;
    return topic;
}

static inline void with_load(struct broker_load *broker, double cpu_percent, double memory_percent)
{
    broker->values[METRIC_CPU_RATIO] = value_of(cpu_percent / 100);
    broker->values[METRIC_MEMORY_RATIO] = value_of(memory_percent / 100);
}

#endif
