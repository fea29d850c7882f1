//! A module that was restored is as it was when new, whatever was done to it.

use super::super::host::engine::settings;
use super::module::restorable;
use super::state::RESTORE;
use proptest::prelude::*;
use wasmparser::{Operator, Parser, Payload};
use wasmtime::{Engine, Instance, Memory, Module, Store, Val};

/// A memory with data, four globals, and a function that changes nothing else than it is told.
const TEXT: &str = r#"(module
    (memory (export "memory") SIZE)
    (global (export "a") (mut i32) (i32.const -7))
    (global (export "b") (mut i64) (i64.const 77))
    (global (export "c") (mut f32) (f32.const 1.5))
    (global (export "d") (mut f64) (f64.const -2.5))
    (global $constant i32 (i32.const 9))
    (data (i32.const 8) "begins here")
    (data "passive")
    (data (i32.const FAR) "and there")
    (data (i32.const 12) "over it")
    (data (i32.const 2) "first")
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "clean-up") (param i32) (i32.store (i32.const 600) (local.get 0)))
    (func (export "copy") (memory.init 1 (i32.const 500) (i32.const 0) (i32.const 7))))"#;

/// What is cleared by looking at it first, and what is cleared whole: the size as the text has it, in octets, and a place
/// that is far from the first.
const SIZES: [(&str, usize, usize); 2] = [("2", 131_072, 70_000), ("20001 (pagesize 1)", 20_001, 15_000)];

fn texts() -> [String; 2] {
    SIZES.map(|(size, _, far)| TEXT.replace("SIZE", size).replace("FAR", &far.to_string()))
}

struct Guest {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
}

impl Guest {
    /// One that can be restored, not yet begun.
    fn restorable(text: &str) -> Self {
        Self::new(&changed(text).expect("it fits").expect("it has state"))
    }

    fn new(octets: &[u8]) -> Self {
        let engine = Engine::new(&settings()).expect("an engine");
        let module = Module::new(&engine, octets).expect("it compiles");
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let instance = Instance::new(&mut store, &module, &[]).expect("it needs nothing");
        let memory = instance.get_memory(&mut store, "memory").expect("it is exported");
        Self { store, instance, memory }
    }

    fn call(&mut self, name: &str) -> i32 {
        let function = self.instance.get_func(&mut self.store, name).expect("it is exported");
        let kind = function.ty(&self.store);
        let mut results = vec![Val::I32(0); kind.results().len()];
        function
            .call(&mut self.store, &vec![Val::I32(7); kind.params().len()], &mut results)
            .expect("it does not trap");
        results.first().map_or(0, Val::unwrap_i32)
    }

    /// Memory and globals.
    fn state(&mut self) -> (Vec<u8>, [u64; 4]) {
        let globals = ["a", "b", "c", "d"].map(|name| {
            let global = self.instance.get_global(&mut self.store, name).expect("it is exported");
            match global.get(&mut self.store) {
                Val::I32(value) => u64::from(value.cast_unsigned()),
                Val::I64(value) => value.cast_unsigned(),
                Val::F32(bits) => u64::from(bits),
                Val::F64(bits) => bits,
                other => panic!("{name} is a number, not {other:?}"),
            }
        });
        (self.memory.data(&self.store).to_vec(), globals)
    }

    fn set(&mut self, name: &str, value: Val) {
        let global = self.instance.get_global(&mut self.store, name).expect("it is exported");
        global.set(&mut self.store, value).expect("it is of that type");
    }
}

fn changed(text: &str) -> Result<Option<Vec<u8>>, String> {
    let octets = wat::parse_str(text).expect("the text is WebAssembly");
    let changed = restorable(&octets, &["clean-up", "grow"]).map_err(|why| why.to_string())?;
    Ok(changed.map(|changed| {
        assert_eq!(changed.last, ["clean-up"][..usize::from(text.contains("clean-up"))]);
        changed.octets
    }))
}

#[test]
fn a_new_instance_has_its_data_once_it_is_restored() {
    for text in texts() {
        let original = Guest::new(&wat::parse_str(&text).expect("the text is WebAssembly")).state();
        let mut guest = Guest::restorable(&text);
        assert_ne!(guest.state(), original);
        assert_eq!(guest.call(RESTORE), 0);
        assert!(guest.state() == original, "memory and globals are those of the original");
    }
}

