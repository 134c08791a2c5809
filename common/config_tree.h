/* Between the files of the configuration reader: the tree that stands between the text and the
 * option rows. Nobody else includes this. */
#ifndef COMMON_CONFIG_TREE_H
#define COMMON_CONFIG_TREE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/limits.h"

/* All values of a file, expanded: the file may be UTF-16, and every value gets a NUL. */
#define CONFIG_EXPANDED_BYTES_MAX 131072 /* 2 CONFIG_BYTES_MAX */

enum config_node_kind {
    NODE_SCALAR,
    NODE_MAPPING,
    NODE_SEQUENCE,
};

struct config_node {
    enum config_node_kind kind;
    int line;   /* 1 …: of its key in a mapping, of itself in a sequence; 0: the root */
    bool plain; /* SCALAR: written without quotes */
    char *key;  /* on the heap; NULL in a sequence */
    char *text; /* SCALAR: on the heap */
    struct config_node *first, *last, *next;
    int64_t n_children;
};

struct config_file {
    char *name;
    size_t n_nodes;
    struct config_node nodes[CONFIG_NODES_MAX]; /* the first is the root; never moved */
};

/* Format "name:line: key: message" into `ret_error` (CONFIG_ERROR_BYTES), printable and on one
 * line; without the line when it is 0, without the key when it is NULL or empty. */
__attribute__((format(printf, 5, 0))) void config_format_error(const char *name, int line,
                                                               const char *key, char *ret_error,
                                                               const char *format,
                                                               va_list arguments);

/* Say that memory is short; returns -ENOMEM. */
int config_refuse_memory(const char *name, char *ret_error);

/* Whether a node is nothing, `~` or `null`, without quotes. */
bool config_is_null(const struct config_node *node);

/* Bind the tree to the rows: fill `config`, which is zeroed. Returns 0, -EINVAL or -ENOMEM, with
 * the error's line in `ret_error` and `config` released. */
int config_bind(const struct config_file *file, const struct option_row *rows, void *config,
                char *ret_error);

/* Write the scalar `text` to its row's member in `base`. Returns 0, -EINVAL not of the row's type,
 * -ERANGE out of its range, -ENOMEM. */
int config_store(const struct option_row *row, const char *text, void *base);

/* Why config_store() refused `text` with `r`, -EINVAL or -ERANGE, as half a sentence in `ret_why`
 * (CONFIG_ERROR_BYTES / 2). */
void config_explain(const struct option_row *row, const char *text, int r, char *ret_why);

#endif
