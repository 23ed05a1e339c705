# shellcheck shell=bash
# What the scripts share. Sourced, never run.

heading() {
    printf '\n\033[1m==> %s\033[0m\n' "$*"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

need_root() {
    [[ $EUID -eq 0 ]] ||
        fail "$1 needs root, for network namespaces and XDP programs: run it with sudo"
}

elapsed() {
    printf '%d min %02d s' $((SECONDS / 60)) $((SECONDS % 60))
}

# The comment at the head of the script.
usage() {
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
}

bad_arguments() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

# A share that an argument names.
percent() {
    [[ $1 =~ ^[0-9]+$ && $1 -le 100 ]] || bad_arguments "$1 is no whole number from 0 to 100"
    echo "$1"
}

# The folder of a crate of ours, from here.
crate_folder() {
    local id
    id=$(cargo pkgid --package "$1" 2>/dev/null) || bad_arguments "there is no crate $1"
    id=${id#*file://}
    id=${id%%#*}
    echo "${id#"$PWD"/}"
}

# The major version of the LLVM that the compiler was built with.
llvm_major() {
    rustc --version --verbose | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p'
}

# Whether the toolchain has LLVM's tools.
has_llvm_tools() {
    compgen -G "$(rustc --print sysroot)/lib/rustlib/*/bin/llvm-cov" >/dev/null
}

# The program to measure: what WIREPATH names, or the release build.
find_program() {
    program=${WIREPATH:-}
    if [[ -z $program ]]; then
        "${BASH_SOURCE[0]%/*}/setup" test
        cargo build --release --locked --package wirepath
        program=${CARGO_TARGET_DIR:-target}/release/wirepath
    fi
}

# Joins two namespaces by a veth pair; each end has a name and an address, or - for none. What the
# kernel sends has whole checksums, and comes as it went.
join() {
    local from=("${@:1:3}") to=("${@:4:3}")
    ip link add "${from[1]}" netns "${from[0]}" type veth peer name "${to[1]}" netns "${to[0]}"
    local host name address
    for end in "${from[*]}" "${to[*]}"; do
        read -r host name address <<<"$end"
        [[ $address == - ]] || ip -n "$host" address add "$address" dev "$name"
        ip -n "$host" link set "$name" up
        ip netns exec "$host" ethtool -K "$name" tx off gro off >/dev/null 2>&1
    done
}

delete_namespaces() {
    local host
    for host in "$@"; do
        ip netns delete "$host" 2>/dev/null || true
    done
}

# Tries a command until it succeeds, for ten seconds.
wait_until() {
    for _ in {1..100}; do
        ! "${@:2}" || return 0
        sleep 0.1
    done
    fail "$1: not after ten seconds"
}

# The first number of this name in what the server at the control socket counts.
first_count() {
    curl -s --unix-socket "$1" http://wirepath/v1/stats |
        grep -o "\"$2\":[0-9]*" | sed -n '1s/.*://p'
}

# Of numbers, a line each: the median, the least and the most.
spread() {
    sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)], all[1], all[NR] }'
}
