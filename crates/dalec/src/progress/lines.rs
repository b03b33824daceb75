//! Whole lines out of the pieces that processes write.

/// A line longer than this is shown in pieces; nothing keeps more of an unfinished line in memory.
const LONGEST: usize = 8 * 1024;

/// Collects the pieces of one stream.
///
/// A carriage return ends a line like a line feed does, so that nothing of what was overwritten on the writer's
/// screen is hidden from a log; the empty lines that this makes are left out.
#[derive(Debug, Default)]
pub struct Lines {
    open: Vec<u8>,
    after_return: bool,
}

impl Lines {
    /// Takes a piece and returns the lines that it completes, without line breaks.
    pub fn take(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for byte in piece {
            match byte {
                b'\n' if self.after_return => {}
                b'\r' if self.open.is_empty() => {}
                b'\n' | b'\r' => lines.push(std::mem::take(&mut self.open)),
                byte => self.open.push(*byte),
            }
            self.after_return = *byte == b'\r';
            if self.open.len() >= LONGEST {
                lines.push(std::mem::take(&mut self.open));
            }
        }
        lines
    }

    /// Returns the last line when it has no line break.
    pub fn end(&mut self) -> Vec<Vec<u8>> {
        let open = std::mem::take(&mut self.open);
        if open.is_empty() { Vec::new() } else { vec![open] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str]) -> Vec<String> {
        let mut collector = Lines::default();
        let mut lines: Vec<Vec<u8>> =
            pieces.iter().flat_map(|piece| collector.take(piece.as_bytes())).collect();
        lines.extend(collector.end());
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn pieces_become_lines() {
        assert_eq!(lines(&["a", "b\nc\n", "\nd"]), ["ab", "c", "", "d"]);
        assert_eq!(lines(&["a\r", "\nb\r\n"]), ["a", "b"]);
        assert_eq!(lines(&["10%\r20%\r\r100%\n"]), ["10%", "20%", "100%"]);
        assert_eq!(lines(&[]), Vec::<String>::new());
    }

    #[test]
    fn an_endless_line_is_shown_in_pieces() {
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(lines(&[&long]).iter().map(String::len).collect::<Vec<_>>(), [LONGEST, 1]);
    }
}
