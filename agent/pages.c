/* The agent's /metrics page. Pure. */
#include "agent/pages.h"

#include "common/decision.h"

#define FAMILY(name) "evenkeel_agent_" name

static void counter(struct buffer *buffer, const char *name, const char *help, uint64_t number)
{
    exposition_single(buffer, name, EXPOSITION_COUNTER, help, (double)number);
}

static void gauge(struct buffer *buffer, const char *name, const char *help, double number)
{
    exposition_single(buffer, name, EXPOSITION_GAUGE, help, number);
}

static void put_build(struct buffer *buffer, const struct page_numbers *numbers)
{
    const struct exposition_label labels[] = {
        {"version", numbers->version},
        {"nng_version", numbers->library_version},
    };

    exposition_family(buffer, FAMILY("build_info"), EXPOSITION_GAUGE,
                      "Versions of the agent and of the messaging library in use.");
    exposition_sample(buffer, FAMILY("build_info"), labels, N_ELEMENTS(labels), 1);
    gauge(buffer, FAMILY("nng_reaper_ok"),
          "0 when the messaging library is wedged and the process is about to end.",
          numbers->reaper_ok ? 1 : 0);
}

static void put_environment(struct buffer *buffer, const struct environment *environment)
{
    struct exposition_label labels[2 + ENVIRONMENT_CONTROLLERS] = {
        {"kind", environment_kind_name(environment->kind)},
        {"hierarchy", environment_hierarchy_name(environment->hierarchy)},
    };

    for (unsigned i = 0; i < ENVIRONMENT_CONTROLLERS; i++) {
        labels[2 + i] = (struct exposition_label){
            environment_controller_name(i), environment_version_name(environment->versions[i])};
    }
    exposition_family(buffer, FAMILY("environment_info"), EXPOSITION_GAUGE,
                      "Where the agent runs, and which cgroup version serves each controller.");
    exposition_sample(buffer, FAMILY("environment_info"), labels, N_ELEMENTS(labels), 1);
}

static void put_reports(struct buffer *buffer, const struct page_numbers *numbers)
{
    counter(buffer, FAMILY("reports_total"), "Reports made since the start.",
            numbers->agent.n_reports);
    counter(buffer, FAMILY("reports_missed_total"),
            "Reports that were due while the process did not run.", numbers->agent.n_ticks_missed);
    gauge(buffer, FAMILY("report_bytes"), "Size of the last report.",
          (double)numbers->report_bytes);
    gauge(buffer, FAMILY("topics"), "Topics in the last report.", (double)numbers->n_topics);
    gauge(buffer, FAMILY("topics_omitted"), "Topics left out of the last report for want of room.",
          (double)numbers->n_topics_omitted);
    gauge(buffer, FAMILY("brokers_up"), "Configured brokers whose process runs.",
          (double)numbers->n_brokers_up);
}

static void put_sampler(struct buffer *buffer, const struct page_numbers *numbers)
{
    const struct sampler_statistics *sampler = &numbers->sampler;

    gauge(buffer, FAMILY("sample_seconds"), "Time that the last sample took.",
          numbers->sample_seconds);
    counter(buffer, FAMILY("samples_total"), "Samples taken.", sampler->n_samples);
    counter(buffer, FAMILY("read_errors_total"), "Kernel files that could not be read.",
            sampler->n_read_errors);
    counter(buffer, FAMILY("parse_errors_total"), "Kernel files that could not be understood.",
            sampler->n_parse_errors);
    counter(buffer, FAMILY("resets_total"), "Counters that went back or changed their owner.",
            sampler->n_resets);
    counter(buffer, FAMILY("discoveries_total"), "Times that a broker's processes were looked for.",
            sampler->n_discoveries);
    counter(buffer, FAMILY("cgroup_library_errors_total"), "Errors of libcgroup.",
            sampler->n_cgroup_library_errors);
}

static void put_receipts(struct buffer *buffer, const struct page_numbers *numbers)
{
    exposition_family(buffer, FAMILY("receipts_total"), EXPOSITION_COUNTER,
                      "What became of decisions: judgements, and outcomes of actuators.");
    for (size_t i = 0; i < N_ELEMENTS(numbers->agent.n_receipts); i++) {
        const enum receipt_status status = (enum receipt_status)i;
        const struct exposition_label label = {"status", receipt_status_name(status)};

        if ((status >= RECEIPT_ACCEPTED && status <= RECEIPT_NO_ACTUATOR) ||
            status >= RECEIPT_SUCCEEDED) {
            exposition_sample(buffer, FAMILY("receipts_total"), &label, 1,
                              (double)numbers->agent.n_receipts[i]);
        }
    }
    counter(buffer, FAMILY("receipts_lost_total"), "Receipts dropped for want of room.",
            numbers->agent.n_receipts_lost);
    gauge(buffer, FAMILY("actuators_running"), "Actuators that run.",
          (double)numbers->n_actuators_running);
}

