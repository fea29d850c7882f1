//! What restoring a core module takes, as its binary tells it.
//!
//! A module's state is its memory, its mutable globals, its tables and which of its segments were dropped. Taking the
//! image refuses modules with instructions that change the last two, so the first two are what is read here.

use super::super::fault::Unfit;
use super::super::wide::needs::initial_bytes;
use wasmparser::{CompositeInnerType, DataKind, ExternalKind, Operator, Parser, Payload, TypeRef};

/// The function's export from its module: answers 0, or 1 when the memory has grown and can't be put back.
pub(super) const RESTORE: &str = "mailwright:restore";

/// Clearing more costs more than a fresh instance whose pages are mapped anew. Offsets in it fit every integer.
const MEMORY_BYTES_MAX: u64 = 512 * 1024;

const OUTSIDE: Unfit = Unfit::Has("data outside its memory");

/// What restoring a module takes.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Whether each type is that of a post-return: a function of one 32-bit integer, without an answer.
    pub(super) types: Vec<bool>,
    /// The type of each function, imported ones first.
    pub(super) functions: Vec<u32>,
    /// Exports that restore the module once they are over, with their functions.
    pub(super) last: Vec<(String, u32)>,
    /// What the memory begins with.
    pub(super) memory: Option<Memory>,
    /// Mutable globals by index, with what they begin as.
    pub(super) globals: Vec<(u32, Constant)>,
    /// What is in memory from the start.
    pub(super) image: Image,
    pub(super) segments: u32,
    /// The sections that the function goes into, where the module has them.
    pub(super) sections: Sections,
}

/// A memory, as it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) pages: i32,
    pub(super) bytes: usize,
}

/// Data from the first octet to the last, with zeros where there was none between.
#[derive(Debug, Default)]
pub(super) struct Image {
    pub(super) start: usize,
    pub(super) octets: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) types: bool,
    pub(super) functions: bool,
    pub(super) exports: bool,
    pub(super) code: bool,
    pub(super) data_count: bool,
    pub(super) data: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Constant {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
}

impl State {
    pub(super) fn read(module: &[u8], last: &[&str]) -> Result<Self, Unfit> {
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
                None if !memory.memory64 && !memory.shared => {}
                _ => return Err(Unfit::Has("a memory of an unusual kind")),
            }
            let bytes = initial_bytes(&memory);
            let (Ok(pages), Ok(bytes), ..=MEMORY_BYTES_MAX) = (memory.initial.try_into(), bytes.try_into(), bytes)
            else {
                return Err(Unfit::Has("a memory that is cheaper made anew than cleared"));
            };
            self.memory = Some(Memory { pages, bytes });
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
                let memory = self.memory.map_or(0, |memory| memory.bytes);
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
}

fn is_post_return(kind: &wasmparser::SubType) -> bool {
    match &kind.composite_type.inner {
        CompositeInnerType::Func(function) => {
            function.params() == [wasmparser::ValType::I32] && function.results().is_empty()
        }
        _ => false,
    }
}

pub(super) fn at<T>(space: &[T], index: u32) -> Option<&T> {
    space.get(usize::try_from(index).ok()?)
}

/// The format's own limits keep indices below 2^32.
pub(super) fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
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
