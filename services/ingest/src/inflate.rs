//! Gzip bodies, inflated within bounds that a small body cannot break.

use std::io::Read;

use flate2::bufread::GzDecoder;

use crate::rejection::Rejection;

/// An honest batch of a thousand events stays well below this.
pub(crate) const MAX_INFLATED: usize = 10 * 1024 * 1024;
const RATIO: usize = 20;
const RATIO_FROM: usize = 64 * 1024;

/// Inflates one gzip member, and stops as soon as a limit is passed.
pub(crate) fn inflate(body: &[u8]) -> Result<Vec<u8>, Rejection> {
    let corrupt = || Rejection::new("gzip_corrupt", "the body is not one complete gzip member");
    let mut decoder = GzDecoder::new(body);
    let mut inflated = Vec::with_capacity((body.len() * 4).min(MAX_INFLATED));
    loop {
        let before = inflated.len();
        let step = decoder.by_ref().take(RATIO_FROM as u64).read_to_end(&mut inflated);
        step.map_err(|_| corrupt())?;
        if inflated.len() == before {
            break;
        }
        let read = body.len() - decoder.get_ref().len();
        let bomb = inflated.len() > RATIO_FROM && inflated.len() > read.saturating_mul(RATIO);
        if bomb || inflated.len() > MAX_INFLATED {
            return Err(Rejection::new(
                "inflate_limit",
                format!("a gzip body may inflate to {MAX_INFLATED} bytes and {RATIO} times its size"),
            ));
        }
    }
    if !decoder.into_inner().is_empty() {
        return Err(corrupt());
    }
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn rows_51_and_52_bombs_and_broken_gzip_are_refused() {
        let whole = gzip(b"{\"kind\":\"session\"}");
        let mut bad_crc = whole.clone();
        let crc = bad_crc.len() - 6;
        bad_crc[crc] ^= 1;
        for (name, body, expected) in [
            ("whole", whole.clone(), "ok"),
            ("nothing inside", gzip(b""), "ok"),
            ("cut short", whole[..whole.len() - 9].to_vec(), "gzip_corrupt"),
            ("bad check sum", bad_crc, "gzip_corrupt"),
            ("second member", [whole.clone(), whole].concat(), "gzip_corrupt"),
            ("not gzip", b"{}".to_vec(), "gzip_corrupt"),
            ("empty", Vec::new(), "gzip_corrupt"),
            ("bomb", gzip(&vec![b' '; 4 * 1024 * 1024]), "inflate_limit"),
            ("a small repetitive batch", gzip(&vec![b' '; 60 * 1024]), "ok"),
        ] {
            let code = inflate(&body).map_or_else(|rejection| rejection.code, |_| "ok");
            assert_eq!(code, expected, "{name}");
        }
    }
}
