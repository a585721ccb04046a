//! numpy arrays and scalars.

use super::ValueError;

/// A dense n-dimensional array, or a numpy scalar.
///
/// ```
/// use callgate::Tensor;
///
/// let tensor = Tensor::from_elements(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0])?;
/// assert_eq!(tensor.dtype(), "float32");
/// assert_eq!(tensor.elements::<f32>()?, [1.0, 2.0, 3.0, 4.0]);
/// # Ok::<(), callgate::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tensor {
    dtype: String,
    shape: Vec<i64>,
    data: Vec<u8>,
    scalar: bool,
}

impl Tensor {
    /// An array from its bytes.
    ///
    /// # Arguments
    /// * `dtype` - the element type by numpy's name: `"float64"`, `"bool"`, `"datetime64[ns]"`, `"S5"`, `"U3"`.
    /// * `shape` - the size of each dimension; empty for an array of no dimension.
    /// * `data` - the elements in C order, little-endian, without padding.
    ///
    /// # Errors
    /// If there is no such dtype, or shape and bytes do not go together.
    pub fn new(dtype: impl Into<String>, shape: Vec<i64>, data: Vec<u8>) -> Result<Tensor, ValueError> {
        let dtype = dtype.into();
        let size = element_size(&dtype)?;
        // 32 dimensions are numpy 1's limit.
        if shape.len() > 32 || shape.iter().any(|n| *n < 0) {
            return Err(ValueError::new(format!(
                "a tensor has the shape {}; at most 32 dimensions of 0 or more are right",
                shown(&shape)
            )));
        }
        let count = count(&shape);
        if count.and_then(|count| count.checked_mul(size)) != Some(data.len()) {
            return Err(ValueError::new(format!(
                "a tensor of shape {} and dtype {dtype} does not take the {} bytes that it has",
                shown(&shape),
                data.len()
            )));
        }
        Ok(Tensor { dtype, shape, data, scalar: false })
    }

    /// A numpy scalar (`numpy.float32(1.5)`), which is not an array of no dimension.
    ///
    /// # Errors
    /// As for [`Tensor::new`].
    pub fn scalar(dtype: impl Into<String>, data: Vec<u8>) -> Result<Tensor, ValueError> {
        Ok(Tensor { scalar: true, ..Tensor::new(dtype, Vec::new(), data)? })
    }

    /// An array of numbers, in C order.
    ///
    /// # Errors
    /// If the shape is of another number of elements.
    pub fn from_elements<T: Element>(shape: &[i64], elements: &[T]) -> Result<Tensor, ValueError> {
        let mut data = Vec::with_capacity(size_of_val(elements));
        for element in elements {
            element.write(&mut data);
        }
        Tensor::new(T::DTYPE, shape.to_vec(), data)
    }

    /// The element type by numpy's name.
    pub fn dtype(&self) -> &str {
        &self.dtype
    }

    /// The size of each dimension.
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// The elements in C order, little-endian, without padding.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Whether it is a numpy scalar.
    pub fn is_scalar(&self) -> bool {
        self.scalar
    }

    /// The elements as numbers, in C order.
    ///
    /// # Errors
    /// If they are of another dtype.
    pub fn elements<T: Element>(&self) -> Result<Vec<T>, ValueError> {
        if self.dtype != T::DTYPE {
            return Err(ValueError::new(format!("a tensor of {} where {} is wanted", self.dtype, T::DTYPE)));
        }
        Ok(self.data.chunks_exact(T::SIZE).map(T::read).collect())
    }

    pub(super) fn into_parts(self) -> (String, Vec<i64>, Vec<u8>, bool) {
        (self.dtype, self.shape, self.data, self.scalar)
    }

    /// How many elements it has that no bytes stand for (of `"S0"` and `"U0"`).
    pub(super) fn elements_without_bytes(&self) -> usize {
        if self.data.is_empty() { count(&self.shape).unwrap_or(usize::MAX) } else { 0 }
    }
}

/// A number type of Rust's that numpy has, too.
pub trait Element: Copy + sealed::Sealed {
    /// numpy's name.
    const DTYPE: &'static str;
    #[doc(hidden)]
    const SIZE: usize;
    #[doc(hidden)]
    fn write(self, into: &mut Vec<u8>);
    #[doc(hidden)]
    fn read(bytes: &[u8]) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($kind:ty = $name:literal),*) => {$(
        impl sealed::Sealed for $kind {}

        impl Element for $kind {
            const DTYPE: &'static str = $name;
            const SIZE: usize = size_of::<$kind>();

            fn write(self, into: &mut Vec<u8>) {
                into.extend_from_slice(&self.to_le_bytes());
            }

            fn read(bytes: &[u8]) -> $kind {
                let mut own = [0; size_of::<$kind>()];
                own.copy_from_slice(bytes);
                <$kind>::from_le_bytes(own)
            }
        }
    )*};
}

elements!(
    i8 = "int8",
    i16 = "int16",
    i32 = "int32",
    i64 = "int64",
    u8 = "uint8",
    u16 = "uint16",
    u32 = "uint32",
    u64 = "uint64",
    f32 = "float32",
    f64 = "float64"
);

fn count(shape: &[i64]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1_usize, |count, n| count.checked_mul(usize::try_from(*n).ok()?))
}

fn shown(shape: &[i64]) -> String {
    format!("{shape:?}").chars().take(80).collect()
}

fn element_size(dtype: &str) -> Result<usize, ValueError> {
    let size = match dtype {
        "bool" | "int8" | "uint8" => Some(1),
        "int16" | "uint16" | "float16" | "bfloat16" => Some(2),
        "int32" | "uint32" | "float32" => Some(4),
        "int64" | "uint64" | "float64" | "complex64" => Some(8),
        "complex128" => Some(16),
        // Those of ml_dtypes.
        "float8_e3m4" | "float8_e4m3" | "float8_e4m3b11fnuz" | "float8_e4m3fn" | "float8_e4m3fnuz" | "float8_e5m2"
        | "float8_e5m2fnuz" | "float8_e8m0fnu" => Some(1),
        _ => built_size(dtype),
    };
    size.ok_or_else(|| {
        let shown: String = dtype.chars().take(40).collect();
        ValueError::new(format!("a tensor has an unknown dtype: {shown:?}"))
    })
}

/// Of `datetime64[25s]`, `timedelta64`, `S5`, `U3`.
fn built_size(dtype: &str) -> Option<usize> {
    if let Some(unit) = dtype.strip_prefix("datetime64").or_else(|| dtype.strip_prefix("timedelta64")) {
        return is_unit(unit).then_some(8);
    }
    let width = |text: &str| (text == "0" || is_number(text)).then(|| text.parse::<usize>().ok()).flatten();
    match dtype.split_at_checked(1)? {
        ("S", text) => width(text),
        ("U", text) => width(text)?.checked_mul(4),
        _ => None,
    }
}

fn is_unit(text: &str) -> bool {
    const UNITS: [&str; 13] = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];
    if text.is_empty() {
        return true;
    }
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    let unit = inner.trim_start_matches(|char: char| char.is_ascii_digit());
    let number = &inner[..inner.len() - unit.len()];
    UNITS.contains(&unit) && (number.is_empty() || is_number(number))
}

/// Of one to nine digits, without leading zeros.
fn is_number(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0')
}
