/* The configuration's tree, bound to the option rows: every key known and once, every value in its
 * member, or one line that says where and why not.
 *
 * Expansion of the environment happens here, in values, after parsing, so that a variable can hold
 * no structure. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/cleanup.h"
#include "common/config_tree.h"

/* Of a dotted key in an error: eight levels of keys as long as ours fit well. */
#define PATH_BYTES 256

struct binder {
    const struct config_file *file;
    struct buffer path;     /* "brokers[1].id" of what is being bound, NUL-terminated */
    struct buffer expanded; /* the values, each with its NUL */
    char *ret_error;
    char path_bytes[PATH_BYTES];
    char expanded_bytes[CONFIG_EXPANDED_BYTES_MAX];
};

__attribute__((format(printf, 3, 4))) static int refuse(struct binder *binder, int line,
                                                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    config_format_error(binder->file->name, line, binder->path.bytes, binder->ret_error, format,
                        arguments);
    va_end(arguments);
    return -EINVAL;
}

/* Go one step down; returns what path_up() needs to come back. A key of the file's own may be too
 * long for the path: it is cut there. */
static size_t path_down(struct binder *binder, const char *key)
{
    size_t n = binder->path.n;

    buffer_print(&binder->path, "%s%.60s", n > 0 ? "." : "", key);
    return n;
}

static size_t path_into(struct binder *binder, int64_t index)
{
    size_t n = binder->path.n;

    buffer_print(&binder->path, "[%" PRId64 "]", index);
    return n;
}

static void path_up(struct binder *binder, size_t n)
{
    binder->path.n = n;
    binder->path.overflowed = false;
    binder->path.bytes[n] = '\0';
}

static bool is_name(const char *bytes, size_t n)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

    for (size_t i = 0; i < n; i++) {
        bool digit = i > 0 && bytes[i] >= '0' && bytes[i] <= '9';

        if (!digit && (bytes[i] == '\0' || strchr(first, bytes[i]) == NULL)) {
            return false;
        }
    }
    return n > 0;
}

/* Expand one `${…}`, whose `n` bytes between the braces are at `inner`. */
static int expand_name(struct binder *binder, int line, const char *inner, size_t n)
{
    const char *fallback = memmem(inner, n, ":-", 2);
    size_t n_name = fallback != NULL ? (size_t)(fallback - inner) : n;
    char name[128];
    const char *value;

    if (!is_name(inner, n_name) || n_name >= sizeof(name)) {
        return refuse(binder, line, "${%.*s} is no name of the environment (write $$ for a dollar)",
                      (int)MIN(n, 60), inner);
    }
    memcpy(name, inner, n_name);
    name[n_name] = '\0';
    value = getenv(name);
    if (fallback != NULL && (value == NULL || *value == '\0')) {
        buffer_put(&binder->expanded, fallback + 2, n - n_name - 2);
        return 0;
    }
    if (value == NULL) {
        return refuse(binder, line, "${%s} is not set in the environment, and has no default",
                      name);
    }
    buffer_put(&binder->expanded, value, strlen(value));
    return 0;
}

static int expand_dollars(struct binder *binder, int line, const char *text)
{
    const char *at = text;
    int r;

    while (*at != '\0') {
        const char *end;

        if (*at != '$' || (at[1] != '$' && at[1] != '{')) {
            buffer_put(&binder->expanded, at++, 1);
            continue;
        }
        if (at[1] == '$') {
            buffer_put(&binder->expanded, "$", 1);
            at += 2;
            continue;
        }
        end = strchr(at, '}');
        if (end == NULL) {
            return refuse(binder, line, "${ without a closing brace (write $$ for a dollar)");
        }
        r = expand_name(binder, line, at + 2, (size_t)(end - at - 2));
        if (r < 0) {
            return r;
        }
        at = end + 1;
    }
    return 0;
}

