/* Counters: the text of one kernel file in, numbers out. Pure.
 *
 * Kernel files are read as lines of words. Nothing is taken by its position where the kernel gives
 * it a name, unknown names are skipped, and a number that does not fit 64 bits is a parse error:
 * counters decide where load goes, so that half a number is worse than none. */
#include "agent/counters.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/units.h"

/* What is left of a text. */
struct text {
    const char *at;
    const char *end;
};

static struct text text_over(const char *bytes, size_t n)
{
    return (struct text){.at = bytes, .end = n > 0 ? bytes + n : bytes};
}

static size_t text_length(struct text text)
{
    return (size_t)(text.end - text.at);
}

/* Whether a text of lines is whole: not empty, and its last line ended. */
static bool is_whole(const char *bytes, size_t n)
{
    return n > 0 && bytes[n - 1] == '\n';
}

/* Cut the text at the next `separator`; without one, all of it is taken. False at the end. */
static bool text_cut(struct text *text, char separator, struct text *ret_part)
{
    const char *stop;

    if (text->at == text->end) {
        return false;
    }
    stop = memchr(text->at, separator, text_length(*text));
    *ret_part = (struct text){.at = text->at, .end = stop != NULL ? stop : text->end};
    text->at = stop != NULL ? stop + 1 : text->end;
    return true;
}

