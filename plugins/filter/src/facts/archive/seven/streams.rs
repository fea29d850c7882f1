//! How the streams of a 7z archive are packed (7zFormat.txt, "Streams Info").

const PACK: u8 = 0x06;
const UNPACK: u8 = 0x07;
const SUBSTREAMS: u8 = 0x08;
const SIZES: u8 = 0x09;
const CHECKSUMS: u8 = 0x0a;
const FOLDERS: u8 = 0x0b;
const UNPACKED_SIZES: u8 = 0x0c;
const COUNTS: u8 = 0x0d;
/// Coders of a folder, and streams of a coder; more are refused by 7-Zip too.
const CODERS_MAX: u64 = 32;

/// All streams.
#[derive(Debug, Default)]
pub(super) struct Streams<'a> {
    /// Where the first lies behind the start.
    pub(super) offset: u64,
    /// How large each is.
    pub(super) packed: Vec<u64>,
    pub(super) folders: Vec<Folder<'a>>,
}

/// Coders one behind the other that make one stream of one or more.
#[derive(Debug)]
pub(super) struct Folder<'a> {
    /// By their names, with their properties.
    coders: Vec<(&'a [u8], &'a [u8])>,
    /// Streams that come out of them.
    outs: u64,
    /// What is unpacked, in octets.
    pub(super) size: u64,
    has_checksum: bool,
}

/// A method that headers are packed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Copy,
    Lzma { properties: u8, dictionary_bytes: u32 },
}

impl Folder<'_> {
    /// One of its coders is AES.
    pub(super) fn is_locked(&self) -> bool {
        self.coders.iter().any(|(name, _)| *name == [0x06, 0xf1, 0x07, 0x01])
    }

    /// Its method, if that is one of those and alone.
    pub(super) fn method(&self) -> Option<Method> {
        match *self.coders {
            [([0], _)] => Some(Method::Copy),
            [([3, 1, 1], [properties, dictionary @ ..])] => {
                let dictionary_bytes = u32::from_le_bytes(dictionary.try_into().ok()?);
                Some(Method::Lzma { properties: *properties, dictionary_bytes })
            }
            _ => None,
        }
    }
}

impl<'a> Streams<'a> {
    pub(super) fn read(fields: &mut Fields<'a>) -> Option<Self> {
        let mut streams = Self::default();
        loop {
            match fields.octet()? {
                PACK => streams.read_packed(fields)?,
                UNPACK => streams.read_folders(fields)?,
                SUBSTREAMS => streams.skip_substreams(fields)?,
                0 => return Some(streams),
                _ => return None,
            }
        }
    }

    fn read_packed(&mut self, fields: &mut Fields<'a>) -> Option<()> {
        self.offset = fields.number()?;
        let count = fields.count()?;
        loop {
            match fields.octet()? {
                SIZES => self.packed = (0..count).map(|_| fields.number()).collect::<Option<_>>()?,
                CHECKSUMS => {
                    fields.checksums(count)?;
                }
                0 => return Some(()),
                _ => return None,
            }
        }
    }

    fn read_folders(&mut self, fields: &mut Fields<'a>) -> Option<()> {
        if fields.octet()? != FOLDERS {
            return None;
        }
        let count = fields.count()?;
        // That they lie elsewhere no program writes.
        if fields.octet()? != 0 {
            return None;
        }
        self.folders = (0..count).map(|_| Folder::read(fields)).collect::<Option<_>>()?;
        if fields.octet()? != UNPACKED_SIZES {
            return None;
        }
        for folder in &mut self.folders {
            // The last is that of the whole, where coders follow each other as programs write them.
            for _ in 0..folder.outs {
                folder.size = fields.number()?;
            }
        }
        loop {
            match fields.octet()? {
                CHECKSUMS => {
                    let known = fields.checksums(self.folders.len())?;
                    for (folder, is_known) in self.folders.iter_mut().zip(known) {
                        folder.has_checksum = is_known;
                    }
                }
                0 => return Some(()),
                _ => return None,
            }
        }
    }