/* The value of a scalar; `ret_text` lives as long as the binder. */
static int expand(struct binder *binder, const struct config_node *node, const char **ret_text)
{
    const char *text = binder->expanded.bytes + binder->expanded.n;
    int r;

    if (!config_is_null(node)) {
        r = expand_dollars(binder, node->line, node->text);
        if (r < 0) {
            return r;
        }
    }
    buffer_put(&binder->expanded, "", 1);
    if (binder->expanded.overflowed) {
        return refuse(binder, node->line, "the values are longer than %d bytes together",
                      CONFIG_EXPANDED_BYTES_MAX);
    }
    *ret_text = text;
    return 0;
}

/* Say why config_store() refused a value with `r`. */
static int explain(struct binder *binder, const struct option_row *row, int line, const char *text,
                   int r)
{
    char why[CONFIG_ERROR_BYTES / 2];

    if (r == -ENOMEM) {
        return config_refuse_memory(binder->file->name, binder->ret_error);
    }
    config_explain(row, text, r, why);
    return refuse(binder, line, "%s", why);
}

static int bind_scalar(struct binder *binder, const struct option_row *row,
                       const struct config_node *node, void *base)
{
    const char *text = "";
    int r;

    if (node->kind != NODE_SCALAR) {
        return refuse(binder, node->line, "must be a single value, not a %s",
                      node->kind == NODE_MAPPING ? "mapping" : "list");
    }
    if (config_is_null(node) && row->type != OPTION_TEXT) {
        return refuse(binder, node->line, "has no value");
    }
    r = expand(binder, node, &text);
    if (r < 0) {
        return r;
    }
    r = config_store(row, text, base);
    return r < 0 ? explain(binder, row, node->line, text, r) : 0;
}

/* The number of elements of a list, checked; nothing written is none. */
static int check_list(struct binder *binder, const struct option_row *row,
                      const struct config_node *node)
{
    if (node->kind != NODE_SEQUENCE && !config_is_null(node)) {
        return refuse(binder, node->line, "must be a list");
    }
    if (node->n_children < row->min) {
        return refuse(binder, node->line,
                      "has %" PRId64 " elements, at least %" PRId64 " are needed", node->n_children,
                      row->min);
    }
    if (node->n_children > row->max) {
        return refuse(binder, node->line,
                      "has %" PRId64 " elements, at most %" PRId64 " are allowed", node->n_children,
                      row->max);
    }
    return 0;
}

static int bind_texts(struct binder *binder, const struct option_row *row,
                      const struct config_node *node, void *base)
{
    struct option_texts *texts = (void *)((char *)base + row->offset);
    struct option_row element = {.type = OPTION_TEXT, .max = CONFIG_EXPANDED_BYTES_MAX};
    int r;

    r = check_list(binder, row, node);
    if (r < 0) {
        return r;
    }
    texts->texts = calloc((size_t)node->n_children + 1, sizeof(char *));
    if (texts->texts == NULL) {
        return config_refuse_memory(binder->file->name, binder->ret_error);
    }
    for (const struct config_node *child = node->first; child != NULL; child = child->next) {
        size_t up = path_into(binder, (int64_t)texts->n);

        r = bind_scalar(binder, &element, child, &texts->texts[texts->n]);
        if (r < 0) {
            return r;
        }
        path_up(binder, up);
        texts->n++;
    }
    return 0;
}

static int bind_rows(struct binder *binder, const struct option_row *rows,
                     const struct config_node *node, int line, void *base);

/* `node` is a mapping, or nothing. */
static int bind_mapping(struct binder *binder, const struct option_row *row,
                        const struct config_node *node, void *base)
{
    if (node->kind != NODE_MAPPING && !config_is_null(node)) {
        return refuse(binder, node->line, "must be a mapping: key, colon, value");
    }
    return bind_rows(binder, row->rows, node, node->line, base);
}