static bool next_line(struct text *text, struct text *ret_line)
{
    return text_cut(text, '\n', ret_line);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool next_word(struct text *line, struct text *ret_word)
{
    while (line->at < line->end && is_blank(*line->at)) {
        line->at++;
    }
    ret_word->at = line->at;
    while (line->at < line->end && !is_blank(*line->at)) {
        line->at++;
    }
    ret_word->end = line->at;
    return ret_word->at < ret_word->end;
}

static bool text_is(struct text text, const char *name)
{
    size_t n = text_length(text);

    return n == strlen(name) && memcmp(text.at, name, n) == 0;
}

static bool text_starts(struct text text, const char *prefix)
{
    size_t n = strlen(prefix);

    return text_length(text) >= n && memcmp(text.at, prefix, n) == 0;
}

/* One digit of base 10 or 16, or -1. */
static int digit_of(char c, unsigned base)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (base == 16 && c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (base == 16 && c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

static int to_number_of(struct text word, unsigned base, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (word.at == word.end) {
        return -EBADMSG;
    }
    for (const char *c = word.at; c < word.end; c++) {
        int digit = digit_of(*c, base);

        if (digit < 0 || __builtin_mul_overflow(number, base, &number) ||
            __builtin_add_overflow(number, (uint64_t)digit, &number)) {
            return -EBADMSG;
        }
    }
    *ret_number = number;
    return 0;
}

static int to_number(struct text word, uint64_t *ret_number)
{
    return to_number_of(word, 10, ret_number);
}

static int next_number(struct text *line, uint64_t *ret_number)
{
    struct text word;

    return next_word(line, &word) ? to_number(word, ret_number) : -EBADMSG;
}

/* Sums that outgrow 64 bits stay at the top: the next sample tells a reset from it. */
static void add_to(uint64_t *sum, uint64_t number)
{
    if (__builtin_add_overflow(*sum, number, sum)) {
        *sum = UINT64_MAX;
    }
}

/* FNV-1a, for telling one set of device names from another. */
static uint64_t hash_text(uint64_t hash, struct text text)
{
    for (const char *c = text.at; c < text.end; c++) {
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3ULL;
    }
    return (hash ^ 0xff) * 0x100000001b3ULL;
}

bool counters_names_add(struct counters_names *names, const char *name)
{
    size_t n_bytes = strlen(name);

    if (names->n == COUNTERS_NAMES_MAX || n_bytes >= COUNTERS_NAME_BYTES) {
        return false;
    }
    memcpy(names->names[names->n++], name, n_bytes + 1);
    return true;
}

static bool names_have(const struct counters_names *names, struct text name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (text_is(name, names->names[i])) {
            return true;
        }
    }
    return false;
}

/* One "name number" line that a parser wants. */
struct wanted {
    const char *name;
    uint64_t *number;
};

/* Read the lines that are wanted out of a text of "name number …" lines; returns how many. */
static int read_keyed(const char *bytes, size_t n, const struct wanted *wanted, size_t n_wanted)
{
    struct text text = text_over(bytes, n), line, name;
    int n_found = 0;

    if (!is_whole(bytes, n)) {
        return -EBADMSG;
    }
    while (next_line(&text, &line)) {
        if (!next_word(&line, &name)) {
            continue;
        }
        for (size_t i = 0; i < n_wanted; i++) {
            if (!text_is(name, wanted[i].name)) {
                continue;
            }
            if (next_number(&line, wanted[i].number) < 0) {
                return -EBADMSG;
            }
            n_found++;
            break;
        }
    }
    return n_found;
}

int counters_number(const char *bytes, size_t n, uint64_t *ret_number)
{
    struct text text = text_over(bytes, n), word;
    uint64_t number;

    if (next_number(&text, &number) < 0 || next_word(&text, &word)) {
        return -EBADMSG;
    }
    *ret_number = number;
    return 0;
}

int counters_limit(const char *bytes, size_t n, uint64_t *ret_limit)
{
    struct text text = text_over(bytes, n), word;

    if (next_word(&text, &word) && (text_is(word, "max") || text_is(word, "-1"))) {
        *ret_limit = COUNTERS_NONE;
        return 0;
    }
    return counters_number(bytes, n, ret_limit);
}

int counters_cpu_max(const char *bytes, size_t n, double *ret_cores)
{
    struct text text = text_over(bytes, n), word;
    uint64_t quota_us, period_us;

    if (!is_whole(bytes, n) || !next_word(&text, &word) || next_number(&text, &period_us) < 0 ||
        period_us == 0) {
        return -EBADMSG;
    }
    if (text_is(word, "max")) {
        *ret_cores = INFINITY;
        return 0;
    }
    if (to_number(word, &quota_us) < 0) {
        return -EBADMSG;
    }
    *ret_cores = (double)quota_us / (double)period_us;
    return 0;
}

/* "3" or "0-1" of a list. */
static int count_range(struct text range, uint64_t *n_cpus)
{
    struct text first_word, last_word;
    uint64_t first, last;

    if (!text_cut(&range, '-', &first_word) || to_number(first_word, &first) < 0) {
        return -EBADMSG;
    }
    last = first;
    if (text_cut(&range, '-', &last_word) && to_number(last_word, &last) < 0) {
        return -EBADMSG;
    }
    if (last < first || last > 65535 || range.at != range.end) {
        return -EBADMSG;
    }
    *n_cpus += last - first + 1;
    return 0;
}

int counters_cpu_set(const char *bytes, size_t n, unsigned *ret_n_cpus)
{
    struct text text = text_over(bytes, n), list, range;
    uint64_t n_cpus = 0;

    if (!is_whole(bytes, n)) {
        return -EBADMSG;
    }
    if (next_word(&text, &list)) {
        while (text_cut(&list, ',', &range)) {
            if (count_range(range, &n_cpus) < 0 || n_cpus > 65536) {
                return -EBADMSG;
            }
        }
    }
    *ret_n_cpus = (unsigned)n_cpus;
    return 0;
}

int counters_cpu_stat(const char *bytes, size_t n, struct counters_cpu *ret_cpu)
{
    struct counters_cpu cpu = {.usage_us = COUNTERS_NONE};
    uint64_t throttled_ns = 0; /* v1 */
    const struct wanted wanted[] = {
        {"usage_usec", &cpu.usage_us},      {"nr_periods", &cpu.n_periods},
        {"nr_throttled", &cpu.n_throttled}, {"throttled_usec", &cpu.throttled_us},
        {"throttled_time", &throttled_ns},
    };
    int n_found = read_keyed(bytes, n, wanted, N_ELEMENTS(wanted));

    if (n_found <= 0) {
        return n_found < 0 ? n_found : -ENODATA;
    }
    cpu.throttled_us = MAX(cpu.throttled_us, throttled_ns / 1000);
    *ret_cpu = cpu;
    return 0;
}

int counters_memory_stat(const char *bytes, size_t n, struct counters_memory *ret_memory)
{
    struct counters_memory all = {COUNTERS_NONE, 0, COUNTERS_NONE, COUNTERS_NONE, COUNTERS_NONE};
    uint64_t file = COUNTERS_NONE, shmem = 0, inactive_file = COUNTERS_NONE;
    const struct wanted wanted[] = {
        {"file", &file},
        {"shmem", &shmem},
        {"inactive_file", &inactive_file},
        {"total_cache", &all.file},
        {"total_shmem", &all.shmem},
        {"total_inactive_file", &all.inactive_file},
        {"hierarchical_memory_limit", &all.limit},
        {"total_swap", &all.swap},
    };
    int n_found = read_keyed(bytes, n, wanted, N_ELEMENTS(wanted));

    if (n_found <= 0) {
        return n_found < 0 ? n_found : -ENODATA;
    }
    if (all.file == COUNTERS_NONE) { /* v2, where every number includes what is below */
        all.file = file;
        all.shmem = shmem;
        all.inactive_file = inactive_file;
    }
    *ret_memory = all;
    return 0;
}

/* Kibibytes to bytes, as far as they fit. */
static uint64_t from_kib(uint64_t kib)
{
    return kib > UINT64_MAX / 1024 ? UINT64_MAX : kib * 1024;
}

static uint64_t take_off(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

int counters_meminfo(const char *bytes, size_t n, struct counters_host_memory *ret_memory)
{
    uint64_t total = COUNTERS_NONE, available = COUNTERS_NONE, unused = COUNTERS_NONE;
    uint64_t buffers = 0, cached = 0, slab = 0, shmem = 0, inactive = COUNTERS_NONE;
    uint64_t swap_total = COUNTERS_NONE, swap_free = COUNTERS_NONE;
    const struct wanted wanted[] = {
        {"MemTotal:", &total},     {"MemFree:", &unused}, {"MemAvailable:", &available},
        {"Buffers:", &buffers},    {"Cached:", &cached},  {"Inactive(file):", &inactive},
        {"SReclaimable:", &slab},  {"Shmem:", &shmem},    {"SwapTotal:", &swap_total},
        {"SwapFree:", &swap_free},
    };
    int n_found = read_keyed(bytes, n, wanted, N_ELEMENTS(wanted));

    if (n_found < 0) {
        return n_found;
    }
    if (total == COUNTERS_NONE || unused == COUNTERS_NONE) {
        return -ENODATA;
    }
    if (available == COUNTERS_NONE) {
        available = unused;
        add_to(&available, buffers);
        add_to(&available, cached);
        add_to(&available, slab);
        available = take_off(available, shmem);
    }
    *ret_memory = (struct counters_host_memory){
        .total = from_kib(total),
        .available = from_kib(MIN(available, total)),
        .free = from_kib(unused),
        .inactive_file = inactive == COUNTERS_NONE ? inactive : from_kib(inactive),
        .swap = swap_total == COUNTERS_NONE || swap_free == COUNTERS_NONE
                    ? COUNTERS_NONE
                    : from_kib(take_off(swap_total, swap_free)),
    };
    return 0;
}

int counters_oom_kills(const char *bytes, size_t n, uint64_t *ret_n_kills)
{
    uint64_t n_kills = COUNTERS_NONE;
    const struct wanted wanted[] = {{"oom_kill", &n_kills}};
    int n_found = read_keyed(bytes, n, wanted, N_ELEMENTS(wanted));

    if (n_found <= 0) {
        return n_found < 0 ? n_found : -ENODATA;
    }
    *ret_n_kills = n_kills;
    return 0;
}

/* "48.99": hundredths, as the kernel writes them. */
static int to_percent(struct text word, double *ret_percent)
{
    struct text whole_word;
    uint64_t whole, hundredths = 0;

    if (!text_cut(&word, '.', &whole_word) || to_number(whole_word, &whole) < 0 ||
        (word.at != word.end && (text_length(word) != 2 || to_number(word, &hundredths) < 0)) ||
        whole > 100) {
        return -EBADMSG;
    }
    *ret_percent = (double)whole + (double)hundredths / 100;
    return 0;
}

/* "avg10=48.99 avg60=11.06 avg300=2.40 total=7230870" */
static int read_stall(struct text line, struct counters_stall *ret_stall)
{
    static const char *const names[PRESSURE_AVERAGES] = {"avg10", "avg60", "avg300"};
    struct text pair, name;
    bool has_total = false;

    while (next_word(&line, &pair)) {
        if (!text_cut(&pair, '=', &name)) {
            return -EBADMSG;
        }
        for (size_t i = 0; i < PRESSURE_AVERAGES; i++) {
            if (text_is(name, names[i]) && to_percent(pair, &ret_stall->averages[i]) < 0) {
                return -EBADMSG;
            }
        }
        if (text_is(name, "total")) {
            if (to_number(pair, &ret_stall->stalled_us) < 0) {
                return -EBADMSG;
            }
            has_total = true;
        }
    }
    return has_total ? 0 : -EBADMSG;
}

int counters_pressure(const char *bytes, size_t n, struct counters_pressure *ret_pressure)
{
    struct text text = text_over(bytes, n), line, kind;
    struct counters_pressure pressure = {0};
    bool has_some = false;

    if (!is_whole(bytes, n)) {
        return -EBADMSG;
    }
    while (next_line(&text, &line)) {
        int r = 0;

        if (!next_word(&line, &kind)) {
            continue;
        }
        if (text_is(kind, "some")) {
            r = read_stall(line, &pressure.some);
            has_some = true;
        } else if (text_is(kind, "full")) {
            r = read_stall(line, &pressure.full);
            pressure.has_full = true;
        }
        if (r < 0) {
            return r;
        }
    }
    if (!has_some && !pressure.has_full) {
        return -ENODATA;
    }
    *ret_pressure = pressure;
    return 0;
}

/* "254:0" */
static bool is_device(struct text word, unsigned *ret_major, unsigned *ret_minor)
{
    struct text major_word, minor_word;
    uint64_t major_number, minor_number;

    if (!text_cut(&word, ':', &major_word) || !text_cut(&word, ':', &minor_word) ||
        word.at != word.end || to_number(major_word, &major_number) < 0 ||
        to_number(minor_word, &minor_number) < 0 || major_number > UINT32_MAX ||
        minor_number > UINT32_MAX) {
        return false;
    }
    *ret_major = (unsigned)major_number;
    *ret_minor = (unsigned)minor_number;
    return true;
}

static bool is_left_out(const struct counters_devices *devices, unsigned major_number,
                        unsigned minor_number)
{
    for (size_t i = 0; devices != NULL && i < devices->n; i++) {
        if (devices->devices[i].major == major_number &&
            devices->devices[i].minor == minor_number) {
            return true;
        }
    }
    return false;
}

/* Whether the bytes of the device that `word` names count; false for "(unknown)", which the kernel
 * writes for a device that it cannot name. */
static bool is_counted(struct text word, const struct counters_devices *leave_out)
{
    unsigned major_number, minor_number;

    return is_device(word, &major_number, &minor_number) &&
           !is_left_out(leave_out, major_number, minor_number);
}

/* "rbytes=123": add it to the sum that it belongs to. */
static int add_pair(struct text pair, struct counters_traffic *traffic)
{
    struct text name;
    uint64_t number, *sum;

    if (!text_cut(&pair, '=', &name)) {
        return 0;
    }
    sum = text_is(name, "rbytes")   ? &traffic->in_bytes
          : text_is(name, "wbytes") ? &traffic->out_bytes
          : text_is(name, "rios")   ? &traffic->in_operations
          : text_is(name, "wios")   ? &traffic->out_operations
                                    : NULL;
    if (sum == NULL) {
        return 0;
    }
    if (to_number(pair, &number) < 0) {
        return -EBADMSG;
    }
    add_to(sum, number);
    return 0;
}

int counters_io_stat(const char *bytes, size_t n, const struct counters_devices *leave_out,
                     struct counters_traffic *ret_traffic)
{
    struct text text = text_over(bytes, n), line, word;
    struct counters_traffic traffic = {0};

    if (n > 0 && !is_whole(bytes, n)) {
        return -EBADMSG;
    }
    while (next_line(&text, &line)) {
        bool counted = false;

        while (next_word(&line, &word)) {
            if (memchr(word.at, '=', text_length(word)) == NULL) {
                /* Some kernels write devices without counters before the next one's. */
                counted = is_counted(word, leave_out);
            } else if (counted && add_pair(word, &traffic) < 0) {
                return -EBADMSG;
            }
        }
    }
    *ret_traffic = traffic;
    return 0;
}

/* "7:0 Read 123"; Sync, Async, Discard and Total tell the same bytes again. */
static int add_blkio_line(struct text line, const struct counters_devices *leave_out,
                          struct counters_traffic *traffic, size_t *n_devices)
{
    struct text device, operation;
    unsigned major_number, minor_number;
    uint64_t number;

    if (!next_word(&line, &device) || !is_device(device, &major_number, &minor_number)) {
        return 0;
    }
    if (!next_word(&line, &operation) || next_number(&line, &number) < 0) {
        return -EBADMSG;
    }
    (*n_devices)++;
    if (is_left_out(leave_out, major_number, minor_number)) {
        return 0;
    }
    if (text_is(operation, "Read")) {
        add_to(&traffic->in_bytes, number);
    } else if (text_is(operation, "Write")) {
        add_to(&traffic->out_bytes, number);
    }
    return 0;
}

int counters_blkio(const char *bytes, size_t n, const struct counters_devices *leave_out,
                   struct counters_traffic *ret_traffic)
{
    struct text text = text_over(bytes, n), line;
    struct counters_traffic traffic = {0};
    size_t n_devices = 0;

    if (n > 0 && !is_whole(bytes, n)) {
        return -EBADMSG;
    }
    while (next_line(&text, &line)) {
        if (add_blkio_line(line, leave_out, &traffic, &n_devices) < 0) {
            return -EBADMSG;
        }
    }
    if (n_devices == 0) {
        return -ENODATA;
    }
    *ret_traffic = traffic;
    return 0;
}

int counters_process_io(const char *bytes, size_t n, struct counters_traffic *ret_traffic)
{
    uint64_t read = COUNTERS_NONE, written = COUNTERS_NONE, cancelled = 0;
    const struct wanted wanted[] = {
        {"read_bytes:", &read},
        {"write_bytes:", &written},
        {"cancelled_write_bytes:", &cancelled},
    };
    int n_found = read_keyed(bytes, n, wanted, N_ELEMENTS(wanted));

    if (n_found < 0) {
        return n_found;
    }
    if (read == COUNTERS_NONE || written == COUNTERS_NONE) {
        return -ENODATA;
    }
    *ret_traffic = (struct counters_traffic){
        .in_bytes = read,
        .out_bytes = take_off(written, cancelled),
    };
    return 0;
}

/* Interfaces whose bytes pass through another one, or never leave the host. */
static bool is_virtual_interface(struct text name)
{
    static const char *const prefixes[] = {"veth", "docker", "br",   "cni",   "cali",   "virbr",
                                           "lxc",  "ifb",    "kube", "dummy", "flannel"};

    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
        if (text_starts(name, prefixes[i])) {
            return true;
        }
    }
    return false;
}

static bool is_interface_counted(struct text name, const struct counters_names *only,
                                 bool skip_virtual)
{
    if (only != NULL) {
        return names_have(only, name);
    }
    return !text_is(name, "lo") && !(skip_virtual && is_virtual_interface(name));
}

/* "  eth0:123 0 0 0 0 0 0 0 456 …": the 1st and the 9th number after the name. */
static int read_interface(struct text line, struct text *ret_name, uint64_t *ret_rx,
                          uint64_t *ret_tx)
{
    struct text name;
    uint64_t numbers[9];

    if (!text_cut(&line, ':', &name) || !next_word(&name, ret_name)) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        if (next_number(&line, &numbers[i]) < 0) {
            return -EBADMSG;
        }
    }
    *ret_rx = numbers[0];
    *ret_tx = numbers[8];
    return 0;
}

int counters_net_dev(const char *bytes, size_t n, const struct counters_names *only,
                     bool skip_virtual, struct counters_traffic *ret_traffic)
{
    struct text text = text_over(bytes, n), line, name;
    struct counters_traffic traffic = {0};
    uint64_t rx, tx;

    if (!is_whole(bytes, n)) {
        return -EBADMSG;
    }
    while (next_line(&text, &line)) {
        if (memchr(line.at, '|', text_length(line)) != NULL) {
            continue; /* the two lines of headings */
        }
        if (read_interface(line, &name, &rx, &tx) < 0) {
            return -EBADMSG;
        }
        if (is_interface_counted(name, only, skip_virtual)) {
            add_to(&traffic.in_bytes, rx);
            add_to(&traffic.out_bytes, tx);
            traffic.members = hash_text(traffic.members, name);
        }
    }
    if (traffic.members == 0) {
        return -ENODATA;
    }
    *ret_traffic = traffic;
    return 0;
}

/* Whether `name` is a partition of the disk `disk`: sda1 of sda, nvme0n1p3 of nvme0n1. */
static bool is_partition_of(struct text name, struct text disk)
{
    size_t n = text_length(disk);
    uint64_t number;

    if (n == 0 || text_length(name) <= n || memcmp(name.at, disk.at, n) != 0) {
        return false;
    }
    name.at += n;
    if (digit_of(disk.end[-1], 10) >= 0) {
        if (*name.at != 'p') {
            return false;
        }
        name.at++;
    }
    return to_number(name, &number) == 0;
}

static bool looks_like_no_disk(struct text name)
{
    static const char *const prefixes[] = {"loop", "ram", "zram", "dm-", "md", "sr", "fd"};

    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
        if (text_starts(name, prefixes[i])) {
            return true;
        }
    }
    return false;
}

