//! The functions that are added: one restores the module, the others do their export's work and then call it.

use super::state::{Constant, Memory, State, index};
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

/// So much beside the data is cleared whole: it lies in the processor's caches, and looking for what was written there costs
/// more.
const CLEARED_WHOLE_BYTES: usize = 40 * 1024;
/// What is looked at before it is cleared: a few cache lines.
const BLOCK_BYTES: usize = 512;
/// What is looked at in one step: the compiler loads all of a step before it looks at any, into registers.
const STEP_BYTES: usize = 128;
/// So much of the data is laid in one copy. Longer ones the C library makes by `rep movsb`, which some processors take many times
/// as long for where source and destination lie alike within their pages (<https://sourceware.org/bugzilla/show_bug.cgi?id=30994>),
/// and where they lie is luck.
const PIECE_BYTES: usize = 2048;

impl State {
    /// `(func (result i32))`: clears the memory, lays the data in it, sets the globals.
    pub(super) fn function(&self) -> Function {
        let mut function = Function::new([(1, ValType::I32)]);
        let mut code = function.instructions();
        if let Some(Memory { pages, bytes }) = self.memory {
            code.memory_size(0).i32_const(pages).i32_ne();
            code.if_(BlockType::Empty).i32_const(1).return_().end();
            let (start, end) = (self.image.start, self.image.start + self.image.octets.len());
            let clear = if bytes - (end - start) <= CLEARED_WHOLE_BYTES { fill } else { look_and_fill };
            clear(&mut code, 0, start);
            clear(&mut code, end, bytes);
            for from in (start..end).step_by(PIECE_BYTES) {
                let length = PIECE_BYTES.min(end - from);
                code.i32_const(bits(from)).i32_const(bits(from - start)).i32_const(bits(length));
                code.memory_init(0, self.segments);
            }
        }
        for (global, constant) in &self.globals {
            match constant {
                Constant::I32(value) => code.i32_const(*value),
                Constant::I64(value) => code.i64_const(*value),
                Constant::F32(bits) => code.f32_const(wasm_encoder::Ieee32::new(*bits)),
                Constant::F64(bits) => code.f64_const(wasm_encoder::Ieee64::new(*bits)),
            };
            code.global_set(*global);
        }
        code.i32_const(0).end();
        function
    }

    /// `(func (param i32))`: what the module's own function does, and then restores it.
    pub(super) fn last_function(&self, own: u32) -> Function {
        let mut function = Function::new([]);
        // The host knows when the memory has grown, so the answer may be dropped.
        let mut code = function.instructions();
        code.local_get(0).call(own).call(index(self.functions.len())).drop().end();
        function
    }
}

/// Clears a region where there is much to clear. Most of it was never written to: reading it is cheaper than writing, and what was
/// only read stays in the caches of all cores at once.
fn look_and_fill(code: &mut InstructionSink<'_>, from: usize, to: usize) {
    const AT: u32 = 0;
    let whole = from + (to - from) / BLOCK_BYTES * BLOCK_BYTES;
    if from < whole {
        code.i32_const(bits(from)).local_set(AT).loop_(BlockType::Empty);
        let (clean, dirty) = (1, 0);
        code.block(BlockType::Empty).block(BlockType::Empty);
        for step in (0..BLOCK_BYTES as u64).step_by(STEP_BYTES) {
            for offset in (step..step + STEP_BYTES as u64).step_by(16) {
                code.local_get(AT).v128_load(MemArg { offset, align: 0, memory_index: 0 });
            }
            (16..STEP_BYTES).step_by(16).for_each(|_| {
                code.v128_or();
            });
            code.v128_any_true().br_if(dirty);
        }
        code.br(clean).end();
        code.local_get(AT).i32_const(0).i32_const(bits(BLOCK_BYTES)).memory_fill(0).end();
        code.local_get(AT).i32_const(bits(BLOCK_BYTES)).i32_add().local_tee(AT);
        code.i32_const(bits(whole)).i32_ne().br_if(0).end();
    }
    fill(code, whole, to);
}

fn fill(code: &mut InstructionSink<'_>, from: usize, to: usize) {
    if from < to {
        code.i32_const(bits(from)).i32_const(0).i32_const(bits(to - from)).memory_fill(0);
    }
}

/// The bits of a number below 2^32, as the binary format writes constants.
fn bits(number: usize) -> i32 {
    u32::try_from(number).unwrap_or(u32::MAX).cast_signed()
}
