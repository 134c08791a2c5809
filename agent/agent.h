/* The agent's mind: events in, effects out. Pure: time comes with the event, chance from a seed.
 *
 * The shell (main.c) turns messages, ended children and due times into events, one at a time, and
 * carries the effects out in the order of the members of struct agent_effects. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/agent_options.h"
#include "agent/guard.h"
#include "common/decision.h"
#include "common/prng.h"
#include "common/report.h"
#include "common/units.h"

/* The first report goes out within this time of the start. */
#define AGENT_FIRST_REPORT_US_MAX MILLISECONDS(250)

/* After a poll that failed the next one waits a random time between these; the upper bound starts
 * at twice the lower one and doubles with each further failure. */
#define AGENT_BACKOFF_US_MIN MILLISECONDS(100)
#define AGENT_BACKOFF_US_MAX MILLISECONDS(2000)

/* … and when it could not even be sent, as nobody is there: AGENT_CONNECTED will tell. */
#define AGENT_UNSENT_US SECONDS(30)

/* Polls of one aggregator are at least so far apart: with decisions in the reply, and without. The
 * aggregator's hold time makes it longer; this bounds one that holds nothing. */
#define AGENT_POLL_GAP_BUSY_US MILLISECONDS(10)
#define AGENT_POLL_GAP_IDLE_US MILLISECONDS(100)

/* Receipts that wait to be told to one aggregator. A reply brings at most DECISIONS_PER_REPLY_MAX,
 * and is only heard after the ones before were told; outcomes are at most those that ran. */
#define AGENT_OUTBOX_MAX RECEIPTS_PER_REQUEST_MAX

enum agent_event_kind {
    AGENT_WOKEN,          /* wake_at_us has come */
    AGENT_SAMPLED,        /* a sample was asked for and is in `report` */
    AGENT_POLL_REPLIED,   /* `aggregator` sent `reply` */
    AGENT_CONNECTED,      /* `aggregator` can be asked again */
    AGENT_POLL_FAILED,    /* it could not be asked, or will not reply; `text` says why */
    AGENT_POLL_UNSENT,    /* it is not connected; `text` says so */
    AGENT_ACTUATOR_ENDED, /* that of decision (`epoch`, `seq`), with `status` and `text` */
};

struct agent_event {
    enum agent_event_kind kind;
    time_us now_us;
    struct report *report; /* SAMPLED: stamped by the step; must stay as it is until the next one */
    time_us taken_us;      /* SAMPLED: when the sample was begun: its rates are up to then */
    time_us seen_us;       /* SAMPLED: everything in the report was true at that time or later */
    size_t aggregator;     /* CONNECTED, POLL_… */
    const struct poll_reply *reply;
    uint64_t epoch, seq; /* ACTUATOR_ENDED */
    enum receipt_status status;
    const char *text; /* never NULL for POLL_FAILED, POLL_UNSENT and ACTUATOR_ENDED */
};

/* What is worth a line in the log. */
enum agent_note_kind {
    AGENT_NOTE_DECISION,      /* judged: `status` and `text` say how */
    AGENT_NOTE_ENDED,         /* an actuator ended: the same */
    AGENT_NOTE_POLL_REFUSED,  /* the aggregator answered, and said no: `text` */
    AGENT_NOTE_EPOCH_REFUSED, /* a reply of an older epoch, or one too far ahead */
    AGENT_NOTE_LOST,          /* the first poll that failed: `text` */
    AGENT_NOTE_FOUND,         /* the first that succeeded */
};

struct agent_note {
    enum agent_note_kind kind;
    size_t aggregator;
    uint64_t epoch, seq;
    enum receipt_status status;
    char topic[NAME_BYTES_MAX + 1];
    char text[TEXT_BYTES_MAX + 1];
};

struct agent_ask {
    size_t aggregator;
    struct poll_request request;
};

struct agent_run {
    struct decision decision;
    size_t broker; /* index in the configuration and in the report */
    time_us deadline_us;
};

#define AGENT_NOTES_MAX (DECISIONS_PER_REPLY_MAX + 4)

/* What is to be done, in this order. Asking and running may fail; the failure is an event then. */
struct agent_effects {
    size_t n_notes;
    struct agent_note notes[AGENT_NOTES_MAX];
    bool publish; /* send the report of the event to every aggregator, each with its own: */
    uint64_t applied_seqs[AGGREGATORS_MAX];
    size_t n_runs;
    struct agent_run runs[DECISIONS_PER_REPLY_MAX];
    size_t n_asks;
    struct agent_ask asks[AGGREGATORS_MAX];
    bool sample; /* take a sample now, and come back with AGENT_SAMPLED */
    time_us wake_at_us;
};

/* Counters for /metrics. */
struct agent_statistics {
    uint64_t n_reports;
    uint64_t n_ticks_missed; /* reports that were not made because the process did not run */
    uint64_t n_polls, n_polls_failed, n_polls_refused;
    uint64_t n_receipts[RECEIPT_TIMED_OUT + 1]; /* by status, each once */
    uint64_t n_receipts_lost;                   /* outbox full */
};

struct agent_poll {
    bool asked; /* a reply is awaited */
    bool lost;  /* the last poll failed */
    time_us asked_us;
    time_us ask_at_us;
    time_us backoff_us; /* upper bound of the next back-off */
    size_t n_outbox;
    size_t n_carried; /* the first of the outbox: told in the poll that is awaited */
    struct receipt outbox[AGENT_OUTBOX_MAX];
};

/* All state. Large; keep it static. */
struct agent {
    const struct agent_config *config;
    char node[ID_BYTES_MAX + 1];
    uint64_t boot_id;
    struct prng prng;
    struct guard guard;
    const struct report *latest; /* NULL: none yet */
    uint64_t report_seq;
    time_us report_at_us;
    bool sampling; /* a sample was asked for */
    struct agent_poll polls[AGGREGATORS_MAX];
    struct agent_statistics statistics;
};

/* A fresh agent. `config` must outlive it and is checked (agent_config_read()); `node` is an id. */
void agent_init(struct agent *agent, const struct agent_config *config, const char *node,
                uint64_t boot_id, uint64_t seed, time_us now_us);

/* Take one event in. `ret_effects` is filled whole; only its first n_… elements hold. */
void agent_step(struct agent *agent, const struct agent_event *event,
                struct agent_effects *ret_effects);

/* Halve the topics of every broker that has more than one, counting those left out: for a report
 * too long for a message. Returns false when nothing was left to drop. */
bool agent_thin_report(struct report *report);

#endif
