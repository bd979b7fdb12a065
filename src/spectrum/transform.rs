//! 2-D real Fourier transforms of any size and batch.
//!
//! Rows first, by a real transform; then the columns of the half spectrum, a few at a time through a contiguous
//! buffer, so that each cache line is read and written once. Rows and blocks of columns run in parallel on rayon's
//! current pool; a batch of small fields runs field by field, each one staying in a core's cache.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytemuck::Pod;
use ndarray::{Array3, ArrayView3, ArrayViewMut2, Axis};
use num_complex::Complex;
use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_traits::Float;
use rustfft::{Fft, FftNum, FftPlanner};
use thiserror::Error;

use super::alias::GridSize;

/// Numbers that can be transformed: `f32` and `f64`.
pub trait Real: FftNum + Float + Pod {
    /// The planner that keeps this type's plans for the life of the process.
    #[doc(hidden)]
    fn planner() -> &'static Mutex<Planner<Self>>;
}

/// Keeps the plans of every length seen.
#[doc(hidden)]
pub struct Planner<T: FftNum> {
    real: RealFftPlanner<T>,
    complex: FftPlanner<T>,
}

macro_rules! real {
    ($($t:ty),*) => {$(
        impl Real for $t {
            fn planner() -> &'static Mutex<Planner<$t>> {
                static PLANNER: LazyLock<Mutex<Planner<$t>>> = LazyLock::new(|| {
                    Mutex::new(Planner { real: RealFftPlanner::new(), complex: FftPlanner::new() })
                });
                &PLANNER
            }
        }
    )*};
}
real!(f32, f64);

/// Why a transform could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransformError {
    /// A side of length 0.
    #[error("a grid of {x} columns and {y} rows has no samples to transform")]
    Empty {
        /// Columns.
        x: usize,
        /// Rows.
        y: usize,
    },
    /// An array that does not fit the plan.
    #[error("the transform is for {expected}, and the array is {given}")]
    Shape {
        /// The shape that the plan is for.
        expected: String,
        /// The shape of the array.
        given: String,
    },
}

/// The transforms between the samples of a real field and the half spectrum of its Fourier coefficients.
///
/// For a field of `grid.y` rows and `grid.x` columns the half spectrum has `grid.y` rows, in the order of the discrete
/// Fourier transform (0, 1, …, −2, −1), and ⌊`grid.x`/2⌋ + 1 columns (0, 1, …); the rest is conjugate.
pub struct RealTransform<T: Real> {
    grid: GridSize,
    row_forward: Arc<dyn RealToComplex<T>>,
    row_inverse: Arc<dyn ComplexToReal<T>>,
    column_forward: Arc<dyn Fft<T>>,
    column_inverse: Arc<dyn Fft<T>>,
}

impl<T: Real> fmt::Debug for RealTransform<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealTransform").field("grid", &self.grid).finish_non_exhaustive()
    }
}

/// Below this many samples in all, starting threads costs more than they save.
const WORTH_THREADS: usize = 1 << 14;

/// Columns that go through the buffer together: two cache lines of each row.
const fn columns_at_once<T>() -> usize {
    128 / size_of::<Complex<T>>()
}

