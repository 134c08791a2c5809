/* The agent's /metrics page. Pure: numbers in, text out. */
#ifndef AGENT_PAGES_H
#define AGENT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/agent.h"
#include "agent/sampler.h"
#include "agent/source.h"
#include "common/buffer.h"
#include "common/environment.h"
#include "common/exposition.h"
#include "common/limits.h"

/* One link of the agent's. */
struct page_link {
    const char *aggregator; /* its url */
    bool up;
    uint64_t n_connected;
};

struct page_source {
    const char *broker;
    struct source_statistics statistics;
};

/* Everything that is on the page; texts are borrowed. */
struct page_numbers {
    const char *version;
    const char *library_version; /* of nng */
    bool reaper_ok;
    struct environment environment;
    struct agent_statistics agent;
    struct sampler_statistics sampler;
    double sample_seconds; /* that the last sample took */
    uint64_t report_bytes; /* of the last report */
    uint64_t n_topics, n_topics_omitted;
    uint64_t n_brokers_up;
    uint64_t n_actuators_running;
    size_t n_reports, n_decisions; /* links */
    struct page_link reports[AGGREGATORS_MAX];
    struct page_link decisions[AGGREGATORS_MAX];
    size_t n_sources;
    struct page_source sources[NODE_BROKERS_MAX];
    struct process_usage process;
};

/* Write the page; a page too long for the buffer sets its `overflowed`. */
void agent_metrics_page(struct buffer *buffer, const struct page_numbers *numbers);

#endif