/* One line of diskstats, its columns after the name as the kernel documents them. */
enum {
    COLUMN_READS = 0,
    COLUMN_READ_SECTORS = 2,
    COLUMN_READ_MS = 3,
    COLUMN_WRITES = 4,
    COLUMN_WRITTEN_SECTORS = 6,
    COLUMN_WRITE_MS = 7,
    COLUMN_BUSY_MS = 9,
    COLUMNS = 10
};

/* "259 0 nvme0n1 reads merged sectors ms writes merged sectors ms in-flight busy …" */
static int read_disk(struct text line, struct text *ret_name, uint64_t ret_columns[COLUMNS])
{
    uint64_t device[2];

    for (size_t i = 0; i < N_ELEMENTS(device); i++) {
        if (next_number(&line, &device[i]) < 0) {
            return -EBADMSG;
        }
    }
    if (!next_word(&line, ret_name)) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        if (next_number(&line, &ret_columns[i]) < 0) {
            return -EBADMSG;
        }
    }
    return 0;
}

/* Sectors of diskstats have 512 bytes, whatever the device's. */
static uint64_t from_sectors(uint64_t sectors)
{
    return sectors > UINT64_MAX / 512 ? UINT64_MAX : sectors * 512;
}

static void add_disk(struct counters_disks *disks, struct text name, const uint64_t *columns)
{
    add_to(&disks->sum.in_bytes, from_sectors(columns[COLUMN_READ_SECTORS]));
    add_to(&disks->sum.out_bytes, from_sectors(columns[COLUMN_WRITTEN_SECTORS]));
    add_to(&disks->sum.in_operations, columns[COLUMN_READS]);
    add_to(&disks->sum.out_operations, columns[COLUMN_WRITES]);
    add_to(&disks->operation_ms, columns[COLUMN_READ_MS]);
    add_to(&disks->operation_ms, columns[COLUMN_WRITE_MS]);
    disks->sum.members = hash_text(disks->sum.members, name);
    if (disks->n < COUNTERS_DISKS_MAX) {
        disks->disks[disks->n++] = (struct counters_disk){
            .name_hash = hash_text(0, name),
            .busy_ms = columns[COLUMN_BUSY_MS],
        };
    }
}

