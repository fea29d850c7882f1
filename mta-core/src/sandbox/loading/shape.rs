//! Which of a component's exports are cleaned up after by which function of which core instance.
//!
//! The canonical ABI calls a post-return function when the answer of an export was read. For a hook after which a
//! transaction's instance is not asked again, that is the place to restore it: it saves a call. This must hold for
//! whatever the component does, so a hook counts only when it can't be reached but through the lifted function whose
//! post-return is named here. Anything unusual is passed over, and such an instance is restored by a call of its own.

use super::super::fault::Unfit;
use super::state::at;
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Encoding, ExternalKind, Parser, Payload,
};

/// A core function, by the instance that exports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoreExport {
    pub(super) instance: u32,
    pub(super) name: String,
}

/// An exported interface of one function, and that function's post-return.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CleanUp {
    /// As the component names it.
    pub(super) interface: String,
    pub(super) by: CoreExport,
}

/// What the component's own indices stand for, as far as it matters; nothing for the rest.
#[derive(Default)]
struct Spaces {
    core_functions: Vec<Option<CoreExport>>,
    /// Lifted functions, by their post-return.
    functions: Vec<Option<CoreExport>>,
    /// Whether the component has no code and imports one function: all it can export is ways to call that one.
    wrappers: Vec<bool>,
    /// Instances of wrappers, by the post-return of the function that they wrap.
    instances: Vec<Option<CoreExport>>,
    clean_ups: Vec<CleanUp>,
}

/// A nested component or module, while it is read.
#[derive(Default)]
struct Nested {
    component: bool,
    functions_imported: usize,
    /// It has code, or takes in what may have some.
    other: bool,
}

/// The clean-ups of all interfaces that a component exports.
///
/// # Errors
/// The binary is none.
pub(super) fn clean_ups(octets: &[u8]) -> Result<Vec<CleanUp>, Unfit> {
    let mut spaces = Spaces::default();
    let mut nested: Vec<Nested> = Vec::new();
    let mut begun = false;
    for payload in Parser::new(0).parse_all(octets) {
        match (payload?, nested.last_mut()) {
            (Payload::Version { encoding, .. }, _) if begun => {
                // What holds another has what that one has.
                nested.iter_mut().for_each(|outer| outer.other = true);
                nested.push(Nested { component: encoding == Encoding::Component, ..Nested::default() });
            }
            (Payload::Version { .. }, _) => begun = true,
            (Payload::End(_), Some(_)) => {
                if let Some(closed) = nested.pop()
                    && nested.is_empty()
                    && closed.component
                {
                    spaces.wrappers.push(!closed.other && closed.functions_imported == 1);
                }
            }
            (payload, Some(inner)) => inner.section(payload)?,
            (payload, None) => spaces.section(payload)?,
        }
    }
    Ok(spaces.clean_ups)
}

impl Nested {
    fn section(&mut self, payload: Payload<'_>) -> Result<(), Unfit> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    match import?.ty {
                        ComponentTypeRef::Func(_) => self.functions_imported += 1,
                        ComponentTypeRef::Type(_) => {}
                        _ => self.other = true,
                    }
                }
            }
            // A module of the outer component, instantiated here.
            Payload::InstanceSection(_) => self.other = true,
            _ => {}
        }
        Ok(())
    }
}

