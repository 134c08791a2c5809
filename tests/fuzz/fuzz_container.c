/* Names of containers out of any two paths and an id, each on a line: no crash, no length beyond a
 * path, and nobody is beside himself. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path, const char *id)
{
    assert(container_on_path(path, id) <= strlen(path));
    assert(container_innermost(path) <= strlen(path));
    assert(!container_is_mate(path, path) || strncmp(path, "/..", 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *rest = text;
    char none[] = "";
    const char *lines[3];

    assert(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    for (size_t i = 0; i < 3; i++) {
        lines[i] = rest != NULL ? strsep(&rest, "\n") : none;
    }
    check_path(lines[0], lines[2]);
    check_path(lines[1], lines[2]);
    (void)container_is_mate(lines[0], lines[1]);
    (void)container_is_id(lines[2]);
    free(text);
    return 0;
}
