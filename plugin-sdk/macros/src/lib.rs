//! The attribute that turns an `impl` block into a plugin, and the derive for its configuration. See the crate
//! `mailwright-plugin`.

mod config;
mod hooks;
mod manifest;
#[cfg(test)]
mod tests;

use hooks::Hook;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, ReturnType, Type};

/// Makes a plugin of the marked `impl` block: its functions are the hooks that the component exports, and no others.
///
/// A function that is no hook is an error that names the nearest one; other functions go into another `impl` block.
#[proc_macro_attribute]
pub fn plugin(arguments: proc_macro::TokenStream, block: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let block = syn::parse_macro_input!(block as ItemImpl);
    let arguments = TokenStream::from(arguments);
    let expanded = match arguments.is_empty() {
        true => expand(&block),
        false => Err(Error::new(arguments.span(), "#[plugin] takes no arguments")),
    };
    let errors = expanded.unwrap_or_else(Error::into_compile_error);
    quote! { #block #errors }.into()
}

/// Makes a configuration of a plain type. `mailwright_plugin::config` says what may stand in `#[config(…)]`.
#[proc_macro_derive(Config, attributes(config))]
pub fn config(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    config::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(block: &ItemImpl) -> syn::Result<TokenStream> {
    let name = plugin_type(block)?;
    let mut found = Vec::new();
    let mut problems: Option<Error> = None;
    for item in &block.items {
        let one = match item {
            ImplItem::Fn(function) => {
                Hook::of(function).and_then(|hook| check(hook, function).map(|()| (hook, function)))
            }
            other => Err(Error::new(other.span(), "only hooks here; the rest goes into another `impl` block")),
        };
        match (one, &mut problems) {
            (Ok(one), _) => found.push(one),
            (Err(error), Some(others)) => others.combine(error),
            (Err(error), none) => *none = Some(error),
        }
    }
    match problems {
        Some(problems) => Err(problems),
        None if found.is_empty() => Err(Error::new(block.span(), "a plugin has at least one hook, as `fn on_data`")),
        None => Ok(component(&name, &found)),
    }
}

fn plugin_type(block: &ItemImpl) -> syn::Result<Ident> {
    let plain = match (&*block.self_ty, &block.trait_) {
        (Type::Path(path), None) if block.generics.params.is_empty() => path.path.get_ident().cloned(),
        _ => None,
    };
    let words = match &block.trait_ {
        Some(_) => {
            "#[plugin] goes on an `impl` block without a trait: hooks are functions, as in `impl MyPlugin { … }`"
        }
        None => "#[plugin] goes on `impl MyPlugin { … }` for a plain type, without parameters",
    };
    plain.ok_or_else(|| Error::new(block.self_ty.span(), words))
}

/// Checks what the compiler would say less well about generated code.
fn check(hook: Hook, function: &ImplItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    if let Some(asyncness) = signature.asyncness {
        return Err(Error::new(asyncness.span(), "hooks are not async: the host suspends them where it waits"));
    }
    if let Some(parameter) = signature.generics.params.first() {
        return Err(Error::new(parameter.span(), "hooks have no parameters of type or lifetime: the host calls them"));
    }
    // `self` by value would leave no plugin for the next hook.
    let receiver = match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) => Some(receiver.reference.is_some()),
        _ => None,
    };
    let arguments = signature.inputs.len() - usize::from(receiver.is_some());
    let wanted = hook.takes_self().then_some(true);
    if receiver == wanted && arguments == hook.arguments() {
        return Ok(());
    }
    Err(Error::new(signature.span(), format!("expected `{}`", hook.signature())))
}