impl Spaces {
    fn section(&mut self, payload: Payload<'_>) -> Result<(), Unfit> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    self.unknown(import?.ty.kind());
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    match alias? {
                        ComponentAlias::CoreInstanceExport { kind: ExternalKind::Func, instance_index, name } => {
                            let name = name.to_owned();
                            self.core_functions.push(Some(CoreExport { instance: instance_index, name }));
                        }
                        ComponentAlias::CoreInstanceExport { .. } => {}
                        ComponentAlias::InstanceExport { kind, .. } => self.unknown(kind),
                        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, .. } => {
                            self.unknown(ComponentExternalKind::Component);
                        }
                        ComponentAlias::Outer { .. } => {}
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    match function? {
                        CanonicalFunction::Lift { options, .. } => self.functions.push(self.post_return(&options)),
                        _ => self.core_functions.push(None),
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    self.instances.push(self.wrapped(&instance?));
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    // What is exported gets an index anew.
                    match export.kind {
                        ComponentExternalKind::Instance => {
                            let by = at(&self.instances, export.index).cloned().flatten();
                            let interface = export.name.name.to_owned();
                            self.clean_ups.extend(by.clone().map(|by| CleanUp { interface, by }));
                            self.instances.push(by);
                        }
                        kind => self.unknown(kind),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Something that an index is spent on, and of which no more is known.
    fn unknown(&mut self, kind: ComponentExternalKind) {
        match kind {
            ComponentExternalKind::Func => self.functions.push(None),
            ComponentExternalKind::Instance => self.instances.push(None),
            ComponentExternalKind::Component => self.wrappers.push(false),
            ComponentExternalKind::Module | ComponentExternalKind::Value | ComponentExternalKind::Type => {}
        }
    }

    fn post_return(&self, options: &[CanonicalOption]) -> Option<CoreExport> {
        let index = options.iter().find_map(|option| match option {
            CanonicalOption::PostReturn(index) => Some(*index),
            _ => None,
        })?;
        at(&self.core_functions, index)?.clone()
    }

    /// The post-return of the one function that an instance wraps.
    fn wrapped(&self, instance: &ComponentInstance<'_>) -> Option<CoreExport> {
        let ComponentInstance::Instantiate { component_index, args } = instance else { return None };
        let (mut functions, mut others) = (Vec::new(), false);
        for arg in args {
            match arg.kind {
                ComponentExternalKind::Func => functions.push(arg.index),
                ComponentExternalKind::Type => {}
                _ => others = true,
            }
        }
        match (at(&self.wrappers, *component_index), &functions[..]) {
            (Some(true), [function]) if !others => at(&self.functions, *function)?.clone(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str = r#"
        (core module $m (memory (export "memory") 1)
            (func (export "run") (result i32) (i32.const 0))
            (func (export "post") (param i32)))
        (core instance $i (instantiate $m))
        (alias core export $i "memory" (core memory $memory))
        (func $lifted (result string)
            (canon lift (core func $i "run") (memory $memory) (post-return (core func $i "post"))))
        (func $bare (result string) (canon lift (core func $i "run") (memory $memory)))"#;
    const WRAPPER: &str = r#"(component $wrapper (import "f" (func $f (result string))) (export "handle" (func $f)))"#;

    fn of(parts: &str) -> Vec<CleanUp> {
        let text = format!("(component {MODULE} {parts})");
        let octets = wat::parse_str(text).expect("the text is a component");
        wasmparser::Validator::new().validate_all(&octets).expect("it is valid");
        clean_ups(&octets).expect("a binary")
    }

    fn exported(wrapper: &str, args: &str) -> Vec<CleanUp> {
        of(&format!(r#"{wrapper} (instance $e (instantiate $wrapper {args})) (export "a:b/c" (instance $e))"#))
    }

    #[test]
    fn a_wrapped_function_is_cleaned_up_after_by_its_post_return() {
        let by = CoreExport { instance: 0, name: "post".to_owned() };
        let clean_up = CleanUp { interface: "a:b/c".to_owned(), by };
        assert_eq!(exported(WRAPPER, r#"(with "f" (func $lifted))"#), [clean_up]);
    }

    #[test]
    fn hello_is_cleaned_up_after_at_each_hook() {
        let hello = crate::config::model::PluginSource::Builtin("hello".into());
        let octets = crate::edge::plugins::read(&hello).expect("it is built in");
        let found = clean_ups(&octets).expect("a binary");
        let interfaces: Vec<&str> = found.iter().map(|clean_up| &*clean_up.interface).collect();
        let hooks = ["connect", "data", "pre-send", "rcpt"].map(|hook| format!("mailwright:plugin/on-{hook}@0.1.0"));
        let mut sorted = interfaces.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, hooks);
    }

    #[test]
    fn what_might_be_reached_otherwise_is_passed_over() {
        assert_eq!(exported(WRAPPER, r#"(with "f" (func $bare))"#), [], "no post-return");
        assert_eq!(of(r#"(instance $e (export "handle" (func $lifted))) (export "a:b/c" (instance $e))"#), []);
        let two = r#"(component $wrapper (import "f" (func $f (result string))) (import "g" (func $g (result string)))
            (export "handle" (func $g)))"#;
        assert_eq!(exported(two, r#"(with "f" (func $lifted)) (with "g" (func $bare))"#), [], "two functions");
        let own = r#"(component $wrapper (import "f" (func $f (result string)))
            (core module $own (memory (export "memory") 1) (func (export "run") (result i32) (i32.const 0)))
            (core instance $i (instantiate $own)) (alias core export $i "memory" (core memory $memory))
            (func $g (result string) (canon lift (core func $i "run") (memory $memory)))
            (export "handle" (func $g)))"#;
        assert_eq!(exported(own, r#"(with "f" (func $lifted))"#), [], "code of its own");
        let outer = r#"(component $wrapper (import "f" (func $f (result string)))
            (alias outer 1 $m (core module $own))
            (core instance $i (instantiate $own)) (alias core export $i "memory" (core memory $memory))
            (func $g (result string) (canon lift (core func $i "run") (memory $memory)))
            (export "handle" (func $g)))"#;
        assert_eq!(exported(outer, r#"(with "f" (func $lifted))"#), [], "another instance of the module");
        let by_instance = r#"(component $wrapper (import "f" (func $f (result string)))
            (import "i" (instance $i (export "g" (func (result string))))) (export "handle" (func $i "g")))"#;
        let args = r#"(with "f" (func $lifted)) (with "i" (instance (export "g" (func $bare))))"#;
        assert_eq!(exported(by_instance, args), [], "a function of an instance");
    }
}
