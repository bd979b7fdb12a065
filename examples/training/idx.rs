//! IDX, the format of MNIST: bytes or floats in a block of any number of axes.

use std::path::Path;

use tch::Tensor;

use super::Problem;

/// The block in a file, in single precision.
///
/// # Errors
/// The file cannot be read, or is no IDX of bytes or floats.
pub fn read(path: &Path) -> Result<Tensor, Problem> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: it cannot be read: {error}", path.display()))?;
    parsed(&bytes).map_err(|problem| format!("{}: {problem}", path.display()).into())
}

fn parsed(bytes: &[u8]) -> Result<Tensor, String> {
    let &[0, 0, code, axes] =
        bytes.get(..4).and_then(|head| head.first_chunk()).ok_or("it is shorter than a header")?
    else {
        return Err("it does not begin as IDX does; unpack it where it is compressed".to_owned());
    };
    let start = 4 + 4 * usize::from(axes);
    let sizes = bytes.get(4..start).ok_or("its sizes are cut off")?;
    let shape: Vec<i64> =
        sizes.chunks_exact(4).map(|b| i64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))).collect();
    let count = shape.iter().try_fold(1i64, |n, &m| n.checked_mul(m)).ok_or("its sizes are too large")?;
    let data = &bytes[start..];
    let values: Vec<f32> = match code {
        0x08 => data.iter().map(|&b| f32::from(b)).collect(),
        0x0d => data.chunks_exact(4).map(|b| f32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect(),
        _ => return Err(format!("its entries have the type {code:#04x}; bytes (0x08) and floats (0x0d) are read")),
    };
    if values.len() as i64 != count {
        return Err(format!("its sizes {shape:?} need {count} entries, and it has {}", values.len()));
    }
    Ok(Tensor::from_slice(&values).view(shape.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::parsed;

    #[test]
    fn bytes_and_floats_are_read_and_cuts_refused() {
        let bytes = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255];
        let block = parsed(&bytes).unwrap();
        assert_eq!((block.size(), block.double_value(&[1, 2])), (vec![2, 3], 255.0));
        let floats = [[0u8, 0, 13, 1].as_slice(), &1u32.to_be_bytes(), &0.25f32.to_be_bytes()].concat();
        assert_eq!(parsed(&floats).unwrap().double_value(&[0]), 0.25);
        assert!(parsed(&bytes[..17]).unwrap_err().contains("6 entries, and it has 5"));
        assert!(parsed(&[0x1f, 0x8b, 8, 0, 0]).unwrap_err().contains("unpack it"));
    }
}
