/* The options of the log, the same in every daemon. */
#ifndef COMMON_LOG_OPTIONS_H
#define COMMON_LOG_OPTIONS_H

#include "common/config.h"

struct log_options {
    int level;  /* enum log_level */
    int format; /* enum log_format */
};

/* Rows of a group over a struct log_options. */
extern const struct option_row log_option_rows[];

#endif
