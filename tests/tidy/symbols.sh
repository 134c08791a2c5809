#!/bin/sh
# libevenkeel exports ek_* and nothing else, and all that its header promises: symbols.sh SO A
set -eu
so=$1 archive=$2

# Sanitizers add symbols of their own; they are not ours to hide.
others='^(ek_[a-z_]+|EVENKEEL_0|__odr_asan.*|__asan.*|__tsan.*|__ubsan.*|__sancov.*)$'
failed=0

exported() {
    nm --defined-only "$@" | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }' | sort -u
}

for library in "$so" "$archive"; do
    if [ "$library" = "$so" ]; then
        names=$(exported -D "$library")
    else
        names=$(exported --extern-only "$library")
    fi
    foreign=$(printf '%s\n' "$names" | grep -Ev "$others" || true)
    if [ -n "$foreign" ]; then
        printf '%s exports more than ek_*:\n%s\n' "$library" "$foreign"
        failed=1
    fi
    for name in ek_connect ek_disconnect ek_error ek_strerror ek_assign ek_lookup ek_release \
        ek_ranking ek_ranking_free ek_reports ek_reports_free ek_status ek_move ek_moves \
        ek_moves_free ek_freshness_name ek_move_state_name ek_move_outcome_name ek_source_name \
        ek_version; do
        if ! printf '%s\n' "$names" | grep -qx "$name"; then
            printf '%s lacks %s\n' "$library" "$name"
            failed=1
        fi
    done
done
exit $failed
