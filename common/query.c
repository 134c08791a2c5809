/* Whether a query is well-formed, and the words of queries, answers and the feed. Pure. */
#include "common/query.h"

#include <errno.h>
#include <string.h>

#include "common/refuse.h"

struct verb_info {
    const char *name;
    bool needs_topic, needs_broker;
};

static const struct verb_info verbs[] = {
    [QUERY_STATUS] = {.name = "status"},
    [QUERY_RANKING] = {.name = "ranking"},
    [QUERY_REPORTS] = {.name = "reports"},
    [QUERY_ASSIGN] = {.name = "assign", .needs_topic = true},
    [QUERY_LOOKUP] = {.name = "lookup", .needs_topic = true},
    [QUERY_RELEASE] = {.name = "release", .needs_topic = true},
    [QUERY_MOVE] = {.name = "move", .needs_topic = true, .needs_broker = true},
    [QUERY_MOVES] = {.name = "moves"},
};

static const char *const answer_statuses[] = {
    [ANSWER_OK] = "ok",
    [ANSWER_BAD_QUERY] = "bad_query",
    [ANSWER_UNSUPPORTED] = "unsupported",
    [ANSWER_NOT_FOUND] = "not_found",
    [ANSWER_NO_BROKER] = "no_broker",
    [ANSWER_REFUSED] = "refused",
    [ANSWER_NOT_READY] = "not_ready",
    [ANSWER_FULL] = "full",
};

static const char *const freshnesses[] = {
    [FRESH] = "fresh",
    [STALE] = "stale",
    [GONE] = "gone",
};

static const char *const placement_sources[] = {
    [PLACEMENT_OBSERVED] = "observed",
    [PLACEMENT_ASSIGNED] = "assigned",
};

static const char *const move_states[] = {
    [MOVE_PLANNED] = "planned",     [MOVE_SENT] = "sent",   [MOVE_RUNNING] = "running",
    [MOVE_VERIFYING] = "verifying", [MOVE_ENDED] = "ended",
};

static const char *const move_outcomes[] = {
    [MOVE_UNDECIDED] = "undecided", [MOVE_MOVED] = "moved",         [MOVE_NOOP] = "noop",
    [MOVE_REFUSED] = "refused",     [MOVE_ELSEWHERE] = "elsewhere", [MOVE_TIMED_OUT] = "timed_out",
    [MOVE_FAILED] = "failed",
};

static const char *word(const char *const *words, size_t n_words, size_t number)
{
    return number < n_words && words[number] != NULL ? words[number] : "unknown";
}

static const struct verb_info *verb_info(enum query_verb verb)
{
    return verb < N_ELEMENTS(verbs) && verbs[verb].name != NULL ? &verbs[verb] : NULL;
}

int query_check(const struct query *query, char *ret_why)
{
    const struct verb_info *verb = verb_info(query->verb);
    size_t n_topic = strnlen(query->topic.text, sizeof(query->topic.text));

    if (verb == NULL) {
        return refuse(-EBADMSG, ret_why, "verb %u is not known here", (unsigned)query->verb);
    }
    if (verb->needs_topic && n_topic == 0) {
        return refuse(-EBADMSG, ret_why, "%s needs a topic", verb->name);
    }
    if (n_topic > NAME_BYTES_MAX || (n_topic > 0 && !name_is_clean(query->topic.text, n_topic))) {
        return refuse(-EBADMSG, ret_why, "%s: the topic's name is not clean text", verb->name);
    }
    if (verb->needs_broker && query->broker[0] == '\0') {
        return refuse(-EBADMSG, ret_why, "%s needs a broker", verb->name);
    }
    if (query->broker[0] != '\0' && !name_is_id(query->broker)) {
        return refuse(-EBADMSG, ret_why, "%s: the broker is not an identity", verb->name);
    }
    return 0;
}

const char *query_verb_name(enum query_verb verb)
{
    const struct verb_info *info = verb_info(verb);

    return info != NULL ? info->name : "unknown";
}

const char *answer_status_name(enum answer_status status)
{
    return word(answer_statuses, N_ELEMENTS(answer_statuses), status);
}

const char *freshness_name(enum freshness freshness)
{
    return word(freshnesses, N_ELEMENTS(freshnesses), freshness);
}

const char *placement_source_name(enum placement_source source)
{
    return word(placement_sources, N_ELEMENTS(placement_sources), source);
}

const char *move_state_name(enum move_state state)
{
    return word(move_states, N_ELEMENTS(move_states), state);
}

const char *move_outcome_name(enum move_outcome outcome)
{
    return word(move_outcomes, N_ELEMENTS(move_outcomes), outcome);
}
