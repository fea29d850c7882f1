#!/bin/sh
# Needs mailwright, wit-bindgen, clang and wasm-ld on the path. Writes greylist.wasm.
set -eu
mailwright plugin wit wit --c-library generated
wit-bindgen c wit --out-dir generated
# All memory is there from the start, and the stack below the data, where its end is noticed.
clang --target=wasm32-unknown-unknown -mbulk-memory -ffreestanding -std=c11 -Wall -Os -Igenerated \
    -nostdlib -Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=16384 -Wl,--initial-memory=65536 \
    -o greylist.wasm greylist.c generated/greylist.c generated/library.c generated/greylist_component_type.o
mailwright plugin build --module greylist.wasm
