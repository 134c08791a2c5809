/* The aggregator's /metrics page. */
#include "aggregator/metrics_page.h"

#include <stdio.h>

#include "common/metric.h"

static void sample(struct buffer *to, const char *name, const char *label, const char *text,
                   double value)
{
    struct exposition_label labels[] = {{label, text}};

    exposition_sample(to, name, labels, 1, value);
}

static void write_infos(const struct aggregator *aggregator, const struct metrics_shell *shell,
                        struct buffer *to)
{
    struct exposition_label self[] = {
        {"version", aggregator->settings.version},
        {"algorithm", rank_algorithm_name(aggregator->settings.rank.algorithm)},
    };
    struct exposition_label nng[] = {
        {"version", shell->nng_version},
        {"defective", shell->nng_is_defective ? "true" : "false"},
    };

    exposition_family(to, "evenkeel_aggregator_info", EXPOSITION_GAUGE,
                      "Version and ranking algorithm.");
    exposition_sample(to, "evenkeel_aggregator_info", self, N_ELEMENTS(self), 1);
    exposition_family(to, "evenkeel_nng_info", EXPOSITION_GAUGE,
                      "nng in use, and whether it is older than 1.6.");
    exposition_sample(to, "evenkeel_nng_info", nng, N_ELEMENTS(nng), 1);
    exposition_single(to, "evenkeel_reaper_ok", EXPOSITION_GAUGE,
                      "Whether nng still tells of closed connections.", shell->reaper_is_alive);
    exposition_single(to, "evenkeel_epoch", EXPOSITION_GAUGE, "Epoch of the decisions.",
                      (double)aggregator->decide.epoch);
}

static void write_fleet(struct aggregator *aggregator, struct buffer *to)
{
    const struct fleet *fleet = &aggregator->fleet;
    double n_brokers[GONE + 1] = {0};

    for (size_t i = 0; i < fleet->n_brokers; i++) {
        n_brokers[fleet_freshness(fleet, fleet->brokers[i], aggregator->now_us)]++;
    }
    exposition_family(to, "evenkeel_brokers", EXPOSITION_GAUGE, "Brokers by state.");
    for (enum freshness state = FRESH; state <= GONE; state++) {
        sample(to, "evenkeel_brokers", "state", freshness_name(state), n_brokers[state]);
    }
    exposition_single(to, "evenkeel_brokers_unrated", EXPOSITION_GAUGE,
                      "Fresh brokers of which nothing with a weight is known.",
                      (double)aggregator_ranking(aggregator)->n_unrated);
    exposition_single(to, "evenkeel_nodes", EXPOSITION_GAUGE, "Agents that have reported.",
                      (double)fleet->n_nodes);
    exposition_single(to, "evenkeel_topics", EXPOSITION_GAUGE, "Topics shown or assigned.",
                      (double)fleet_n_topics(fleet));
    exposition_single(to, "evenkeel_assignments", EXPOSITION_GAUGE, "Topics assigned.",
                      (double)fleet->n_assignments);
    exposition_single(to, "evenkeel_topic_conflicts_total", EXPOSITION_COUNTER,
                      "Claims that began while another fresh broker showed the topic.",
                      (double)fleet->n_conflicts);
}

static void write_scores(struct aggregator *aggregator, struct buffer *to)
{
    const struct ranking *ranking = aggregator_ranking(aggregator);

    exposition_family(to, "evenkeel_broker_score", EXPOSITION_GAUGE,
                      "Load of a ranked broker, 0 to 1; lower is less loaded.");
    for (size_t i = 0; i < ranking->n; i++) {
        sample(to, "evenkeel_broker_score", "broker", ranking->rows[i].id, ranking->rows[i].score);
    }
}

static void write_topic_counts(const struct aggregator *aggregator, struct buffer *to)
{
    const struct fleet *fleet = &aggregator->fleet;

    exposition_family(to, "evenkeel_broker_topics", EXPOSITION_GAUGE,
                      "Topics of a broker, with those assigned and not seen yet.");
    for (size_t i = 0; i < fleet->n_brokers; i++) {
        sample(to, "evenkeel_broker_topics", "broker", fleet->brokers[i]->id,
               (double)fleet_topic_count(fleet->brokers[i]));
    }
}

