#!/bin/sh
# Needs mailwright and componentize-py (pip install -r requirements.txt) on the path. Writes rate-limit.wasm.
set -eu
mailwright plugin wit wit
componentize-py --quiet --wit-path wit --world rate-limit componentize plugin -o rate-limit.wasm
mailwright plugin inspect rate-limit.wasm
