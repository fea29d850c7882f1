#!/bin/sh
# Needs mailwright and componentize-qjs (npm ci) on the path. Writes subject-rule.wasm.
set -eu
mailwright plugin wit wit
componentize-qjs --sync --wit wit --js plugin.js -o subject-rule.wasm
mailwright plugin inspect subject-rule.wasm
