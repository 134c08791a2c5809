/* Answers as JSON documents of version evenkeel/v1. Pure; allocates.
 *
 * Numbers are raw: bytes, seconds, ratios. What is absent is null; for metrics, "absent" says why.
 * Every function returns text that ends with a newline, to be given to free(), or NULL for want of
 * memory. */
#ifndef CLIENT_EKCTL_JSON_H
#define CLIENT_EKCTL_JSON_H

#include <evenkeel/evenkeel.h>

#define JSON_API_VERSION "evenkeel/v1"

/* The document of an answer; `dry_run` says that nothing was moved. */
char *json_status(const struct ek_status *status);
char *json_ranking(const struct ek_ranking *ranking);
char *json_reports(const struct ek_reports *reports, bool with_topics);
char *json_placement(const struct ek_placement *placement);
char *json_release(const char *topic);
char *json_move(const struct ek_move *move, bool dry_run);
char *json_moves(const struct ek_moves *moves);

#endif
