/* Writing one JSON document to a stream, as it goes. Shell. The only file of the daemons that knows
 * yajl's generator. */
#include "common/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>

struct json {
    FILE *to;
    yajl_gen gen;
};

static void put_string(struct json *json, const char *text)
{
    (void)yajl_gen_string(json->gen, (const unsigned char *)text, strlen(text));
}

static void put_key(struct json *json, const char *key)
{
    if (key != NULL) {
        put_string(json, key);
    }
}

static void print(void *context, const char *bytes, size_t n)
{
    (void)fwrite(bytes, 1, n, ((struct json *)context)->to);
}

int json_new(FILE *to, struct json **ret_json)
{
    struct json *json = calloc(1, sizeof(*json));

    if (json == NULL) {
        return -ENOMEM;
    }
    json->to = to;
    json->gen = yajl_gen_alloc(NULL);
    if (json->gen == NULL) {
        free(json);
        return -ENOMEM;
    }
    (void)yajl_gen_config(json->gen, yajl_gen_beautify, 1);
    (void)yajl_gen_config(json->gen, yajl_gen_indent_string, "  ");
    (void)yajl_gen_config(json->gen, yajl_gen_print_callback, print, json);
    json_open_object(json, NULL);
    json_text(json, "api_version", JSON_API_VERSION);
    *ret_json = json;
    return 0;
}

void json_free(struct json *json)
{
    if (json == NULL) {
        return;
    }
    json_close_object(json); /* beautifying, yajl ends the outermost with a newline */
    yajl_gen_free(json->gen);
    free(json);
}

void json_open_object(struct json *json, const char *key)
{
    put_key(json, key);
    (void)yajl_gen_map_open(json->gen);
}

void json_open_list(struct json *json, const char *key)
{
    put_key(json, key);
    (void)yajl_gen_array_open(json->gen);
}

void json_close_object(struct json *json)
{
    (void)yajl_gen_map_close(json->gen);
}

void json_close_list(struct json *json)
{
    (void)yajl_gen_array_close(json->gen);
}

void json_text(struct json *json, const char *key, const char *text)
{
    put_key(json, key);
    put_string(json, text);
}

void json_bool(struct json *json, const char *key, bool flag)
{
    put_key(json, key);
    (void)yajl_gen_bool(json->gen, flag);
}

void json_count(struct json *json, const char *key, uint64_t count)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%" PRIu64, count);

    put_key(json, key);
    (void)yajl_gen_number(json->gen, text, (size_t)n);
}

/* The shorter of 15 and 17 digits that reads back as the same number. */
void json_number(struct json *json, const char *key, double number)
{
    char text[40];
    int n;

    if (!isfinite(number)) {
        json_null(json, key);
        return;
    }
    n = snprintf(text, sizeof(text), "%.15g", number);
    if (strtod(text, NULL) < number || strtod(text, NULL) > number) {
        n = snprintf(text, sizeof(text), "%.17g", number);
    }
    put_key(json, key);
    (void)yajl_gen_number(json->gen, text, (size_t)n);
}

void json_null(struct json *json, const char *key)
{
    put_key(json, key);
    (void)yajl_gen_null(json->gen);
}
