//! What the program makes code with: from the cache where it is there, else in a child process.

use super::cache::{Cache, Key};
use super::child;
use super::code::OwnCode;
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::world::Observe;
use crate::config::model::Plugin;
use crate::sandbox::{Compile, NotCompiled, Profile};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::spawn_blocking;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiles in child processes, and keeps what came out.
pub struct Compiler {
    cache: Option<Arc<Cache>>,
    observe: Arc<dyn Observe>,
}

impl Compiler {
    /// With a cache in this data directory. Where that can't be used an event says why, and everything is compiled each
    /// time.
    #[must_use]
    pub fn cached(data_dir: &Path, observe: Arc<dyn Observe>) -> Self {
        let cache = match Cache::open(data_dir) {
            Ok(cache) => Some(Arc::new(cache)),
            Err(why) => {
                observe.event(Event::PluginCacheUnused { why: &why });
                None
            }
        };
        Self { cache, observe }
    }

    /// Without a cache: for commands that leave no trace.
    #[must_use]
    pub fn uncached(observe: Arc<dyn Observe>) -> Self {
        Self { cache: None, observe }
    }

    async fn component(
        &self,
        engine: &Engine,
        profile: Profile,
        plugin: &Plugin,
        octets: Bytes,
    ) -> Result<Component, NotCompiled> {
        let began = Instant::now();
        let component_bytes = octets.len() as u64;
        let told = |code_bytes, cached| {
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let plugin = &plugin.name;
            self.observe.event(Event::PluginCompiled { plugin, component_bytes, code_bytes, took_ms, cached });
        };
        if let Some((component, code_bytes)) = self.kept(engine, &octets).await {
            told(code_bytes, true);
            return Ok(component);
        }
        let code = child::compile(&octets, profile, &plugin.compile).await?;
        let (component, code_bytes) = self.keep(engine, octets, code).await?;
        told(code_bytes, false);
        Ok(component)
    }

    /// What the cache has, and how much code it is.
    async fn kept(&self, engine: &Engine, octets: &Bytes) -> Option<(Component, u64)> {
        let (cache, engine, octets) = (self.cache.clone()?, engine.clone(), octets.clone());
        let looked = spawn_blocking(move || {
            let code = cache.get(Key::new(&engine, &octets))?;
            // The key holds the engine's settings, so what does not fit can't be found.
            Some((code.component(&engine).ok()?, code.octets().len() as u64))
        });
        looked.await.ok().flatten()
    }

    async fn keep(&self, engine: &Engine, octets: Bytes, code: OwnCode) -> Result<(Component, u64), NotCompiled> {
        let (cache, engine) = (self.cache.clone(), engine.clone());
        let taken = spawn_blocking(move || {
            let component = code.component(&engine).map_err(|error| NotCompiled::refused(&format!("{error:#}")))?;
            // A full disk must not keep a plugin from serving.
            let kept = cache.map(|cache| {
                let kept = cache.put(Key::new(&engine, &octets), &code);
                kept.map_err(|error| format!("{}: {error}", cache.path().display()))
            });
            Ok((component, code.octets().len() as u64, kept.and_then(Result::err)))
        });
        let (component, bytes, unkept) = taken.await.map_err(|error| NotCompiled::refused(&error.to_string()))??;
        if let Some(why) = unkept {
            self.observe.event(Event::PluginCacheUnused { why: &why });
        }
        Ok((component, bytes))
    }
}

impl Compile for Compiler {
    fn compile<'a>(
        &'a self,
        engine: &'a Engine,
        profile: Profile,
        plugin: &'a Plugin,
        octets: Bytes,
    ) -> Answer<'a, Result<Component, NotCompiled>> {
        Box::pin(self.component(engine, profile, plugin, octets))
    }
}
