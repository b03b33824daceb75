//! Windows programs of nearly nothing, for tests.

/// The length of the headers, of each section, and the position of the PE header.
pub const BLOCK: usize = 0x200;
/// Where the PE header is.
pub const HEADER: usize = 0x80;

/// What is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// A 32-bit program: PE32.
    Bits32,
    /// A 64-bit program: PE32+.
    Bits64,
}

/// Returns a program with two sections and `overlay` behind them.
pub fn program(width: Width, overlay: &[u8]) -> Vec<u8> {
    let (machine, magic, optional_size) = match width {
        Width::Bits32 => (0x14c_u16, 0x10b_u16, 224_u16),
        Width::Bits64 => (0x8664, 0x20b, 240),
    };
    let mut bytes = vec![0; BLOCK];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"MZ");
    put(0x3c, &0x80_u32.to_le_bytes());
    put(HEADER, b"PE\0\0");
    put(HEADER + 4, &machine.to_le_bytes());
    put(HEADER + 6, &2_u16.to_le_bytes());
    put(HEADER + 20, &optional_size.to_le_bytes());
    put(HEADER + 22, &0x22_u16.to_le_bytes());
    let optional = HEADER + 24;
    put(optional, &magic.to_le_bytes());
    // Section alignment, file alignment, sizes of the image and the headers, the subsystem of a console.
    for (at, value) in [(32, 0x1000_u32), (36, 0x200), (56, 0x3000), (60, 0x200)] {
        put(optional + at, &value.to_le_bytes());
    }
    put(optional + 68, &3_u16.to_le_bytes());
    let directories = optional + if width == Width::Bits32 { 96 } else { 112 };
    put(directories - 4, &16_u32.to_le_bytes());
    let sections = optional + usize::from(optional_size);
    for (number, name) in [b".text\0\0\0", b".data\0\0\0"].into_iter().enumerate() {
        let at = sections + number * 40;
        let place = u32::try_from(number + 1).expect("there are two sections");
        put(at, name);
        put(at + 8, &0x200_u32.to_le_bytes());
        put(at + 12, &(place * 0x1000).to_le_bytes());
        put(at + 16, &0x200_u32.to_le_bytes());
        put(at + 20, &(place * 0x200).to_le_bytes());
    }
    bytes.resize(2 * BLOCK, 0xc3);
    bytes.resize(3 * BLOCK, b'd');
    bytes.extend(overlay);
    bytes
}
