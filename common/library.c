/* Libraries that are loaded when they are needed. */
#include "common/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "common/log.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* ISO C knows no way from a pointer to data to one to a function: POSIX has it copied. */
static int look_up(void *handle, const struct library_function *function)
{
    void *address = dlsym(handle, function->name);

    if (address == NULL) {
        return -ELIBACC;
    }
    memcpy(function->place, &address, sizeof(address));
    return 0;
}

static int fail(const char *soname)
{
    const char *why = dlerror();

    log_event(LOG_ERROR, "library_not_loaded", log_text("library", soname),
              log_text("error", why != NULL ? why : ""));
    return -ELIBACC;
}

int library_load(const char *soname, const struct library_function *functions, size_t n_functions,
                 void **ret_handle)
{
    void *handle = dlopen(soname, RTLD_LAZY | RTLD_LOCAL);

    if (handle == NULL) {
        return fail(soname);
    }
    for (size_t i = 0; i < n_functions; i++) {
        if (look_up(handle, &functions[i]) < 0) {
            int r = fail(soname);

            (void)dlclose(handle);
            return r;
        }
    }
    *ret_handle = handle;
    return 0;
}

void library_unload(void *handle)
{
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
    (void)handle; /* what it keeps for itself must be seen to be kept */
#else
    (void)dlclose(handle);
#endif
}