int counters_disk_stats(const char *bytes, size_t n, const struct counters_names *only,
                        struct counters_disks *ret_disks)
{
    struct text text = text_over(bytes, n), line, name, disk = {0};
    struct counters_disks disks;
    uint64_t columns[COLUMNS];

    if (n > 0 && !is_whole(bytes, n)) {
        return -EBADMSG;
    }
    disks.sum = (struct counters_traffic){0};
    disks.operation_ms = 0;
    disks.n = 0;
    while (next_line(&text, &line)) {
        if (read_disk(line, &name, columns) < 0) {
            return -EBADMSG;
        }
        if (only != NULL ? !names_have(only, name)
                         : looks_like_no_disk(name) || is_partition_of(name, disk)) {
            continue;
        }
        disk = name;
        add_disk(&disks, name, columns);
    }
    if (disks.sum.members == 0) {
        return -ENODATA;
    }
    ret_disks->sum = disks.sum;
    ret_disks->operation_ms = disks.operation_ms;
    ret_disks->n = disks.n;
    memcpy(ret_disks->disks, disks.disks, disks.n * sizeof(disks.disks[0]));
    return 0;
}

static int read_ticks(struct text line, uint64_t *ticks)
{
    for (size_t i = 0; i < TICKS; i++) {
        struct text word;

        if (!next_word(&line, &word)) {
            return i > TICK_IDLE ? 0 : -EBADMSG; /* old kernels have fewer columns */
        }
        if (to_number(word, &ticks[i]) < 0) {
            return -EBADMSG;
        }
    }
    return 0;
}

