/* YAML configuration: events become a bounded tree, and the tree is bound to the option rows.
 *
 * The tree stands between because a row can be checked only when all of its mapping is there, and
 * because the program's own checks ask for lines later (config_line()). It is bounded while it
 * grows: libyaml has no depth limit, and its flow nesting costs quadratic time, so that reading
 * stops at the first event that goes too deep. Expansion of the environment happens in values after
 * parsing, so that a variable can hold no structure. */
#include "common/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <yaml.h>

#include "common/buffer.h"
#include "common/cleanup.h"
#include "common/limits.h"
#include "common/scalar.h"
#include "common/utf8.h"

/* All values of a file, expanded: the file may be UTF-16, and every value gets a NUL. */
#define EXPANDED_BYTES_MAX (2 * CONFIG_BYTES_MAX)

/* Of a dotted key in an error: eight levels of keys as long as ours fit well. */
#define PATH_BYTES 256

enum node_kind {
    NODE_SCALAR,
    NODE_MAPPING,
    NODE_SEQUENCE,
};

struct node {
    enum node_kind kind;
    int line;   /* 1 …: of its key in a mapping, of itself in a sequence; 0: the root */
    bool plain; /* SCALAR: written without quotes */
    char *key;  /* on the heap; NULL in a sequence */
    char *text; /* SCALAR: on the heap */
    struct node *first, *last, *next;
    int64_t n_children;
};

struct config_file {
    char *name;
    size_t n_nodes;
    struct node nodes[CONFIG_NODES_MAX]; /* the first is the root; never moved */
};

/* Errors. */

/* One line that is safe to print: what is no character or a control character becomes '?'. */
static void make_printable(char *text)
{
    for (size_t n = strlen(text), i = 0; i < n;) {
        uint32_t code = 0;
        size_t length = utf8_get(text + i, n - i, &code);

        if (length == 0 || code < ' ' || (code >= 0x7F && code < 0xA0)) {
            length = MAX(length, 1);
            memset(text + i, '?', length);
        }
        i += length;
    }
}

__attribute__((format(printf, 5, 0))) static void format_error(const char *name, int line,
                                                               const char *key, char *ret_error,
                                                               const char *format,
                                                               va_list arguments)
{
    struct buffer error = buffer_over(ret_error, CONFIG_ERROR_BYTES);
    char message[CONFIG_ERROR_BYTES / 2];

    (void)vsnprintf(message, sizeof(message), format, arguments);
    ret_error[0] = '\0';
    buffer_print(&error, "%.200s:", name);
    if (line > 0) {
        buffer_print(&error, "%d:", line);
    }
    if (key != NULL && *key != '\0') {
        buffer_print(&error, " %.255s:", key);
    }
    buffer_print(&error, " %s", message);
    make_printable(ret_error);
}

/* Reading events into the tree. */

struct reader {
    yaml_parser_t parser;
    struct config_file *file;
    struct node *open[CONFIG_DEPTH_MAX]; /* from the root to what is being filled */
    size_t depth;
    char *key; /* read, and waiting for its value */
    int key_line;
    size_t n_documents;
    char *ret_error;
};