static void write_values(const struct aggregator *aggregator, struct buffer *to)
{
    const struct fleet *fleet = &aggregator->fleet;
    char name[64];

    for (enum metric metric = 0; metric < METRICS; metric++) {
        const struct metric_info *info = metric_info(metric);

        (void)snprintf(name, sizeof(name), "evenkeel_broker_%s", info->name);
        exposition_family(to, name, EXPOSITION_GAUGE, info->help);
        for (size_t i = 0; i < fleet->n_brokers; i++) {
            const struct fleet_broker *broker = fleet->brokers[i];

            if (value_is_present(broker->values[metric]) &&
                fleet_freshness(fleet, broker, aggregator->now_us) == FRESH) {
                sample(to, name, "broker", broker->id, broker->values[metric].number);
            }
        }
    }
}

static void write_nodes(const struct aggregator *aggregator, struct buffer *to)
{
    const struct fleet *fleet = &aggregator->fleet;

    exposition_family(to, "evenkeel_report_age_seconds", EXPOSITION_GAUGE,
                      "Since a node's last accepted report.");
    for (size_t i = 0; i < fleet->n_nodes; i++) {
        time_us age_us = aggregator->now_us - fleet->nodes[i]->received_us;

        sample(to, "evenkeel_report_age_seconds", "node", fleet->nodes[i]->id,
               (double)age_us / (double)US_PER_S);
    }
    exposition_family(to, "evenkeel_report_bytes", EXPOSITION_GAUGE, "Size of a node's report.");
    for (size_t i = 0; i < fleet->n_nodes; i++) {
        sample(to, "evenkeel_report_bytes", "node", fleet->nodes[i]->id,
               (double)fleet->nodes[i]->report_bytes);
    }
    exposition_family(to, "evenkeel_reports_missed_total", EXPOSITION_COUNTER,
                      "Gaps in the numbers of a node's reports.");
    for (size_t i = 0; i < fleet->n_nodes; i++) {
        sample(to, "evenkeel_reports_missed_total", "node", fleet->nodes[i]->id,
               (double)fleet->nodes[i]->n_missed);
    }
}

static const char *const garblings[AGGREGATOR_GARBLINGS] = {"malformed", "oversize", "unsupported"};

static void write_reports(const struct aggregator *aggregator, struct buffer *to)
{
    const struct aggregator_statistics *statistics = &aggregator->statistics;
    const char *name = "evenkeel_reports_refused_total";

    exposition_single(to, "evenkeel_reports_accepted_total", EXPOSITION_COUNTER, "Reports applied.",
                      (double)statistics->n_reports[FLEET_ACCEPTED]);
    exposition_family(to, name, EXPOSITION_COUNTER, "Reports not applied, by reason.");
    for (enum fleet_verdict verdict = FLEET_ACCEPTED + 1; verdict < FLEET_VERDICTS; verdict++) {
        sample(to, name, "reason", fleet_verdict_name(verdict),
               (double)statistics->n_reports[verdict]);
    }
    for (size_t i = 0; i < AGGREGATOR_GARBLINGS; i++) {
        sample(to, name, "reason", garblings[i],
               (double)statistics->n_garbled[AGGREGATOR_REPORTS][i]);
    }
}

static void write_queries(const struct aggregator *aggregator, struct buffer *to)
{
    const char *name = "evenkeel_queries_total";

    exposition_family(to, name, EXPOSITION_COUNTER, "Queries by verb and status of the answer.");
    for (size_t verb = 0; verb < AGGREGATOR_VERBS; verb++) {
        for (size_t status = 0; status < AGGREGATOR_STATUSES; status++) {
            uint64_t n = aggregator->statistics.n_queries[verb][status];
            struct exposition_label labels[] = {
                {"verb", verb != 0 ? query_verb_name((enum query_verb)verb) : "garbled"},
                {"status", answer_status_name((enum answer_status)status)},
            };

            if (n > 0) {
                exposition_sample(to, name, labels, N_ELEMENTS(labels), (double)n);
            }
        }
    }
}

