//! numpy arrays and scalars.

use super::ValueError;
use super::dtypes::{check_elements, element_size};

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
    /// * `dtype` - the element type by numpy's name: `"float64"`, `"bool"`, `"datetime64[ns]"`, `"S5"`, `"U3"`;
    ///   long doubles by their format: `"longdouble[x87]"`.
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
        check_elements(&dtype, &data)?;
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
