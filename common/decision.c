/* Whether a decision is well-formed, and the words for receipts. Pure. */
#include "common/decision.h"

#include <errno.h>
#include <string.h>

#include "common/refuse.h"

#define EXPIRES_IN_US_MAX SECONDS(3600)

static const char *const receipt_statuses[] = {
    [RECEIPT_ACCEPTED] = "accepted",
    [RECEIPT_BUSY] = "busy",
    [RECEIPT_UNKNOWN_TOPIC] = "unknown_topic",
    [RECEIPT_WRONG_OWNER] = "wrong_owner",
    [RECEIPT_OLD_EPOCH] = "old_epoch",
    [RECEIPT_EXPIRED] = "expired",
    [RECEIPT_NO_ACTUATOR] = "no_actuator",
    [RECEIPT_SUCCEEDED] = "succeeded",
    [RECEIPT_FAILED] = "failed",
    [RECEIPT_TIMED_OUT] = "timed_out",
};

const char *receipt_status_name(enum receipt_status status)
{
    const char *name = NULL;

    if (status < N_ELEMENTS(receipt_statuses)) {
        name = receipt_statuses[status];
    }
    return name != NULL ? name : "unknown";
}

static int check_names(const struct decision *decision, char *ret_why)
{
    size_t n_topic = strnlen(decision->topic.text, sizeof(decision->topic.text));
    size_t n_address = strnlen(decision->to_address, sizeof(decision->to_address));

    if (!name_is_id(decision->from) || !name_is_id(decision->to)) {
        return refuse(-EBADMSG, ret_why, "decision: `from` or `to` is not an identity");
    }
    if (strcmp(decision->from, decision->to) == 0) {
        return refuse(-EBADMSG, ret_why, "decision: from %s to itself", decision->from);
    }
    if (n_address > ADDRESS_BYTES_MAX ||
        (n_address > 0 && !name_is_clean(decision->to_address, n_address))) {
        return refuse(-EBADMSG, ret_why, "decision: `to_address` is not clean text");
    }
    if (n_topic > NAME_BYTES_MAX || !name_is_clean(decision->topic.text, n_topic)) {
        return refuse(-EBADMSG, ret_why, "decision: the topic's name is empty or not clean text");
    }
    return 0;
}

int decision_check(const struct decision *decision, char *ret_why)
{
    if (decision->kind != DECISION_MOVE) {
        return refuse(-EBADMSG, ret_why, "decision of kind %u is not known here",
                      (unsigned)decision->kind);
    }
    if (decision->seq == 0) {
        return refuse(-EBADMSG, ret_why, "decision: seq is 0");
    }
    if (decision->expires_in_us < 0 || decision->expires_in_us > EXPIRES_IN_US_MAX) {
        return refuse(-EBADMSG, ret_why, "decision: expires_in_us is not between 0 and 1 h");
    }
    return check_names(decision, ret_why);
}