static void put_polls(struct buffer *buffer, const struct page_numbers *numbers)
{
    counter(buffer, FAMILY("polls_total"), "Times that an aggregator was asked for decisions.",
            numbers->agent.n_polls);
    counter(buffer, FAMILY("polls_failed_total"), "Polls without a reply.",
            numbers->agent.n_polls_failed);
    counter(buffer, FAMILY("polls_refused_total"), "Polls that an aggregator refused.",
            numbers->agent.n_polls_refused);
}

static void put_link(struct buffer *buffer, const char *family, const char *link,
                     const char *aggregator, double number)
{
    const struct exposition_label labels[] = {{"link", link}, {"aggregator", aggregator}};

    exposition_sample(buffer, family, labels, N_ELEMENTS(labels), number);
}

static void put_links(struct buffer *buffer, const struct page_numbers *numbers)
{
    exposition_family(buffer, FAMILY("link_up"), EXPOSITION_GAUGE,
                      "Whether the link is connected.");
    for (size_t i = 0; i < numbers->n_reports; i++) {
        put_link(buffer, FAMILY("link_up"), "reports", numbers->reports[i].aggregator,
                 numbers->reports[i].up ? 1 : 0);
    }
    for (size_t i = 0; i < numbers->n_decisions; i++) {
        put_link(buffer, FAMILY("link_up"), "decisions", numbers->decisions[i].aggregator,
                 numbers->decisions[i].up ? 1 : 0);
    }
    exposition_family(buffer, FAMILY("link_connects_total"), EXPOSITION_COUNTER,
                      "Connections made; more than one says that the link was lost.");
    for (size_t i = 0; i < numbers->n_reports; i++) {
        put_link(buffer, FAMILY("link_connects_total"), "reports", numbers->reports[i].aggregator,
                 (double)numbers->reports[i].n_connected);
    }
    for (size_t i = 0; i < numbers->n_decisions; i++) {
        put_link(buffer, FAMILY("link_connects_total"), "decisions",
                 numbers->decisions[i].aggregator, (double)numbers->decisions[i].n_connected);
    }
}

static double source_number(const struct page_source *source, int which)
{
    const struct source_statistics *statistics = &source->statistics;

    switch (which) {
    case 0:
        return (double)statistics->n_polls;
    case 1:
        return (double)statistics->n_failures;
    case 2:
        return (double)statistics->n_topics;
    case 3:
        return (double)statistics->n_names_skipped;
    default:
        return statistics->last_seconds;
    }
}

static void put_sources(struct buffer *buffer, const struct page_numbers *numbers)
{
    static const struct {
        const char *name;
        enum exposition_type type;
        const char *help;
    } families[] = {
        {FAMILY("source_polls_total"), EXPOSITION_COUNTER, "Times that a broker was asked."},
        {FAMILY("source_failures_total"), EXPOSITION_COUNTER, "Times that no good answer came."},
        {FAMILY("source_topics"), EXPOSITION_GAUGE, "Topics in the last good answer."},
        {FAMILY("source_names_skipped"), EXPOSITION_GAUGE,
         "Names in the last good answer that cannot be told on."},
        {FAMILY("source_seconds"), EXPOSITION_GAUGE, "Time that the last good answer took."},
    };

    for (size_t i = 0; numbers->n_sources > 0 && i < N_ELEMENTS(families); i++) {
        exposition_family(buffer, families[i].name, families[i].type, families[i].help);
        for (size_t k = 0; k < numbers->n_sources; k++) {
            const struct exposition_label label = {"broker", numbers->sources[k].broker};

            exposition_sample(buffer, families[i].name, &label, 1,
                              source_number(&numbers->sources[k], (int)i));
        }
    }
}

void agent_metrics_page(struct buffer *buffer, const struct page_numbers *numbers)
{
    put_build(buffer, numbers);
    put_environment(buffer, &numbers->environment);
    put_reports(buffer, numbers);
    put_sampler(buffer, numbers);
    put_polls(buffer, numbers);
    put_receipts(buffer, numbers);
    put_links(buffer, numbers);
    put_sources(buffer, numbers);
    exposition_process(buffer, &numbers->process);
}
