#!/usr/bin/env bash
# Trades against `tezi venue` with the brokers' own clients, unmodified: the wire of each broker against the client it
# has published.
#   tests/clients/run.sh [tezi binary]
# Clients are installed into target/clients from the package indexes and kept between runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
home=$(mkdir -p "${CARGO_TARGET_DIR:-target}/clients" && cd "${CARGO_TARGET_DIR:-target}/clients" && pwd)

if [ $# -gt 0 ]; then
    tezi=$1
else
    cargo build --quiet --bin tezi
    tezi=${CARGO_TARGET_DIR:-target}/debug/tezi
fi

work=$(mktemp -d)
venue=
stop() {
    if [ -n "$venue" ] && kill -INT "$venue" 2>/dev/null; then wait "$venue" || true; fi
    venue=
    rm -f "$work"/*
}
trap 'stop; rm -rf "$work"' EXIT

# Starts a venue with further arguments and waits until it listens. Sped up so that ticks come quickly; the limits are
# tested elsewhere and would only slow this down.
start() {
    stop
    "$tezi" venue --speed 20 --rate-limit off --ca-out "$work/ca.pem" --ready-file "$work/ready.json" \
        --log "$work/truth.jsonl" "$@" >"$work/out" &
    venue=$!
    for _ in $(seq 200); do
        [ -s "$work/ready.json" ] && break
        kill -0 "$venue"
        sleep 0.05
    done
}

# Installs one package into a virtual environment of its own; fails when there is no Python.
python_package() {
    local name=$1 version=$2
    if ! command -v "$python" >/dev/null; then
        echo "SKIPPED $name: no $python"
        return 1
    fi
    if ! "$home/$name/bin/python" -c "import importlib.metadata as m; assert m.version('$name') == '$version'" 2>/dev/null; then
        "$python" -m venv --clear "$home/$name"
        "$home/$name/bin/pip" install --quiet --disable-pip-version-check "$name==$version"
    fi
}

if python_package kiteconnect 5.2.2; then
    start
    # The REST side checks the certificate against this root; the official ticker checks none, ever.
    REQUESTS_CA_BUNDLE=$work/ca.pem SSL_CERT_FILE=$work/ca.pem \
        timeout 120 "$home/kiteconnect/bin/python" tests/clients/kite_client.py "$work/ready.json"
fi

if python_package openalgo 1.0.47; then
    # Plain, as OpenAlgo is on one's own machine.
    start --wire openalgo --plain
    timeout 120 "$home/openalgo/bin/python" tests/clients/openalgo_client.py "$work/ready.json"
fi

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "SKIPPED kiteconnect (JavaScript): no node with npm; install Node.js 18 or later"
else
    js=$home/kiteconnect-js
    if ! grep -q '"version": "5.3.0"' "$js/node_modules/kiteconnect/package.json" 2>/dev/null; then
        mkdir -p "$js"
        npm install --prefix "$js" --silent --no-audit --no-fund --no-save kiteconnect@5.3.0
    fi
    start
    KITE_JS=$js NODE_EXTRA_CA_CERTS=$work/ca.pem timeout 120 node tests/clients/kite_client.mjs "$work/ready.json"
fi
