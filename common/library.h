/* Libraries that are loaded when they are needed. Shell.
 *
 * What only some configurations use (a page over HTTP, a topic source) costs the others nothing: a
 * library that is linked is mapped, relocated and set up at start with all that it needs itself,
 * and libcurl and libmicrohttpd bring three dozen others. */
#ifndef COMMON_LIBRARY_H
#define COMMON_LIBRARY_H

#include <stddef.h>

struct library_function {
    const char *name;
    void *place; /* of a pointer to such a function */
};

/* Load the library and look its functions up. Returns 0 and a handle; -ELIBACC, with one line in
 * the log, when it is not there or lacks one of them: nothing is kept then. Call it once, and keep
 * what it gave; the library stays until library_unload(). */
int library_load(const char *soname, const struct library_function *functions, size_t n_functions,
                 void **ret_handle);

/* Give the memory back. None of its functions may run or be called any more. */
void library_unload(void *handle);

#endif