int counters_stat(const char *bytes, size_t n, struct counters_host_cpu *ret_cpu)
{
    struct text text = text_over(bytes, n), line, word;
    struct counters_host_cpu cpu = {0};
    bool found = false;

    /* A long file may be cut off: the lines of CPUs come first. */
    while (next_line(&text, &line) && next_word(&line, &word) && text_starts(word, "cpu")) {
        if (!text_is(word, "cpu")) {
            cpu.n_cpus++;
            continue;
        }
        if (line.end == bytes + n || read_ticks(line, cpu.ticks) < 0) {
            return -EBADMSG;
        }
        found = true;
    }
    if (!found) {
        return -EBADMSG;
    }
    *ret_cpu = cpu;
    return 0;
}

static const char *find_last(const char *bytes, size_t n, char c)
{
    return n > 0 ? memrchr(bytes, c, n) : NULL;
}

/* The fields of /proc/PID/stat after the name, as proc(5) numbers them. */
enum { FIELD_PPID = 4, FIELD_UTIME = 14, FIELD_THREADS = 20, FIELD_START = 22 };

static int read_process_fields(struct text rest, struct counters_process *process)
{
    uint64_t fields[FIELD_START + 1] = {0};
    struct text word;

    if (!next_word(&rest, &word)) {
        return -EBADMSG;
    }
    process->state = *word.at;
    for (size_t i = FIELD_PPID; i <= FIELD_START; i++) {
        if (!next_word(&rest, &word)) {
            return -EBADMSG;
        }
        /* Some of the fields between are negative, and none of those is wanted. */
        if (*word.at != '-' && to_number(word, &fields[i]) < 0) {
            return -EBADMSG;
        }
    }
    if (fields[FIELD_PPID] > INT32_MAX) {
        return -EBADMSG;
    }
    process->ppid = (pid_t)fields[FIELD_PPID];
    process->user_ticks = fields[FIELD_UTIME];
    process->system_ticks = fields[FIELD_UTIME + 1];
    process->reaped_ticks = fields[FIELD_UTIME + 2];
    add_to(&process->reaped_ticks, fields[FIELD_UTIME + 3]);
    process->n_threads = fields[FIELD_THREADS];
    process->start_ticks = fields[FIELD_START];
    return 0;
}

