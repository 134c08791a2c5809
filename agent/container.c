/* Containers as the names of their cgroups tell them. Pure. */
#include "agent/container.h"

#include <string.h>

/* A pod's uid ends with 12 hexadecimal digits, and is no container's id. */
#define OWN_ID_DIGITS_MIN 32

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The digits that a name of `n` bytes ends with, before ".scope"; 0: none, or a monitor's. */
static size_t find_id(const char *name, size_t n, const char **ret_id)
{
    static const char scope[] = ".scope";
    size_t n_scope = sizeof(scope) - 1, n_id = 0;

    if (n > n_scope && memcmp(name + n - n_scope, scope, n_scope) == 0) {
        n -= n_scope;
    }
    while (n_id < n && is_hex(name[n - n_id - 1])) {
        n_id++;
    }
    *ret_id = name + n - n_id;
    if (n_id < n && name[n - n_id - 1] != '-' && name[n - n_id - 1] != ':') {
        return 0;
    }
    return memmem(name, n, "conmon", strlen("conmon")) == NULL ? n_id : 0;
}

bool container_is_id(const char *text)
{
    size_t n = 0;

    while (is_hex(text[n])) {
        n++;
    }
    return text[n] == '\0' && n >= CONTAINER_ID_DIGITS_MIN && n <= CONTAINER_ID_DIGITS_MAX;
}

/* How much of the path leads to the last name that bears an id of `n_min` digits or more which
 * begins with `id`. */
static size_t find_last(const char *path, const char *id, size_t n_min)
{
    size_t n_found = 0;

    for (const char *name = path; *name != '\0';) {
        size_t n = strcspn(name, "/");
        const char *found;

        if (find_id(name, n, &found) >= n_min && memcmp(found, id, strlen(id)) == 0) {
            n_found = (size_t)(name + n - path);
        }
        name += n;
        name += *name == '/';
    }
    return n_found;
}

size_t container_on_path(const char *path, const char *id)
{
    return strlen(id) > 0 ? find_last(path, id, strlen(id)) : 0;
}

size_t container_innermost(const char *path)
{
    return find_last(path, "", OWN_ID_DIGITS_MIN);
}

/* How much of a path its container, or else all of it, takes. */
static size_t extent(const char *path)
{
    size_t n = container_innermost(path);

    return n > 0 ? n : strlen(path);
}

/* Steps up that a path begins with, and what follows them. */
static size_t count_ups(const char **path)
{
    size_t n_ups = 0;

    while (strncmp(*path, "/..", 3) == 0 && ((*path)[3] == '/' || (*path)[3] == '\0')) {
        *path += 3;
        n_ups++;
    }
    return n_ups;
}

/* Within a namespace: one name beside our own. Runtimes put the namespace's root a level deeper
 * than the container's name; there, only a container's name tells it from a host's service. */
static bool is_sibling_of_namespace(const char *path)
{
    const char *rest = path;
    size_t n_ups = count_ups(&rest), n_rest;

    if (n_ups == 0 || rest[0] != '/') {
        return false;
    }
    n_rest = n_ups == 1 ? extent(rest) : container_innermost(rest);
    return n_rest > 1 && memchr(rest + 1, '/', n_rest - 1) == NULL;
}

static size_t parent_of(const char *path, size_t n)
{
    const char *slash = memrchr(path, '/', n);

    return slash != NULL ? (size_t)(slash - path) : 0;
}

bool container_is_mate(const char *own, const char *path)
{
    size_t n_own = extent(own), n_path = extent(path);
    size_t n_parent = parent_of(own, n_own);

    if (strncmp(path, "/..", 3) == 0) {
        return is_sibling_of_namespace(path);
    }
    return n_own > 1 && n_path > 1 && n_parent == parent_of(path, n_path) &&
           memcmp(own, path, n_parent) == 0 && (n_own != n_path || memcmp(own, path, n_own) != 0);
}
