//! What the rules ask of a Rust file, gathered in one walk over its syntax tree.
//!
//! A parser rather than patterns over text: strings, comments and raw identifiers can't fool it. The insides of macro
//! calls are only tokens to it, so those are searched as tokens.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// The facts of one file.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The whole file is test code (set by the tree, which knows who declares it).
    pub(super) all_test: bool,
    /// First and last line of each item under `#[cfg(test)]` or `#[test]`.
    pub(super) test_lines: Vec<(usize, usize)>,
    /// Functions with bodies.
    pub(super) functions: Vec<Function>,
    /// `mod x;` and `mod x { … }`.
    pub(super) modules: Vec<Module>,
    /// Every path in it, those of `use` flattened.
    pub(super) paths: Vec<PathUse>,
    /// The rest.
    pub(super) sights: Vec<(Sight, Place)>,
}

/// Where, and whether in test code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) test: bool,
}

/// Things that a rule may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// `.await`, `async`.
    Waiting,
    /// `.unwrap()`.
    Unwrap,
    /// `.expect("")` or with less than two words.
    WordlessExpect,
    /// `#[allow(…)]` or `#[expect(…)]` without a reason.
    ReasonlessAllow,
    /// `unsafe`.
    Unsafe,
}

/// A function with a body.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    /// From `fn` to the closing brace.
    pub(super) lines: usize,
}

/// A module declaration.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) test: bool,
    pub(super) inline: bool,
}

/// A path as written, with the names it brings into scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathUse {
    pub(super) segments: Vec<String>,
    /// For `use`: the name it gets here.
    pub(super) alias: Option<String>,
    /// Inline modules it stands in.
    pub(super) scope: Vec<String>,
    pub(super) place: Place,
}

impl Code {
    /// Reads a file; the error says where the parser stopped and why.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let file = syn::parse_file(text).map_err(|e| (e.span().start().line, e.to_string()))?;
        let mut walk = Walk { code: Self::default(), test_depth: 0, scope: Vec::new() };
        walk.visit_file(&file);
        Ok(walk.code)
    }

    /// Whether the line is test code.
    pub(super) fn is_test_line(&self, line: usize) -> bool {
        self.all_test || self.test_lines.iter().any(|&(first, last)| (first..=last).contains(&line))
    }

    /// Lines outside tests on which `sight` was seen.
    pub(super) fn sighted(&self, sight: Sight) -> impl Iterator<Item = usize> {
        let places = self.sights.iter().filter(move |(seen, place)| *seen == sight && !place.test && !self.all_test);
        places.map(|(_, place)| place.line)
    }
}

struct Walk {
    code: Code,
    test_depth: usize,
    scope: Vec<String>,
}

impl Walk {
    fn place(&self, span: Span) -> Place {
        Place { line: span.start().line, test: self.test_depth > 0 }
    }

    fn see(&mut self, sight: Sight, span: Span) {
        let place = self.place(span);
        self.code.sights.push((sight, place));
    }

    fn path(&mut self, segments: Vec<String>, alias: Option<String>, span: Span) {
        let (scope, place) = (self.scope.clone(), self.place(span));
        self.code.paths.push(PathUse { segments, alias, scope, place });
    }

    fn within_test(&mut self, attributes: &[syn::Attribute], span: Span, inside: impl FnOnce(&mut Self)) {
        let test = attributes.iter().any(is_test_attribute);
        if test && self.test_depth == 0 {
            self.code.test_lines.push((span.start().line, span.end().line));
        }
        self.test_depth += usize::from(test);
        inside(self);
        self.test_depth -= usize::from(test);
    }

    fn function(&mut self, sig: &syn::Signature, block: &syn::Block) {
        let line = sig.fn_token.span.start().line;
        let lines = block.brace_token.span.close().end().line + 1 - line;
        self.code.functions.push(Function { name: sig.ident.to_string(), line, lines });
    }

