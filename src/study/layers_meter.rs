//! The errors of one network of a study, attributed to its layers image by image.

use tch::Tensor;

use super::batch::{AttributionRow, LayerRow};
use super::measure::Measure;
use crate::graph::Network;
use crate::measure::layers::{LayerMeter, LayersError, LayersOptions, SplitBy};
use crate::measure::run::Precision;

/// One meter for each generator whose error is attributed.
pub(super) struct LayersOfImages<'a> {
    meters: Vec<(String, LayerMeter<'a>)>,
    /// What to try where numbers are out of range.
    hint: &'static str,
}

impl<'a> LayersOfImages<'a> {
    /// Prepares the attributions that a study asks for.
    pub(super) fn new(network: &'a Network, measure: &Measure) -> Result<Self, String> {
        let Some(scheme) = measure.derivatives.first() else { return Ok(Self { meters: Vec::new(), hint: "" }) };
        let meter = |generator: crate::symmetry::Combination| {
            let name = generator.name().to_owned();
            let options = LayersOptions {
                scheme: *scheme,
                boundary: measure.boundary,
                grid: measure.grid,
                units: measure.units,
                output: measure.first_output(),
                action: measure.action,
                // No row has parts, and without them a sweep is shorter.
                split: SplitBy::Nothing,
                ..LayersOptions::new(generator)
            };
            let meter = LayerMeter::new(network, options).map_err(|error| refused(&name, &error))?;
            Ok((name, meter))
        };
        let hint = match measure.precision {
            Precision::F64 => "leave the network or measure.layers out, and report it",
            Precision::F32 => "try precision = \"f64\"",
        };
        Ok(Self { meters: measure.attributed()?.into_iter().map(meter).collect::<Result<_, String>>()?, hint })
    }

    /// Attributes one image, `[1, input shape…]`, by itself.
    pub(super) fn attribute(&mut self, x: &Tensor, image: &str) -> Result<Vec<AttributionRow>, String> {
        let hint = self.hint;
        let mut rows = Vec::new();
        for (name, meter) in &mut self.meters {
            meter.clear();
            meter.measure(x, &[image.to_owned()], &mut |_, _| {}).map_err(|error| refused(name, &error))?;
            let (results, limit) = (meter.results(), meter.residual_limit());
            let residual = results.conservation_residual;
            if residual > limit {
                return Err(format!(
                    "the layers' errors under {name} do not add up to the whole: a residual of {residual:.1e}, above \
                     {limit:.0e}; {hint}"
                ));
            }
            let of = meter.layer_classes().zip(meter.per_image()).zip(meter.signed_per_image());
            let layers = of.filter_map(|(((name, class), (_, contribution)), signed)| {
                let (contribution, signed) = (*contribution.first()?, *signed.first()?);
                Some(LayerRow { name: name.to_owned(), class, contribution, signed })
            });
            let row = AttributionRow {
                generator: name.clone(),
                output: meter.output().to_string(),
                derivative: results.derivative.to_string(),
                lee: results.lee,
                rounding: meter.floor(),
                residual,
                layers: layers.collect(),
            };
            if !row.is_finite() {
                return Err(format!(
                    "its layers cannot be attributed under {name}: the squares of some of its inner values hold NaN or infinity; \
                     {hint}"
                ));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// Why a network has no attribution. A study has no option for memory: the amount would change numbers, by rounding.
fn refused(generator: &str, error: &LayersError) -> String {
    match error {
        LayersError::Lee(error) => format!("its layers cannot be attributed under {generator}: {error}"),
        LayersError::Memory { given, needed, .. } => format!(
            "its layers cannot be attributed under {generator}: one layer at a time needs {needed} MiB, and a study takes \
             {given} MiB; leave the network or measure.layers out, and use `aliascope layers --memory {needed}`"
        ),
    }
}
