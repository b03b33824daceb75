//! PAX records: `LENGTH KEY=VALUE\n`, where LENGTH counts itself.

/// Appends one record to `out`.
pub fn push_record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + decimal_digits(length) {
        length = rest + decimal_digits(length);
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Splits `data` into keys and values; `None` when it is not made of records.
pub fn records(mut data: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    while !data.is_empty() {
        let space = data.iter().position(|&byte| byte == b' ')?;
        let length: usize = std::str::from_utf8(&data[..space]).ok()?.parse().ok()?;
        if length <= space + 1 || length > data.len() || data[length - 1] != b'\n' {
            return None;
        }
        let record = &data[space + 1..length - 1];
        let equals = record.iter().position(|&byte| byte == b'=')?;
        found.push((&record[..equals], &record[equals + 1..]));
        data = &data[length..];
    }
    Some(found)
}

fn decimal_digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_counts_its_own_digits() {
        for size in [1, 3, 4, 5, 90, 91, 92, 93, 94, 990, 991, 992, 993] {
            let value = vec![b'v'; size];
            let mut out = Vec::new();
            push_record(&mut out, b"path", &value);
            let written: usize = String::from_utf8_lossy(&out).split(' ').next().unwrap().parse().unwrap();
            assert_eq!(written, out.len());
            assert_eq!(records(&out).unwrap(), [(&b"path"[..], &value[..])]);
        }
    }

    #[test]
    fn junk_is_refused() {
        for junk in [
            &b"x"[..],
            b"5 a=b\n",
            b"999 a=b\n",
            b"0 a=b\n",
            b"2 \n",
            b"4 ab\n",
            b"18446744073709551616 a=b\n",
        ] {
            assert_eq!(records(junk), None, "{junk:?}");
        }
    }
}