__attribute__((format(printf, 3, 4))) static int refuse_event(struct reader *reader, int line,
                                                              const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_error(reader->file->name, line, NULL, reader->ret_error, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static int refuse_memory(const char *name, char *ret_error)
{
    (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: out of memory", name);
    return -ENOMEM;
}

static bool expects_key(const struct reader *reader)
{
    return reader->depth > 0 && reader->open[reader->depth - 1]->kind == NODE_MAPPING &&
           reader->key == NULL;
}

/* Append a node to what is being filled; takes the waiting key. NULL when there are too many. */
static struct node *add_node(struct reader *reader, enum node_kind kind, int line)
{
    struct config_file *file = reader->file;
    struct node *parent = reader->depth > 0 ? reader->open[reader->depth - 1] : NULL;
    struct node *node = &file->nodes[file->n_nodes];

    if (file->n_nodes == CONFIG_NODES_MAX) {
        return NULL;
    }
    file->n_nodes++;
    node->kind = kind;
    if (parent == NULL) {
        return node;
    }
    node->line = reader->key != NULL ? reader->key_line : line;
    node->key = reader->key;
    reader->key = NULL;
    if (parent->last != NULL) {
        parent->last->next = node;
    } else {
        parent->first = node;
    }
    parent->last = node;
    parent->n_children++;
    return node;
}

static int open_node(struct reader *reader, enum node_kind kind, int line)
{
    struct node *node;

    if (reader->depth == CONFIG_DEPTH_MAX) {
        return refuse_event(reader, line, "nested deeper than %d levels", CONFIG_DEPTH_MAX);
    }
    if (expects_key(reader)) {
        return refuse_event(reader, line, "a key must be a text");
    }
    node = add_node(reader, kind, line);
    if (node == NULL) {
        return refuse_event(reader, line, "more than %d values", CONFIG_NODES_MAX);
    }
    reader->open[reader->depth++] = node;
    return 0;
}

static int add_scalar(struct reader *reader, const yaml_event_t *event, int line)
{
    const char *bytes = (const char *)event->data.scalar.value;
    struct node *node;
    char *text;

    if (strlen(bytes) != event->data.scalar.length) {
        return refuse_event(reader, line, "a text holds a NUL character");
    }
    text = strdup(bytes);
    if (text == NULL) {
        return refuse_memory(reader->file->name, reader->ret_error);
    }
    if (expects_key(reader)) {
        reader->key = text;
        reader->key_line = line;
        return 0;
    }
    node = add_node(reader, NODE_SCALAR, line);
    if (node == NULL) {
        free(text);
        return refuse_event(reader, line, "more than %d values", CONFIG_NODES_MAX);
    }
    node->text = text;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return 0;
}

/* Anchors and tags change what a text means; a configuration needs neither. */
static int check_properties(struct reader *reader, int line, const yaml_char_t *anchor,
                            const yaml_char_t *tag)
{
    if (anchor != NULL) {
        return refuse_event(reader, line, "anchors (&) are not allowed");
    }
    if (tag != NULL) {
        return refuse_event(reader, line, "tags (!) are not allowed");
    }
    return 0;
}

static int check_event(struct reader *reader, const yaml_event_t *event, int line)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return refuse_event(reader, line, "aliases (*) are not allowed");
    case YAML_SCALAR_EVENT:
        return check_properties(reader, line, event->data.scalar.anchor, event->data.scalar.tag);
    case YAML_SEQUENCE_START_EVENT:
        return check_properties(reader, line, event->data.sequence_start.anchor,
                                event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return check_properties(reader, line, event->data.mapping_start.anchor,
                                event->data.mapping_start.tag);
    default:
        return 0;
    }
}

static int take_event(struct reader *reader, const yaml_event_t *event)
{
    int line = (int)event->start_mark.line + 1;
    int r;

    r = check_event(reader, event, line);
    if (r < 0) {
        return r;
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (reader->n_documents++ > 0) {
            return refuse_event(reader, line, "a second document starts; one is allowed");
        }
        return 0;
    case YAML_SCALAR_EVENT:
        return add_scalar(reader, event, line);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(reader, NODE_SEQUENCE, line);
    case YAML_MAPPING_START_EVENT:
        return open_node(reader, NODE_MAPPING, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return 0;
    default:
        return 0;
    }
}

/* What libyaml has to say. An unclosed quote is found at the end of the file, so that the line
 * where it was opened matters as much. */
static int refuse_syntax(struct reader *reader, const char *bytes)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    int line = (int)parser->problem_mark.line + 1;

    if (parser->error == YAML_MEMORY_ERROR) {
        return refuse_memory(reader->file->name, reader->ret_error);
    }
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < parser->problem_offset; i++) {
            line += bytes[i] == '\n';
        }
    }
    if (parser->context == NULL) {
        return refuse_event(reader, line, "%s", problem);
    }
    return refuse_event(reader, line, "%s (%s, line %d)", problem, parser->context,
                        (int)parser->context_mark.line + 1);
}

