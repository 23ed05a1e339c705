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
