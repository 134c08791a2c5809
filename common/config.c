/* YAML configuration: events become a bounded tree, and the tree is bound to the option rows.
 *
 * The tree stands between because a row can be checked only when all of its mapping is there, and
 * because the program's own checks ask for lines later (config_line()). It is bounded while it
 * grows: libyaml has no depth limit, and its flow nesting costs quadratic time, so that reading
 * stops at the first event that goes too deep. Binding is in config_bind.c, printing in
 * config_print.c. */
#include "common/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <yaml.h>

#include "common/buffer.h"
#include "common/cleanup.h"
#include "common/config_tree.h"
#include "common/limits.h"
#include "common/utf8.h"

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

void config_format_error(const char *name, int line, const char *key, char *ret_error,
                         const char *format, va_list arguments)
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

int config_refuse_memory(const char *name, char *ret_error)
{
    (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: out of memory", name);
    return -ENOMEM;
}

/* Reading events into the tree. */

struct reader {
    yaml_parser_t parser;
    struct config_file *file;
    struct config_node *open[CONFIG_DEPTH_MAX]; /* from the root to what is being filled */
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
    config_format_error(reader->file->name, line, NULL, reader->ret_error, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static bool expects_key(const struct reader *reader)
{
    return reader->depth > 0 && reader->open[reader->depth - 1]->kind == NODE_MAPPING &&
           reader->key == NULL;
}

/* Append a node to what is being filled; takes the waiting key. NULL when there are too many. */
static struct config_node *add_node(struct reader *reader, enum config_node_kind kind, int line)
{
    struct config_file *file = reader->file;
    struct config_node *parent = reader->depth > 0 ? reader->open[reader->depth - 1] : NULL;
    struct config_node *node = &file->nodes[file->n_nodes];

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

static int open_node(struct reader *reader, enum config_node_kind kind, int line)
{
    struct config_node *node;

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
    struct config_node *node;
    char *text;

    if (strlen(bytes) != event->data.scalar.length) {
        return refuse_event(reader, line, "a text holds a NUL character");
    }
    text = strdup(bytes);
    if (text == NULL) {
        return config_refuse_memory(reader->file->name, reader->ret_error);
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
        return config_refuse_memory(reader->file->name, reader->ret_error);
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

bool config_is_null(const struct config_node *node)
{
    return node->kind == NODE_SCALAR && node->plain &&
           (*node->text == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static int check_root(struct reader *reader)
{
    struct config_node *root = &reader->file->nodes[0];

    if (reader->file->n_nodes == 0 || config_is_null(root)) {
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
        return config_refuse_memory(name, ret_error);
    }
    if (!yaml_parser_initialize(&reader.parser)) {
        config_file_free(reader.file);
        return config_refuse_memory(name, ret_error);
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

/* The public readers. */

int config_read_bytes(const char *name, const char *bytes, size_t n, const struct option_row *rows,
                      void *config, struct config_file **ret_file, char *ret_error)
{
    struct config_file *file;
    int r;

    if (n > (size_t)CONFIG_BYTES_MAX) {
        (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: is larger than %d bytes", name,
                       CONFIG_BYTES_MAX);
        return -EINVAL;
    }
    r = read_tree(name, bytes, n, &file, ret_error);
    if (r < 0) {
        return r;
    }
    r = config_bind(file, rows, config, ret_error);
    if (r < 0 || ret_file == NULL) {
        config_file_free(file);
        return r;
    }
    *ret_file = file;
    return 0;
}

/* Why an open file is not read as a configuration; NULL when it is. */
static const char *find_fault(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        return "is not a regular file";
    }
    if ((status.st_mode & S_IWOTH) != 0) {
        return "is writable for everybody, so that nobody knows who wrote it";
    }
    return NULL;
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
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char bytes[CONFIG_BYTES_MAX + 1];
    const char *fault;
    ssize_t n;

    if (fd < 0) {
        int r = -errno;

        (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: cannot be opened: %s", path,
                       strerror(-r));
        return r;
    }
    fault = find_fault(fd);
    if (fault != NULL) {
        (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: %s", path, fault);
        return -EINVAL;
    }
    n = read_whole(fd, bytes, sizeof(bytes));
    if (n < 0) {
        (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%.200s: cannot be read: %s", path,
                       strerror((int)-n));
        return (int)n;
    }
    return config_read_bytes(path, bytes, (size_t)n, rows, config, ret_file, ret_error);
}

/* Lines, for the program's own checks. */

/* The child that the first step of dotted `*key` names, moving `*key` past it; NULL when it is not
 * written. */
static const struct config_node *find_step(const struct config_node *node, const char **key)
{
    size_t n = strcspn(*key, ".[");

    if (**key == '[') {
        const struct config_node *child = node->first;

        for (long i = strtol(*key + 1, NULL, 10); i > 0 && child != NULL; i--) {
            child = child->next;
        }
        *key += strcspn(*key, "]");
        *key += **key == ']';
        return child;
    }
    for (const struct config_node *child = node->first; child != NULL; child = child->next) {
        if (child->key != NULL && strlen(child->key) == n && memcmp(child->key, *key, n) == 0) {
            *key += n;
            return child;
        }
    }
    return NULL;
}

int config_line(const struct config_file *file, const char *key)
{
    const struct config_node *node = &file->nodes[0];
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
    config_format_error(file->name, config_line(file, key), key, ret_error, format, arguments);
    va_end(arguments);
}
