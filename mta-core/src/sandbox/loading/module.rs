//! Adds to a core module the function that restores its state.
//!
//! What data segments lay into memory becomes one segment that the function lays there: an instance has its data only
//! once the function ran, be it new or used.

use super::super::fault::Unfit;
use super::state::{RESTORE, Sections, State, at, index};
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ExportKind, ExportSection, FunctionSection, Module, SectionId,
    TypeSection, ValType,
};
use wasmparser::{DataKind, Parser};

/// A module that can be restored.
pub(super) struct Restorable {
    /// Its binary.
    pub(super) octets: Vec<u8>,
    /// Those of its exports that restore it once they are over.
    pub(super) last: Vec<String>,
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

/// Writes the module anew, with its functions at the end of each section that they need.
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
            code.function(&self.state.last_function(*of));
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
