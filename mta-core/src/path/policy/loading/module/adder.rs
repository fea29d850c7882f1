//! Writes a module anew, with its functions at the end of each section that they need.

use super::{RESTORE, State, at, index};
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ExportKind, ExportSection, FunctionSection, Module, SectionId,
    TypeSection, ValType,
};
use wasmparser::DataKind;

/// Writes the module anew.
pub(super) struct Adder {
    pub(super) state: State,
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