    fn use_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&with(path.ident.to_string()), &path.tree),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.path(before.to_vec(), before.last().cloned(), name.span());
            }
            syn::UseTree::Name(name) => {
                self.path(with(name.ident.to_string()), Some(name.ident.to_string()), name.span());
            }
            syn::UseTree::Rename(rename) => {
                let segments = if rename.ident == "self" { before.to_vec() } else { with(rename.ident.to_string()) };
                self.path(segments, Some(rename.rename.to_string()), rename.span());
            }
            syn::UseTree::Glob(glob) => self.path(before.to_vec(), None, glob.span()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(before, item)),
        }
    }

    /// The inside of a macro call: what can be told from tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, mark: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == mark);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) => {
                    let after_dot = at > 0 && is(at - 1, '.');
                    let span = ident.span();
                    match ident.to_string().as_str() {
                        "await" if after_dot => self.see(Sight::Waiting, span),
                        "async" => self.see(Sight::Waiting, span),
                        "unsafe" => self.see(Sight::Unsafe, span),
                        "unwrap" if after_dot && is_empty_call(tokens.get(at + 1)) => self.see(Sight::Unwrap, span),
                        first => {
                            let mut segments = vec![first.to_owned()];
                            while is(at + 1, ':') && is(at + 2, ':') {
                                let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                                segments.push(next.to_string());
                                at += 3;
                            }
                            if segments.len() > 1 {
                                self.path(segments, None, span);
                            }
                        }
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Walk {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = attributes_of(item);
        self.within_test(attributes, item.span(), |walk| visit::visit_item(walk, item));
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let (name, test, inline) = (module.ident.to_string(), self.test_depth > 0, module.content.is_some());
        self.code.modules.push(Module { name: name.clone(), test, inline });
        self.scope.push(name);
        visit::visit_item_mod(self, module);
        self.scope.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within_test(&item.attrs, item.span(), |walk| {
            walk.function(&item.sig, &item.block);
            visit::visit_impl_item_fn(walk, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_signature(&mut self, sig: &'ast syn::Signature) {
        if let Some(token) = &sig.asyncness {
            self.see(Sight::Waiting, token.span);
        }
        if let Some(token) = &sig.unsafety {
            self.see(Sight::Unsafe, token.span);
        }
        visit::visit_signature(self, sig);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let Some(token) = &item.unsafety {
            self.see(Sight::Unsafe, token.span);
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.see(Sight::Unsafe, block.unsafe_token.span);
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_expr_await(&mut self, wait: &'ast syn::ExprAwait) {
        self.see(Sight::Waiting, wait.await_token.span);
        visit::visit_expr_await(self, wait);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.see(Sight::Waiting, block.async_token.span);
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        if let Some(token) = &closure.asyncness {
            self.see(Sight::Waiting, token.span);
        }
        visit::visit_expr_closure(self, closure);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let span = call.method.span();
        match (call.method.to_string().as_str(), call.args.len()) {
            ("unwrap", 0) => self.see(Sight::Unwrap, span),
            ("expect", 1) if is_wordless(&call.args[0]) => self.see(Sight::WordlessExpect, span),
            _ => {}
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let path = attribute.path();
        let is_allow = path.is_ident("allow") || path.is_ident("expect");
        if let syn::Meta::List(list) = &attribute.meta
            && is_allow
            && !has_ident(list.tokens.clone(), "reason")
        {
            self.see(Sight::ReasonlessAllow, attribute.span());
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
        self.use_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.path(segments, None, path.span());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
    }

    /// `pub(super)` names a module without importing from it.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

fn attributes_of(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(it) => &it.attrs,
        syn::Item::Enum(it) => &it.attrs,
        syn::Item::Fn(it) => &it.attrs,
        syn::Item::Impl(it) => &it.attrs,
        syn::Item::Macro(it) => &it.attrs,
        syn::Item::Mod(it) => &it.attrs,
        syn::Item::Static(it) => &it.attrs,
        syn::Item::Struct(it) => &it.attrs,
        syn::Item::Trait(it) => &it.attrs,
        syn::Item::Type(it) => &it.attrs,
        syn::Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]` and `#[cfg(any(test, …))]`, but not `#[cfg(not(test))]`.
fn is_test_attribute(attribute: &syn::Attribute) -> bool {
    let last = attribute.path().segments.last().map(|segment| segment.ident.to_string());
    match (last.as_deref(), &attribute.meta) {
        (Some("test"), _) => true,
        (Some("cfg"), syn::Meta::List(list)) => {
            has_ident(list.tokens.clone(), "test") && !has_ident(list.tokens.clone(), "not")
        }
        _ => false,
    }
}

fn has_ident(tokens: TokenStream, wanted: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == wanted,
        TokenTree::Group(group) => has_ident(group.stream(), wanted),
        _ => false,
    })
}

fn is_empty_call(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group))
        if group.delimiter() == Delimiter::Parenthesis && group.stream().is_empty())
}

fn is_wordless(argument: &syn::Expr) -> bool {
    match argument {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => text.value().split_whitespace().count() < 2,
        _ => false,
    }
}
