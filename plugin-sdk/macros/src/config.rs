//! The derive that makes a plain type a configuration: see `mailwright_plugin::config`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, ExprRange, Field, Fields, Ident, Lit, LitStr, RangeLimits,
    Token, Variant,
};

/// The implementation of `Setting`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    if let Some(parameter) = input.generics.params.first() {
        let words = "a configuration is a plain type: take the generic parameter away";
        return Err(Error::new(parameter.span(), words));
    }
    if let Some(attribute) = input.attrs.iter().find(|attribute| attribute.path().is_ident("config")) {
        return Err(Error::new(attribute.span(), "#[config(…)] goes on a field, or on a variant"));
    }
    match &input.data {
        Data::Struct(data) => table(input, &data.fields),
        Data::Enum(data) => words(input, data.variants.iter()),
        Data::Union(_) => Err(Error::new(input.span(), "a configuration is a struct, or an enum of words")),
    }
}

fn table(input: &DeriveInput, fields: &Fields) -> syn::Result<TokenStream> {
    let (name, doc, config) = (&input.ident, doc(&input.attrs), quote! { ::mailwright_plugin::config });
    let Fields::Named(fields) = fields else {
        let words = "a configuration has named fields, as `struct Config { header: String }`";
        return Err(Error::new(input.span(), words));
    };
    let mut problems = Vec::new();
    let mut parts = Parts::default();
    for (index, field) in fields.named.iter().enumerate() {
        if let Err(error) = parts.add(index, field) {
            problems.push(error);
        }
    }
    let Parts { entries, values, checks } = parts;
    if let Some(problems) = problems.into_iter().reduce(|mut all, one| {
        all.combine(one);
        all
    }) {
        return Err(problems);
    }
    let table = if values.is_empty() { format_ident!("_table") } else { format_ident!("table") };
    Ok(quote! {
        const _: () = {
            const FIELDS: &[#config::Field] = &[#(#entries),*];
            impl #config::Setting for #name {
                const SCHEMA: #config::Schema = #config::Schema::Table { doc: #doc, fields: FIELDS };
                fn read(
                    json: &#config::Json,
                    _rules: &#config::Rules,
                ) -> ::core::result::Result<Self, #config::Misfit> {
                    let #table = #config::Table::of(json, FIELDS)?;
                    ::core::result::Result::Ok(Self { #(#values),* })
                }
            }
            #(#checks)*
        };
    })
}

/// What a struct's implementation is made of.
#[derive(Default)]
struct Parts {
    /// The fields as constants.
    entries: Vec<TokenStream>,
    /// How each is read.
    values: Vec<TokenStream>,
    /// What the compiler makes sure of.
    checks: Vec<TokenStream>,
}

impl Parts {
    fn add(&mut self, index: usize, field: &Field) -> syn::Result<()> {
        let (options, config) = (Options::read(&field.attrs, false)?, quote! { ::mailwright_plugin::config });
        let Some(ident) = &field.ident else { return Ok(()) };
        let kind = &field.ty;
        let key = options.key(ident, ToOwned::to_owned);
        let (described, rules) = (doc(&field.attrs), options.rules());
        let setting = quote_spanned! { kind.span()=> <#kind as #config::Setting> };
        let (default, required) = match &options.default {
            None => (quote! { ::core::option::Option::None }, quote! { !#setting::OPTIONAL }),
            Some(Absent::Own) => (quote! { #setting::EMPTY }, quote! { false }),
            Some(Absent::Json(json, _)) => (quote! { ::core::option::Option::Some(#json) }, quote! { false }),
            Some(Absent::Made(_)) => (quote! { ::core::option::Option::None }, quote! { false }),
        };
        self.entries.push(quote! {
            #config::Field {
                name: #key, doc: #described, schema: &#setting::SCHEMA, rules: #rules, default: #default,
                required: #required,
            }
        });
        self.values.push(match &options.default {
            Some(Absent::Own) => {
                quote! { #ident: table.field_or(#index, <#kind as ::core::default::Default>::default)? }
            }
            Some(Absent::Made(made)) => quote! { #ident: table.field_or(#index, || #made)? },
            _ => quote! { #ident: table.field(#index)? },
        });
        if let Some(Absent::Json(json, span)) = &options.default {
            self.checks.push(quote_spanned! { *span=>
                ::core::assert!(
                    #config::default_fits(&#setting::SCHEMA, &#rules, #json),
                    "the default does not fit its field: write it as the operator would, and within the range",
                );
            });
        }
        Ok(())
    }
}

fn words<'a>(input: &DeriveInput, variants: impl Iterator<Item = &'a Variant>) -> syn::Result<TokenStream> {
    let (name, config) = (&input.ident, quote! { ::mailwright_plugin::config });
    let (mut words, mut found) = (Vec::new(), Vec::new());
    for variant in variants {
        if !matches!(variant.fields, Fields::Unit) {
            let words = "a variant is a word alone; what has values is a struct, or an Option of one";
            return Err(Error::new(variant.fields.span(), words));
        }
        words.push(Options::read(&variant.attrs, true)?.key(&variant.ident, hyphened));
        found.push(&variant.ident);
    }
    let Some((last, before)) = found.split_last() else {
        return Err(Error::new(input.span(), "an enum of words has at least one"));
    };
    let places = 0..before.len();
    Ok(quote! {
        impl #config::Setting for #name {
            const SCHEMA: #config::Schema = #config::Schema::Words(&[#(#words),*]);
            fn read(json: &#config::Json, rules: &#config::Rules) -> ::core::result::Result<Self, #config::Misfit> {
                ::core::result::Result::Ok(match #config::word(json, &[#(#words),*], rules)? {
                    #(#places => Self::#before,)*
                    _ => Self::#last,
                })
            }
        }
    })
}

/// `QuiteLax` as `quite-lax`.
fn hyphened(name: &str) -> String {
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

/// The words of the documentation, in one line a paragraph.
fn doc(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let syn::Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &pair.value else { continue };
        match line.value().trim() {
            "" => text.push('\n'),
            words => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(words);
            }
        }
    }
    text.trim().to_owned()
}

/// What stands in a field's `#[config(…)]`.
#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    default: Option<Absent>,
    range: Option<(String, String)>,
    length: Option<(TokenStream, TokenStream)>,
}

/// What a field is where the operator says nothing.
enum Absent {
    /// Its type's own.
    Own,
    /// What is written, as JSON.
    Json(String, proc_macro2::Span),
    /// What an expression makes.
    Made(Expr),
}

impl Options {
    fn read(attributes: &[Attribute], is_variant: bool) -> syn::Result<Self> {
        let mut options = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("config")) {
            for option in
                attribute.parse_args_with(|input: ParseStream<'_>| input.parse_terminated(One::parse, Token![,]))?
            {
                options.take(option, is_variant)?;
            }
        }
        Ok(options)
    }

    fn take(&mut self, One { name, value }: One, is_variant: bool) -> syn::Result<()> {
        match (name.to_string().as_str(), value) {
            ("name", Some(Expr::Lit(ExprLit { lit: Lit::Str(key), .. }))) => self.name = Some(key),
            ("name", _) => return Err(Error::new(name.span(), "expected `name = \"key\"`")),
            ("default" | "range" | "length", _) if is_variant => {
                return Err(Error::new(name.span(), format!("`{name}` goes on a field; a variant may have `name`")));
            }
            ("default", None) => self.default = Some(Absent::Own),
            ("default", Some(value)) => {
                let span = value.span();
                self.default = Some(written(&value).map_or(Absent::Made(value), |json| Absent::Json(json, span)));
            }
            ("range", Some(Expr::Range(range))) => self.range = Some(ends(&range, written_bound)?),
            ("range", _) => {
                return Err(Error::new(name.span(), "expected `range = 1..=10` or `range = \"1s\"..=\"1h\"`"));
            }
            ("length", Some(Expr::Range(range))) => {
                let (least, most) = ends(&range, |bound| Ok(quote! { #bound }))?;
                let least = if least.is_empty() {
                    quote! { 0 }
                } else {
                    least
                };
                let most = if most.is_empty() {
                    quote! { usize::MAX }
                } else {
                    most
                };
                self.length = Some((least, most));
            }
            ("length", _) => return Err(Error::new(name.span(), "expected `length = 1..=64`")),
            _ => {
                let words = format!("`{name}` is no option; there are `default`, `range`, `length` and `name`");
                return Err(Error::new(name.span(), words));
            }
        }
        Ok(())
    }

    fn key(&self, ident: &Ident, plain: impl Fn(&str) -> String) -> String {
        let name = ident.to_string();
        self.name.as_ref().map_or_else(|| plain(name.strip_prefix("r#").unwrap_or(&name)), LitStr::value)
    }

    fn rules(&self) -> TokenStream {
        let config = quote! { ::mailwright_plugin::config };
        let range = self.range.as_ref().map(|(least, most)| quote! { #config::Range::of(#least, #most) });
        let length = self.length.as_ref().map(|(least, most)| quote! { (#least, #most) });
        let some = |value: Option<TokenStream>| match value {
            Some(value) => quote! { ::core::option::Option::Some(#value) },
            None => quote! { ::core::option::Option::None },
        };
        let (range, length) = (some(range), some(length));
        quote! { #config::Rules { range: #range, length: #length } }
    }
}

/// `name`, or `name = value`.
struct One {
    name: Ident,
    value: Option<Expr>,
}

impl Parse for One {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        let value = input.parse::<Option<Token![=]>>()?.map(|_| input.parse()).transpose()?;
        Ok(Self { name, value })
    }
}

/// Both ends of `a..=b`; an open one is empty.
fn ends<T: Default>(range: &ExprRange, read: impl Fn(&Expr) -> syn::Result<T>) -> syn::Result<(T, T)> {
    if let (RangeLimits::HalfOpen(_), Some(end)) = (&range.limits, &range.end) {
        return Err(Error::new(end.span(), "write `..=`: both ends belong to the range"));
    }
    let end = |end: &Option<Box<Expr>>| end.as_deref().map(&read).transpose();
    Ok((end(&range.start)?.unwrap_or_default(), end(&range.end)?.unwrap_or_default()))
}

fn written_bound(bound: &Expr) -> syn::Result<String> {
    let text = match bound {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        bound => written(bound),
    };
    text.ok_or_else(|| Error::new(bound.span(), "a range's ends are literals: 1, \"5m\" or \"64KiB\""))
}

/// What an expression of literals is as JSON; none where it is another.
fn written(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(text) => Some(quoted(&text.value())),
            Lit::Int(number) => Some(number.base10_digits().to_owned()),
            Lit::Float(number) => Some(number.base10_digits().to_owned()),
            Lit::Bool(truth) => Some(truth.value.to_string()),
            _ => None,
        },
        Expr::Unary(negated) if matches!(negated.op, syn::UnOp::Neg(_)) => {
            Some(format!("-{}", written(&negated.expr)?))
        }
        Expr::Array(array) => {
            let items: Option<Vec<String>> = array.elems.iter().map(written).collect();
            Some(format!("[{}]", items?.join(",")))
        }
        Expr::Group(group) => written(&group.expr),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> String {
        expand(&syn::parse_str(source).expect("it parses")).expect_err("refused").to_string()
    }

    #[test]
    fn what_can_be_no_configuration_is_told_what_to_do() {
        for (source, mend) in [
            ("struct C<T> { a: T }", "take the generic parameter away"),
            ("struct C(u8);", "has named fields"),
            ("union C { a: u8 }", "a struct, or an enum of words"),
            ("enum C { A(u8) }", "a variant is a word alone"),
            ("enum C {}", "at least one"),
            ("#[config(default)] struct C { a: u8 }", "goes on a field"),
            ("enum C { #[config(default)] A }", "a variant may have `name`"),
            ("struct C { #[config(defualt)] a: u8 }", "there are `default`, `range`, `length` and `name`"),
            ("struct C { #[config(range = 1..9)] a: u8 }", "both ends belong to the range"),
            ("struct C { #[config(range = 5)] a: u8 }", "expected `range = 1..=10`"),
            ("struct C { #[config(range = 1..=MAX)] a: u8 }", "a range's ends are literals"),
            ("struct C { #[config(length = 5)] a: String }", "expected `length = 1..=64`"),
            ("struct C { #[config(name)] a: String }", "expected `name = \"key\"`"),
        ] {
            let words = refused(source);
            assert!(words.contains(mend), "{source}: {words}");
        }
    }

    #[test]
    fn defaults_become_json() {
        let json = |source: &str| written(&syn::parse_str(source).expect("an expression"));
        assert_eq!(json("[\"a\\\"\", \"b\\n\"]").as_deref(), Some("[\"a\\\"\",\"b\\u000a\"]"));
        assert_eq!(json("-1_000").as_deref(), Some("-1000"));
        assert_eq!(json("own()"), None);
    }

    #[test]
    fn names_and_words_are_as_operators_write_them() {
        assert_eq!(hyphened("QuiteLax"), "quite-lax");
        let input = syn::parse_str("struct C { r#type: u8, #[config(name = \"in\")] inner: u8 }").expect("it parses");
        let code = expand(&input).expect("it is sound").to_string();
        assert!(code.contains("name : \"type\"") && code.contains("name : \"in\""), "{code}");
        let input = syn::parse_str("/// One,\n/// two.\n///\n/// Three.\nstruct C { a: u8 }").expect("it parses");
        assert!(expand(&input).expect("it is sound").to_string().contains("One, two.\\nThree."));
    }
}
