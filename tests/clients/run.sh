#!/usr/bin/env bash
# Trades against `tezi venue` with the brokers' official Python clients, over TLS.
#   tests/clients/run.sh [tezi binary [wire ...]]
# The clients are installed into target/clients from the package index, one environment each, and kept between runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
home=${CARGO_TARGET_DIR:-target}/clients

# Package and module of a wire's client; the script is WIRE_client.py.
client_of() {
    case $1 in
    kite) echo "kiteconnect==5.2.2 kiteconnect" ;;
    dhan) echo "dhanhq==2.3.0 dhanhq" ;;
    kotak) echo "kotakneoapi==3.0.9 neo_api_client" ;;
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
if ! command -v "$python" >/dev/null; then
    echo "SKIPPED tests/clients: no $python"
    exit 0
fi

work=$(mktemp -d)
venue=
stop() {
    if [ -n "$venue" ] && kill -INT "$venue" 2>/dev/null; then wait "$venue" || true; fi
    venue=
}
trap 'stop; rm -rf "$work"' EXIT

trade() {
    local wire=$1 package module
    read -r package module <<<"$(client_of "$wire")"
    if ! "$home/$wire/bin/python" -c "import $module" 2>/dev/null; then
        mkdir -p "$home"
        "$python" -m venv "$home/$wire"
        "$home/$wire/bin/pip" install --quiet --disable-pip-version-check "$package"
    fi
    rm -f "$work/ready.json"
    # Sped up so that ticks come quickly; the limits are tested elsewhere and would only slow this down.
    "$tezi" venue --wire "$wire" --speed 20 --rate-limit off --ca-out "$work/ca.pem" \
        --ready-file "$work/ready.json" --log "$work/$wire.jsonl" >"$work/out" &
    venue=$!
    for _ in $(seq 200); do
        [ -s "$work/ready.json" ] && break
        kill -0 "$venue"
        sleep 0.05
    done
    # REST checks the certificate against this root, and so do the WebSockets of all but Kite's, which check none, ever.
    REQUESTS_CA_BUNDLE=$work/ca.pem SSL_CERT_FILE=$work/ca.pem \
        timeout 120 "$home/$wire/bin/python" "tests/clients/${wire}_client.py" "$work/ready.json"
    stop
}

[ $# -gt 0 ] || set -- kite dhan kotak
for wire; do
    trade "$wire"
done