int counters_process_stat(const char *bytes, size_t n, struct counters_process *ret_process)
{
    struct counters_process process = {0};
    struct text head = text_over(bytes, n);
    const char *close = find_last(bytes, n, ')');
    const char *open = n > 0 ? memchr(bytes, '(', n) : NULL;
    size_t n_name;
    uint64_t pid;

    if (!is_whole(bytes, n) || open == NULL || close == NULL || close < open) {
        return -EBADMSG;
    }
    head.end = open;
    if (next_number(&head, &pid) < 0 || pid > INT32_MAX ||
        read_process_fields((struct text){.at = close + 1, .end = bytes + n}, &process) < 0) {
        return -EBADMSG;
    }
    process.pid = (pid_t)pid;
    n_name = MIN((size_t)(close - open - 1), sizeof(process.name) - 1);
    memcpy(process.name, open + 1, n_name);
    *ret_process = process;
    return 0;
}

int counters_process_status(const char *bytes, size_t n, struct counters_process_memory *ret_memory)
{
    uint64_t resident = COUNTERS_NONE, anonymous = COUNTERS_NONE, shared = 0, swap = 0;
    const struct wanted wanted[] = {
        {"VmRSS:", &resident},
        {"RssAnon:", &anonymous},
        {"RssShmem:", &shared},
        {"VmSwap:", &swap},
    };
    int n_found = read_keyed(bytes, n, wanted, N_ELEMENTS(wanted));

    if (n_found < 0) {
        return n_found;
    }
    if (resident == COUNTERS_NONE) {
        return -ENODATA; /* a kernel thread, or a process that is ending */
    }
    if (anonymous == COUNTERS_NONE) {
        anonymous = resident;
    } else {
        add_to(&anonymous, shared);
    }
    *ret_memory = (struct counters_process_memory){
        .nocache = from_kib(anonymous),
        .resident = from_kib(resident),
        .swap = from_kib(swap),
    };
    return 0;
}

