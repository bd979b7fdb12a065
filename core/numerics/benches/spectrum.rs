//! What transforms, the folded spectrum and the theorem cost, and how that grows with the field.
//!
//! `cargo bench --no-default-features --bench spectrum` prints medians by criterion. With `-- --serve` it answers the
//! commands of benches/peers/spectrum.py instead, which times SciPy on the same arrays in turn with it.

use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use aliascope_numerics::spectrum::filter::Filter;
use aliascope_numerics::spectrum::theorem::{Setup, check_field};
use aliascope_numerics::spectrum::transform::{Real, TransformError};
use aliascope_numerics::spectrum::{GridSize, HalfSpectrum, RealTransform, Velocity};
use bytemuck::Pod;
use criterion::{Criterion, SamplingMode, Throughput};
use ndarray::Array3;
use num_complex::Complex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    if std::env::args().any(|argument| argument == "--serve") {
        return serve();
    }
    let mut criterion =
        Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(300)).configure_from_args();
    transforms(&mut criterion);
    growth(&mut criterion);
    criterion.final_summary();
    Ok(())
}

fn field(side: usize) -> Array3<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(side as u64);
    Array3::from_shape_simple_fn((1, side, side), || rng.random_range(-1.0..1.0))
}

/// Sizes with small factors, powers of two, and primes.
fn transforms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transform_f64");
    for side in [224, 960, 1024, 1021] {
        let fields = field(side);
        let transform = RealTransform::new(GridSize::square(side)).expect("a grid with samples");
        group.throughput(Throughput::Elements(fields.len() as u64));
        group.bench_function(format!("forward/{side}"), |bench| {
            bench.iter(|| transform.forward(fields.view()).expect("fields of this grid"));
        });
        let bins = transform.forward(fields.view()).expect("fields of this grid");
        group.bench_function(format!("inverse/{side}"), |bench| {
            bench.iter(|| transform.inverse(bins.clone()).expect("bins of this grid"));
        });
    }
    group.finish();
}

/// The folded spectrum and the whole check, from samples, per pixel; criterion's `elem/s` are pixels.
fn growth(criterion: &mut Criterion) {
    let stride = GridSize::square(2);
    let mut group = criterion.benchmark_group("per_pixel");
    group.sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(2));
    for side in [256, 512, 1024, 2048, 4096, 8192] {
        let fields = field(side);
        group.throughput(Throughput::Elements(fields.len() as u64));
        group.bench_function(format!("folded/{side}"), |bench| {
            bench.iter(|| HalfSpectrum::from_samples(fields.view()).expect("samples").fold(stride));
        });
        let setup = Setup {
            samples: None,
            grid: GridSize::square(side / 2),
            velocity: Velocity::new(0.8, 0.6),
            prefilter: Filter::None,
            activation: None,
            tolerance: 1e-6,
        };
        group.bench_function(format!("theorem/{side}"), |bench| {
            bench.iter(|| check_field(fields.view(), &setup).expect("a stride that divides"));
        });
    }
    group.finish();
}

/// Commands, one a line: `load f32|f64 BATCH ROWS COLUMNS THREADS FILE`, `time forward|inverse COUNT`, `save FILE`.
/// Each is answered by a line: `ok`, or seconds for COUNT transforms.
fn serve() -> Outcome {
    let mut case: Option<Box<dyn Case>> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match (words.as_slice(), &mut case) {
            (["load", precision, batch, rows, columns, threads, path], case) => {
                let shape = (batch.parse()?, rows.parse()?, columns.parse()?);
                *case = Some(match *precision {
                    "f32" => load::<f32>(shape, threads.parse()?, path)?,
                    _ => load::<f64>(shape, threads.parse()?, path)?,
                });
                "ok".to_owned()
            }
            (["time", direction, count], Some(case)) => {
                let count = count.parse()?;
                let time = if *direction == "forward" { case.forward(count)? } else { case.inverse(count)? };
                time.as_secs_f64().to_string()
            }
            (["save", path], Some(case)) => {
                fs::write(path, case.spectrum()?)?;
                "ok".to_owned()
            }
            _ => return Err(format!("cannot make sense of '{line}'").into()),
        };
        writeln!(io::stdout(), "{answer}")?;
        io::stdout().flush()?;
    }
    Ok(())
}

/// One array of one precision, and its transforms.
trait Case {
    fn forward(&self, count: usize) -> Result<Duration, TransformError>;
    fn inverse(&self, count: usize) -> Result<Duration, TransformError>;
    fn spectrum(&self) -> Result<Vec<u8>, Box<dyn std::error::Error>>;
}

struct Loaded<T: Real> {
    fields: Array3<T>,
    bins: Array3<Complex<T>>,
    pool: rayon::ThreadPool,
}

fn load<T: Real>(
    shape: (usize, usize, usize),
    threads: usize,
    path: &str,
) -> Result<Box<dyn Case>, Box<dyn std::error::Error>>
where
    Complex<T>: Pod,
{
    let fields = Array3::from_shape_vec(shape, bytemuck::pod_collect_to_vec::<u8, T>(&fs::read(path)?))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let transform = RealTransform::new(GridSize::new(shape.2, shape.1))?;
    let bins = pool.install(|| transform.forward(fields.view()))?;
    Ok(Box::new(Loaded { fields, bins, pool }))
}

impl<T: Real> Case for Loaded<T>
where
    Complex<T>: Pod,
{
    fn forward(&self, count: usize) -> Result<Duration, TransformError> {
        let (_, rows, columns) = self.fields.dim();
        self.pool.install(|| {
            let start = Instant::now();
            for _ in 0..count {
                // Planning included: a plan that is kept costs nothing, and SciPy looks its own up as well.
                black_box(RealTransform::new(GridSize::new(columns, rows))?.forward(self.fields.view())?);
            }
            Ok(start.elapsed())
        })
    }

    fn inverse(&self, count: usize) -> Result<Duration, TransformError> {
        let (_, rows, columns) = self.fields.dim();
        let mut time = Duration::ZERO;
        for _ in 0..count {
            // Our transform uses its input up, where SciPy keeps a copy of its own: making ours is no part of it.
            let bins = self.bins.clone();
            time += self.pool.install(|| {
                let start = Instant::now();
                black_box(RealTransform::new(GridSize::new(columns, rows))?.inverse(bins)?);
                Ok::<_, TransformError>(start.elapsed())
            })?;
        }
        Ok(time)
    }

    fn spectrum(&self) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let slice = self.bins.as_slice().ok_or("bins in one piece")?;
        Ok(bytemuck::cast_slice(slice).to_vec())
    }
}
