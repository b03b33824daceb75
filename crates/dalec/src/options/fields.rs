//! Comma-separated `key=value` fields, as `docker buildx` reads them: a field in double quotes may hold commas.

use crate::errors::CommandError;

/// Splits `text` into its fields; one without `=` has no value.
///
/// # Errors
/// [`CommandError::Usage`] for quotes that are not closed; `flag` is the flag that `text` belongs to.
pub fn split(flag: &str, text: &str) -> Result<Vec<(String, Option<String>)>, CommandError> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        // There is always a last field.
        let last = fields.len() - 1;
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[last].push('"');
            }
            '"' if quoted || fields[last].is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            char => fields[last].push(char),
        }
    }
    if quoted {
        return Err(CommandError::usage(format!("{flag} {text}: a quote is not closed")));
    }
    let pairs = fields.into_iter().map(|field| match field.split_once('=') {
        Some((key, value)) => (key.trim().to_ascii_lowercase(), Some(value.to_owned())),
        None => (field, None),
    });
    Ok(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::split;

    fn pairs(text: &str) -> Vec<(String, Option<String>)> {
        split("--flag", text).unwrap()
    }

    #[test]
    fn fields_may_be_quoted() {
        let pair = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        assert_eq!(pairs("type=local,dest=out"), [pair("type", "local"), pair("dest", "out")]);
        assert_eq!(pairs("ID=a,\"src=x,y\""), [pair("id", "a"), pair("src", "x,y")]);
        assert_eq!(pairs("\"a=say \"\"hi\"\"\""), [pair("a", "say \"hi\"")]);
        assert_eq!(pairs("out"), [("out".to_owned(), None)]);
        assert!(split("--flag", "\"open").is_err());
    }
}