/* "Max open files            1024                 524288               files": soft, then hard. */
int counters_max_fds(const char *bytes, size_t n, uint64_t *ret_max_fds)
{
    static const char name[] = "Max open files ";
    struct text text = text_over(bytes, n), line, word;

    if (!is_whole(bytes, n)) {
        return -EBADMSG;
    }
    while (next_line(&text, &line)) {
        if (!text_starts(line, name)) {
            continue;
        }
        line.at += sizeof(name) - 1;
        if (!next_word(&line, &word)) {
            return -EBADMSG;
        }
        if (text_is(word, "unlimited")) {
            *ret_max_fds = COUNTERS_NONE;
            return 0;
        }
        return to_number(word, ret_max_fds);
    }
    return -ENODATA;
}

int counters_pids(const char *bytes, size_t n, pid_t *pids, size_t n_max, size_t *ret_n_pids,
                  size_t *ret_n_hidden)
{
    struct text text = text_over(bytes, n), word;
    size_t n_pids = 0, n_hidden = 0;

    if (n > 0 && !is_whole(bytes, n)) {
        return -EBADMSG;
    }
    while (next_word(&text, &word)) {
        uint64_t pid;

        if (to_number(word, &pid) < 0 || pid > INT32_MAX) {
            return -EBADMSG;
        }
        if (pid == 0) {
            n_hidden++;
        } else if (n_pids < n_max) {
            pids[n_pids++] = (pid_t)pid;
        }
    }
    *ret_n_pids = n_pids;
    *ret_n_hidden = n_hidden;
    return 0;
}