impl<T: Real> RealTransform<T> {
    /// The transforms for fields of this grid. Plans are kept for the life of the process, so that a second transform
    /// of the same length costs nothing to plan.
    ///
    /// # Errors
    /// A grid without samples.
    pub fn new(grid: GridSize) -> Result<Self, TransformError> {
        if grid.is_empty() {
            return Err(TransformError::Empty { x: grid.x, y: grid.y });
        }
        // A planner that another thread left mid-plan holds only finished plans.
        let mut planner = T::planner().lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self {
            grid,
            row_forward: planner.real.plan_fft_forward(grid.x),
            row_inverse: planner.real.plan_fft_inverse(grid.x),
            column_forward: planner.complex.plan_fft_forward(grid.y),
            column_inverse: planner.complex.plan_fft_inverse(grid.y),
        })
    }

    /// The grid of the fields.
    pub fn grid(&self) -> GridSize {
        self.grid
    }

    /// The number of columns of the half spectrum, ⌊`grid.x`/2⌋ + 1.
    pub fn half(&self) -> usize {
        self.grid.x / 2 + 1
    }

    /// The Fourier coefficients H_n = (1/N) Σ_j h_j e^{−2πi n·j} of each field, N = `grid.len()`.
    ///
    /// From `[batch, rows, columns]` to `[batch, rows, half]`.
    ///
    /// # Errors
    /// Fields of another grid.
    pub fn forward(&self, fields: ArrayView3<'_, T>) -> Result<Array3<Complex<T>>, TransformError> {
        let (batch, rows, columns) = fields.dim();
        self.check((rows, columns), (self.grid.y, self.grid.x))?;
        let mut bins = zeros((batch, rows, self.half()));
        self.forward_into(fields, &mut bins)?;
        Ok(bins)
    }

    /// [`Self::forward`] into an array that is already there; what it held is lost.
    ///
    /// # Errors
    /// Arrays of another shape.
    pub fn forward_into(&self, fields: ArrayView3<'_, T>, bins: &mut Array3<Complex<T>>) -> Result<(), TransformError> {
        let (batch, rows, columns) = fields.dim();
        self.check((rows, columns), (self.grid.y, self.grid.x))?;
        self.check_batch(batch, bins)?;
        let fields = fields.as_standard_layout();
        let (Some(samples), Some(spectrum)) = (fields.as_slice(), bins.as_slice_mut()) else { return Ok(()) };
        let (field_len, spectrum_len) = (self.grid.len(), self.grid.y * self.half());
        if self.field_by_field(batch) {
            let tasks = samples.par_chunks(field_len).zip(spectrum.par_chunks_mut(spectrum_len));
            tasks.for_each(|(field, bins)| self.forward_one(field, bins, false));
        } else {
            let tasks = samples.chunks(field_len).zip(spectrum.chunks_mut(spectrum_len));
            tasks.for_each(|(field, bins)| self.forward_one(field, bins, self.threads_help(batch)));
        }
        Ok(())
    }

    /// The samples h_j = Σ_n H_n e^{2πi n·j} of each field; undoes [`Self::forward`].
    ///
    /// From `[batch, rows, half]`, which is used up, to `[batch, rows, columns]`. A half spectrum whose self-conjugate
    /// bins are not those of a real field stands for the real part of what it says.
    ///
    /// # Errors
    /// A half spectrum of another grid.
    pub fn inverse(&self, mut bins: Array3<Complex<T>>) -> Result<Array3<T>, TransformError> {
        let batch = bins.dim().0;
        self.check_batch(batch, &bins)?;
        let mut fields = Array3::from_elem((0, self.grid.y, self.grid.x), T::zero());
        if batch > 0 {
            let samples = bytemuck::zeroed_vec(batch * self.grid.len());
            fields = shaped((batch, self.grid.y, self.grid.x), samples);
        }
        if !bins.is_standard_layout() {
            bins = bins.as_standard_layout().into_owned();
        }
        let (Some(samples), Some(spectrum)) = (fields.as_slice_mut(), bins.as_slice_mut()) else { return Ok(fields) };
        let (field_len, spectrum_len) = (self.grid.len(), self.grid.y * self.half());
        if self.field_by_field(batch) {
            let tasks = samples.par_chunks_mut(field_len).zip(spectrum.par_chunks_mut(spectrum_len));
            tasks.for_each(|(field, bins)| self.inverse_one(bins, field, false));
        } else {
            let tasks = samples.chunks_mut(field_len).zip(spectrum.chunks_mut(spectrum_len));
            tasks.for_each(|(field, bins)| self.inverse_one(bins, field, self.threads_help(batch)));
        }
        Ok(fields)
    }

    fn threads_help(&self, batch: usize) -> bool {
        rayon::current_num_threads() > 1 && batch * self.grid.len() >= WORTH_THREADS
    }

    /// Whether there are enough fields to give each thread whole ones.
    fn field_by_field(&self, batch: usize) -> bool {
        self.threads_help(batch) && batch >= 2 * rayon::current_num_threads()
    }

    fn forward_one(&self, field: &[T], bins: &mut [Complex<T>], threads: bool) {
        let columns = self.grid.x;
        let scale = T::one() / real::<T>(self.grid.len());
        let transform_row = |buffers: &mut (Vec<T>, Vec<Complex<T>>), row: &[T], out: &mut [Complex<T>]| {
            buffers.0.copy_from_slice(row);
            // It fails on slices of the wrong length only, and these are cut to length.
            let done = self.row_forward.process_with_scratch(&mut buffers.0, out, &mut buffers.1);
            debug_assert!(done.is_ok());
        };
        let buffers = || (vec![T::zero(); columns], self.row_forward.make_scratch_vec());
        if threads {
            field
                .par_chunks(columns)
                .zip(bins.par_chunks_mut(self.half()))
                .with_min_len(16)
                .for_each_init(buffers, |buffers, (row, out)| transform_row(buffers, row, out));
        } else {
            let mut buffers = buffers();
            field.chunks(columns).zip(bins.chunks_mut(self.half())).for_each(|(row, out)| {
                transform_row(&mut buffers, row, out);
            });
        }
        self.columns(&*self.column_forward, bins, Some(scale), threads);
    }

    fn inverse_one(&self, bins: &mut [Complex<T>], field: &mut [T], threads: bool) {
        self.columns(&*self.column_inverse, bins, None, threads);
        let columns = self.grid.x;
        let transform_row = |scratch: &mut Vec<Complex<T>>, row: &mut [Complex<T>], out: &mut [T]| {
            row[0].im = T::zero();
            if columns.is_multiple_of(2) {
                row[columns / 2].im = T::zero();
            }
            let done = self.row_inverse.process_with_scratch(row, out, scratch);
            debug_assert!(done.is_ok());
        };
        let scratch = || self.row_inverse.make_scratch_vec();
        if threads {
            bins.par_chunks_mut(self.half())
                .zip(field.par_chunks_mut(columns))
                .with_min_len(16)
                .for_each_init(scratch, |scratch, (row, out)| transform_row(scratch, row, out));
        } else {
            let mut scratch = scratch();
            bins.chunks_mut(self.half()).zip(field.chunks_mut(columns)).for_each(|(row, out)| {
                transform_row(&mut scratch, row, out);
            });
        }
    }

    /// Transforms every column of one half spectrum in place, and scales it on the way out.
    fn columns(&self, fft: &dyn Fft<T>, bins: &mut [Complex<T>], scale: Option<T>, threads: bool) {
        let rows = self.grid.y;
        if rows == 1 {
            if let Some(scale) = scale {
                bins.iter_mut().for_each(|bin| *bin = bin.scale(scale));
            }
            return;
        }
        let Ok(mut plane) = ArrayViewMut2::from_shape((rows, self.half()), bins) else { return };
        let at_once = columns_at_once::<T>();
        // Columns whose length is a power of two would all fall into the same few lines of the cache.
        let pitch = rows + 64 / size_of::<Complex<T>>();
        let buffers = || {
            let zero = Complex::new(T::zero(), T::zero());
            RefCell::new((vec![zero; at_once * pitch], vec![zero; fft.get_inplace_scratch_len()]))
        };
        let transform_block = |buffers: &RefCell<Buffers<T>>, mut block: ArrayViewMut2<'_, Complex<T>>| {
            let (buffer, scratch) = &mut *buffers.borrow_mut();
            for (r, row) in block.rows().into_iter().enumerate() {
                for (c, bin) in row.iter().enumerate() {
                    buffer[c * pitch + r] = *bin;
                }
            }
            for column in buffer.chunks_mut(pitch).take(block.ncols()) {
                fft.process_with_scratch(&mut column[..rows], scratch);
            }
            for (r, mut row) in block.rows_mut().into_iter().enumerate() {
                for (c, bin) in row.iter_mut().enumerate() {
                    let value = buffer[c * pitch + r];
                    *bin = scale.map_or(value, |scale| value.scale(scale));
                }
            }
        };
        if threads {
            plane
                .axis_chunks_iter_mut(Axis(1), at_once)
                .into_par_iter()
                .for_each_init(buffers, |buffers, block| transform_block(buffers, block));
        } else {
            let buffers = buffers();
            plane.axis_chunks_iter_mut(Axis(1), at_once).for_each(|block| transform_block(&buffers, block));
        }
    }

    fn check(&self, given: (usize, usize), expected: (usize, usize)) -> Result<(), TransformError> {
        if given == expected {
            return Ok(());
        }
        let shape = |(rows, columns)| format!("{rows} rows and {columns} columns");
        Err(TransformError::Shape { expected: shape(expected), given: shape(given) })
    }

    fn check_batch(&self, batch: usize, bins: &Array3<Complex<T>>) -> Result<(), TransformError> {
        let (given_batch, rows, half) = bins.dim();
        self.check((rows, half), (self.grid.y, self.half()))?;
        if given_batch == batch {
            return Ok(());
        }
        Err(TransformError::Shape { expected: format!("{batch} fields"), given: format!("{given_batch} fields") })
    }
}

/// A block of columns, each in one piece, and the scratch that its transforms need.
type Buffers<T> = (Vec<Complex<T>>, Vec<Complex<T>>);

/// A number of samples as a number to divide by.
fn real<T: Real>(count: usize) -> T {
    T::from_usize(count).unwrap_or_else(T::one)
}

/// Zeros whose pages the system hands out as they are written, rather than twice.
fn zeros<T: Real>(shape: (usize, usize, usize)) -> Array3<Complex<T>> {
    shaped(shape, bytemuck::zeroed_vec(shape.0 * shape.1 * shape.2))
}

fn shaped<A: Clone + rustfft::num_traits::Zero>(shape: (usize, usize, usize), numbers: Vec<A>) -> Array3<A> {
    // The vector was made for the shape; the fallback is never taken.
    Array3::from_shape_vec(shape, numbers).unwrap_or_else(|_| Array3::zeros(shape))
}