#[test]
fn segments_keep_their_numbers() {
    for text in texts() {
        let mut guest = Guest::restorable(&text);
        guest.call("copy");
        assert_eq!(guest.memory.data(&guest.store)[500..507], *b"passive");
    }
}

#[test]
fn data_is_laid_in_pieces_that_no_long_copy_is_needed_for() {
    for text in texts() {
        let octets = changed(&text).expect("it fits").expect("it has state");
        let lengths = laid(&octets);
        assert!(lengths.iter().all(|length| (1..=2048).contains(length)), "{lengths:?}");
        // From the first octet of data to the last.
        let (.., far) = SIZES[usize::from(text.contains("pagesize"))];
        assert_eq!(lengths.iter().sum::<i32>(), i32::try_from(far + "and there".len() - 2).expect("it is small"));
    }
}

/// How long the copies are that the function behind the module's own three makes, the one that restores.
fn laid(octets: &[u8]) -> Vec<i32> {
    let mut bodies = Parser::new(0).parse_all(octets).filter_map(|payload| match payload.expect("a module") {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let mut operators = bodies.nth(3).expect("it was added").get_operators_reader().expect("a function");
    let (mut lengths, mut before) = (Vec::new(), 0);
    while !operators.eof() {
        match operators.read().expect("an instruction") {
            Operator::I32Const { value } => before = value,
            Operator::MemoryInit { .. } => lengths.push(before),
            _ => {}
        }
    }
    lengths
}

#[test]
fn what_is_called_last_restores_after_its_own_work() {
    for (text, (_, _, far)) in texts().iter().zip(SIZES) {
        let mut guest = Guest::restorable(text);
        guest.call(RESTORE);
        let new = guest.state();
        guest.memory.data_mut(&mut guest.store)[far + 1] = 1;
        guest.set("b", Val::I64(1));
        guest.call("clean-up");
        assert!(guest.state() == new, "something was left");
    }
}

#[test]
fn memory_that_grew_is_not_restored() {
    for text in texts() {
        let mut guest = Guest::restorable(&text);
        guest.call("grow");
        guest.call("clean-up");
        assert_eq!(guest.call(RESTORE), 1);
    }
}

#[test]
fn a_module_without_state_stays_as_it_is() {
    assert_eq!(changed("(module (func (export \"f\")) (global i32 (i32.const 1)))"), Ok(None));
}

#[test]
fn what_can_not_be_restored_is_told() {
    for (text, why) in [
        ("(module (memory 1) (func) (start 0))", "a start function"),
        ("(module (memory 1))", "state and no functions"),
        ("(module (memory i64 1) (func (export \"f\")))", "a memory of an unusual kind"),
        ("(module (memory 9) (func (export \"f\")))", "a memory that is cheaper made anew than cleared"),
        (
            "(module (memory 524289 (pagesize 1)) (func (export \"f\")))",
            "a memory that is cheaper made anew than cleared",
        ),
        ("(module (memory 1) (data (i32.const 65535) \"ab\") (func (export \"f\")))", "data outside its memory"),
        (
            "(module (import \"m\" \"g\" (global $g i32)) (global (mut i32) (global.get $g)) (func (export \"f\")))",
            "a global or data that does not begin as a plain number",
        ),
        ("(module (memory 1) (func (export \"mailwright:restore\")))", "an export of the name that the host uses"),
    ] {
        assert_eq!(changed(text), Err(format!("a module has {why}")), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_written_is_gone(
        which in 0..SIZES.len(),
        writes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..200),
        numbers in any::<(i32, i64, u32, u64)>(),
    ) {
        let mut guest = Guest::restorable(&texts()[which]);
        guest.call(RESTORE);
        let new = guest.state();
        for (place, octet) in writes {
            guest.memory.data_mut(&mut guest.store)[place.index(SIZES[which].1)] = octet;
        }
        guest.set("a", Val::I32(numbers.0));
        guest.set("b", Val::I64(numbers.1));
        guest.set("c", Val::F32(numbers.2));
        guest.set("d", Val::F64(numbers.3));
        prop_assert_eq!(guest.call(RESTORE), 0);
        prop_assert!(guest.state() == new, "something was left");
    }
}
