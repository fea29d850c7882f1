//! Adds to a core module the function that restores its state.
//!
//! A module's state is its memory, its mutable globals, its tables and which of its segments were dropped. Taking the
//! image refuses modules with instructions that change the last two, so the function puts back the first two. What
//! data segments lay into memory becomes one segment that the function lays there: an instance has its data only once
//! the function ran, be it new or used.

use super::super::fault::Unfit;
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, DataCountSection, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    InstructionSink, MemArg, Module, SectionId, TypeSection, ValType,
};
use wasmparser::{CompositeInnerType, DataKind, ExternalKind, Operator, Parser, Payload, TypeRef};

/// The function's export from its module: answers 0, or 1 when the memory has grown and can't be put back.
pub(super) const RESTORE: &str = "mailwright:restore";

/// Clearing more costs more than a fresh instance whose pages are mapped anew.
const MEMORY_PAGES_MAX: u64 = 8;
const PAGE_BYTES: u64 = 65_536;
/// What is looked at before it is cleared: a few cache lines.
const BLOCK_BYTES: usize = 512;
/// What is looked at in one step: the compiler loads all of a step before it looks at any, into registers.
const STEP_BYTES: usize = 128;

/// The memory is at most 512 KiB, so its offsets fit every integer.
const OUTSIDE: Unfit = Unfit::Has("data outside its memory");

/// What restoring a module takes.
#[derive(Debug, Default)]
struct State {
    /// Whether each type is that of a post-return: a function of one 32-bit integer, without an answer.
    types: Vec<bool>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    /// Exports that restore the module once they are over, with their functions.
    last: Vec<(String, u32)>,
    /// Pages that the memory begins with.
    memory: Option<u64>,
    /// Mutable globals by index, with what they begin as.
    globals: Vec<(u32, Constant)>,
    /// What is in memory from the start.
    image: Image,
    segments: u32,
    /// The sections that the function goes into, where the module has them.
    sections: Sections,
}

/// Data from the first octet to the last, with zeros where there was none between.
#[derive(Debug, Default)]
struct Image {
    start: usize,
    octets: Vec<u8>,
}

#[derive(Debug, Default)]
struct Sections {
    types: bool,
    functions: bool,
    exports: bool,
    code: bool,
    data_count: bool,
    data: bool,
}

