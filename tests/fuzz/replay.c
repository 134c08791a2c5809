/* Replays a fuzz corpus as a plain test: every file of the folders given, and a few bytes of its
 * own. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int replay_file(const char *path)
{
    static uint8_t bytes[1 << 20];
    cleanup_fclose FILE *file = fopen(path, "rb");

    if (file == NULL) {
        return -1;
    }
    (void)LLVMFuzzerTestOneInput(bytes, fread(bytes, 1, sizeof(bytes), file));
    return 0;
}

int main(int argc, char **argv)
{
    int n_files = 0;

    for (int i = 1; i < argc; i++) {
        cleanup_closedir DIR *folder = opendir(argv[i]);

        for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
            char path[4096];

            if (entry->d_name[0] == '.') {
                continue;
            }
            (void)snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (replay_file(path) == 0) {
                n_files++;
            }
        }
    }
    (void)printf("replayed %d files\n", n_files);
    return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
