# shellcheck shell=bash disable=SC2154 # what is not assigned here is set by who sources it
# What deploy/quickstart is made of: words for people, processes, cgroups, waiting. Sourced.
#
# Everything that outlives a line is written down before it is made: processes in $directory/pids,
# with the time they started at, so that a later run can end what a killed one has left, and never
# another process that was given the same number.

say() {
    printf '[%3d s] %s\n' "$SECONDS" "$*" >&2
}

die() {
    printf '\nquickstart: %s\n' "$*" >&2
    exit 1
}

# When a process started, in clock ticks since boot; empty when there is none.
start_time() {
    # The second field is a name in brackets and may hold spaces: count from behind it.
    sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

is_running() {
    [ -d "/proc/$1" ] && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null
}

# start NAME COMMAND...: in the background, its output in $directory/NAME.log.
start() {
    local name=$1
    shift
    "$@" >"$directory/$name.log" 2>&1 9>&- </dev/null &
    echo "$! $(start_time $!) $name" >>"$directory/pids"
}

# Complains when one of the processes started here has ended.
all_running() {
    local pid name
    while read -r pid _ name; do
        if ! is_running "$pid"; then
            tail -n 20 "$directory/$name.log" >&2 || true
            die "$name has ended; its last words are above"
        fi
    done <"$directory/pids"
}

# wait_until SECONDS WHAT COMMAND...: until the command succeeds, or die.
wait_until() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        all_running
        if [ "$SECONDS" -ge "$end" ]; then
            for log in "$directory"/*.log; do
                printf '\n%s:\n' "${log##*/}" >&2
                tail -n 8 "$log" >&2
            done
            die "waited in vain for $what"
        fi
        sleep 0.1
    done
}

# End what $directory/pids names, last started first: politely, then not.
end_processes() {
    local pid started end=$((SECONDS + 5)) pids=()

    while read -r pid started _; do
        if [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]; then
            pids=("$pid" "${pids[@]}")
        fi
    done <"$directory/pids"
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in "${pids[@]}"; do
        while is_running "$pid" && [ "$SECONDS" -lt "$end" ]; do
            sleep 0.05
        done
        if is_running "$pid"; then
            kill -KILL "$pid" 2>/dev/null || true
        fi
        wait "$pid" 2>/dev/null || true
    done
}

# The controllers that a broker's cgroup is made with, comma-separated: what version 1 mounts, else
# what version 2 offers; nothing when there are no cgroups.
cgroup_controllers() {
    local controller found=

    for controller in cpu cpuacct memory; do
        if awk -v c="$controller" '$3 == "cgroup" && index("," $4 ",", "," c ",") { found = 1 }
                                   END { exit !found }' /proc/self/mounts; then
            found+=,$controller
        fi
    done
    if [ -z "$found" ] && [ -r /sys/fs/cgroup/cgroup.controllers ]; then
        for controller in cpu memory io; do
            if grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers; then
                found+=,$controller
            fi
        done
    fi
    echo "${found#,}"
}

# make_cgroup NAME: whether a process can be started in it now.
make_cgroup() {
    [ -n "$controllers" ] && cgcreate -g "$controllers:/$cgroup/$1" 2>/dev/null 9>&- &&
        cgexec -g "$controllers:/$cgroup/$1" true 2>/dev/null 9>&-
}

# cgdelete of several controllers at once stops after the first: one at a time.
remove_cgroups() {
    local controller
    if command -v cgdelete >/dev/null; then
        for controller in ${controllers//,/ }; do
            cgdelete -r -g "$controller:/$cgroup" 2>/dev/null 9>&- || true
        done
    fi
}

# free_ports N: as many TCP ports of loopback that nobody listens on, below those that the kernel
# gives to outgoing connections.
free_ports() {
    local n=$1 port
    while [ "$n" -gt 0 ]; do
        port=$((17000 + RANDOM % 14000))
        if [[ " ${ports[*]-} " != *" $port "* ]] &&
            ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            ports+=("$port")
            n=$((n - 1))
        fi
    done
}

# fill NAME=VALUE... <template: puts each value where @NAME@ stands.
fill() {
    local text pair
    text=$(cat)
    for pair in "$@"; do
        text=${text//"@${pair%%=*}@"/"${pair#*=}"}
    done
    printf '%s\n' "$text"
}

get() {
    curl -sf --max-time 2 "$1" 9>&-
}

# find_binary NAME: in a build folder, or in a folder of binaries.
find_binary() {
    local place
    for place in "$bin/$1" "$bin/client/$1" "$bin/deploy/demo/$1"; do
        if [ -x "$place" ]; then
            echo "$place"
            return 0
        fi
    done
    die "there is no $1 in $bin"
}