/// A module that can be restored.
pub(super) struct Restorable {
    /// Its binary.
    pub(super) octets: Vec<u8>,
    /// Those of its exports that restore it once they are over.
    pub(super) last: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Constant {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
}

/// The module with its function; nothing when it has no state. `last` are exports that the module should be restored
/// by when they are over; those that are functions of one 32-bit integer, as a post-return is, will be.
///
/// # Errors
/// It has state that the function could not restore.
pub(super) fn restorable(module: &[u8], last: &[&str]) -> Result<Option<Restorable>, Unfit> {
    let state = State::read(module, last)?;
    if state.memory.is_none() && state.globals.is_empty() {
        return Ok(None);
    }
    let Sections { types, functions, exports, code, .. } = state.sections;
    if !(types && functions && exports && code) {
        return Err(Unfit::Has("state and no functions"));
    }
    let mut changed = Module::new();
    let mut adder = Adder { state };
    adder.parse_core_module(&mut changed, Parser::new(0), module).map_err(|error| match error {
        reencode::Error::ParseError(error) => Unfit::Binary(error),
        other => Unfit::Refused(other.to_string()),
    })?;
    let last = adder.state.last.into_iter().map(|(name, _)| name).collect();
    Ok(Some(Restorable { octets: changed.finish(), last }))
}

impl State {
    fn read(module: &[u8], last: &[&str]) -> Result<Self, Unfit> {
        let mut state = Self::default();
        let mut globals: u32 = 0;
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(types) => {
                    state.sections.types = true;
                    for group in types {
                        state.types.extend(group?.into_types().map(|kind| is_post_return(&kind)));
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Func(kind) | TypeRef::FuncExact(kind) => state.functions.push(kind),
                            TypeRef::Global(_) => globals += 1,
                            // Its owner restores it.
                            TypeRef::Memory(_) | TypeRef::Table(_) | TypeRef::Tag(_) => {}
                        }
                    }
                }
                Payload::FunctionSection(functions) => {
                    state.sections.functions = true;
                    for kind in functions {
                        state.functions.push(kind?);
                    }
                }
                Payload::MemorySection(memories) => state.memories(memories)?,
                Payload::GlobalSection(section) => {
                    for global in section {
                        let global = global?;
                        if global.ty.mutable {
                            state.globals.push((globals, Constant::read(&global.init_expr)?));
                        }
                        globals += 1;
                    }
                }
                Payload::ExportSection(exports) => {
                    state.sections.exports = true;
                    for export in exports {
                        let export = export?;
                        if export.name == RESTORE {
                            return Err(Unfit::Has("an export of the name that the host uses"));
                        }
                        if last.contains(&export.name)
                            && export.kind == ExternalKind::Func
                            && state.is_post_return(export.index)
                        {
                            state.last.push((export.name.to_owned(), export.index));
                        }
                    }
                }
                Payload::CodeSectionStart { .. } => state.sections.code = true,
                Payload::StartSection { .. } => return Err(Unfit::Has("a start function")),
                Payload::DataCountSection { .. } => state.sections.data_count = true,
                Payload::DataSection(data) => state.data(data)?,
                _ => {}
            }
        }
        Ok(state)
    }

    fn is_post_return(&self, function: u32) -> bool {
        let kind = at(&self.functions, function);
        kind.and_then(|kind| at(&self.types, *kind)) == Some(&true)
    }

    fn memories(&mut self, memories: wasmparser::MemorySectionReader<'_>) -> Result<(), Unfit> {
        for memory in memories {
            let memory = memory?;
            match self.memory {
                None if !memory.memory64 && !memory.shared && memory.page_size_log2.is_none() => {}
                _ => return Err(Unfit::Has("a memory of an unusual kind")),
            }
            if memory.initial > MEMORY_PAGES_MAX {
                return Err(Unfit::Has("a memory that is cheaper made anew than cleared"));
            }
            self.memory = Some(memory.initial);
        }
        Ok(())
    }

    fn data(&mut self, data: wasmparser::DataSectionReader<'_>) -> Result<(), Unfit> {
        self.sections.data = true;
        for segment in data {
            let segment = segment?;
            if let DataKind::Active { memory_index: 0, offset_expr } = &segment.kind {
                let Constant::I32(offset) = Constant::read(offset_expr)? else {
                    return Err(Unfit::Has("data at a place that is no 32-bit constant"));
                };
                let offset = usize::try_from(offset.cast_unsigned()).map_err(|_| OUTSIDE)?;
                let memory = self.memory.and_then(|pages| usize::try_from(pages * PAGE_BYTES).ok()).unwrap_or(0);
                match offset.checked_add(segment.data.len()) {
                    Some(end) if end <= memory => self.image.lay(offset, segment.data),
                    _ => return Err(OUTSIDE),
                }
            } else if !matches!(segment.kind, DataKind::Passive) {
                return Err(Unfit::Has("data in a second memory"));
            }
            self.segments += 1;
        }
        Ok(())
    }

    /// `(func (result i32))`: clears the memory, lays the data in it, sets the globals.
    fn function(&self) -> Function {
        let mut function = Function::new([(1, ValType::I32)]);
        let mut code = function.instructions();
        if let Some(pages) = self.memory {
            code.memory_size(0).i32_const(bits(usize::try_from(pages).unwrap_or(usize::MAX))).i32_ne();
            code.if_(BlockType::Empty).i32_const(1).return_().end();
            let (start, end) = (self.image.start, self.image.start + self.image.octets.len());
            let size = usize::try_from(pages * PAGE_BYTES).unwrap_or(usize::MAX);
            clear(&mut code, 0, start);
            clear(&mut code, end, size);
            if start < end {
                code.i32_const(bits(start)).i32_const(0).i32_const(bits(end - start)).memory_init(0, self.segments);
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
}

/// Clears a region. Most of it was never written to: reading it is cheaper than writing, and what was only read stays
/// in the caches of all cores at once.
fn clear(code: &mut InstructionSink<'_>, from: usize, to: usize) {
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
    if whole < to {
        code.i32_const(bits(whole)).i32_const(0).i32_const(bits(to - whole)).memory_fill(0);
    }
}

fn is_post_return(kind: &wasmparser::SubType) -> bool {
    match &kind.composite_type.inner {
        CompositeInnerType::Func(function) => {
            function.params() == [wasmparser::ValType::I32] && function.results().is_empty()
        }
        _ => false,
    }
}

fn at<T>(space: &[T], index: u32) -> Option<&T> {
    space.get(usize::try_from(index).ok()?)
}

/// The format's own limits keep indices below 2^32.
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The bits of a number below 2^32, as the binary format writes constants.
fn bits(number: usize) -> i32 {
    u32::try_from(number).unwrap_or(u32::MAX).cast_signed()
}

impl Image {
    /// Lays data over what is there.
    fn lay(&mut self, offset: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        if self.octets.is_empty() {
            self.start = offset;
        }
        if offset < self.start {
            let before = std::mem::replace(&mut self.start, offset);
            self.octets.splice(0..0, std::iter::repeat_n(0, before - offset));
        }
        let place = offset - self.start;
        let end = place + data.len();
        self.octets.resize(self.octets.len().max(end), 0);
        self.octets[place..end].copy_from_slice(data);
    }
}

impl Constant {
    fn read(expression: &wasmparser::ConstExpr<'_>) -> Result<Self, Unfit> {
        let mut operators = expression.get_operators_reader();
        let constant = match operators.read()? {
            Operator::I32Const { value } => Self::I32(value),
            Operator::I64Const { value } => Self::I64(value),
            Operator::F32Const { value } => Self::F32(value.bits()),
            Operator::F64Const { value } => Self::F64(value.bits()),
            _ => return Err(Unfit::Has("a global or data that does not begin as a plain number")),
        };
        match operators.read()? {
            Operator::End => Ok(constant),
            _ => Err(Unfit::Has("a global or data that is calculated")),
        }
    }
}

/// Writes the module anew, with the function at the end of each section that it needs.
struct Adder {
    state: State,
}

type Done = Result<(), reencode::Error<Infallible>>;

impl Reencode for Adder {
    type Error = Infallible;

    fn parse_type_section(&mut self, types: &mut TypeSection, section: wasmparser::TypeSectionReader<'_>) -> Done {
        utils::parse_type_section(self, types, section)?;
        types.ty().function([], [ValType::I32]);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Done {
        utils::parse_function_section(self, functions, section)?;
        functions.function(index(self.state.types.len()));
        for (_, of) in &self.state.last {
            functions.function(at(&self.state.functions, *of).copied().unwrap_or_default());
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Done {
        utils::parse_export_section(self, exports, section)?;
        exports.export(RESTORE, ExportKind::Func, index(self.state.functions.len()));
        Ok(())
    }

    fn parse_export(&mut self, exports: &mut ExportSection, export: wasmparser::Export<'_>) -> Done {
        match self.state.last.iter().position(|(name, _)| name == export.name) {
            Some(place) => {
                exports.export(export.name, ExportKind::Func, index(self.state.functions.len() + 1 + place));
                Ok(())
            }
            None => utils::parse_export(self, exports, export),
        }
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: wasmparser::CodeSectionReader<'_>) -> Done {
        utils::parse_code_section(self, code, section)?;
        code.function(&self.state.function());
        for (_, of) in &self.state.last {
            let mut function = Function::new([]);
            // The host knows when the memory has grown, so the answer may be dropped.
            let mut body = function.instructions();
            body.local_get(0).call(*of).call(index(self.state.functions.len())).drop().end();
            code.function(&function);
        }
        Ok(())
    }

    fn data_count(&mut self, count: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(count + 1)
    }

    fn parse_data_section(&mut self, data: &mut DataSection, section: wasmparser::DataSectionReader<'_>) -> Done {
        utils::parse_data_section(self, data, section)?;
        data.passive(self.state.image.octets.iter().copied());
        Ok(())
    }

    fn parse_data(&mut self, data: &mut DataSection, segment: wasmparser::Data<'_>) -> Done {
        // The others keep their numbers.
        match segment.kind {
            DataKind::Active { .. } => data.passive([]),
            DataKind::Passive => data.passive(segment.data.iter().copied()),
        };
        Ok(())
    }

    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _after: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Done {
        // Code that names a segment needs their count before it.
        if before == Some(SectionId::Code) && self.state.sections.data && !self.state.sections.data_count {
            module.section(&DataCountSection { count: self.state.segments + 1 });
        }
        Ok(())
    }
}