/// The exports: for each hook a function that hands the call to the plugin of this instance.
fn component(name: &Ident, found: &[(Hook, &ImplItemFn)]) -> TokenStream {
    let has = |hook: Hook| found.iter().find(|(one, _)| *one == hook).map(|(_, function)| *function);
    let lifecycle = lifecycle(name, has(Hook::Configure), has(Hook::SelfTest));
    let calls = found.iter().filter_map(|(hook, _)| call(name, *hook));
    // Without `configure` there is nothing to wait for: the plugin begins as its default.
    let begin = match has(Hook::Configure) {
        Some(_) => quote! { ::core::option::Option::None },
        None => quote! { ::core::option::Option::Some(::mailwright_plugin::hooks::begin::<#name>()) },
    };
    let begins = has(Hook::Configure).is_none().then(|| quote! { ::mailwright_plugin::hooks::begins::<#name>(); });
    let typed = found.iter().map(|(hook, function)| typed(name, *hook, function));
    let manifest = manifest::section(has(Hook::Configure));
    quote! {
        // Said here for every build, in words for the author: natively nobody else calls the hooks.
        const _: () = {
            #begins
            #(#typed)*
        };
        impl #name {
            #[doc(hidden)]
            const A_PLUGIN_HAS_ONE_IMPL_BLOCK_WITH_ITS_HOOKS: () = ();
        }
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static PLUGIN: ::core::cell::RefCell<::core::option::Option<#name>> =
                    ::core::cell::RefCell::new(#begin);
            }
            struct Component;
            #manifest
            #lifecycle
            #(#calls)*
        };
    }
}

/// Has the compiler say what does not fit: the types of a hook's function.
fn typed(name: &Ident, hook: Hook, function: &ImplItemFn) -> TokenStream {
    let hooks = quote! { ::mailwright_plugin::hooks };
    let method = Ident::new(hook.name(), function.sig.ident.span());
    let method = quote! { <#name>::#method };
    match hook {
        Hook::SelfTest => return quote! { #hooks::self_tested::<#name>(#method); },
        // What it returns is said where it is called.
        Hook::Configure => return quote! { #hooks::configured_with(#method); },
        _ => {}
    }
    let verdict = verdict(hook);
    match (hook.is_told(), argument(hook)) {
        (true, None) => quote! { #hooks::told::<#name>(#method); },
        (true, Some(argument)) => quote! { #hooks::told_with::<#name, #argument>(#method); },
        (false, None) => quote! { #hooks::asked::<#name, _, #verdict>(#method); },
        (false, Some(argument)) => quote! { #hooks::asked_with::<#name, #argument, _, #verdict>(#method); },
    }
}

/// What a hook that is asked answers.
fn verdict(hook: Hook) -> TokenStream {
    match hook {
        Hook::Password => quote! { ::mailwright_plugin::Admission },
        Hook::Data => quote! { ::mailwright_plugin::Disposition },
        Hook::Route => quote! { ::mailwright_plugin::Routing },
        Hook::PreSend => quote! { ::mailwright_plugin::Sending },
        Hook::Http => quote! { ::mailwright_plugin::web::Response },
        _ => quote! { ::mailwright_plugin::Gate },
    }
}

/// What a hook's function is handed by reference.
fn argument(hook: Hook) -> Option<TokenStream> {
    match hook {
        Hook::Helo => Some(quote! { str }),
        Hook::Auth => Some(quote! { ::mailwright_plugin::Auth }),
        Hook::Password => Some(quote! { ::mailwright_plugin::Credentials }),
        Hook::Http => Some(quote! { ::mailwright_plugin::web::Request }),
        Hook::Mail => Some(quote! { ::mailwright_plugin::Mail }),
        Hook::Rcpt => Some(quote! { ::mailwright_plugin::Rcpt }),
        Hook::Outcome => Some(quote! { ::mailwright_plugin::Outcome }),
        Hook::Feedback => Some(quote! { ::mailwright_plugin::Feedback }),
        _ => None,
    }
}

fn call(name: &Ident, hook: Hook) -> Option<TokenStream> {
    let module = hook.module()?;
    let method = hook.ident();
    let module = Ident::new(module, Span::call_site());
    let export = format_ident!("export_{module}");
    let hooks = quote! { ::mailwright_plugin::hooks };
    let guest = quote! { #hooks::#module::exports::mailwright::plugin::#module::Guest };
    let exported = quote! { #hooks::#module::#export!(Component with_types_in #hooks::#module); };
    if hook.is_told() {
        let function = format_ident!("{}", if hook == Hook::Tick { "tick" } else { "handle" });
        let (parameters, arguments) = match hook {
            Hook::Outcome => (quote! { outcome: #hooks::Outcome }, quote! { &outcome }),
            Hook::Feedback => (quote! { feedback: #hooks::Feedback }, quote! { &feedback }),
            _ => (quote! {}, quote! {}),
        };
        // Before `configure` there is nobody to tell.
        return Some(quote! {
            impl #guest for Component {
                fn #function(#parameters) {
                    PLUGIN.with_borrow_mut(|plugin| {
                        if let ::core::option::Option::Some(plugin) = plugin {
                            <#name>::#method(plugin, #arguments);
                        }
                    });
                }
            }
            #exported
        });
    }
    let verdict = verdict(hook);
    let (parameters, arguments) = arguments(hook);
    Some(quote! {
        impl #guest for Component {
            fn handle(#parameters) -> ::core::result::Result<#verdict, ::mailwright_plugin::Fault> {
                PLUGIN.with_borrow_mut(|plugin| match plugin {
                    ::core::option::Option::Some(plugin) => {
                        #hooks::Answer::<#verdict>::answer(<#name>::#method(plugin, #arguments))
                    }
                    ::core::option::Option::None => ::core::result::Result::Err(#hooks::not_configured()),
                })
            }
        }
        #exported
    })
}

/// What such a hook is given, and how it is handed to the plugin's own function.
fn arguments(hook: Hook) -> (TokenStream, TokenStream) {
    let hooks = quote! { ::mailwright_plugin::hooks };
    let params = quote! { ::std::vec::Vec<(::std::string::String, ::std::string::String)> };
    match hook {
        Hook::Helo => (quote! { name: ::std::string::String, }, quote! { &name }),
        Hook::Auth => (
            quote! { mechanism: ::std::string::String, user: ::std::string::String, succeeded: bool, },
            quote! { &#hooks::Auth { mechanism, user, succeeded } },
        ),
        Hook::Password => (
            quote! { mechanism: ::std::string::String, user: ::std::string::String, password: ::std::string::String, },
            quote! { &#hooks::Credentials { mechanism, user, password } },
        ),
        Hook::Http => (quote! { request: ::mailwright_plugin::web::Request, }, quote! { &request }),
        Hook::Mail => (
            quote! {
                sender: ::core::option::Option<::mailwright_plugin::Address>,
                params: #params,
            },
            quote! { &#hooks::Mail { sender, params } },
        ),
        Hook::Rcpt => (
            quote! {
                sender: ::core::option::Option<::mailwright_plugin::Address>,
                to: ::mailwright_plugin::Address,
                params: #params,
            },
            quote! { &#hooks::Rcpt { sender, to, params } },
        ),
        _ => (quote! {}, quote! {}),
    }
}

fn lifecycle(name: &Ident, configure: Option<&ImplItemFn>, self_test: Option<&ImplItemFn>) -> TokenStream {
    if configure.is_none() && self_test.is_none() {
        return TokenStream::new();
    }
    let hooks = quote! { ::mailwright_plugin::hooks };
    let configured = configure.map(|function| {
        let returns_self = match &function.sig.output {
            ReturnType::Type(_, returned) => match &**returned {
                Type::Path(path) => path.path.is_ident("Self") || path.path.is_ident(name),
                _ => false,
            },
            ReturnType::Default => false,
        };
        let made = quote! { <#name>::configure(::mailwright_plugin::config::from_json(&config_json)?) };
        let plugin = match returns_self {
            true => made,
            false => quote! { #hooks::Configured::<#name>::configured(#made)? },
        };
        quote! {
            let plugin = #plugin;
            PLUGIN.set(::core::option::Option::Some(plugin));
            #hooks::leave_room();
        }
    });
    let tested = match self_test {
        Some(_) => quote! {
            PLUGIN.with_borrow_mut(|plugin| match plugin {
                ::core::option::Option::Some(plugin) => <#name>::self_test(plugin),
                ::core::option::Option::None => ::core::result::Result::Err("not configured".into()),
            })
        },
        None => quote! { ::core::result::Result::Ok(()) },
    };
    quote! {
        impl #hooks::lifecycle::exports::mailwright::plugin::lifecycle::Guest for Component {
            fn configure(
                config_json: ::std::string::String,
            ) -> ::core::result::Result<(), ::mailwright_plugin::Fault> {
                #configured
                ::core::result::Result::Ok(())
            }
            fn self_test() -> ::core::result::Result<(), ::std::string::String> {
                #tested
            }
        }
        #hooks::lifecycle::export_lifecycle!(Component with_types_in #hooks::lifecycle);
    }
}
