//! Pictures: specimen cards drawn and encoded as JPEG, and cheap scan-like JPEGs for attachments.
//!
//! A corpus of hundreds of megabytes needs pictures faster than an encoder makes them, so [`scan`] writes the entropy-coded
//! data of a baseline JPEG (ITU-T T.81) directly from random coefficients: valid, of realistic size, not compressible.

use jpeg_encoder::{ColorType, Encoder};

use super::glyphs;
use super::rng::Rng;

/// Width and height of a specimen card in pixels: an ID-1 card at about 200 dots an inch.
pub const CARD: (u16, u16) = (680, 428);

/// A sheet of RGB pixels.
struct Canvas {
    width: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn rectangle(&mut self, (x, y): (usize, usize), (w, h): (usize, usize), colour: [u8; 3]) {
        let height = self.pixels.len() / 3 / self.width;
        for row in y..(y + h).min(height) {
            for column in x..(x + w).min(self.width) {
                let at = (row * self.width + column) * 3;
                self.pixels[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    fn text(&mut self, (mut x, y): (usize, usize), dot: usize, colour: [u8; 3], text: &str) {
        for c in text.chars() {
            for (i, column) in glyphs::columns(c).into_iter().enumerate() {
                for row in 0..7 {
                    if column >> row & 1 == 1 {
                        self.rectangle((x + i * dot, y + row * dot), (dot, dot), colour);
                    }
                }
            }
            x += 6 * dot;
        }
    }
}

/// A specimen identity card as a colour JPEG: title, lines of text, a face of rectangles when `portrait`, "FAC-SIMILE" across.
pub fn card(rng: &mut Rng, title: &str, lines: &[String], portrait: bool) -> Vec<u8> {
    let (width, height) = (usize::from(CARD.0), usize::from(CARD.1));
    // The grain of a scanner: a card of flat colours would compress to nothing.
    let mut pixels = rng.bytes(width * height * 3);
    for (i, pixel) in pixels.iter_mut().enumerate() {
        let tint = [206, 222, 216][i % 3];
        *pixel = tint + *pixel % 24;
    }
    let mut canvas = Canvas { width, pixels };
    canvas.rectangle((0, 0), (width, 54), [40, 70, 120]);
    canvas.text((18, 14), 4, [255, 255, 255], title);
    let left = if portrait {
        canvas.rectangle((18, 84), (150, 190), [180, 180, 186]);
        canvas.rectangle((63, 114), (60, 76), [150, 120, 100]);
        canvas.rectangle((43, 200), (100, 74), [70, 80, 110]);
        190
    } else {
        24
    };
    for (i, line) in lines.iter().enumerate() {
        canvas.text((left, 84 + i * 34), 3, [20, 20, 30], line);
    }
    canvas.text((60, 330), 9, [190, 40, 40], "FAC-SIMILE");
    let mut jpeg = Vec::with_capacity(128 * 1024);
    Encoder::new(&mut jpeg, 85)
        .encode(&canvas.pixels, CARD.0, CARD.1, ColorType::Rgb)
        .expect("a drawn card has the size it says");
    jpeg
}

/// Writes bits, highest first, with the zero byte that T.81 wants after each FF.
struct Bits<'a> {
    out: &'a mut Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn put(&mut self, value: u64, width: u32) {
        self.held = self.held << width | value;
        self.count += width;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
    }
}

/// Non-zero coefficients of a block of [`scan`].
const COEFFICIENTS: u32 = 14;

/// A grey baseline JPEG of about `bytes` bytes, with its width and height. It shows noise.
pub fn scan(rng: &mut Rng, bytes: usize) -> (Vec<u8>, u32, u32) {
    // One block is 1 + 14 * 9 + 2 bits, a little over 16 bytes with stuffing; 3:4 like a photographed sheet.
    let blocks = (bytes.saturating_sub(400) / 16).max(12);
    let across = (blocks * 3 / 4).isqrt().clamp(3, 8000);
    let down = (blocks / across).clamp(4, 8000);
    let (width, height) = (across * 8, down * 8);
    let mut out = Vec::with_capacity(across * down * 17 + 400);
    out.extend_from_slice(b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x01\x00\x96\x00\x96\x00\x00");
    out.extend_from_slice(b"\xFF\xDB\x00\x43\x00");
    out.extend_from_slice(&[1; 64]);
    out.extend_from_slice(b"\xFF\xC0\x00\x0B\x08");
    out.extend_from_slice(&u16::try_from(height).unwrap_or(8).to_be_bytes());
    out.extend_from_slice(&u16::try_from(width).unwrap_or(8).to_be_bytes());
    out.extend_from_slice(b"\x01\x01\x11\x00");
    // DC: category 0 is "0". AC: run 0 size 8 is "0", end of block is "10".
    huffman(&mut out, 0x00, &[1], &[0x00]);
    huffman(&mut out, 0x10, &[1, 1], &[0x08, 0x00]);
    out.extend_from_slice(b"\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00");
    let mut bits = Bits { out: &mut out, held: 0, count: 0 };
    for _ in 0..across * down {
        bits.put(0, 1);
        for half in 0..2 {
            // Seven coefficients: bit 8 of each nine is the code "0", the others its value.
            let mask = (0..COEFFICIENTS / 2).fold(0u64, |mask, i| mask | 0xFF << (9 * i));
            let value = rng.draw() & mask;
            // Two steps, so that the 63 bits never meet what is still held.
            bits.put(value >> 36, 27);
            bits.put(value & 0xF_FFFF_FFFF, 36);
            if half == 1 {
                bits.put(0b10, 2);
            }
        }
    }
    let open = (8 - bits.count % 8) % 8;
    bits.put((1 << open) - 1, open);
    out.extend_from_slice(b"\xFF\xD9");
    (out, u32::try_from(width).unwrap_or(8), u32::try_from(height).unwrap_or(8))
}

fn huffman(out: &mut Vec<u8>, class: u8, lengths: &[u8], symbols: &[u8]) {
    out.extend_from_slice(b"\xFF\xC4");
    out.extend_from_slice(&u16::try_from(19 + symbols.len()).unwrap_or(19).to_be_bytes());
    out.push(class);
    let mut counts = [0u8; 16];
    counts[..lengths.len()].copy_from_slice(lengths);
    out.extend_from_slice(&counts);
    out.extend_from_slice(symbols);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_has_about_the_size_asked_for_and_only_true_markers() {
        for wanted in [2_000, 60_000, 1_500_000] {
            let (jpeg, width, height) = scan(&mut Rng::new(3), wanted);
            assert!(jpeg.len() > wanted / 2 && jpeg.len() < wanted * 3 / 2 + 2_000, "{wanted}: {}", jpeg.len());
            assert!(width >= 24 && height >= 32);
            let data = jpeg.windows(2).rposition(|w| w == [0xFF, 0xDA]).unwrap();
            let stray = jpeg[data + 2..jpeg.len() - 2].windows(2).filter(|w| w[0] == 0xFF && w[1] != 0).count();
            assert_eq!(stray, 0);
            assert_eq!(infer::get(&jpeg).unwrap().mime_type(), "image/jpeg");
        }
    }

    #[test]
    fn a_card_is_a_jpeg_of_realistic_size_and_follows_from_its_numbers() {
        let lines = ["COGNOME: ESEMPIO".to_owned()];
        let one = card(&mut Rng::new(3), "CARTA DI IDENTITA", &lines, true);
        assert_eq!(one, card(&mut Rng::new(3), "CARTA DI IDENTITA", &lines, true));
        assert!((40_000..400_000).contains(&one.len()), "{}", one.len());
        assert_eq!(infer::get(&one).unwrap().mime_type(), "image/jpeg");
    }
}