static void write_moves(const struct aggregator *aggregator, struct buffer *to)
{
    const struct decide *decide = &aggregator->decide;

    exposition_family(to, "evenkeel_moves_total", EXPOSITION_COUNTER, "Moves ended, by outcome.");
    for (enum move_outcome outcome = MOVE_MOVED; outcome <= MOVE_FAILED; outcome++) {
        sample(to, "evenkeel_moves_total", "outcome", move_outcome_name(outcome),
               (double)decide->n_outcomes[outcome]);
    }
    exposition_single(to, "evenkeel_moves_in_flight", EXPOSITION_GAUGE, "Moves under way.",
                      (double)decide->n_in_flight);
    exposition_single(to, "evenkeel_decisions_sent_total", EXPOSITION_COUNTER,
                      "Decisions handed to agents, repeats included.",
                      (double)aggregator->statistics.n_decisions);
    exposition_single(to, "evenkeel_epochs_raised_total", EXPOSITION_COUNTER,
                      "How often an agent had seen a higher epoch.",
                      (double)decide->n_epochs_raised);
}

static void write_polls(const struct aggregator *aggregator, struct buffer *to)
{
    const struct aggregator_statistics *statistics = &aggregator->statistics;

    exposition_single(to, "evenkeel_polls_parked", EXPOSITION_GAUGE,
                      "Requests of agents that wait for a decision.", (double)aggregator->polls.n);
    exposition_single(to, "evenkeel_polls_total", EXPOSITION_COUNTER, "Requests of agents.",
                      (double)statistics->n_polls);
    exposition_single(to, "evenkeel_polls_superseded_total", EXPOSITION_COUNTER,
                      "Requests that a newer one of the same node took the place of.",
                      (double)statistics->n_polls_superseded);
    exposition_single(to, "evenkeel_polls_refused_total", EXPOSITION_COUNTER,
                      "Requests of agents that were refused.", (double)statistics->n_polls_refused);
    exposition_single(to, "evenkeel_feed_messages_total", EXPOSITION_COUNTER,
                      "Rankings and steps of moves that were published.",
                      (double)statistics->n_feeds);
}

/* One family of the links: the counter that stands at `offset` in struct metrics_link. */
static void write_link_family(const struct metrics_shell *shell, const char *name,
                              enum exposition_type type, const char *help, size_t offset,
                              struct buffer *to)
{
    exposition_family(to, name, type, help);
    for (size_t i = 0; i < shell->n_links; i++) {
        const char *link = (const char *)&shell->links[i];

        sample(to, name, "link", shell->links[i].name,
               (double)*(const uint64_t *)(const void *)(link + offset));
    }
}

static void write_links(const struct metrics_shell *shell, struct buffer *to)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } counters[] = {
        {"connected", "Connections made.", offsetof(struct metrics_link, n_connected)},
        {"disconnected", "Connections ended.", offsetof(struct metrics_link, n_disconnected)},
        {"rejected", "Connections beyond the bound.", offsetof(struct metrics_link, n_rejected)},
        {"swept", "Silent connections ended.", offsetof(struct metrics_link, n_swept)},
        {"kicked", "Connections cut off.", offsetof(struct metrics_link, n_kicked)},
        {"dropped", "Requests and replies dropped.", offsetof(struct metrics_link, n_dropped)},
    };
    char name[64];

    write_link_family(shell, "evenkeel_link_connections", EXPOSITION_GAUGE, "Connections now.",
                      offsetof(struct metrics_link, n_pipes), to);
    for (size_t i = 0; i < N_ELEMENTS(counters); i++) {
        (void)snprintf(name, sizeof(name), "evenkeel_link_%s_total", counters[i].name);
        write_link_family(shell, name, EXPOSITION_COUNTER, counters[i].help, counters[i].offset,
                          to);
    }
}

void metrics_page(struct aggregator *aggregator, const struct metrics_shell *shell,
                  struct buffer *to)
{
    write_infos(aggregator, shell, to);
    write_fleet(aggregator, to);
    write_scores(aggregator, to);
    write_topic_counts(aggregator, to);
    write_values(aggregator, to);
    write_nodes(aggregator, to);
    write_reports(aggregator, to);
    write_queries(aggregator, to);
    write_moves(aggregator, to);
    write_polls(aggregator, to);
    write_links(shell, to);
    exposition_process(to, &shell->usage);
}
