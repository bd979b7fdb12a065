//! 2-D real Fourier transforms of any size and batch.
//!
//! Rows first, by a real transform; then the columns of the half spectrum, a few at a time through a contiguous
//! buffer, so that each cache line is read and written once. Rows and blocks of columns run in parallel on rayon's
//! current pool; a batch of small fields runs field by field, each one staying in a core's cache.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array3, ArrayView3, ArrayViewMut2, Axis};
use num_complex::Complex;
use rayon::prelude::*;
use realfft::{ComplexToReal, RealToComplex};
use rustfft::Fft;
use thiserror::Error;

use super::alias::GridSize;
pub use super::plans::Real;

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
    pair_forward: Arc<dyn Fft<T>>,
    pair_inverse: Arc<dyn Fft<T>>,
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
        let (row, column) = (T::plans(grid.x), T::plans(grid.y));
        Ok(Self {
            grid,
            row_forward: row.real_forward,
            row_inverse: row.real_inverse,
            pair_forward: row.forward,
            pair_inverse: row.inverse,
            column_forward: column.forward,
            column_inverse: column.inverse,
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
        let mut fields: Array3<T> = zeros((batch, self.grid.y, self.grid.x));
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
        let (columns, half) = (self.grid.x, self.half());
        let scale = T::one() / real::<T>(self.grid.len());
        let transform = |work: &mut Work<T>, rows: &[T], out: &mut [Complex<T>]| {
            if rows.len() == 2 * columns {
                self.forward_pair(work, rows, out, scale);
            } else {
                work.row.clear();
                work.row.extend_from_slice(rows);
                // It fails on slices of the wrong length only, and these are cut to length.
                let done = self.row_forward.process_with_scratch(&mut work.row, out, &mut work.scratch);
                debug_assert!(done.is_ok());
                out.iter_mut().for_each(|bin| *bin = bin.scale(scale));
            }
        };
        let work = || self.work(self.row_forward.get_scratch_len(), &*self.pair_forward);
        if threads {
            field
                .par_chunks(2 * columns)
                .zip(bins.par_chunks_mut(2 * half))
                .with_min_len(8)
                .for_each_init(work, |work, (rows, out)| transform(work, rows, out));
        } else {
            let mut work = work();
            let pairs = field.chunks(2 * columns).zip(bins.chunks_mut(2 * half));
            pairs.for_each(|(rows, out)| transform(&mut work, rows, out));
        }
        self.columns(&*self.column_forward, bins, threads);
    }

    /// Two real rows a and b as one complex row z = a + ib, whose transform tells them apart:
    /// A_k = (Z_k + Z̄_{−k})/2 and B_k = (Z_k − Z̄_{−k})/2i.
    fn forward_pair(&self, work: &mut Work<T>, rows: &[T], out: &mut [Complex<T>], scale: T) {
        let (columns, half) = (self.grid.x, self.half());
        let (a, b) = rows.split_at(columns);
        work.pair.clear();
        work.pair.extend(a.iter().zip(b).map(|(a, b)| Complex::new(*a, *b)));
        self.pair_forward.process_with_scratch(&mut work.pair, &mut work.scratch);
        let (out_a, out_b) = out.split_at_mut(half);
        out_a[0] = Complex::new(work.pair[0].re * scale, T::zero());
        out_b[0] = Complex::new(work.pair[0].im * scale, T::zero());
        let scale = scale * real_half();
        let mirrored = work.pair[columns - half + 1..].iter().rev();
        let outs = out_a[1..].iter_mut().zip(&mut out_b[1..]);
        for ((z, w), (a, b)) in work.pair[1..].iter().zip(mirrored).zip(outs) {
            *a = Complex::new((z.re + w.re) * scale, (z.im - w.im) * scale);
            *b = Complex::new((z.im + w.im) * scale, (w.re - z.re) * scale);
        }
    }

    fn inverse_one(&self, bins: &mut [Complex<T>], field: &mut [T], threads: bool) {
        self.columns(&*self.column_inverse, bins, threads);
        let (columns, half) = (self.grid.x, self.half());
        let transform = |work: &mut Work<T>, rows: &mut [Complex<T>], out: &mut [T]| {
            if rows.len() == 2 * half {
                self.inverse_pair(work, rows, out);
            } else {
                rows[0].im = T::zero();
                if columns.is_multiple_of(2) {
                    rows[columns / 2].im = T::zero();
                }
                let done = self.row_inverse.process_with_scratch(rows, out, &mut work.scratch);
                debug_assert!(done.is_ok());
            }
        };
        let work = || self.work(self.row_inverse.get_scratch_len(), &*self.pair_inverse);
        if threads {
            bins.par_chunks_mut(2 * half)
                .zip(field.par_chunks_mut(2 * columns))
                .with_min_len(8)
                .for_each_init(work, |work, (rows, out)| transform(work, rows, out));
        } else {
            let mut work = work();
            let pairs = bins.chunks_mut(2 * half).zip(field.chunks_mut(2 * columns));
            pairs.for_each(|(rows, out)| transform(&mut work, rows, out));
        }
    }

    /// Undoes [`Self::forward_pair`], but for its scale: Z_k = A_k + iB_k and Z_{−k} = Ā_k + iB̄_k.
    fn inverse_pair(&self, work: &mut Work<T>, rows: &[Complex<T>], out: &mut [T]) {
        let (columns, half) = (self.grid.x, self.half());
        let (a, b) = rows.split_at(half);
        work.pair.resize(columns, Complex::new(T::zero(), T::zero()));
        // Where the spectrum is its own mirror image a real row has no imaginary part.
        let real_parts = |k: usize| Complex::new(a[k].re, b[k].re);
        {
            let (low, high) = work.pair.split_at_mut(half);
            low[0] = real_parts(0);
            let rest = columns - half;
            for (z, (a, b)) in low[1..].iter_mut().zip(a[1..].iter().zip(&b[1..])) {
                *z = Complex::new(a.re - b.im, a.im + b.re);
            }
            for (z, (a, b)) in high.iter_mut().rev().zip(a[1..=rest].iter().zip(&b[1..=rest])) {
                *z = Complex::new(a.re + b.im, b.re - a.im);
            }
            if columns.is_multiple_of(2) {
                low[half - 1] = real_parts(half - 1);
            }
        }
        self.pair_inverse.process_with_scratch(&mut work.pair, &mut work.scratch);
        let (out_a, out_b) = out.split_at_mut(columns);
        for (z, (a, b)) in work.pair.iter().zip(out_a.iter_mut().zip(out_b)) {
            (*a, *b) = (z.re, z.im);
        }
    }

    fn work(&self, scratch: usize, pair: &dyn Fft<T>) -> Work<T> {
        let zero = Complex::new(T::zero(), T::zero());
        Work {
            row: Vec::with_capacity(self.grid.x),
            pair: Vec::with_capacity(self.grid.x),
            scratch: vec![zero; scratch.max(pair.get_inplace_scratch_len())],
        }
    }

    /// Transforms every column of one half spectrum in place.
    fn columns(&self, fft: &dyn Fft<T>, bins: &mut [Complex<T>], threads: bool) {
        let rows = self.grid.y;
        if rows == 1 {
            return;
        }
        let Ok(mut plane) = ArrayViewMut2::from_shape((rows, self.half()), bins) else { return };
        let at_once = columns_at_once::<T>();
        // Columns whose length is a power of two would all fall into the same few lines of the cache.
        let pitch = rows + 64 / size_of::<Complex<T>>();
        let buffers = || {
            let zero = Complex::new(T::zero(), T::zero());
            (vec![zero; at_once * pitch], vec![zero; fft.get_inplace_scratch_len()])
        };
        let transform_block = |(buffer, scratch): &mut Buffers<T>, mut block: ArrayViewMut2<'_, Complex<T>>| {
            let width = block.ncols();
            for (r, row) in block.rows().into_iter().enumerate() {
                // A block's rows are pieces of the plane's rows.
                let Some(row) = row.to_slice() else { continue };
                for (place, bin) in buffer[r..].iter_mut().step_by(pitch).zip(row) {
                    *place = *bin;
                }
            }
            for column in buffer.chunks_mut(pitch).take(width) {
                fft.process_with_scratch(&mut column[..rows], scratch);
            }
            for (r, row) in block.rows_mut().into_iter().enumerate() {
                let Some(row) = row.into_slice() else { continue };
                for (bin, value) in row.iter_mut().zip(buffer[r..].iter().step_by(pitch)) {
                    *bin = *value;
                }
            }
        };
        if threads {
            plane
                .axis_chunks_iter_mut(Axis(1), at_once)
                .into_par_iter()
                .for_each_init(buffers, |buffers, block| transform_block(buffers, block));
        } else {
            let mut buffers = buffers();
            plane.axis_chunks_iter_mut(Axis(1), at_once).for_each(|block| transform_block(&mut buffers, block));
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

/// What transforms of rows need to work in.
struct Work<T> {
    row: Vec<T>,
    pair: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
}

fn real_half<T: Real>() -> T {
    T::one() / (T::one() + T::one())
}

/// A number of samples as a number to divide by.
fn real<T: Real>(count: usize) -> T {
    T::from_usize(count).unwrap_or_else(T::one)
}

/// Zeros whose pages the system hands out as they are written, and large ones where it has them: columns would miss
/// the address cache at every row of small pages.
fn zeros<A: Clone + bytemuck::Zeroable + num_traits::Zero>(shape: (usize, usize, usize)) -> Array3<A> {
    let numbers = bytemuck::zeroed_vec(shape.0 * shape.1 * shape.2);
    prefer_large_pages(&numbers);
    // The vector was made for the shape; the fallback is never taken.
    Array3::from_shape_vec(shape, numbers).unwrap_or_else(|_| Array3::zeros(shape))
}

/// Asks for large pages where it is worth it; nothing depends on the answer.
fn prefer_large_pages<A>(numbers: &[A]) {
    #[cfg(target_os = "linux")]
    {
        /// Two large pages.
        const WORTH_IT: usize = 4 << 20;
        const PAGE: usize = 4096;
        let start = numbers.as_ptr().addr().next_multiple_of(PAGE);
        let end = numbers.as_ptr_range().end.addr() / PAGE * PAGE;
        if size_of_val(numbers) >= WORTH_IT && start < end {
            // SAFETY: the range lies within the slice, and this advice changes no content.
            unsafe {
                libc::madvise(numbers.as_ptr().with_addr(start).cast_mut().cast(), end - start, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = numbers;
}
