# Sourced by the scripts: where the checkout is, and Swift on PATH.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used by those who source this
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The place where scripts/install tells people to unpack Swift, for shells that do not have it on PATH yet.
command -v swift >/dev/null || PATH=$PATH:/opt/swift/usr/bin

# The toolchain's own LLVM tools: a system's clang may bring older ones that cannot read Swift's profiles.
toolchain_folder() {
    dirname "$(readlink -f "$(command -v swift)")"
}
