//! What an author gets wrong is told with its mend.

use super::expand;

fn refused(block: &str) -> String {
    let block = syn::parse_str(block).expect("it parses");
    let error = expand(&block).expect_err("refused");
    error.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn blocks_that_can_be_no_plugin_are_told_what_to_do() {
    for (block, mend) in [
        ("impl<T> P<T> { fn on_data(&mut self) -> Disposition {} }", "for a plain type, without parameters"),
        ("impl P<u8> { fn on_data(&mut self) -> Disposition {} }", "for a plain type, without parameters"),
        ("impl Hooks for P { fn on_data(&mut self) -> Disposition {} }", "without a trait"),
        ("impl P {}", "at least one hook, as `fn on_data`"),
        ("impl P { const A: u8 = 1; }", "the rest goes into another `impl` block"),
        ("impl P { fn helper(&self) {} }", "other functions go into another `impl` block"),
        ("impl P { fn on_rcp(&mut self) -> Gate {} }", "Did you mean `on_rcpt`?"),
        ("impl P { async fn on_data(&mut self) -> Disposition {} }", "hooks are not async"),
        ("impl P { fn on_data() -> Disposition {} }", "expected `fn on_data(&mut self) -> Disposition`"),
        ("impl P { fn on_rcpt(&mut self) -> Gate {} }", "expected `fn on_rcpt(&mut self, rcpt: &Rcpt) -> Gate`"),
        ("impl P { fn on_connect(self) -> Gate {} }", "expected `fn on_connect(&mut self) -> Gate`"),
        ("impl P { fn on_data<T>(&mut self) -> Disposition {} }", "hooks have no parameters of type"),
        ("impl P { fn configure(&self) -> Self {} }", "fn configure(config: Config) -> Result<Self, Fault>"),
    ] {
        let words = refused(block);
        assert!(words.contains(mend), "{block}: {words}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let words = refused("impl P { fn on_dta(&mut self) {} fn on_connect(&mut self, x: u8) -> Gate {} }");
    assert!(words.contains("`on_data`") && words.contains("expected `fn on_connect"), "{words}");
}

#[test]
fn the_component_has_its_manifest_and_each_hook_is_typed() {
    let block = "impl P { fn configure(config: Mine) -> Self {} fn on_rcpt(&mut self, rcpt: &Rcpt) -> Gate {} }";
    let code = expand(&syn::parse_str(block).expect("it parses")).expect("it is sound").to_string();
    for part in ["\"mailwright:manifest\"", "< Mine as", "asked_with :: < P , :: mailwright_plugin :: Rcpt"] {
        assert!(code.contains(part), "{part} in {code}");
    }
}
