//! Adds to a component the exports that restore its core modules.

use super::super::fault::Unfit;
use super::shape::CleanUp;
use super::{module, shape, state};
use std::rc::Rc;
use wasm_encoder::{
    Alias, CanonicalFunctionSection, Component, ComponentAliasSection, ComponentExportKind, ComponentExportSection,
    ComponentSectionId, ComponentTypeSection, ComponentValType, ExportKind, PrimitiveValType, RawSection,
};
use wasmparser::{Instance, Parser, Payload, Validator, WasmFeatures};

/// A component whose instances can be brought back to how they begin.
#[derive(Debug)]
pub(crate) struct Restorable {
    /// Its binary.
    pub(crate) octets: Vec<u8>,
    /// Functions without arguments that it exports; when all have answered 0, the instance is as new. A new instance
    /// is not ready before either.
    pub(crate) functions: Vec<String>,
    /// Interfaces of one function that leaves the instance restored.
    pub(crate) last: Vec<String>,
}

/// Adds the functions. The component must be one whose image was taken: that refuses what they can't restore. `is_last`
/// tells of an interface whether the instance is done with once its function was called.
///
/// # Errors
/// A module that can't be restored.
pub(crate) fn restorable(octets: &[u8], is_last: impl Fn(&str) -> bool) -> Result<Restorable, Unfit> {
    let types =
        Validator::new_with_features(WasmFeatures::default() | WasmFeatures::CUSTOM_PAGE_SIZES).validate_all(octets)?;
    let counts = Counts {
        core_functions: types.as_ref().function_count(),
        functions: types.as_ref().component_function_count(),
        types: types.as_ref().component_type_count(),
    };
    let mut clean_ups = shape::clean_ups(octets)?;
    clean_ups.retain(|clean_up| is_last(&clean_up.interface));
    let names: Vec<&str> = clean_ups.iter().map(|clean_up| &*clean_up.by.name).collect();
    let mut changed = Component::new();
    let stateful = rewrite(octets, &mut changed, &names)?;
    let last = match &stateful[..] {
        [(instance, restoring)] => clean_ups
            .into_iter()
            .filter(|CleanUp { by, .. }| by.instance == *instance && restoring.contains(&by.name))
            .map(|clean_up| clean_up.interface)
            .collect(),
        // What one of several modules does leaves the others as they are.
        _ => Vec::new(),
    };
    let functions = export(&mut changed, &stateful, counts);
    Ok(Restorable { octets: changed.finish(), functions, last })
}

/// How many of each a component has; what is added gets the next numbers.
struct Counts {
    core_functions: u32,
    functions: u32,
    types: u32,
}

/// The exports of a module that restore it once they are over.
type Restoring = Rc<[String]>;

/// Copies a component, with the function added to each module that has state; the core instances of those.
fn rewrite(octets: &[u8], changed: &mut Component, last: &[&str]) -> Result<Vec<(u32, Restoring)>, Unfit> {
    let (mut modules, mut instances): (Vec<Option<Restoring>>, u32) = (Vec::new(), 0);
    let mut stateful = Vec::new();
    let mut depth: u32 = 0;
    let mut payloads = Parser::new(0).parse_all(octets);
    while let Some(payload) = payloads.next() {
        let payload = payload?;
        match &payload {
            Payload::ModuleSection { unchecked_range, .. } if depth == 0 => {
                let module = octets.get(unchecked_range.clone()).unwrap_or_default();
                skip(&mut payloads)?;
                let restorable = module::restorable(module, last)?;
                modules.push(restorable.as_ref().map(|restorable| restorable.last.clone().into()));
                let data = restorable.as_ref().map_or(module, |restorable| &restorable.octets);
                changed.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data });
                continue;
            }
            // An instance in there would keep its state.
            Payload::ModuleSection { .. } => return Err(Unfit::Has("a nested component")),
            Payload::InstanceSection(_) if depth > 0 => return Err(Unfit::Has("a nested component")),
            // A nested component's sections come with it.
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::InstanceSection(section) if depth == 0 => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance?
                        && let Some(Some(restoring)) =
                            usize::try_from(module_index).ok().and_then(|place| modules.get(place))
                    {
                        stateful.push((instances, restoring.clone()));
                    }
                    instances += 1;
                }
            }
            _ => {}
        }
        let whole = depth == 0 || (depth == 1 && matches!(payload, Payload::ComponentSection { .. }));
        if whole && let Some((id, range)) = payload.as_section() {
            changed.section(&RawSection { id, data: octets.get(range).unwrap_or_default() });
        }
    }
    Ok(stateful)
}

/// Exports the function of each of these core instances; the exports' names.
fn export(changed: &mut Component, instances: &[(u32, Restoring)], mut counts: Counts) -> Vec<String> {
    let mut types = ComponentTypeSection::new();
    let none: [(&str, ComponentValType); 0] = [];
    types.function().params(none).result(Some(ComponentValType::Primitive(PrimitiveValType::U32)));
    let (mut aliases, mut lifts) = (ComponentAliasSection::new(), CanonicalFunctionSection::new());
    let (mut exports, mut names) = (ComponentExportSection::new(), Vec::new());
    for (instance, _) in instances {
        aliases.alias(Alias::CoreInstanceExport { instance: *instance, kind: ExportKind::Func, name: state::RESTORE });
        lifts.lift(counts.core_functions, counts.types, []);
        let name = format!("mailwright-restore-i{instance}");
        exports.export(&name, ComponentExportKind::Func, counts.functions, None);
        names.push(name);
        counts.core_functions += 1;
        counts.functions += 1;
    }
    changed.section(&types).section(&aliases).section(&lifts).section(&exports);
    names
}

/// Passes over the payloads of a module that was taken whole.
fn skip<'a>(payloads: &mut impl Iterator<Item = wasmparser::Result<Payload<'a>>>) -> Result<(), Unfit> {
    for payload in payloads {
        if matches!(payload?, Payload::End(_)) {
            break;
        }
    }
    Ok(())
}
