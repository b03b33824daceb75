//! The name a downloaded file gets: one path component, whatever server and URL say.

/// The name of a file that has none.
const FALLBACK: &str = "download";

/// Returns the last part of the URL's path, decoded.
pub fn from_url(url: &str) -> String {
    let path = reqwest::Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    safe(&percent_decoded(last)).unwrap_or_else(|| FALLBACK.to_owned())
}

/// Returns the name in a `Content-Disposition` header; the extended notation counts first.
pub fn from_disposition(header: &str) -> Option<String> {
    let mut plain = None;
    for (name, value) in parameters(header) {
        match name.to_ascii_lowercase().as_str() {
            "filename*" => {
                let (charset, rest) = value.split_once('\'')?;
                let (_language, encoded) = rest.split_once('\'')?;
                if charset.eq_ignore_ascii_case("utf-8") {
                    return safe(&percent_decoded(encoded));
                }
            }
            "filename" => plain = safe(&value),
            _ => {}
        }
    }
    plain
}

/// Splits `TYPE; NAME=VALUE; NAME="VALUE"` into names and values.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim().to_owned();
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        found.push((name, value));
        rest = left.trim_start().trim_start_matches(';');
    }
    found
}

/// Reads up to the closing quote; returns the text and what follows.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &text[index + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escape = (bytes[index] == b'%').then(|| text.get(index + 1..index + 3)).flatten();
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                index += 3;
            }
            None => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Returns the last component of `name`, if it can be a file's name.
fn safe(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    is_safe(last).then(|| last.to_owned())
}

/// Returns whether `name` can be a file's name: one component, of a length that file systems take.
pub fn is_safe(name: &str) -> bool {
    let special = matches!(name, "" | "." | "..") || name.len() > 255;
    !special && !name.contains(|character: char| character == '/' || character.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_the_file() {
        for (url, expected) in [
            ("http://h/a/b.tar.gz?x=/y", "b.tar.gz"),
            ("http://h/a%20b", "a b"),
            ("http://h/", "download"),
            ("http://h", "download"),
            ("http://h/a/%2e%2e", "download"),
            ("http://h/%2Fetc%2Fpasswd", "passwd"),
            ("http://h/a%00b", "download"),
            ("http://h/100%", "100%"),
        ] {
            assert_eq!(from_url(url), expected, "{url}");
        }
    }

    #[test]
    fn the_server_may_name_the_file() {
        for (header, expected) in [
            ("attachment; filename=\"a; b.txt\"; size=3", Some("a; b.txt")),
            ("attachment; filename=plain.txt", Some("plain.txt")),
            ("attachment; filename=\"x\"; filename*=UTF-8''%c3%a4.txt", Some("ä.txt")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"..\"", None),
            ("attachment; filename=\"a\\\"b\"", Some("a\"b")),
            ("attachment; filename=\"open", Some("open")),
            ("attachment", None),
            ("inline; filename=", None),
        ] {
            assert_eq!(from_disposition(header).as_deref(), expected, "{header}");
        }
    }
}
