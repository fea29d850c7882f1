//! Who makes code of a component. The program does it in a process of its own and keeps the code (edge/plugins/); what has
//! no program to start, such as a test, does it here.

use super::super::wide::needs::Profile;
use crate::base::flow::Answer;
use crate::config::model::Plugin;
use bytes::Bytes;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiles components.
pub trait Compile: Send + Sync {
    /// Compiles for this engine, which is the profile's, within the plugin's limits, away from the threads that serve mail.
    fn compile<'a>(
        &'a self,
        engine: &'a Engine,
        profile: Profile,
        plugin: &'a Plugin,
        octets: Bytes,
    ) -> Answer<'a, Result<Component, NotCompiled>>;
}

/// No code could be made of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCompiled {
    /// What was found, and what was expected.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Compiles in this process, without limits: for components that its caller trusts.
#[derive(Clone, Copy, Debug)]
pub struct InProcess;

impl NotCompiled {
    /// The compiler refused it, in these words.
    #[must_use]
    pub fn refused(words: &str) -> Self {
        // They may be of several lines, and a message to an operator is one.
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            problem: format!("it can't be compiled: {words}"),
            remedy: "a plugin is a WebAssembly component (`mailwright plugin build` makes one of a Rust crate, \
                     and with --module of a core module)"
                .to_owned(),
        }
    }
}

impl Compile for InProcess {
    fn compile<'a>(
        &'a self,
        engine: &'a Engine,
        _profile: Profile,
        _plugin: &'a Plugin,
        octets: Bytes,
    ) -> Answer<'a, Result<Component, NotCompiled>> {
        let engine = engine.clone();
        let compiling = tokio::task::spawn_blocking(move || Component::from_binary(&engine, &octets));
        Box::pin(async move {
            match compiling.await {
                Ok(Ok(component)) => Ok(component),
                Ok(Err(error)) => Err(NotCompiled::refused(&format!("{error:#}"))),
                Err(error) => Err(NotCompiled::refused(&error.to_string())),
            }
        })
    }
}
