#!/usr/bin/env bash
# Trades against `tezi venue` with Kite's official Python client, over TLS.
#   tests/clients/run.sh [tezi binary]
# The client is installed into target/clients from the package index and kept between runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
home=${CARGO_TARGET_DIR:-target}/clients
version=5.2.2

if [ $# -gt 0 ]; then
    tezi=$1
else
    cargo build --quiet --bin tezi
    tezi=${CARGO_TARGET_DIR:-target}/debug/tezi
fi
if ! command -v "$python" >/dev/null; then
    echo "SKIPPED tests/clients: no $python"
    exit 0
fi
if ! "$home/venv/bin/python" -c 'import kiteconnect' 2>/dev/null; then
    mkdir -p "$home"
    "$python" -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check "kiteconnect==$version"
fi

work=$(mktemp -d)
venue=
stop() {
    if [ -n "$venue" ] && kill -INT "$venue" 2>/dev/null; then wait "$venue" || true; fi
    rm -rf "$work"
}
trap stop EXIT
# Sped up so that ticks come quickly; the limits are tested elsewhere and would only slow this down.
"$tezi" venue --speed 20 --rate-limit off --ca-out "$work/ca.pem" --ready-file "$work/ready.json" \
    --log "$work/truth.jsonl" >"$work/out" &
venue=$!
for _ in $(seq 200); do
    [ -s "$work/ready.json" ] && break
    kill -0 "$venue"
    sleep 0.05
done
# The REST side checks the certificate against this root; the official ticker checks none, ever.
export REQUESTS_CA_BUNDLE=$work/ca.pem SSL_CERT_FILE=$work/ca.pem
timeout 120 "$home/venv/bin/python" tests/clients/kite_client.py "$work/ready.json"
