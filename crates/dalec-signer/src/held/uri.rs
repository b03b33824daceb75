//! Names of keys on tokens, see RFC 7512: `pkcs11:token=…;object=…?module-path=…&pin-source=…`.

use std::path::PathBuf;

use crate::key::KeyMaterial;

/// Which key on which token.
#[derive(Default)]
pub struct TokenUri {
    /// The library that speaks to the token.
    pub(super) module: PathBuf,
    /// What the token has to be: names of `pkcs11-tool`'s list of slots, and values.
    pub(super) token: Vec<(&'static str, String)>,
    /// The slot that it has to be in.
    pub(super) slot: Option<u64>,
    /// The label of the key.
    pub(super) object: Option<String>,
    /// The id of the key.
    pub(super) id: Option<Vec<u8>>,
    /// The file with the PIN.
    pin_source: Option<PathBuf>,
    pin_value: Option<KeyMaterial>,
}

/// Why a name is none of a key on a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It is of another kind.
    #[error("it does not begin with pkcs11:")]
    Scheme,
    /// A part of it is not known, and leaving it out would mean another key.
    #[error("it has a part {name} that is not known")]
    Unknown {
        /// Which.
        name: String,
    },
    /// A part of it is there twice.
    #[error("it has its {name} twice")]
    Twice {
        /// Which.
        name: String,
    },
    /// A part of it cannot be read.
    #[error("its {name} cannot be read")]
    Value {
        /// Which.
        name: String,
    },
    /// It does not say which library to use.
    #[error("it does not say which library speaks to the token")]
    NoModule,
}

impl TokenUri {
    /// Reads a name. `module` is the library to use where it names none.
    ///
    /// # Errors
    /// [`UriError`]; it holds no PIN.
    pub fn parse(text: &str, module: Option<PathBuf>) -> Result<Self, UriError> {
        let text = text.strip_prefix("pkcs11:").ok_or(UriError::Scheme)?;
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let mut uri = Self::default();
        let mut named = None;
        let mut known: Vec<&str> = Vec::new();
        for attribute in path.split(';').chain(query.split('&')).filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            if known.contains(&name) {
                return Err(UriError::Twice { name: name.to_owned() });
            }
            known.push(name);
            let unreadable = || UriError::Value { name: name.to_owned() };
            let bytes = decode(value).ok_or_else(unreadable)?;
            if name == "id" {
                uri.id = Some(bytes);
                continue;
            }
            let value = String::from_utf8(bytes).map_err(|_| unreadable())?;
            match name {
                "token" => uri.token.push(("token label", value)),
                "manufacturer" => uri.token.push(("token manufacturer", value)),
                "model" => uri.token.push(("token model", value)),
                "serial" => uri.token.push(("serial num", value)),
                "slot-id" => uri.slot = Some(value.parse().map_err(|_| unreadable())?),
                "object" => uri.object = Some(value),
                "type" if value == "private" => {}
                "module-path" => named = Some(PathBuf::from(value)),
                "pin-value" => uri.pin_value = Some(KeyMaterial::new(value.into_bytes())),
                "pin-source" => {
                    let path = value.strip_prefix("file:").unwrap_or(&value);
                    uri.pin_source = Some(path.trim_start_matches("//").into());
                }
                _ => return Err(UriError::Unknown { name: name.to_owned() }),
            }
        }
        uri.module = named.or(module).ok_or(UriError::NoModule)?;
        Ok(uri)
    }

    /// Returns the file that it says the PIN is in.
    pub fn pin_source(&self) -> Option<&PathBuf> {
        self.pin_source.as_ref()
    }

    /// Takes the PIN that it holds.
    pub fn take_pin(&mut self) -> Option<KeyMaterial> {
        self.pin_value.take()
    }

    /// Returns what the token has to be, in words.
    pub(super) fn wanted(&self) -> String {
        let mut wanted: Vec<String> = self.token.iter().map(|(_, value)| format!("{value:?}")).collect();
        wanted.extend(self.slot.map(|slot| format!("in slot {slot}")));
        if wanted.is_empty() { "at all".to_owned() } else { wanted.join(", ") }
    }
}

/// Returns the bytes that a value with percent signs stands for.
fn decode(value: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str) -> UriError {
        TokenUri::parse(text, Some("module.so".into())).err().expect("it is refused")
    }

    #[test]
    fn names_are_read() {
        let text =
            "pkcs11:model=SoftHSM%20v2;token=a%3bb;id=%01%ff;type=private?module-path=/m.so&pin-value=1%25";
        let mut uri = TokenUri::parse(text, None).unwrap();
        assert_eq!(uri.module, PathBuf::from("/m.so"));
        assert_eq!(uri.token, [("token model", "SoftHSM v2".to_owned()), ("token label", "a;b".to_owned())]);
        assert_eq!(uri.id, Some(vec![1, 255]));
        assert_eq!(uri.take_pin().unwrap().bytes(), b"1%");
        let uri = TokenUri::parse("pkcs11:?pin-source=file:///run/pin", Some("m.so".into())).unwrap();
        assert_eq!(uri.pin_source(), Some(&PathBuf::from("/run/pin")));
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        assert_eq!(refused("pkcs12:"), UriError::Scheme);
        assert_eq!(refused("pkcs11:tokem=x"), UriError::Unknown { name: "tokem".into() });
        assert_eq!(refused("pkcs11:type=public"), UriError::Unknown { name: "type".into() });
        assert_eq!(refused("pkcs11:token=x;token=y"), UriError::Twice { name: "token".into() });
        assert_eq!(refused("pkcs11:id=%0"), UriError::Value { name: "id".into() });
        assert_eq!(refused("pkcs11:slot-id=x"), UriError::Value { name: "slot-id".into() });
        assert_eq!(TokenUri::parse("pkcs11:token=x", None).err(), Some(UriError::NoModule));
    }
}
