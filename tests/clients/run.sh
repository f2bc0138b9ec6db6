#!/usr/bin/env bash
# Trades against `tezi venue` with the brokers' official clients, unmodified: Python's, and Kite's for JavaScript.
#   tests/clients/run.sh [tezi binary [wire ...]]      wires: kite dhan openalgo kite-js
# The clients are installed into target/clients from the package indexes, one folder each, and kept between runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
home=${CARGO_TARGET_DIR:-target}/clients
js=5.3.0

# Package and module of a wire's client; the script is WIRE_client.py.
client_of() {
    case $1 in
    kite) echo "kiteconnect==5.2.2 kiteconnect" ;;
    dhan) echo "dhanhq==2.3.0 dhanhq" ;;
    kotak) echo "kotakneoapi==3.0.9 neo_api_client" ;;
    openalgo) echo "openalgo==1.0.47 openalgo" ;;
    *) echo "no client of $1 is known" >&2 && return 1 ;;
    esac
}

if [ $# -gt 0 ]; then
    tezi=$1
    shift
else
    cargo build --quiet --bin tezi
    tezi=${CARGO_TARGET_DIR:-target}/debug/tezi
fi

work=$(mktemp -d)
venue=
stop() {
    if [ -n "$venue" ] && kill -INT "$venue" 2>/dev/null; then wait "$venue" || true; fi
    venue=
}
trap 'stop; rm -rf "$work"' EXIT

# Starts a venue and waits until it listens. Sped up so that ticks come quickly; the limits are tested elsewhere and would
# only slow this down.
start() {
    rm -f "$work/ready.json"
    "$tezi" venue --speed 20 --rate-limit off --ca-out "$work/ca.pem" --ready-file "$work/ready.json" \
        --log "$work/truth.jsonl" "$@" >"$work/out" &
    venue=$!
    for _ in $(seq 200); do
        [ -s "$work/ready.json" ] && break
        kill -0 "$venue"
        sleep 0.05
    done
}

trade() {
    local wire=$1 package module
    if ! command -v "$python" >/dev/null; then
        echo "SKIPPED the client of $wire: no $python"
        return
    fi
    read -r package module <<<"$(client_of "$wire")"
    if ! "$home/$wire/bin/python" -c "import $module" 2>/dev/null; then
        mkdir -p "$home"
        "$python" -m venv "$home/$wire"
        "$home/$wire/bin/pip" install --quiet --disable-pip-version-check "$package"
    fi
    # REST checks the certificate against this root, and so do the WebSockets of all but Kite's, which check none, ever.
    # OpenAlgo is plain on one's own machine, and has no certificate.
    local tls=("REQUESTS_CA_BUNDLE=$work/ca.pem" "SSL_CERT_FILE=$work/ca.pem")
    if [ "$wire" = openalgo ]; then
        tls=()
        start --wire "$wire" --plain
    else
        start --wire "$wire"
    fi
    timeout 120 env "${tls[@]}" "$home/$wire/bin/python" "tests/clients/${wire}_client.py" "$work/ready.json"
    stop
}

trade_js() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        echo "SKIPPED Kite's JavaScript client: no node with npm; install Node.js 18 or later"
        return
    fi
    if ! grep -q "\"version\": \"$js\"" "$home/kite-js/node_modules/kiteconnect/package.json" 2>/dev/null; then
        mkdir -p "$home/kite-js"
        npm install --prefix "$home/kite-js" --silent --no-audit --no-fund --no-save "kiteconnect@$js"
    fi
    start --wire kite
    KITE_JS=$(cd "$home/kite-js" && pwd) NODE_EXTRA_CA_CERTS=$work/ca.pem \
        timeout 120 node tests/clients/kite_client.mjs "$work/ready.json"
    stop
}

[ $# -gt 0 ] || set -- kite dhan kotak openalgo kite-js
for wire; do
    if [ "$wire" = kite-js ]; then trade_js; else trade "$wire"; fi
done
