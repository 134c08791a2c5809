/* What `doctor` finds, told as it is found. Shell: writes to a stream. */
#include "agent/finding.h"

#include <stdarg.h>

#include "common/json.h"
#include "common/limits.h"

static const char *const levels[FINDING_LEVELS] = {"ok", "warn", "fail"};

int findings_open(struct findings *findings, enum show_format format, FILE *to)
{
    int r;

    *findings = (struct findings){.to = to};
    if (format != SHOW_JSON) {
        return 0;
    }
    r = json_new(to, &findings->json);
    if (r == 0) {
        json_open_list(findings->json, "findings");
    }
    return r;
}

static void put(struct json *json, enum finding_level level, const char *of, const char *check,
                const char *remedy, const char *text)
{
    json_open_object(json, NULL);
    json_text(json, "level", levels[level]);
    json_text(json, "of", of);
    json_text(json, "check", check);
    json_text(json, "text", text);
    json_text(json, "remedy", remedy);
    json_close_object(json);
}

void finding(struct findings *findings, enum finding_level level, const char *of, const char *check,
             const char *remedy, const char *format, ...)
{
    char text[4 * TEXT_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    findings->counts[level]++;
    if (findings->json != NULL) {
        put(findings->json, level, of, check, remedy, text);
    } else {
        (void)fprintf(findings->to, "%-4s  %s %s: %s%s%s\n", levels[level], of, check, text,
                      remedy[0] != '\0' ? "; " : "", remedy);
    }
}

bool findings_close(struct findings *findings)
{
    if (findings->json != NULL) {
        json_close_list(findings->json);
        for (unsigned i = 0; i < FINDING_LEVELS; i++) {
            json_count(findings->json, levels[i], findings->counts[i]);
        }
        json_free(findings->json);
    } else {
        (void)fprintf(findings->to, "%zu ok, %zu warn, %zu fail\n", findings->counts[FINDING_OK],
                      findings->counts[FINDING_WARN], findings->counts[FINDING_FAIL]);
    }
    return findings->counts[FINDING_FAIL] == 0;
}