static int bind_list(struct binder *binder, const struct option_row *row,
                     const struct config_node *node, void *base)
{
    struct option_list *list = (void *)((char *)base + row->offset);
    char *element;
    int r;

    r = check_list(binder, row, node);
    if (r < 0 || node->n_children == 0) {
        return r;
    }
    list->elements = calloc((size_t)node->n_children, row->element_size);
    if (list->elements == NULL) {
        return config_refuse_memory(binder->file->name, binder->ret_error);
    }
    list->n = (size_t)node->n_children;
    element = list->elements;
    for (const struct config_node *child = node->first; child != NULL; child = child->next) {
        size_t up = path_into(binder,
                              (element - (char *)list->elements) / (ptrdiff_t)row->element_size);

        r = bind_mapping(binder, row, child, element);
        if (r < 0) {
            return r;
        }
        path_up(binder, up);
        element += row->element_size;
    }
    return 0;
}

static int bind_value(struct binder *binder, const struct option_row *row,
                      const struct config_node *node, void *base)
{
    switch (row->type) {
    case OPTION_GROUP:
        return bind_mapping(binder, row, node, (char *)base + row->offset);
    case OPTION_LIST:
        return bind_list(binder, row, node, base);
    case OPTION_TEXTS:
        return bind_texts(binder, row, node, base);
    default:
        return bind_scalar(binder, row, node, base);
    }
}

/* A row that is not written; `line` is that of the nearest parent that is. */
static int bind_absent(struct binder *binder, const struct option_row *row, int line, void *base)
{
    bool list = row->type == OPTION_LIST || row->type == OPTION_TEXTS;
    int r;

    if (row->type == OPTION_GROUP) {
        return bind_rows(binder, row->rows, NULL, line, (char *)base + row->offset);
    }
    if (list ? row->min > 0 : row->fallback == NULL) {
        return refuse(binder, line, "is required");
    }
    if (row->type == OPTION_TEXTS) {
        return bind_texts(binder, row, &(struct config_node){.kind = NODE_SEQUENCE}, base);
    }
    if (list) {
        return 0;
    }
    r = config_store(row, row->fallback, base);
    assert(r == 0 || r == -ENOMEM); /* else the table's own default is out of its own range */
    return r < 0 ? explain(binder, row, line, row->fallback, r) : 0;
}

static const struct option_row *find_row(const struct option_row *rows, const char *key)
{
    while (rows->key != NULL && strcmp(rows->key, key) != 0) {
        rows++;
    }
    return rows->key != NULL ? rows : NULL;
}

static const struct config_node *find_child(const struct config_node *node, const char *key)
{
    const struct config_node *child = node != NULL ? node->first : NULL;

    while (child != NULL && strcmp(child->key, key) != 0) {
        child = child->next;
    }
    return child;
}

/* Letters to change, add or leave out to make one of the other, for keys of a length like ours. */
static size_t key_distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    size_t row[65];

    if (n >= N_ELEMENTS(row) || strlen(a) >= N_ELEMENTS(row)) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0]++;

        for (size_t j = 0; j < n; j++) {
            size_t change = diagonal + (a[i] != b[j]);

            diagonal = row[j + 1];
            row[j + 1] = MIN(change, 1 + MIN(row[j], row[j + 1]));
        }
    }
    return row[n];
}

static int refuse_unknown(struct binder *binder, const struct option_row *rows,
                          const struct config_node *node)
{
    const char *nearest = NULL;
    size_t least = 3; /* "intervall" and "intreval" are close, "id" and "url" are not */

    for (; rows->key != NULL; rows++) {
        size_t distance = key_distance(node->key, rows->key);

        if (distance < least && distance < strlen(rows->key)) {
            least = distance;
            nearest = rows->key;
        }
    }
    (void)path_down(binder, node->key);
    if (nearest == NULL) {
        return refuse(binder, node->line, "is not a known key");
    }
    return refuse(binder, node->line, "is not a known key; did you mean \"%s\"?", nearest);
}

/* Bind one written key. Keys before it are known and differ, so that looking among them is short.
 */
