/* The guard: judges decisions, remembers receipts. Pure.
 *
 * Memory is a row of GUARD_DECISIONS_MAX entries in the order of their coming. For a further one
 * the oldest that does not run is forgotten, and its aggregator's (epoch, seq) up to it count as
 * expired from then on: they may have been run. Running ones are at most ACTUATORS_RUNNING_MAX, so
 * there is always one to forget. */
#include "agent/guard.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static_assert(ACTUATORS_RUNNING_MAX < GUARD_DECISIONS_MAX, "somebody can always be forgotten");

static void receipt_set(struct receipt *receipt, enum receipt_status status, const char *text)
{
    receipt->status = status;
    (void)snprintf(receipt->text, sizeof(receipt->text), "%.*s", TEXT_BYTES_MAX, text);
}

static const struct guard_entry *find(const struct guard *guard, size_t aggregator,
                                      const struct decision *decision)
{
    for (size_t i = 0; i < guard->n_entries; i++) {
        const struct guard_entry *entry = &guard->entries[i];

        if (entry->aggregator == aggregator && entry->receipt.epoch == decision->epoch &&
            entry->receipt.seq == decision->seq) {
            return entry;
        }
    }
    return NULL;
}

/* The one that runs under these numbers; judge_new() lets no second one run beside it. */
static struct guard_entry *find_running(struct guard *guard, uint64_t epoch, uint64_t seq)
{
    for (size_t i = 0; i < guard->n_entries; i++) {
        struct guard_entry *entry = &guard->entries[i];

        if (entry->running && entry->receipt.epoch == epoch && entry->receipt.seq == seq) {
            return entry;
        }
    }
    return NULL;
}

static bool is_forgotten(const struct guard_memory *memory, const struct decision *decision)
{
    const int order = CMP(decision->epoch, memory->forgotten_epoch);

    return order < 0 || (order == 0 && decision->seq <= memory->forgotten_seq);
}

static void note_forgotten(struct guard *guard, const struct guard_entry *entry)
{
    struct guard_memory *memory = &guard->memories[entry->aggregator];
    const struct receipt *receipt = &entry->receipt;

    if (receipt->epoch > memory->forgotten_epoch) {
        memory->forgotten_epoch = receipt->epoch;
        memory->forgotten_seq = receipt->seq;
    } else if (receipt->epoch == memory->forgotten_epoch) {
        memory->forgotten_seq = MAX(memory->forgotten_seq, receipt->seq);
    }
    if (entry->ran && receipt->epoch == memory->epoch) {
        memory->applied_base = MAX(memory->applied_base, receipt->seq);
    }
}

/* Forget the oldest decision that does not run. */
static void forget_one(struct guard *guard)
{
    size_t i = 0;

    while (i < guard->n_entries && guard->entries[i].running) {
        i++;
    }
    assert(i < guard->n_entries);
    note_forgotten(guard, &guard->entries[i]);
    guard->n_entries--;
    memmove(&guard->entries[i], &guard->entries[i + 1],
            (guard->n_entries - i) * sizeof(guard->entries[0]));
}

static struct guard_entry *remember(struct guard *guard, const struct receipt *receipt,
                                    size_t aggregator)
{
    struct guard_entry *entry;

    if (guard->n_entries == GUARD_DECISIONS_MAX) {
        forget_one(guard);
    }
    entry = &guard->entries[guard->n_entries++];
    *entry = (struct guard_entry){.receipt = *receipt, .aggregator = aggregator};
    return entry;
}

static bool topic_is_moving(const struct guard *guard, const struct topic_name *topic)
{
    for (size_t i = 0; i < guard->n_entries; i++) {
        if (guard->entries[i].running && strcmp(guard->entries[i].topic.text, topic->text) == 0) {
            return true;
        }
    }
    return false;
}

/* The index of broker `id` in `report`; n_brokers: it is not there. */
static size_t find_broker(const struct report *report, const char *id)
{
    size_t i = 0;

    while (i < report->n_brokers && strcmp(report->brokers[i].id, id) != 0) {
        i++;
    }
    return i;
}

