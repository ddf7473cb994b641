# What the run scripts share: sourced by tests/run, examples/run and bench/run, after `root` is set.
# Makes a bare Debian 12 able to build podium: `install_missing` installs packages, `configure` sets up a build folder.

packages_to_build="cmake ninja-build g++ libboost1.81-dev nlohmann-json3-dev libyaml-cpp-dev"
packages_to_test="doctest-dev clang-19 libclang-rt-19-dev pkg-config prometheus python3-venv chromium"
packages_to_bench="libbenchmark-dev"
packages_to_compare="haproxy nginx-light"

# Installs those of the named packages that are not there; says nothing when all are.
install_missing() {
    command -v dpkg-query >/dev/null || return 0  # not a Debian: CMake will say what it cannot find
    local package missing=""
    for package in "$@"; do
        case $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) in
        ii* | hi*) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "$0: packages are missing; run this first:" >&2
        echo "sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
        exit 1
    fi
    echo "installing:$missing"
    mkdir -p "$root/build"
    local log=$root/build/install.log
    set -o pipefail
    if ! with_no_services install_now $missing 2>&1 | tee "$log" | show_progress; then
        tail -n 20 "$log" >&2
        echo "$0: the packages could not be installed, the whole story is in $log" >&2
        exit 1
    fi
}

# One line for every ten packages, of the very many that apt prints.
show_progress() {
    awk '/^Setting up/ && ++n % 10 == 0 { print "  " n " packages set up"; fflush() }'
}

install_now() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update || return 1
    # --no-remove: whoever has another Boost keeps it, and is told by apt what stands in the way.
    apt-get install -y --no-install-recommends --no-remove "$@"
}

# Packages start no services while the command runs.
with_no_services() {
    local policy=/usr/sbin/policy-rc.d status
    if [ -e $policy ]; then
        "$@"
        return
    fi
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
    "$@"
    status=$?
    rm -f $policy
    trap - EXIT
    return $status
}

# configure <folder under build/> <cmake option>...: quiet unless it fails.
configure() {
    local folder=$root/build/$1
    shift
    mkdir -p "$folder"
    if ! cmake -S "$root" -B "$folder" -G Ninja "$@" >"$folder/configure.log" 2>&1; then
        cat "$folder/configure.log" >&2
        return 1
    fi
}
