//! Names of members: UTF-8 where the archive says so or the bytes are it, else code page 437 (APPNOTE appendix D); never a
//! way out of the folder nobody makes of them anyway.

/// Longest path kept, in characters: what a deposit's file names may have.
const MAX_NAME: usize = 255;

/// Upper half of code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The path of a member, with `/` between its parts; what is wrong with it otherwise.
pub(super) fn path(name: &[u8], utf8: bool, extra: &[u8]) -> Result<String, &'static str> {
    let path = unicode(name, extra).unwrap_or_else(|| decode(name, utf8)).replace('\\', "/");
    if path.is_empty() {
        return Err("empty");
    }
    if path.chars().any(|c| c.is_control() || c == '\u{fffd}') {
        return Err("characters that no name has");
    }
    if path.chars().count() > MAX_NAME {
        return Err("longer than 255 characters");
    }
    if path.starts_with('/') || path.get(1..2) == Some(":") {
        return Err("an absolute path");
    }
    let parts = path.strip_suffix('/').unwrap_or(&path);
    if parts.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err("a path that leads elsewhere");
    }
    Ok(path)
}

fn decode(name: &[u8], utf8: bool) -> String {
    match std::str::from_utf8(name) {
        Ok(text) => text.to_owned(),
        Err(_) if utf8 => String::from_utf8_lossy(name).into_owned(),
        Err(_) => {
            let upper: Vec<char> = CP437.chars().collect();
            let one = |byte: &u8| match byte {
                0..=0x7f => char::from(*byte),
                _ => upper.get(usize::from(*byte) - 0x80).copied().unwrap_or('\u{fffd}'),
            };
            name.iter().map(one).collect()
        }
    }
}

/// Info-ZIP's Unicode path (0x7075), which counts only for the name it was made of.
fn unicode(name: &[u8], extra: &[u8]) -> Option<String> {
    let field = extra_field(extra, 0x7075)?;
    let (version, rest) = field.split_first()?;
    let (crc, text) = rest.split_at_checked(4)?;
    let same = crc == crc32fast::hash(name).to_le_bytes();
    (*version == 1 && same).then(|| String::from_utf8(text.to_vec()).ok()).flatten()
}

/// The data of an extra field.
pub(super) fn extra_field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (id, length) = (u16::from_le_bytes([extra[0], extra[1]]), u16::from_le_bytes([extra[2], extra[3]]));
        let data = extra.get(4..4 + usize::from(length))?;
        if id == wanted {
            return Some(data);
        }
        extra = &extra[4 + usize::from(length)..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_and_ways_out() {
        assert_eq!(path(b"a/b.xml", false, &[]).unwrap(), "a/b.xml");
        assert_eq!(path("è.xml".as_bytes(), true, &[]).unwrap(), "è.xml");
        assert_eq!(path(b"perch\x82.xml", false, &[]).unwrap(), "perché.xml");
        assert_eq!(CP437.chars().count(), 128);
        let name = b"x.xml";
        let mut extra = vec![0x75, 0x70, 10, 0, 1];
        extra.extend(crc32fast::hash(name).to_le_bytes());
        extra.extend("é.xml".as_bytes().iter().take(5));
        assert_eq!(path(name, false, &extra).unwrap(), "é.xm");
        assert_eq!(path(b"other", false, &extra).unwrap(), "other");
        for bad in [
            &b""[..],
            b"/etc/x",
            b"../x",
            b"a/../x",
            b"..\\x",
            b"C:\\x",
            b"a\0b",
            b"a//b",
            b"./x",
            b"a\nb",
            &[b'x'; 256],
        ] {
            assert!(path(bad, false, &[]).is_err(), "{bad:?}");
        }
        assert!(path(b"\xff\xfe", true, &[]).is_err());
    }
}
