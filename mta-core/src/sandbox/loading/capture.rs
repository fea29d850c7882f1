//! Takes the image: instruments the component, and reads the state of an instance that `configure` has been through.

use super::super::fault::Unfit;
use super::super::host::code::last_hook;
use super::super::host::engine::MEMORY_BYTES_MAX;
use super::component::{self, Restorable};
use std::collections::HashMap;
use wasmtime::component::{Instance, Lift, WasmList};
use wasmtime::{AsContextMut, Store, format_err};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

/// A component that was made ready to have its image taken.
pub(crate) struct Sitter<'a> {
    /// Its binary, with functions that tell its state.
    pub(crate) octets: Vec<u8>,
    context: ComponentContext<'a>,
}

/// What was pictured.
pub(crate) enum Image {
    /// Instances can be brought back to it.
    Restorable(Restorable),
    /// Instances begin with it, and end with their transaction; why they can't be brought back.
    Fixed(Vec<u8>, Unfit),
}

impl<'a> Sitter<'a> {
    /// Prepares a component.
    ///
    /// # Errors
    /// It has state that no image can hold.
    pub(crate) fn new(octets: &'a [u8]) -> Result<Self, Unfit> {
        let (context, octets) = Wizer::new().instrument_component(octets).map_err(|error| refused(&error))?;
        Ok(Self { octets, context })
    }

    /// Takes the image of its instance.
    ///
    /// # Errors
    /// The instance did not tell its state.
    pub(crate) async fn image<T: Send>(&self, store: &mut Store<T>, instance: Instance) -> Result<Image, Unfit> {
        // Its whole memory passes in one piece.
        store.set_hostcall_fuel(MEMORY_BYTES_MAX);
        let mut state = State { store, instance, memories: HashMap::new(), failed: None };
        let octets =
            Wizer::new().snapshot_component(&self.context, &mut state).await.map_err(|error| refused(&error))?;
        if let Some(error) = state.failed {
            return Err(refused(&error));
        }
        Ok(match component::restorable(&octets, |interface| last_hook(interface).is_some()) {
            Ok(restorable) => Image::Restorable(restorable),
            Err(why) => Image::Fixed(octets, why),
        })
    }
}

fn refused(error: &wasmtime::Error) -> Unfit {
    Unfit::Refused(format!("{error:#}"))
}

/// An instance as it tells its state. The tool has no word for failure: the first one is kept.
struct State<'a, T: 'static> {
    store: &'a mut Store<T>,
    instance: Instance,
    /// Asked for twice, told once: each telling makes the memory larger.
    memories: HashMap<String, Vec<u8>>,
    failed: Option<wasmtime::Error>,
}

impl<T: Send> State<'_, T> {
    async fn tell<R: Lift + Send + Sync + 'static>(&mut self, interface: &str, name: &str) -> wasmtime::Result<R> {
        let Self { store, instance, .. } = self;
        let missing = || format_err!("the instrumented component has no {name}");
        let interface = instance.get_export_index(&mut **store, None, interface).ok_or_else(missing)?;
        let index = instance.get_export_index(&mut **store, Some(&interface), name).ok_or_else(missing)?;
        let function = instance.get_typed_func::<(), (R,)>(&mut **store, index)?;
        Ok(function.call_async(store.as_context_mut(), ()).await?.0)
    }

    async fn number<R: Lift + Default + Send + Sync + 'static>(&mut self, interface: &str, name: &str) -> R {
        self.tell(interface, name).await.unwrap_or_else(|error| {
            self.failed.get_or_insert(error);
            R::default()
        })
    }
}

impl<T: Send> ComponentInstanceState for State<'_, T> {
    async fn call_func_ret_list_u8(&mut self, interface: &str, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        if !self.memories.contains_key(name) {
            let told = self.tell::<WasmList<u8>>(interface, name).await;
            let memory = match told {
                Ok(list) => list.as_le_slice(&*self.store).to_vec(),
                Err(error) => {
                    self.failed.get_or_insert(error);
                    Vec::new()
                }
            };
            self.memories.insert(name.to_owned(), memory);
        }
        contents(self.memories.get(name).map_or(&[], Vec::as_slice));
    }

    async fn call_func_ret_s32(&mut self, interface: &str, name: &str) -> i32 {
        self.number(interface, name).await
    }

    async fn call_func_ret_s64(&mut self, interface: &str, name: &str) -> i64 {
        self.number(interface, name).await
    }

    async fn call_func_ret_f32(&mut self, interface: &str, name: &str) -> u32 {
        self.number::<f32>(interface, name).await.to_bits()
    }

    async fn call_func_ret_f64(&mut self, interface: &str, name: &str) -> u64 {
        self.number::<f64>(interface, name).await.to_bits()
    }
}