static int read_events(struct reader *reader, const char *bytes)
{
    bool ended = false;
    int r = 0;

    while (!ended && r == 0) {
        yaml_event_t event;

        if (!yaml_parser_parse(&reader->parser, &event)) {
            return refuse_syntax(reader, bytes);
        }
        r = take_event(reader, &event);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return r;
}

/* Nothing, `~` and `null`, without quotes. */
static bool is_null(const struct node *node)
{
    return node->kind == NODE_SCALAR && node->plain &&
           (*node->text == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static int check_root(struct reader *reader)
{
    struct node *root = &reader->file->nodes[0];

    if (reader->file->n_nodes == 0 || is_null(root)) {
        root->kind = NODE_MAPPING;
    }
    if (root->kind == NODE_MAPPING) {
        return 0;
    }
    return refuse_event(reader, 1, "must be a mapping: key, colon, value");
}

void config_file_free(struct config_file *file)
{
    if (file == NULL) {
        return;
    }
    for (size_t i = 0; i < file->n_nodes; i++) {
        free(file->nodes[i].key);
        free(file->nodes[i].text);
    }
    free(file->name);
    free(file);
}

static struct config_file *new_file(const char *name)
{
    struct config_file *file = calloc(1, sizeof(*file));

    if (file != NULL) {
        file->name = strdup(name);
    }
    if (file == NULL || file->name == NULL) {
        free(file);
        return NULL;
    }
    return file;
}

static int read_tree(const char *name, const char *bytes, size_t n, struct config_file **ret_file,
                     char *ret_error)
{
    struct reader reader = {.ret_error = ret_error};
    int r;

    reader.file = new_file(name);
    if (reader.file == NULL) {
        return refuse_memory(name, ret_error);
    }
    if (!yaml_parser_initialize(&reader.parser)) {
        config_file_free(reader.file);
        return refuse_memory(name, ret_error);
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, n);
    r = read_events(&reader, bytes);
    if (r == 0) {
        r = check_root(&reader);
    }
    yaml_parser_delete(&reader.parser);
    free(reader.key);
    if (r < 0) {
        config_file_free(reader.file);
        return r;
    }
    *ret_file = reader.file;
    return 0;
}

/* Binding the tree to the rows. */

struct binder {
    const struct config_file *file;
    struct buffer path;     /* "brokers[1].id" of what is being bound, NUL-terminated */
    struct buffer expanded; /* the values, each with its NUL */
    char *ret_error;
    char path_bytes[PATH_BYTES];
    char expanded_bytes[EXPANDED_BYTES_MAX];
};

__attribute__((format(printf, 3, 4))) static int refuse(struct binder *binder, int line,
                                                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_error(binder->file->name, line, binder->path.bytes, binder->ret_error, format,
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
static int expand(struct binder *binder, const struct node *node, const char **ret_text)
{
    const char *text = binder->expanded.bytes + binder->expanded.n;
    int r;

    if (!is_null(node)) {
        r = expand_dollars(binder, node->line, node->text);
        if (r < 0) {
            return r;
        }
    }
    buffer_put(&binder->expanded, "", 1);
    if (binder->expanded.overflowed) {
        return refuse(binder, node->line, "the values are longer than %d bytes together",
                      EXPANDED_BYTES_MAX);
    }
    *ret_text = text;
    return 0;
}

static bool is_utf8(const char *text)
{
    for (size_t n = strlen(text); n > 0;) {
        uint32_t code;
        size_t length = utf8_get(text, n, &code);

        if (length == 0) {
            return false;
        }
        text += length;
        n -= length;
    }
    return true;
}

/* One scalar into its member. Each returns 0, -EINVAL not of the row's type, -ERANGE out of its
 * range, or -ENOMEM; explain() makes a sentence of the first two. */

static int get_number(const struct option_row *row, const char *text, int64_t *ret_number)
{
    switch (row->type) {
    case OPTION_DURATION:
        return scalar_get_duration(text, ret_number);
    case OPTION_SIZE:
        return scalar_get_size(text, ret_number);
    default:
        return scalar_get_integer(text, ret_number);
    }
}

static int store_number(const struct option_row *row, const char *text, int64_t *at)
{
    int64_t number;
    int r;

    r = get_number(row, text, &number);
    if (r < 0) {
        return r;
    }
    if (number < row->min || number > row->max) {
        return -ERANGE;
    }
    *at = number;
    return 0;
}

static int store_real(const struct option_row *row, const char *text, double *at)
{
    double real;
    int r;

    r = scalar_get_real(text, &real);
    if (r < 0) {
        return r;
    }
    if (real < row->real_min || real > row->real_max) {
        return -ERANGE;
    }
    *at = real;
    return 0;
}

static int store_text(const struct option_row *row, const char *text, char **at)
{
    size_t n = strlen(text);

    if (!is_utf8(text)) {
        return -EINVAL;
    }
    if ((int64_t)n < row->min || (int64_t)n > row->max) {
        return -ERANGE;
    }
    *at = strdup(text);
    return *at != NULL ? 0 : -ENOMEM;
}

static int store_choice(const struct option_row *row, const char *text, int *at)
{
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *at = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int store_scalar(const struct option_row *row, const char *text, void *base)
{
    void *at = (char *)base + row->offset;

    switch (row->type) {
    case OPTION_BOOL:
        return scalar_get_bool(text, at);
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        return store_number(row, text, at);
    case OPTION_REAL:
        return store_real(row, text, at);
    case OPTION_TEXT:
        return store_text(row, text, at);
    default:
        return store_choice(row, text, at);
    }
}

/* Sentences for what store_scalar() refused. */

static void put_bound(const struct option_row *row, int64_t bound, char ret_text[SCALAR_BYTES])
{
    switch (row->type) {
    case OPTION_DURATION:
        scalar_put_duration(bound, ret_text);
        break;
    case OPTION_SIZE:
        scalar_put_size(bound, ret_text);
        break;
    default:
        (void)snprintf(ret_text, SCALAR_BYTES, "%" PRId64, bound);
        break;
    }
}

/* Whether a number that was refused is below the range; one too large to be read at all is far out
 * on its side. */
static bool is_below(const struct option_row *row, const char *text)
{
    int64_t number = *text == '-' ? INT64_MIN : INT64_MAX;
    double real = (double)number;

    if (row->type == OPTION_REAL) {
        (void)scalar_get_real(text, &real);
        return real < row->real_min;
    }
    (void)get_number(row, text, &number);
    return number < row->min;
}

static int explain_range(struct binder *binder, const struct option_row *row, int line,
                         const char *text)
{
    bool below = is_below(row, text);
    char bound[SCALAR_BYTES];

    if (row->type == OPTION_REAL) {
        scalar_put_real(below ? row->real_min : row->real_max, bound);
    } else {
        put_bound(row, below ? row->min : row->max, bound);
    }
    return refuse(binder, line, "%.60s is %s %s", text, below ? "below" : "above", bound);
}

/* A text may be a secret: it is not repeated. */
static int explain_text(struct binder *binder, const struct option_row *row, int line,
                        const char *text)
{
    size_t n = strlen(text);

    if (!is_utf8(text)) {
        return refuse(binder, line, "is not valid UTF-8");
    }
    if (n == 0) {
        return refuse(binder, line, "must not be empty");
    }
    if ((int64_t)n < row->min) {
        return refuse(binder, line, "has %zu bytes, at least %" PRId64 " are needed", n, row->min);
    }
    return refuse(binder, line, "has %zu bytes, at most %" PRId64 " are allowed", n, row->max);
}

static int explain_choice(struct binder *binder, const struct option_row *row, int line,
                          const char *text)
{
    char bytes[CONFIG_ERROR_BYTES / 2] = "";
    struct buffer words = buffer_over(bytes, sizeof(bytes));

    for (size_t i = 0; row->choices[i] != NULL; i++) {
        buffer_print(&words, "%s%s", i > 0 ? ", " : "", row->choices[i]);
    }
    return refuse(binder, line, "must be one of %s, not \"%.60s\"", bytes, text);
}

static int explain(struct binder *binder, const struct option_row *row, int line, const char *text,
                   int r)
{
    static const char *const forms[] = {
        [OPTION_BOOL] = "true or false",
        [OPTION_INTEGER] = "a whole number",
        [OPTION_REAL] = "a number",
        [OPTION_DURATION] = "a duration (250ms, 5s, 2m, 1h, 1d)",
        [OPTION_SIZE] = "a size (4096, 64KiB, 10MB, 1Gbit)",
    };

    if (r == -ENOMEM) {
        return refuse_memory(binder->file->name, binder->ret_error);
    }
    if (row->type == OPTION_TEXT) {
        return explain_text(binder, row, line, text);
    }
    if (row->type == OPTION_CHOICE) {
        return explain_choice(binder, row, line, text);
    }
    if (r == -ERANGE) {
        return explain_range(binder, row, line, text);
    }
    return refuse(binder, line, "\"%.60s\" is not %s", text, forms[row->type]);
}

static int bind_scalar(struct binder *binder, const struct option_row *row, const struct node *node,
                       void *base)
{
    const char *text = "";
    int r;

    if (node->kind != NODE_SCALAR) {
        return refuse(binder, node->line, "must be a single value, not a %s",
                      node->kind == NODE_MAPPING ? "mapping" : "list");
    }
    if (is_null(node) && row->type != OPTION_TEXT) {
        return refuse(binder, node->line, "has no value");
    }
    r = expand(binder, node, &text);
    if (r < 0) {
        return r;
    }
    r = store_scalar(row, text, base);
    return r < 0 ? explain(binder, row, node->line, text, r) : 0;
}

/* The number of elements of a list, checked; nothing written is none. */
static int check_list(struct binder *binder, const struct option_row *row, const struct node *node)
{
    if (node->kind != NODE_SEQUENCE && !is_null(node)) {
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

static int bind_texts(struct binder *binder, const struct option_row *row, const struct node *node,
                      void *base)
{
    struct option_texts *texts = (void *)((char *)base + row->offset);
    struct option_row element = {.type = OPTION_TEXT, .max = EXPANDED_BYTES_MAX};
    int r;

    r = check_list(binder, row, node);
    if (r < 0) {
        return r;
    }
    texts->texts = calloc((size_t)node->n_children + 1, sizeof(char *));
    if (texts->texts == NULL) {
        return refuse_memory(binder->file->name, binder->ret_error);
    }
    for (const struct node *child = node->first; child != NULL; child = child->next) {
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

static int bind_rows(struct binder *binder, const struct option_row *rows, const struct node *node,
                     int line, void *base);

/* `node` is a mapping, or nothing. */
static int bind_mapping(struct binder *binder, const struct option_row *row,
                        const struct node *node, void *base)
{
    if (node->kind != NODE_MAPPING && !is_null(node)) {
        return refuse(binder, node->line, "must be a mapping: key, colon, value");
    }
    return bind_rows(binder, row->rows, node, node->line, base);
}

static int bind_list(struct binder *binder, const struct option_row *row, const struct node *node,
                     void *base)
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
        return refuse_memory(binder->file->name, binder->ret_error);
    }
    list->n = (size_t)node->n_children;
    element = list->elements;
    for (const struct node *child = node->first; child != NULL; child = child->next) {
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

static int bind_value(struct binder *binder, const struct option_row *row, const struct node *node,
                      void *base)
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
        return bind_texts(binder, row, &(struct node){.kind = NODE_SEQUENCE}, base);
    }
    if (list) {
        return 0;
    }
    r = store_scalar(row, row->fallback, base);
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

static const struct node *find_child(const struct node *node, const char *key)
{
    const struct node *child = node != NULL ? node->first : NULL;

    while (child != NULL && (child->key == NULL || strcmp(child->key, key) != 0)) {
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
                          const struct node *node)
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
                      const struct node *parent, const struct node *node, void *base)
{
    const struct option_row *row = find_row(rows, node->key);
    const struct node *first = find_child(parent, node->key);
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
static int bind_rows(struct binder *binder, const struct option_row *rows, const struct node *node,
                     int line, void *base)
{
    int r;

    for (const struct node *child = node != NULL ? node->first : NULL; child != NULL;
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

/* Releasing. */

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

/* The public readers. */

static int bind_tree(const struct config_file *file, const struct option_row *rows, void *config,
                     char *ret_error)
{
    cleanup_free struct binder *binder = malloc(sizeof(*binder));
    int r;

    if (binder == NULL) {
        return refuse_memory(file->name, ret_error);
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

int config_read_bytes(const char *name, const char *bytes, size_t n, const struct option_row *rows,
                      void *config, struct config_file **ret_file, char *ret_error)
{
    struct config_file *file;
    int r;

    if (n > CONFIG_BYTES_MAX) {
        (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: is larger than %d bytes", name,
                       CONFIG_BYTES_MAX);
        return -EINVAL;
    }
    r = read_tree(name, bytes, n, &file, ret_error);
    if (r < 0) {
        return r;
    }
    r = bind_tree(file, rows, config, ret_error);
    if (r < 0 || ret_file == NULL) {
        config_file_free(file);
        return r;
    }
    *ret_file = file;
    return 0;
}

/* Open what may be read as a configuration. Returns a descriptor, or a negative error, with the
 * reason in `ret_why`. */
static int open_file(const char *path, const char **ret_why)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    int opened = fd;

    if (fd < 0 || fstat(fd, &status) < 0) {
        *ret_why = "cannot be opened";
        return -errno;
    }
    *ret_why = NULL;
    if (!S_ISREG(status.st_mode)) {
        *ret_why = "is not a regular file";
    } else if ((status.st_mode & S_IWOTH) != 0) {
        *ret_why = "is writable for everybody, so that nobody knows who wrote it";
    } else if (status.st_size > CONFIG_BYTES_MAX) {
        *ret_why = "is larger than 65536 bytes";
    }
    if (*ret_why != NULL) {
        return -EINVAL;
    }
    fd = -1;
    return opened;
}

/* Read up to `size` bytes; the file may grow meanwhile. Returns their number or a negative error.
 */
static ssize_t read_whole(int fd, char *bytes, size_t size)
{
    size_t n = 0;

    while (n < size) {
        ssize_t r = read(fd, bytes + n, size - n);

        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r < 0) {
            return -errno;
        }
        if (r == 0) {
            break;
        }
        n += (size_t)r;
    }
    return (ssize_t)n;
}

int config_read(const char *path, const struct option_row *rows, void *config,
                struct config_file **ret_file, char *ret_error)
{
    cleanup_free char *bytes = malloc(CONFIG_BYTES_MAX + 1);
    const char *why = "cannot be read";
    cleanup_close int fd = -1;
    ssize_t n;

    static_assert(CONFIG_BYTES_MAX == 65536, "open_file() names the number");
    if (bytes == NULL) {
        return refuse_memory(path, ret_error);
    }
    fd = open_file(path, &why);
    if (fd == -EINVAL && why != NULL) {
        (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: %s", path, why);
        return fd;
    }
    n = fd < 0 ? fd : read_whole(fd, bytes, CONFIG_BYTES_MAX + 1);
    if (n < 0) {
        (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: %s: %s", path,
                       why != NULL ? why : "cannot be read", strerror((int)-n));
        return (int)n;
    }
    return config_read_bytes(path, bytes, (size_t)n, rows, config, ret_file, ret_error);
}

/* Lines, for the program's own checks. */

/* The child that the first step of dotted `*key` names, moving `*key` past it; NULL when it is not
 * written. */
static const struct node *find_step(const struct node *node, const char **key)
{
    size_t n = strcspn(*key, ".[");

    if (**key == '[') {
        const struct node *child = node->first;

        for (long i = strtol(*key + 1, NULL, 10); i > 0 && child != NULL; i--) {
            child = child->next;
        }
        *key += strcspn(*key, "]");
        *key += **key == ']';
        return child;
    }
    for (const struct node *child = node->first; child != NULL; child = child->next) {
        if (child->key != NULL && strlen(child->key) == n && memcmp(child->key, *key, n) == 0) {
            *key += n;
            return child;
        }
    }
    return NULL;
}

int config_line(const struct config_file *file, const char *key)
{
    const struct node *node = &file->nodes[0];
    int line = 0;

    while (node != NULL && *key != '\0') {
        key += *key == '.';
        node = find_step(node, &key);
        line = node != NULL ? node->line : line;
    }
    return line;
}

void config_complain(const struct config_file *file, const char *key, char *ret_error,
                     const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_error(file->name, config_line(file, key), key, ret_error, format, arguments);
    va_end(arguments);
}
