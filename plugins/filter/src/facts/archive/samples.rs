//! Archives for tests. Those of 7z were made by 7-Zip 25 from small files; the others are put together here.

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use std::io::Write;

/// `a.txt`, `sub/setup.exe` and eight notes; the header is packed by LZMA (`7zz a`).
pub(crate) const SEVEN_PACKED: &str = "377abcaf271c000419d964eac0000000000000002200000000000000ad674a7ee00038000f5d00341949ee8ddd564518d0ee8b4f0400000000813307ae0fcf6eee8c07c8437f41b1fafe12be9545682cbb280900b1b77044ee678b8af09b2af9642fc864806f82f03d7fae26e7a645e02b287de3221bc1af2d5729fd7995529e3f9fb2dfdaf2b4c870c1698102d660fbe04f543ed75d2cefbe35510067ea5f4672576f83e4f63e99d0d07332e378f9e899332e75cfa5c9b65298b5decc02e45a4478f49f2cc9ad246962cb1d8e1c7050240999546f1d780c66ad407414e00000170617010980a900070b01000123030101055d001000000c82820a0172bb18e60000";
/// `a.txt` and `sub/setup.exe`; the header is not packed (`7zz a -mhc=off`).
pub(crate) const SEVEN_PLAIN: &str = "377abcaf271c00048292fb1c0d000000000000007e000000000000002c41411401000868656c6c6f0a4d5a0a000104060001090d00070b010001212101000c0900080d0209060a0120303a36419b82270000050219040000000011290061002e0074007800740000007300750062002f00730065007400750070002e006500780065000000190200001412010000008192b17adc0100008192b17adc01150a01002080a4812080a4810000";
/// `a.txt`, encrypted; its name is not (`7zz a -mhc=off -p`).
pub(crate) const SEVEN_LOCKED: &str = "377abcaf271c0004d1cfd2aa10000000000000006200000000000000c53e7faf5eada9bb7f54170874346d3cebeaccf70104060001091000070b0100022406f1070112530fbcab987deb5c7a42849f04cfe4ecb5e52121010001000c0a0600080a0120303a3600000501190100110d0061002e007400780074000000140a010000008192b17adc01150601002080a4810000";
/// Encrypted with its header (`7zz a -mhe=on -p`).
pub(crate) const SEVEN_HIDDEN: &str = "377abcaf271c0004c24bb2d180000000000000002e0000000000000027f0b5b70483a8a20944b34ddc433830111cd87c335bc74afd413e42d8f51b84a7951560916613a3db3a3a0ca4e94d90a5ffa24334857dfb1fc7b44750e8fa0d9b5bcbeabec72f8de328cbfe403f9f86a069e1b702882c73cc7b43a5c4c9a1e96e5cf88b8a5d3e4a8d4bd77aa3f6c475b3dd880720d7d1e3d7cfe801380e0bc22e83eb0e17061001097000070b0100012406f1070112530f51b014d3f07b6c4b75851d9b4dd3807a0c620a0183474f750000";

pub(crate) fn octets(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
    digits.chunks(2).map(octet).collect()
}

/// A zip archive of files with their content, packed or not.
pub(crate) fn zip(files: &[(&str, &[u8])], is_packed: bool) -> Vec<u8> {
    let (mut octets, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let packed = if is_packed { deflated(content) } else { content.to_vec() };
        let sizes = [packed.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
        let method = if is_packed { [8, 0] } else { [0, 0] };
        let name_bytes = (name.len() as u16).to_le_bytes();
        let place = (octets.len() as u32).to_le_bytes();
        let common: Vec<u8> = [&[20, 0, 0, 0], &method[..], &[0; 8], &sizes, &name_bytes, &[0; 2]].concat();
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &place, name.as_bytes()].concat());
        octets.extend([b"PK\x03\x04", &common[..], name.as_bytes(), &packed].concat());
    }
    let (place, bytes) = (octets.len() as u32, directory.len() as u32);
    octets.extend(directory);
    octets.extend(b"PK\x05\x06\0\0\0\0");
    octets.extend([(files.len() as u16).to_le_bytes(); 2].concat());
    octets.extend([bytes.to_le_bytes(), place.to_le_bytes()].concat());
    octets.extend([0, 0]);
    octets
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

