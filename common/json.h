/* Writing one JSON document to a stream, as it goes. Shell. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The version of every document that evenkeel prints. */
#define JSON_API_VERSION "evenkeel/v1"

struct json;

/* Begin a document on `to`, which must outlive it: an object that holds api_version. Returns 0 or
 * -ENOMEM. */
int json_new(FILE *to, struct json **ret_json);

/* End the document with a newline, and free. NULL is fine. */
void json_free(struct json *json);

/* Open an object or a list, and close what was opened last. `key` is NULL for an element of a list.
 */
void json_open_object(struct json *json, const char *key);
void json_open_list(struct json *json, const char *key);
void json_close_object(struct json *json);
void json_close_list(struct json *json);

/* One member; `key` is NULL for an element of a list. What is not finite is null; an empty text is
 * one. */
void json_text(struct json *json, const char *key, const char *text);
void json_bool(struct json *json, const char *key, bool flag);
void json_count(struct json *json, const char *key, uint64_t count);
void json_number(struct json *json, const char *key, double number);
void json_null(struct json *json, const char *key);

#endif