static int bind_child(struct binder *binder, const struct option_row *rows,
                      const struct config_node *parent, const struct config_node *node, void *base)
{
    const struct option_row *row = find_row(rows, node->key);
    const struct config_node *first = find_child(parent, node->key);
    size_t up;
    int r;

    if (row == NULL) {
        return refuse_unknown(binder, rows, node);
    }
    up = path_down(binder, row->key);
    if (first != node) {
        return refuse(binder, node->line, "is given twice, first on line %d", first->line);
    }
    r = bind_value(binder, row, node, base);
    if (r < 0) {
        return r;
    }
    path_up(binder, up);
    return 0;
}

/* Bind the mapping `node` (NULL or without children: nothing is written) to `rows`. On error the
 * path stays where it is, and what was bound is the caller's to release. */
static int bind_rows(struct binder *binder, const struct option_row *rows,
                     const struct config_node *node, int line, void *base)
{
    int r;

    for (const struct config_node *child = node != NULL ? node->first : NULL; child != NULL;
         child = child->next) {
        r = bind_child(binder, rows, node, child, base);
        if (r < 0) {
            return r;
        }
    }
    for (const struct option_row *row = rows; row->key != NULL; row++) {
        size_t up;

        if (find_child(node, row->key) != NULL) {
            continue;
        }
        up = path_down(binder, row->key);
        r = bind_absent(binder, row, line, base);
        if (r < 0) {
            return r;
        }
        path_up(binder, up);
    }
    return 0;
}

static void release_texts(struct option_texts *texts)
{
    for (size_t i = 0; texts->texts != NULL && texts->texts[i] != NULL; i++) {
        free(texts->texts[i]);
    }
    free(texts->texts);
    *texts = (struct option_texts){.n = 0};
}

/* Free what the rows' members own and zero them. */
static void release_rows(const struct option_row *rows, void *base)
{
    static const size_t sizes[] = {
        [OPTION_BOOL] = sizeof(bool),
        [OPTION_INTEGER] = sizeof(int64_t),
        [OPTION_REAL] = sizeof(double),
        [OPTION_DURATION] = sizeof(time_us),
        [OPTION_SIZE] = sizeof(int64_t),
        [OPTION_TEXT] = sizeof(char *),
        [OPTION_CHOICE] = sizeof(int),
        [OPTION_TEXTS] = sizeof(struct option_texts),
        [OPTION_GROUP] = 0,
        [OPTION_LIST] = sizeof(struct option_list),
    };

    for (const struct option_row *row = rows; row->key != NULL; row++) {
        void *at = (char *)base + row->offset;
        struct option_list *list = at;

        if (row->type == OPTION_GROUP) {
            release_rows(row->rows, at);
        } else if (row->type == OPTION_TEXT) {
            free(*(char **)at);
        } else if (row->type == OPTION_TEXTS) {
            release_texts(at);
        } else if (row->type == OPTION_LIST) {
            for (size_t i = 0; i < list->n; i++) {
                release_rows(row->rows, (char *)list->elements + i * row->element_size);
            }
            free(list->elements);
        }
        memset(at, 0, sizes[row->type]);
    }
}

void config_done(const struct option_row *rows, void *config, size_t size)
{
    if (config != NULL) {
        release_rows(rows, config);
        memset(config, 0, size);
    }
}

int config_bind(const struct config_file *file, const struct option_row *rows, void *config,
                char *ret_error)
{
    cleanup_free struct binder *binder = malloc(sizeof(*binder));
    int r;

    if (binder == NULL) {
        return config_refuse_memory(file->name, ret_error);
    }
    binder->file = file;
    binder->ret_error = ret_error;
    binder->path = buffer_over(binder->path_bytes, sizeof(binder->path_bytes));
    binder->expanded = buffer_over(binder->expanded_bytes, sizeof(binder->expanded_bytes));
    binder->path_bytes[0] = '\0';
    r = bind_rows(binder, rows, &file->nodes[0], 0, config);
    if (r < 0) {
        release_rows(rows, config);
    }
    return r;
}
