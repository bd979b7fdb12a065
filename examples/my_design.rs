//! A layer of one's own, with every figure of the bench: a mean of three samples before the stride.
//! cargo run --example my_design
use aliascope::antialias::bench::Bench;
use aliascope::antialias::plane::{Cache, Taps, filter};
use aliascope::antialias::{Context, Design, Guarantee, Kind, Padding, Resampling, design};
use aliascope::report::antialias_table;
use aliascope::spectrum::{FourierSeries, GridSize, Velocity, Wave, series::RandomSeries};

#[derive(Debug)]
struct MeanOfThree(Taps, Cache);

#[rustfmt::skip]
impl Design for MeanOfThree {
    fn name(&self) -> String { "mean-of-three".into() }
    fn about(&self) -> String { "the mean of a sample and its neighbours".into() }
    fn kind(&self) -> Kind { Kind::Downsampling }
    fn guarantee(&self) -> Guarantee { Guarantee::Approximate }
    fn resampling(&self) -> Resampling { Resampling::Down { stride: 2, first: 0.0 } }
    fn is_linear(&self) -> bool { true }
    fn forward(&self, x: &tch::Tensor, padding: Padding) -> Result<tch::Tensor, tch::TchError> {
        filter(x, &self.0, 2, padding, &self.1)
    }
    fn gain(&self, fine: GridSize, wave: Wave) -> Option<num_complex::Complex64> {
        Some(self.0.response(wave.x as f64 / fine.x as f64) * self.0.response(wave.y as f64 / fine.y as f64))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let series = FourierSeries::random(RandomSeries { band: 12, decay: 1.0, real: true, seed: 1 })?;
    let field = series.sample(GridSize::square(32)).mapv(|h| h.re).index_axis_move(ndarray::Axis(0), 0);
    let (velocity, padding) = (Velocity::new(1.0, 0.5), Padding::Circular);
    let bench = Bench { field, input: "random series of band 12".into(), stride: 2, velocity, padding };
    let mine = MeanOfThree(Taps::centred(vec![1.0 / 3.0; 3]), Cache::default());
    let others = ["stride", "blurpool:3", "ideal"].map(|name| design(name, &Context::default()));
    let mut designs: Vec<Box<dyn Design>> = others.into_iter().collect::<Result<_, _>>()?;
    designs.push(Box::new(mine));
    println!("{}", antialias_table(&bench.run(&designs, &mut |_, _| {})?, 100));
    Ok(())
}
