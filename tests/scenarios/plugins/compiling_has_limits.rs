//! A component that is made to keep the compiler busy costs what the operator allows, and is refused in words that say so.

use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use rustix::process::Signal;

/// An unsigned number as WebAssembly writes it (LEB128).
fn number(mut value: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            octets.push(low);
            return octets;
        }
        octets.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &number(content.len()), content].concat()
}

/// A component with one function: so many blocks in a loop, each of which may leave before it changes one of as many locals.
/// The compiler must know at the end of each block where each local comes from: a square of their number.
fn hostile(blocks: usize) -> Vec<u8> {
    let get = |local: usize| [&[0x20][..], &number(local % blocks)].concat();
    // loop
    let mut body = vec![0x03, 0x40];
    for nth in 0..blocks {
        // block, br_if 0, i32.mul, local.set, end
        body.extend([&[0x02, 0x40][..], &get(nth * 7 + 1), &[0x0d, 0x00]].concat());
        body.extend([&get(nth * 7 + 1)[..], &get(nth * 13 + 5), &[0x6c, 0x21], &number(nth), &[0x0b]].concat());
    }
    // br_if 0, end of the loop, end of the function
    body.extend([&get(0)[..], &[0x0d, 0x00, 0x0b, 0x0b]].concat());
    // One group of locals, of type i32.
    let function = [&[0x01][..], &number(blocks), &[0x7f], &body].concat();
    let code = [&[0x01][..], &number(function.len()), &function].concat();
    let module = [
        &b"\0asm\x01\0\0\0"[..],
        &section(1, &[0x01, 0x60, 0x00, 0x00]),
        &section(3, &[0x01, 0x00]),
        &section(10, &code),
    ];
    [&b"\0asm\x0d\0\x01\0"[..], &section(1, &module.concat())].concat()
}

fn plugin(compile: &str) -> String {
    format!("[[plugin]]\nname = \"hostile\"\nsource = \"hostile.wasm\"\ncompile = {{ {compile} }}")
}

#[test]
fn a_hostile_component_costs_what_is_allowed_and_the_server_goes_on() {
    let server = Mailwright::start(&Setup::new());
    std::fs::write(server.dir().join("hostile.wasm"), hostile(3000)).expect("it can be written");
    for (compile, words) in [
        ("cpu = \"1s\", memory_bytes_max = \"16GiB\"", "compiling it takes more than 1 s of CPU time; if you trust it"),
        ("memory_bytes_max = \"64MiB\"", "compiling it takes more than 67108864 octets of memory; if you trust it"),
        (
            "wall = \"1s\", memory_bytes_max = \"16GiB\"",
            "compiling it takes more than 1s by the clock; if you trust it",
        ),
    ] {
        server.configure(&Setup::new().table(&plugin(compile)));
        server.signal(Signal::HUP);
        let _ = server.event("reload-refused", |event| event["why"].as_str().is_some_and(|why| why.contains(words)));
    }
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &["b@example.test"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
}

#[test]
fn what_is_no_component_is_refused_in_the_compilers_words() {
    let server = Mailwright::prepare(&Setup::new().table(&plugin("cpu = \"10s\"")));
    std::fs::write(server.dir().join("hostile.wasm"), b"\0asm\x0d\0\x01\0\x01").expect("it can be written");
    let checked = server.cli(&["check-config"]);
    let words = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && words.contains("it can't be compiled: "), "{words}");
    assert!(words.contains("a plugin is a WebAssembly component"), "{words}");
}