    /// How many files each folder has, and of what size: they have to be read to find what follows.
    fn skip_substreams(&self, fields: &mut Fields<'a>) -> Option<()> {
        let mut counts = vec![1; self.folders.len()];
        loop {
            match fields.octet()? {
                COUNTS => {
                    for count in &mut counts {
                        *count = fields.number()?;
                    }
                }
                SIZES => {
                    for count in &counts {
                        // The last size follows from the others.
                        for _ in 1..*count {
                            fields.number()?;
                        }
                    }
                }
                CHECKSUMS => {
                    let is_told = |(folder, count): (&Folder<'_>, &u64)| folder.has_checksum && *count == 1;
                    let files = self.folders.iter().zip(&counts).filter(|one| !is_told(*one)).map(|(_, count)| *count);
                    let files = files.fold(0u64, u64::saturating_add);
                    fields.checksums(usize::try_from(files).ok()?)?;
                }
                0 => return Some(()),
                _ => return None,
            }
        }
    }
}

impl<'a> Folder<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        let count = fields.number().filter(|count| (1..=CODERS_MAX).contains(count))?;
        let (mut coders, mut ins, mut outs) = (Vec::new(), 0, 0);
        for _ in 0..count {
            let flags = fields.octet()?;
            let name = fields.take(u64::from(flags & 0x0f))?;
            let many = flags & 0x10 != 0;
            let streams = if many { (fields.number()?, fields.number()?) } else { (1, 1) };
            if streams.0 > CODERS_MAX || streams.1 > CODERS_MAX {
                return None;
            }
            (ins, outs) = (ins + streams.0, outs + streams.1);
            let bytes = if flags & 0x20 != 0 { fields.number()? } else { 0 };
            coders.push((name, fields.take(bytes)?));
        }
        // Which stream goes from coder to coder; what goes into none is read from the archive.
        let bound = u64::checked_sub(outs, 1)?;
        for _ in 0..bound {
            let (_into, _from) = (fields.number()?, fields.number()?);
        }
        let free = ins.checked_sub(bound)?;
        if free > 1 {
            for _ in 0..free {
                fields.number()?;
            }
        }
        Some(Self { coders, outs, size: 0, has_checksum: false })
    }
}

/// What is still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn octet(&mut self) -> Option<u8> {
        self.take(1).map(|octet| octet[0])
    }

    fn take(&mut self, bytes: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(bytes).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number: the bits that lead the first octet say how many follow, the least first; what is left of it is on top.
    pub(super) fn number(&mut self) -> Option<u64> {
        let first = self.octet()?;
        let more = first.leading_ones();
        let mut lower = [0; 8];
        lower[..more as usize].copy_from_slice(self.take(u64::from(more))?);
        let upper = if more >= 7 { 0 } else { u64::from(first & (0x7f >> more)) << (8 * more) };
        Some(u64::from_le_bytes(lower) | upper)
    }

    /// How many things follow, each of an octet at least.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    /// Checksums of so many things: which of them have one.
    fn checksums(&mut self, count: usize) -> Option<Vec<bool>> {
        if count > self.0.len().saturating_mul(8) {
            return None;
        }
        let known = match self.octet()? {
            0 => {
                let bits = self.take(count.div_ceil(8) as u64)?;
                (0..count).map(|at| bits[at / 8] & (0x80 >> (at % 8)) != 0).collect()
            }
            _ => vec![true; count],
        };
        self.take(4 * known.iter().filter(|is_known| **is_known).count() as u64)?;
        Some(known)
    }

    /// A kind with its content, as far as there is one; the inner none is the end of them.
    pub(super) fn property(&mut self) -> Option<Option<(u8, &'a [u8])>> {
        match self.octet()? {
            0 => Some(None),
            kind => {
                let bytes = self.number()?;
                Some(Some((kind, self.take(bytes)?)))
            }
        }
    }
}