/// Packed by RFC 1952, with the file's name if there is one.
pub(crate) fn gzip(name: Option<&str>, content: &[u8]) -> Vec<u8> {
    let builder = name.map_or_else(flate2::GzBuilder::new, |name| flate2::GzBuilder::new().filename(name));
    let mut encoder: GzEncoder<Vec<u8>> = builder.write(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

/// One entry of a tar archive of that kind, with what stands before its name.
pub(crate) fn tar_entry(kind: u8, prefix: &str, name: &str, content: &[u8]) -> Vec<u8> {
    let mut head = vec![0; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    head[148..156].fill(b' ');
    head[156] = kind;
    head[257..265].copy_from_slice(b"ustar\x0000");
    head[345..345 + prefix.len()].copy_from_slice(prefix.as_bytes());
    let sum: u32 = head.iter().map(|octet| u32::from(*octet)).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    head.extend(content);
    head.resize(head.len().next_multiple_of(512), 0);
    head
}

/// A tar archive of these files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let entries = files.iter().flat_map(|(name, content)| tar_entry(b'0', "", name, content));
    entries.chain([0; 1024]).collect()
}

/// A block of a RAR archive up to version 4: its type, its flags, what follows the size of its header, its content.
pub(crate) fn rar_block(kind: u8, flags: u16, rest: &[u8], content: &[u8]) -> Vec<u8> {
    let bytes = (7 + rest.len()) as u16;
    [&[0, 0, kind], &flags.to_le_bytes()[..], &bytes.to_le_bytes(), rest, content].concat()
}

/// A file in one.
pub(crate) fn rar_file(flags: u16, method: u8, name: &[u8], content: &[u8]) -> Vec<u8> {
    let sizes = [(content.len() as u32).to_le_bytes(); 2].concat();
    let name_bytes = (name.len() as u16).to_le_bytes();
    let rest = [&sizes[..], &[2], &[0; 8], &[29, method], &name_bytes, &[0; 4], name].concat();
    rar_block(0x74, flags | 0x8000, &rest, content)
}

/// A RAR archive up to version 4 of these blocks.
pub(crate) fn rar(flags: u16, blocks: &[Vec<u8>]) -> Vec<u8> {
    [b"Rar!\x1a\x07\x00", &rar_block(0x73, flags, &[0; 6], &[])[..], &blocks.concat(), &rar_block(0x7b, 0, &[], &[])]
        .concat()
}

/// A block of a RAR archive of version 5: what is behind the size of its header, and its content.
pub(crate) fn rar5_block(header: &[u8], content: &[u8]) -> Vec<u8> {
    // Every number here is below 128, and so an octet.
    [&[0; 4], &[header.len() as u8][..], header, content].concat()
}

/// A file in one, packed by that method, with this extra area.
pub(crate) fn rar5_file(method: u8, name: &str, extra: &[u8], content: &[u8]) -> Vec<u8> {
    let size = content.len() as u8;
    let front = if extra.is_empty() { vec![2, 2, size] } else { vec![2, 3, extra.len() as u8, size] };
    // A time and a checksum; the method lies in bits 7 to 9.
    let own = [&[6, size, 0][..], &[0; 8], &[0x80, method, 1, name.len() as u8], name.as_bytes()].concat();
    rar5_block(&[&front, &own, extra].concat(), content)
}

/// A RAR archive of version 5 of these blocks.
pub(crate) fn rar5(blocks: &[Vec<u8>]) -> Vec<u8> {
    let (main, end) = (rar5_block(&[1, 0, 0], &[]), rar5_block(&[5, 0, 0], &[]));
    [b"Rar!\x1a\x07\x01\x00", &main[..], &blocks.concat(), &end].concat()
}

/// A cabinet of these names.
pub(crate) fn cab(names: &[&str]) -> Vec<u8> {
    let mut octets = [b"MSCF\0\0\0\0", &[0; 8][..], &36u32.to_le_bytes(), &[0; 8]].concat();
    octets.extend((names.len() as u16).to_le_bytes());
    octets.resize(36, 0);
    for name in names {
        octets.extend([&[0; 16], name.as_bytes(), &[0]].concat());
    }
    octets
}

/// An attribute of `winmail.dat`.
pub(crate) fn tnef_attribute(level: u8, kind: u32, content: &[u8]) -> Vec<u8> {
    [&[level], &kind.to_le_bytes()[..], &(content.len() as u32).to_le_bytes(), content, &[0, 0]].concat()
}

/// A property with a value that has a length.
pub(crate) fn tnef_property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
    let mut octets =
        [&kind.to_le_bytes()[..], &id.to_le_bytes(), &[1, 0, 0, 0], &(value.len() as u32).to_le_bytes(), value]
            .concat();
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// `winmail.dat` with an attachment of a short and a long name.
pub(crate) fn tnef(short: &str, long: &str, content: &[u8]) -> Vec<u8> {
    let wide: Vec<u8> = long.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    // A number, a number with a name of its own, and the name.
    let named = [&[3, 0, 0, 0x80][..], &[0; 16], &[1, 0, 0, 0], &[3, 0, 0, 0], b"ab\0\0", &[1, 0, 0, 0]].concat();
    let properties =
        [&[3, 0, 0, 0][..], &[3, 0, 5, 0x37, 1, 0, 0, 0], &named, &tnef_property(0x1f, 0x3707, &wide)].concat();
    [
        &[0x78, 0x9f, 0x3e, 0x22, 1, 0][..],
        &tnef_attribute(1, 0x0008_9006, &[0, 0, 1, 0]),
        &tnef_attribute(2, 0x0006_9002, &[0; 14]),
        &tnef_attribute(2, 0x0006_800f, content),
        &tnef_attribute(2, 0x0001_8010, format!("{short}\0").as_bytes()),
        &tnef_attribute(2, 0x0006_9005, &properties),
    ]
    .concat()
}