static bool broker_leads(const struct report *report, const struct broker_load *broker,
                         const struct topic_name *topic)
{
    for (size_t i = 0; i < broker->n_topics; i++) {
        if (strcmp(report->topics[broker->first_topic + i].name.text, topic->text) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a broker of `report` other than `except` leads `topic`. */
static bool another_leads(const struct report *report, size_t except,
                          const struct topic_name *topic)
{
    for (size_t i = 0; i < report->n_brokers; i++) {
        if (i != except && broker_leads(report, &report->brokers[i], topic)) {
            return true;
        }
    }
    return false;
}

/* Whether the decision's topic is led by its `from` here; the receipt says why not. */
static enum receipt_status judge_owner(const struct decision *decision, const struct report *latest,
                                       struct receipt *receipt, size_t *ret_broker)
{
    size_t broker;

    if (latest == NULL) {
        receipt_set(receipt, RECEIPT_UNKNOWN_TOPIC, "no sample was taken yet");
        return receipt->status;
    }
    broker = find_broker(latest, decision->from);
    if (broker < latest->n_brokers &&
        broker_leads(latest, &latest->brokers[broker], &decision->topic)) {
        *ret_broker = broker;
        receipt_set(receipt, RECEIPT_ACCEPTED, "");
    } else if (broker == latest->n_brokers) {
        receipt_set(receipt, RECEIPT_WRONG_OWNER, "the broker to move it from is not on this node");
    } else if (another_leads(latest, broker, &decision->topic)) {
        receipt_set(receipt, RECEIPT_WRONG_OWNER, "another broker of this node leads it");
    } else if (!latest->brokers[broker].topics_known) {
        receipt_set(receipt, RECEIPT_UNKNOWN_TOPIC, "the broker's topics are not known now");
    } else {
        receipt_set(receipt, RECEIPT_UNKNOWN_TOPIC, "the broker does not lead it");
    }
    return receipt->status;
}

/* Fill in the receipt of a decision of the current epoch that is not remembered. */
static void judge_new(struct guard *guard, const struct decision *decision, size_t aggregator,
                      const struct report *latest, time_us waited_us, struct receipt *receipt,
                      size_t *ret_broker)
{
    size_t broker = 0;

    if (is_forgotten(&guard->memories[aggregator], decision)) {
        receipt_set(receipt, RECEIPT_EXPIRED, "so old that what became of it is forgotten");
    } else if (decision->boot_id != guard->boot_id) {
        receipt_set(receipt, RECEIPT_EXPIRED, "meant for another run of the agent");
    } else if (waited_us >= decision->expires_in_us) {
        receipt_set(receipt, RECEIPT_EXPIRED, "came too late");
    } else if (judge_owner(decision, latest, receipt, &broker) != RECEIPT_ACCEPTED) {
        return;
    } else if (!latest->brokers[broker].actuator) {
        receipt_set(receipt, RECEIPT_NO_ACTUATOR, "no actuator is configured for the broker");
    } else if (topic_is_moving(guard, &decision->topic)) {
        receipt_set(receipt, RECEIPT_BUSY, "the topic is being moved");
    } else if (guard->n_running >= ACTUATORS_RUNNING_MAX ||
               find_running(guard, decision->epoch, decision->seq) != NULL) {
        receipt_set(receipt, RECEIPT_BUSY, "as many actuators run as may");
    } else {
        *ret_broker = broker;
    }
}

/* Whether a verdict must stand for when the decision comes again. What is forgotten stays expired
 * anyway, and "busy" asks to be sent again. */
static bool is_worth_memory(const struct guard *guard, const struct decision *decision,
                            size_t aggregator, enum receipt_status status)
{
    return status != RECEIPT_BUSY && !is_forgotten(&guard->memories[aggregator], decision) &&
           decision->boot_id == guard->boot_id;
}

/* Note which epoch an aggregator's decisions are of; what was applied of another counts no more. */
static void note_epoch(struct guard_memory *memory, uint64_t epoch)
{
    if (epoch > memory->epoch) {
        memory->epoch = epoch;
        memory->applied_base = 0;
    }
}

/* Whether a decision of this aggregator and epoch was run. */
static bool entry_counts(const struct guard_entry *entry, size_t aggregator, uint64_t epoch)
{
    return entry->ran && entry->aggregator == aggregator && entry->receipt.epoch == epoch;
}

void guard_init(struct guard *guard, uint64_t boot_id)
{
    memset(guard, 0, sizeof(*guard));
    guard->boot_id = boot_id;
}

bool guard_see_epoch(struct guard *guard, uint64_t epoch)
{
    if (epoch < guard->epoch_seen || epoch - guard->epoch_seen > GUARD_EPOCH_STEP_MAX) {
        return false;
    }
    guard->epoch_seen = epoch;
    return true;
}

void guard_judge(struct guard *guard, const struct decision *decision, size_t aggregator,
                 const struct report *latest, time_us asked_us, time_us now_us,
                 struct verdict *ret_verdict)
{
    const struct guard_entry *known = find(guard, aggregator, decision);
    struct verdict verdict = {.receipt = {.epoch = decision->epoch, .seq = decision->seq}};

    assert(aggregator < AGGREGATORS_MAX);
    if (known != NULL) {
        verdict.receipt = known->receipt;
    } else if (!guard_see_epoch(guard, decision->epoch)) {
        receipt_set(&verdict.receipt, RECEIPT_OLD_EPOCH,
                    decision->epoch < guard->epoch_seen ? "a later aggregator was heard"
                                                        : "its epoch is too far ahead");
    } else {
        struct guard_entry *entry;

        verdict.receipt.status = RECEIPT_ACCEPTED;
        note_epoch(&guard->memories[aggregator], decision->epoch);
        judge_new(guard, decision, aggregator, latest, now_us - asked_us, &verdict.receipt,
                  &verdict.broker);
        verdict.run = verdict.receipt.status == RECEIPT_ACCEPTED;
        if (is_worth_memory(guard, decision, aggregator, verdict.receipt.status)) {
            entry = remember(guard, &verdict.receipt, aggregator);
            entry->topic = decision->topic;
            entry->running = verdict.run;
            entry->ran = verdict.run;
            guard->n_running += verdict.run ? 1 : 0;
        }
    }
    *ret_verdict = verdict;
}

int guard_ended(struct guard *guard, uint64_t epoch, uint64_t seq, enum receipt_status status,
                const char *text, time_us now_us, size_t *ret_aggregator,
                struct receipt *ret_receipt)
{
    struct guard_entry *entry = find_running(guard, epoch, seq);

    if (entry == NULL) {
        return -ENOENT;
    }
    receipt_set(&entry->receipt, status, text);
    entry->running = false;
    entry->ended_us = now_us;
    guard->n_running--;
    *ret_aggregator = entry->aggregator;
    *ret_receipt = entry->receipt;
    return 0;
}

uint64_t guard_applied_seq(const struct guard *guard, size_t aggregator, time_us seen_us)
{
    const struct guard_memory *memory = &guard->memories[aggregator];
    uint64_t below = UINT64_MAX;
    uint64_t applied;

    for (size_t i = 0; i < guard->n_entries; i++) {
        const struct guard_entry *entry = &guard->entries[i];

        if (entry_counts(entry, aggregator, memory->epoch) &&
            (entry->running || entry->ended_us > seen_us)) {
            below = MIN(below, entry->receipt.seq);
        }
    }
    applied = below > 0 ? MIN(memory->applied_base, below - 1) : 0;
    for (size_t i = 0; i < guard->n_entries; i++) {
        const struct guard_entry *entry = &guard->entries[i];

        if (entry_counts(entry, aggregator, memory->epoch) && entry->receipt.seq < below) {
            applied = MAX(applied, entry->receipt.seq);
        }
    }
    return applied;
}
