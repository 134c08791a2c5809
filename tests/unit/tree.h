/* A tree of files in a temporary folder that stands in for /proc, /sys and /sys/fs/cgroup. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree {
    char root[64];
};

static inline void tree_make(struct tree *tree)
{
    const char *made;

    (void)snprintf(tree->root, sizeof(tree->root), "/tmp/evenkeel-tree-XXXXXX");
    made = mkdtemp(tree->root);
    assert(made != NULL);
    (void)made;
}

static inline void tree_path(const struct tree *tree, const char *name, char path[1024])
{
    int n = snprintf(path, 1024, "%s/%s", tree->root, name);

    assert(n > 0 && n < 1024);
    (void)n;
}

/* Make the folders that a path stands in. */
static inline void tree_parents(const char *path)
{
    char parent[1024];

    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        (void)mkdir(parent, 0755);
    }
}

/* Write a file in place, so that a descriptor that holds it reads the new text. */
__attribute__((format(printf, 3, 4))) static inline void
tree_put(const struct tree *tree, const char *name, const char *format, ...)
{
    char path[1024];
    va_list arguments;
    FILE *file;

    tree_path(tree, name, path);
    tree_parents(path);
    file = fopen(path, "we");
    assert(file != NULL);
    va_start(arguments, format);
    (void)vfprintf(file, format, arguments);
    va_end(arguments);
    (void)fclose(file);
}

/* Make a symbolic link that holds `text`. */
static inline void tree_link(const struct tree *tree, const char *name, const char *text)
{
    char path[1024];
    int r;

    tree_path(tree, name, path);
    tree_parents(path);
    r = symlink(text, path);
    assert(r == 0);
    (void)r;
}

/* Make `name` another name of the file `of`: the same inode. */
static inline void tree_same(const struct tree *tree, const char *of, const char *name)
{
    char from[1024], to[1024];
    int r;

    tree_path(tree, of, from);
    tree_path(tree, name, to);
    tree_parents(to);
    r = link(from, to);
    assert(r == 0);
    (void)r;
}

static inline int tree_remove_one(const char *path, const struct stat *status, int type,
                                  struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Remove a folder and all below it, or a file; "" = the whole tree. */
static inline void tree_remove(const struct tree *tree, const char *name)
{
    char path[1024];

    tree_path(tree, name, path);
    (void)nftw(path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
