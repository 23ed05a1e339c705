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
