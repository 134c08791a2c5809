/* One sentence that says why outside data is refused. Pure. */
#ifndef COMMON_REFUSE_H
#define COMMON_REFUSE_H

#include <stdarg.h>
#include <stdio.h>

#include "common/limits.h"

/* Print the sentence into `ret_why` (TEXT_BYTES_MAX + 1 bytes, cut off there) and give `r` back:
 * `return refuse(-EBADMSG, ret_why, "peers[%zu]: …", i)`. */
__attribute__((format(printf, 3, 4))) static inline int refuse(int r, char *ret_why,
                                                               const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(ret_why, TEXT_BYTES_MAX + 1, format, arguments);
    va_end(arguments);
    return r;
}

#endif
