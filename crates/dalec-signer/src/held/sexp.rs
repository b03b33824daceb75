//! Canonical S-expressions, in which the agent of GnuPG writes signatures: lists in parentheses, atoms as `LENGTH:BYTES`.

/// Deeper lists are nonsense.
const DEEPEST: usize = 8;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sexp {
    Atom(Vec<u8>),
    List(Vec<Sexp>),
}

impl Sexp {
    /// Reads one expression that is all of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (found, rest) = read(bytes, 0)?;
        rest.iter().all(|byte| *byte == 0).then_some(found)
    }

    /// Returns the rest of a list that begins with the atom `name`.
    pub(super) fn after(&self, name: &str) -> Option<&[Self]> {
        match self {
            Self::List(items) => match items.split_first() {
                Some((Self::Atom(first), rest)) if first == name.as_bytes() => Some(rest),
                _ => None,
            },
            Self::Atom(_) => None,
        }
    }

    /// Returns the bytes of an atom.
    pub(super) fn atom(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(bytes) => Some(bytes),
            Self::List(_) => None,
        }
    }
}

fn read(bytes: &[u8], depth: usize) -> Option<(Sexp, &[u8])> {
    if let Some(mut rest) = bytes.strip_prefix(b"(") {
        let mut items = Vec::new();
        loop {
            if let Some(rest) = rest.strip_prefix(b")") {
                return Some((Sexp::List(items), rest));
            }
            let (item, after) = (depth < DEEPEST).then(|| read(rest, depth + 1))??;
            items.push(item);
            rest = after;
        }
    }
    let colon = bytes.iter().take(8).position(|byte| *byte == b':')?;
    let digits = bytes[..colon].iter().all(u8::is_ascii_digit).then_some(&bytes[..colon])?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let rest = &bytes[colon + 1..];
    Some((Sexp::Atom(rest.get(..length)?.to_vec()), &rest[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_and_nonsense_is_not() {
        let found = Sexp::parse(b"(7:sig-val(3:rsa(1:s3:\x01\x02\x03)))").unwrap();
        let [algorithm] = found.after("sig-val").unwrap() else { panic!("{found:?}") };
        let [value] = algorithm.after("rsa").unwrap() else { panic!("{found:?}") };
        assert_eq!(value.after("s").unwrap(), [Sexp::Atom(vec![1, 2, 3])]);
        let nonsense = ["", "(", ")", "3:ab", "x:a", ":", "(1:a", "(1:a))", "99999999999:a", "-1:a"];
        for text in nonsense.map(str::to_owned).into_iter().chain(["(".repeat(100_000)]) {
            assert_eq!(Sexp::parse(text.as_bytes()), None, "{}", &text[..text.len().min(20)]);
        }
    }
}
