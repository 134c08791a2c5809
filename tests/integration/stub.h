/* A stub aggregator for tests: answers queries in a thread of its own, on a real socket, in the
 * manner that it is told. */
#ifndef TESTS_INTEGRATION_STUB_H
#define TESTS_INTEGRATION_STUB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "common/query.h"

/* What a stub does with a query. */
enum manner {
    PROPER,
    SILENT,
    GARBAGE,
    OTHER_VERB,
    OTHER_TOPIC,
    NEWER_MAJOR,
    CANNOT_READ, /* "I do not speak your version" */
    REFUSING,
    NOT_READY,
    MISSING,
    HANGING_UP, /* closes the connection instead of answering */
    ENDING,     /* a move ends when it is asked for the third time, with `outcome` */
};

struct stub {
    char url[64];
    enum manner manner;
    enum move_outcome outcome; /* ENDING; may be left 0 else */
    int n_moves_asked;         /* ENDING */
    atomic_bool stop;
    atomic_int n_asked;
    atomic_bool listens;
    pthread_t thread;
};

/* A tcp address on loopback whose port nobody listened on a moment ago. */
void free_url(char *ret_url, size_t size);

/* Listen at `stub->url` and answer in that manner, until stub_stop(). Returns once it listens. */
void stub_start(struct stub *stub, enum manner manner);
void stub_stop(struct stub *stub);

#endif
