//! Who a plugin is, as a custom section of its module.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, ImplItemFn};

/// The custom section in which the component says who it is, and what it may be configured with.
pub(crate) fn section(configure: Option<&ImplItemFn>) -> TokenStream {
    let config = quote! { ::mailwright_plugin::config };
    let argument = configure.and_then(|function| match function.sig.inputs.first() {
        Some(FnArg::Typed(argument)) => Some(&argument.ty),
        _ => None,
    });
    let schema = match argument {
        Some(kind) => quote! { ::core::option::Option::Some(<#kind as #config::Setting>::SCHEMA) },
        None => quote! { ::core::option::Option::None },
    };
    quote! {
        const MANIFEST: #config::Manifest = #config::Manifest {
            name: ::core::env!("CARGO_PKG_NAME"),
            version: ::core::env!("CARGO_PKG_VERSION"),
            description: ::core::env!("CARGO_PKG_DESCRIPTION"),
            config: #schema,
        };
        // Unsafe where a linker makes addresses of sections: a custom section of WebAssembly has none. It is public and not
        // `#[used]`, or the compiler would put it into the guest's memory too.
        #[doc(hidden)]
        #[unsafe(link_section = "mailwright:manifest")]
        pub static SECTION: [u8; MANIFEST.length()] = MANIFEST.written();
    }
}