/* "0: 0100007F:1E14 00000000:0000 0A tx:rx timer retransmits uid timeout inode …" */
static int read_socket(struct text line, bool *ret_listens, uint64_t *ret_port, uint64_t *ret_inode)
{
    enum { WORD_LOCAL = 1, WORD_STATE = 3, WORD_INODE = 9, LISTEN = 0x0a };
    struct text words[WORD_INODE + 1], host;
    uint64_t state;

    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        if (!next_word(&line, &words[i])) {
            return -EBADMSG;
        }
    }
    if (!text_cut(&words[WORD_LOCAL], ':', &host) ||
        to_number_of(words[WORD_LOCAL], 16, ret_port) < 0 ||
        to_number_of(words[WORD_STATE], 16, &state) < 0 ||
        to_number(words[WORD_INODE], ret_inode) < 0) {
        return -EBADMSG;
    }
    *ret_listens = state == LISTEN;
    return 0;
}

int counters_listeners(const char *bytes, size_t n, uint16_t port, uint64_t *inodes, size_t n_max,
                       size_t *n_inodes)
{
    struct text text = text_over(bytes, n), line;
    size_t n_found = *n_inodes;
    uint64_t local_port, inode;
    bool listens;

    (void)next_line(&text, &line); /* the line of headings */
    while (next_line(&text, &line) && line.end < bytes + n) {
        if (read_socket(line, &listens, &local_port, &inode) < 0) {
            return -EBADMSG;
        }
        if (listens && local_port == port && n_found < n_max) {
            inodes[n_found++] = inode;
        }
    }
    *n_inodes = n_found;
    return 0;
}
