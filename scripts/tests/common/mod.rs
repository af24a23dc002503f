//! What tests that play a server have in common.

use std::io::{BufRead, Result};

/// The body of the next HTTP request of a connection; `None` where there are no more. It must have a `content-length`.
pub(crate) fn body(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    if line.is_empty() {
        return Ok(None);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(body))
}
